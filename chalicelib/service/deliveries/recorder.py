"""Record deliveries: what was sent, where, how long it took, and what came back at once.

The history of a run holds the deliveries that change it: failures, and answers in the HTTP response. Those that are
taken, and answered by callback later, change nothing. Where the setting ECHOER_DELIVERY_LOG is on, every delivery is
recorded in a store of its own, the first one of an activation with its args.
"""

from __future__ import annotations

import logging
from typing import Final, TypeAlias

import msgspec

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.request_args import args_of
from chalicelib.engine.transition import BlobReader
from chalicelib.engine.values.secret_values import masked
from chalicelib.model.actions import shown_args
from chalicelib.model.addresses import without_password
from chalicelib.model.definition import Definition
from chalicelib.model.history import Sent
from chalicelib.model.json_values import Json
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.model.waits import NoticeWait
from chalicelib.service.deliveries.delivery_check import Deliverable
from chalicelib.service.deliveries.direct_answers import Answered, DirectAnswer
from chalicelib.service.deliveries.statistics import DeliveryStatistics
from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.actions import NotTaken, Taken
from chalicelib.service.ports.deliveries import DeliveryRecord, DeliveryStore

LOG = logging.getLogger("echoer.deliver")

MAX_ARGS_BYTES: Final = 64 * 1024
"""Larger args are not recorded."""

DeliveryReply: TypeAlias = Taken | DirectAnswer


class Delivered(msgspec.Struct, frozen=True):
    """A reply, and how its delivery went."""

    reply: DeliveryReply
    at: Instant
    sent: Sent


def delivered(
    definition: Definition, deliverable: Deliverable, reply: DeliveryReply, at: Instant, took: Milliseconds
) -> Delivered:
    """Return the reply with how its delivery went: begun at `at`, and for how long."""
    action = deliverable.invocation.action
    address = without_password(reply.address or (action.addresses[0] if action.addresses else ""))
    own = definition.actions.get(action.name)
    usual = without_password(own.addresses[0]) if own is not None and own.addresses else ""
    is_usual = address == usual and not isinstance(deliverable.activation.wait, NoticeWait)
    return Delivered(reply, at, Sent(duration=took, status=_status_of(reply), address="" if is_usual else address))


def _status_of(reply: DeliveryReply) -> int | None:
    if isinstance(reply, Answered):
        status = reply.response.get("status") if reply.response else None
        return status if isinstance(status, int) else None
    return reply.status if isinstance(reply, (Taken, NotTaken)) else None


class DeliveryRecorder:
    """Records deliveries in their store and counts them, if that is switched on."""

    def __init__(self, deliveries: DeliveryStore, statistics: DeliveryStatistics, *, is_on: bool) -> None:
        self._deliveries = deliveries
        self._statistics = statistics
        self._is_on = is_on

    def record(self, definition: Definition, deliverable: Deliverable, found: Delivered, read_blob: BlobReader) -> None:
        """Record the delivery. If that fails, nothing else does."""
        if not self._is_on:
            return
        action, failed = deliverable.invocation.action.name, isinstance(found.reply, NotTaken)
        self._statistics.record(deliverable.run.namespace, action, found.sent.duration, failed=failed)
        is_first = deliverable.activation.attempt == 0 and not deliverable.activation.location
        error = found.reply.error if isinstance(found.reply, NotTaken) else ""
        record = DeliveryRecord(
            uuid=deliverable.activation.uuid,
            at=found.at,
            sent=found.sent,
            error=error,
            args=_args(definition, deliverable, read_blob) if is_first else None,
        )
        try:
            self._deliveries.put(deliverable.run, record)
        except ServiceError:
            LOG.warning("a delivery was not recorded", extra={"run": deliverable.run.name, "uuid": record.uuid})


def _args(definition: Definition, deliverable: Deliverable, read_blob: BlobReader) -> dict[str, Json] | None:
    """Return the args with secrets masked; None if they are too large, or cannot be made."""
    run, token, invocation = deliverable.run, deliverable.token, deliverable.invocation
    if invocation.is_bare:
        found: dict[str, Json] = dict(deliverable.activation.args or {})
    else:
        try:
            found = shown_args(args_of(definition, run, token, invocation, read_blob, None))
        except ExpressionFailed:
            return None
    shown: dict[str, Json] = masked(msgspec.to_builtins(found))
    return shown if len(msgspec.json.encode(shown)) <= MAX_ARGS_BYTES else None
