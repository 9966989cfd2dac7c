"""The last deliveries of each hook, and since when they fail."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict
from chalicelib.service.ports.values import VersionedValueStore

LOG = logging.getLogger("echoer.hooks")

MAX_DELIVERIES: Final = 20
"""How many deliveries of a hook are kept."""

MAX_ERROR_CHARACTERS: Final = 200

_ATTEMPTS: Final = 4


class HookDelivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt to deliver a notification."""

    id: str
    """The id of the notification."""
    event: str
    run: str
    at: Instant
    duration: int
    """Milliseconds."""
    status: int | None = None
    """The HTTP status, if the attempt was refused with one."""
    error: str = ""
    """Why it failed; empty if it was accepted."""
    next_at: Instant | None = None
    """When it is attempted again; None: never."""


class HookHistory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last deliveries of a hook, newest first."""

    deliveries: tuple[HookDelivery, ...] = ()
    failures: int = 0
    """How many attempts in a row have failed."""
    failing_since: Instant | None = None


ready(HookHistory)


class DeliveryLog:
    """Records deliveries in one small value per hook. A record may be lost under load; a notification never is."""

    def __init__(self, values: VersionedValueStore) -> None:
        self._values = values

    def of(self, namespace: str, hook: str) -> HookHistory:
        """Return the last deliveries of the hook."""
        return _decoded(self._values.read(namespace, _key(hook))[0])

    def record(self, namespace: str, hook: str, delivery: HookDelivery) -> None:
        """Add a delivery, and drop the oldest one beyond the limit."""
        for _ in range(_ATTEMPTS):
            text, version = self._values.read(namespace, _key(hook))
            try:
                self._values.write(
                    namespace, _key(hook), msgspec.json.encode(_added(_decoded(text), delivery)), version
                )
            except Conflict:
                continue
            return
        LOG.info("a delivery of a hook was not recorded: too many at once", extra={"hook": hook})


def _key(hook: str) -> str:
    return f"hook/{hook}"


def _decoded(text: bytes) -> HookHistory:
    return msgspec.json.decode(text, type=HookHistory) if text else HookHistory()


def _added(before: HookHistory, delivery: HookDelivery) -> HookHistory:
    deliveries = (delivery, *before.deliveries)[:MAX_DELIVERIES]
    if not delivery.error:
        return HookHistory(deliveries=deliveries)
    since = delivery.at if before.failing_since is None else before.failing_since
    return HookHistory(deliveries=deliveries, failures=before.failures + 1, failing_since=since)
