"""Deliver activations to their actions, and record the results in the heads of their runs.

deliver ──> accepted ──> nothing to write (the callback will come)
        ├─> answered ──> write the answer, or why it was ignored
        └─> failed ────> write the failure; try again later, or the step returns ERROR
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from msgspec.structs import replace

from chalicelib.engine.errors import Refused
from chalicelib.engine.events import (
    AnswerPending,
    DeliveryFailed,
    DeliveryHeld,
    Event,
    ReplyIgnored,
    StepAcked,
)
from chalicelib.model import status
from chalicelib.model.run import Run
from chalicelib.model.run_error import ErrorName
from chalicelib.model.times import Instant
from chalicelib.service import parallel
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.deliveries.delivery_check import (
    Deliverable,
    DeliveryCheck,
    DeliveryChecker,
    SendAgain,
    WhilePaused,
)
from chalicelib.service.deliveries.direct_answers import Answered, DirectAnswer, Pending
from chalicelib.service.deliveries.direct_client import DirectClient
from chalicelib.service.deliveries.webhook_client import WebhookClient
from chalicelib.service.errors import NotFound, ServiceError
from chalicelib.service.messages import Deliver, encode
from chalicelib.service.observability import work_context
from chalicelib.service.ports.actions import NotTaken, Taken
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import MAX_DELAY_MS, Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.redelivery import Redelivery, read_with_retries
from chalicelib.service.runs.advance import Advanced, RunAdvancer
from chalicelib.service.runs.answer import NotAnAnswer, answer_in
from chalicelib.service.runs.blobs import blob_reader

LOG = logging.getLogger("echoer.deliver")


class Deliverer:
    """Handles delivery messages."""

    def __init__(
        self,
        runs: RunStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        checker: DeliveryChecker,
        webhook_client: WebhookClient,
        direct_client: DirectClient,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._checker = checker
        self._webhook_client = webhook_client
        self._direct_client = direct_client
        self._queue = queue
        self._clock = clock

    def deliver(self, batch: Sequence[Deliver]) -> list[Redelivery]:
        """Handle every message, runs in parallel. Return when each message must be received again."""
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for n, message in enumerate(batch):
            groups[message.namespace, message.run].append(n)
        redeliveries: list[Redelivery] = [None] * len(batch)
        handled = parallel.side_by_side(self._handle_run, [[batch[n] for n in group] for group in groups.values()])
        for group, results in zip(groups.values(), handled, strict=True):
            for n, result in zip(group, results, strict=True):
                redeliveries[n] = self._send_again(batch[n], result) if isinstance(result, SendAgain) else result
        return redeliveries

    def give_up(self, message: Deliver, reason: str) -> None:
        """Handle a dead-lettered delivery: its step returns ERROR if it still waits for the delivery."""

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [DeliveryFailed(at=at, nonce=nonce, by="dead-letter", uuid=message.uuid, error=reason, final=True)]

        try:
            self._advancer.advance(message.namespace, message.run, make_events)
        except NotFound:
            LOG.info("the run of a dead letter is gone", extra={"run": message.run, "uuid": message.uuid})

    def _send_again(self, message: Deliver, again: SendAgain) -> Redelivery:
        """Send a new message instead of receiving this one again. What a limiter granted was for this one."""
        new = replace(message, limiter="", attempt=0, slot=0, granted_in=0)
        try:
            self._queue.send(QueueName.DELIVERIES, [encode(new)], min(again.wait, MAX_DELAY_MS))
        except ServiceError:
            return again.wait
        return None

    # ── one run ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _handle_run(self, batch: Sequence[Deliver]) -> list[Redelivery | SendAgain]:
        """Handle the messages of one run. The results of its deliveries are decided together, in one write."""
        run = read_with_retries(self._runs, self._clock, batch)
        checks = [self._checker.check(run, message) for message in batch]
        deliverable = {n: check for n, check in enumerate(checks) if isinstance(check, Deliverable)}
        replies = dict(zip(deliverable, parallel.side_by_side(self._call, list(deliverable.values())), strict=True))
        results = {n: result for n, check in enumerate(checks) if (result := _result_of(check, replies.get(n)))}
        redeliveries = [check if isinstance(check, int | SendAgain) else None for check in checks]
        if run is None or not results:
            return redeliveries

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [result(batch[n].uuid, at, f"{nonce}{n}") for n, result in results.items()]

        try:
            advanced = self._advancer.advance(run.namespace, run.name, make_events, seen=run)
            refused = {
                batch[n].uuid: result
                for n, result in zip(results, advanced.results, strict=True)
                if isinstance(result, Refused)
            }
            if refused:
                advanced = self._record_refused(run, refused)
        except NotFound:
            return redeliveries
        for n in results:
            redeliveries[n] = self._after(advanced.run, batch[n].uuid, checks[n])
        return redeliveries

    def _record_refused(self, run: Run, refused: Mapping[str, Refused]) -> Advanced:
        """Record for each activation (by its uuid) that the answer in an HTTP response was refused."""
        for uuid, reason in refused.items():
            extra = {"run": run.name, "uuid": uuid}
            LOG.warning("the answer in an HTTP response was refused: %s", type(reason).__name__, extra=extra)

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [_ignored(str(reason), uuid, at, nonce) for uuid, reason in refused.items()]

        return self._advancer.advance(run.namespace, run.name, make_events)

    def _call(self, deliverable: Deliverable) -> Taken | DirectAnswer:
        run, token = deliverable.run, deliverable.token
        activation, invocation = deliverable.activation, deliverable.invocation
        definition, read_blob = self._definition_cache.of(run), blob_reader(self._runs, run)
        early = deliverable.slot - self._clock.now()
        if early > 0:
            self._clock.sleep(early)
        with work_context.about(run=run.name, step=token.step, uuid=activation.uuid):
            client = self._direct_client if invocation.action.direct else self._webhook_client
            reply = client.send(definition, run, token, activation, invocation, read_blob)
            failed = isinstance(reply, NotTaken)
            self._advancer.observer.delivered(reply if isinstance(reply, NotTaken) else Taken())
            LOG.debug("not accepted" if failed else "accepted")  # never what the service answered
        return reply

    def _after(self, run: Run, uuid: str, check: DeliveryCheck) -> Redelivery | SendAgain:
        """Return when the message must be received or sent again, now that the head records the result."""
        token = run.token_of(uuid)
        if token is None or token.activation is None or run.status in status.ENDED:
            return None
        if isinstance(check, WhilePaused):
            return None if token.activation.held else 0  # the run was continued in the meantime: look again now
        retry_at = token.activation.retry_at
        if retry_at is None:
            return None
        wait = max(0, retry_at - self._clock.now())
        return SendAgain(wait) if token.activation.location else wait


EventOfDelivery: TypeAlias = Callable[[str, Instant, str], Event]
"""`make(uuid, at, nonce)` returns the event that records the result of a delivery."""


def _result_of(check: DeliveryCheck, reply: Taken | DirectAnswer | None) -> EventOfDelivery | None:
    """Return what records the check or the reply in the head; None if there is nothing to record."""
    if isinstance(check, WhilePaused):
        return lambda uuid, at, nonce: DeliveryHeld(at=at, nonce=nonce, by="delivery", uuid=uuid)
    if not isinstance(check, Deliverable) or reply is None:
        return None
    if isinstance(reply, NotTaken):
        return partial(_failed, reply)
    if isinstance(reply, Pending):
        return partial(_pending, reply)
    if isinstance(reply, Answered):
        return partial(_answered, reply, check.token.step)
    try:
        answer = answer_in(reply, check.run, check.token)
    except NotAnAnswer as problem:
        return partial(_ignored, str(problem))
    if answer is None:
        return None
    if check.invocation.options.signed:
        return partial(_ignored, "it has no signature: the action must answer with a signed `POST /step`")
    return lambda _, at, nonce: answer.as_event(at, nonce, "action")


def _failed(reply: NotTaken, uuid: str, at: Instant, nonce: str) -> Event:
    return DeliveryFailed(
        at=at,
        nonce=nonce,
        by="delivery",
        uuid=uuid,
        error=reply.error,
        final=reply.final,
        retry_after=reply.retry_after,
        name=reply.name or (ErrorName.REFUSED if reply.final and reply.status else ErrorName.UNDELIVERABLE),
        status=reply.status,
        data=reply.data,
        response=reply.response,
    )


def _answered(reply: Answered, step: str, uuid: str, at: Instant, nonce: str) -> Event:
    return StepAcked(
        at=at,
        nonce=nonce,
        by="action",
        step=step,
        uuid=uuid,
        state=reply.state,
        data=reply.data,
        error=reply.error,
        direct=True,
        response=reply.response,
        too_large=reply.too_large,
    )


def _pending(reply: Pending, uuid: str, at: Instant, nonce: str) -> Event:
    return AnswerPending(at=at, nonce=nonce, by="delivery", uuid=uuid, location=reply.location, wait=reply.wait)


def _ignored(reason: str, uuid: str, at: Instant, nonce: str) -> Event:
    return ReplyIgnored(at=at, nonce=nonce, by="delivery", uuid=uuid, reason=reason)
