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
from itertools import chain
from typing import Final, TypeAlias

import msgspec
import msgspec.structs
from msgspec.structs import replace

from chalicelib.engine.errors import Refused
from chalicelib.engine.events import (
    ActionHeld,
    ActionResumed,
    AnswerPending,
    CircuitChanged,
    DeliveryFact,
    DeliveryFailed,
    DeliveryHeld,
    DeliveryTaken,
    Event,
    NoticeTaken,
    ReplyIgnored,
    StepAcked,
)
from chalicelib.model.actions import REPLY_TIMEOUT_S
from chalicelib.model.flow import ERROR
from chalicelib.model.holds import HeldKind
from chalicelib.model.run import Run
from chalicelib.model.run_error import ErrorName
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.model.waits import NoticeWait
from chalicelib.service import parallel
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.deliveries.delivery_check import (
    ActionContinued,
    ActionPaused,
    CircuitOpen,
    Deliverable,
    DeliveryCheck,
    DeliveryChecker,
    SendAgain,
    WhilePaused,
    is_over,
)
from chalicelib.service.deliveries.direct_answers import Answered, DirectAnswer, Pending
from chalicelib.service.deliveries.direct_client import DirectClient
from chalicelib.service.deliveries.inline import MAX_CHAIN_MS, Chain, InlineDelivery
from chalicelib.service.deliveries.reception import Reception
from chalicelib.service.deliveries.recorder import Delivered, DeliveryRecorder, DeliveryReply, delivered
from chalicelib.service.deliveries.redaction import NOT_VALID
from chalicelib.service.deliveries.webhook_client import WebhookClient
from chalicelib.service.errors import NotFound, ServiceError
from chalicelib.service.holds.gate import HoldGate
from chalicelib.service.limits.breakers import Breakers
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


NO_RECEPTION: Final = Reception()

SHARED_MS: Final[Milliseconds] = MAX_CHAIN_MS
"""When a message is received again that may be needed by another worker, which delivers what it asks for."""


class _Checked(msgspec.Struct, frozen=True):
    """What a message asks for by now, what that requires, and how the message was received."""

    message: Deliver
    check: DeliveryCheck
    reception: Reception
    sent_for: str
    """The activation with which it was sent."""


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
        breakers: Breakers,
        hold_gate: HoldGate,
        recorder: DeliveryRecorder,
        inline: InlineDelivery,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._recorder = recorder
        self._inline = inline
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._checker = checker
        self._webhook_client = webhook_client
        self._direct_client = direct_client
        self._breakers = breakers
        self._hold_gate = hold_gate
        self._queue = queue
        self._clock = clock

    def deliver(self, batch: Sequence[Deliver], receptions: Sequence[Reception] = ()) -> list[Redelivery]:
        """Handle every message, runs in parallel. Return when each message must be received again.

        `receptions` say how each was received; with that, the worker may deliver what follows, too.
        """
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for n, message in enumerate(batch):
            groups[message.namespace, message.run].append(n)
        redeliveries: list[Redelivery] = [None] * len(batch)
        received = [(message, receptions[n] if receptions else NO_RECEPTION) for n, message in enumerate(batch)]
        handled = parallel.side_by_side(self._handle_run, [[received[n] for n in group] for group in groups.values()])
        for group, results in zip(groups.values(), handled, strict=True):
            for n, result in zip(group, results, strict=True):
                redeliveries[n] = result
        return redeliveries

    def give_up(self, message: Deliver, reason: str) -> None:
        """Handle a dead-lettered delivery: its step returns ERROR if it still waits for the delivery.

        A worker that still runs may commit meanwhile that the message asks for something else, which is given up, too.
        """
        given_up, uuid = "", self._asked_for(message)
        while uuid not in ("", given_up):
            make_events = partial(_given_up, uuid, reason)
            try:
                self._advancer.advance(message.namespace, message.run, make_events)
            except NotFound:
                break
            given_up, uuid = uuid, self._asked_for(message)
        if not given_up:
            LOG.info("a dead letter asks for nothing", extra={"run": message.run, "uuid": message.uuid})

    def _asked_for(self, message: Deliver) -> str:
        """Return the activation for which the message asks by now; empty if there is none."""
        run = self._runs.load(message.namespace, message.run)
        uuid = message.current(run).uuid
        return uuid if run is not None and run.sent_of(uuid) is not None else ""

    def _send_again(self, message: Deliver, again: SendAgain) -> Redelivery:
        """Send a new message instead of receiving this one again. Without a permit, it waits for a slot again."""
        new = message if message.granted_in else replace(message, limiter="", attempt=0, slot=0, previous="")
        try:
            self._queue.send(QueueName.DELIVERIES, [encode(new)], min(again.wait, MAX_DELAY_MS))
        except ServiceError:
            return again.wait
        return None

    # ── one run ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _handle_run(self, batch: Sequence[tuple[Deliver, Reception]]) -> list[Redelivery]:
        """Handle the messages of one run.

        The results of its deliveries are decided together, in one write; those that may take long, each by itself.
        """
        run = read_with_retries(self._runs, self._clock, [message for message, _ in batch])
        checked = [self._checked(run, message, reception) for message, reception in batch]
        slow = [n for n, one in enumerate(checked) if _is_slow(one.check)]
        together = [n for n in range(len(batch)) if n not in slow]
        groups = [group for group in (together, *([n] for n in slow)) if group]
        handled = parallel.side_by_side(lambda group: self._handle_group(run, [checked[n] for n in group]), groups)
        results = dict(zip(chain.from_iterable(groups), chain.from_iterable(handled), strict=True))
        return [results[n] for n in range(len(batch))]

    def _checked(self, run: Run | None, message: Deliver, reception: Reception, sent_for: str = "") -> _Checked:
        current = message.current(run)
        return _Checked(current, self._checker.check(run, current), reception, sent_for or message.uuid)

    def _handle_group(self, run: Run | None, checked: Sequence[_Checked]) -> list[Redelivery]:
        """Handle the messages, and what follows from a single one in a chain."""
        begun = self._begun(checked)
        results, after = self._handle_once(run, checked, begun)
        while begun is not None and after is not None and (message := begun.go_on(after)) is not None:
            checked = [self._checked(after, message, checked[0].reception, checked[0].sent_for)]
            results, after = self._handle_once(after, checked, begun)
        return [self._finished(one, result, after) for one, result in zip(checked, results, strict=True)]

    def _begun(self, checked: Sequence[_Checked]) -> Chain | None:
        """Return the chain that may begin with a single delivery."""
        if len(checked) != 1 or not isinstance(checked[0].check, Deliverable):
            return None
        one, first = checked[0], checked[0].check
        return self._inline.chain(replace(one.message, uuid=one.sent_for), first, one.reception)

    def _finished(self, one: _Checked, result: Redelivery | SendAgain, after: Run | None) -> Redelivery:
        """Return when the message must be received again, if `after` is the head that was written last."""
        if isinstance(result, SendAgain):
            return self._send_again(one.message, result)
        held = after.held_for(one.sent_for) if result is None and after is not None else None
        is_shared = held is not None and held.activation is not None and held.activation.uuid != one.message.uuid
        return SHARED_MS if is_shared else result

    def _handle_once(
        self, run: Run | None, checked: Sequence[_Checked], begun: Chain | None
    ) -> tuple[list[Redelivery | SendAgain], Run | None]:
        """Deliver what is deliverable, in parallel, and record the results in one write.

        Return also the head if it was written.
        """
        deliverable = {n: one.check for n, one in enumerate(checked) if isinstance(one.check, Deliverable)}
        if begun is not None:
            begun.begin(deliverable[0].activation if deliverable else None)
        done = dict(zip(deliverable, parallel.side_by_side(self._call, list(deliverable.values())), strict=True))
        replies = {n: one.reply for n, one in done.items()}
        results = {n: result for n, one in enumerate(checked) if (result := self._result_of(one, replies.get(n)))}
        redeliveries = [one.check if isinstance(one.check, int | SendAgain) else None for one in checked]
        if run is None or not results:
            return redeliveries, None

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            made = {n: result(checked[n].message.uuid, at, f"{nonce}{n}") for n, result in results.items()}
            return [_sent_by(event, done.get(n)) for n, event in made.items()]

        try:
            advanced = self._advancer.advance(run.namespace, run.name, make_events, seen=run, keeper=begun)
            refused = {
                checked[n].message.uuid: result
                for n, result in zip(results, advanced.results, strict=False)
                if isinstance(result, Refused)
            }
            if refused:
                hidden = {one.message.uuid for one in checked if _has_secrets(one.check)}
                reasons = {uuid: NOT_VALID if uuid in hidden else str(reason) for uuid, reason in refused.items()}
                advanced = self._record_refused(run, refused, reasons)
        except NotFound:
            return redeliveries, None
        for n in results:
            redeliveries[n] = self._after(advanced.run, checked[n].message.uuid, checked[n].check)
        return redeliveries, advanced.run

    def _result_of(self, one: _Checked, reply: DeliveryReply | None) -> EventOfDelivery | None:
        """Return what is to be recorded in the head; None if there is nothing."""
        result = _result_of(one.check, reply)
        if result is None and isinstance(one.check, Deliverable):
            return _taken if self._inline.may_be_shared(one.check, one.reception) else None
        return result

    def _record_refused(self, run: Run, refused: Mapping[str, Refused], reasons: Mapping[str, str]) -> Advanced:
        """Record for each activation (by its uuid) that the answer in an HTTP response was refused."""
        for uuid, reason in refused.items():
            extra = {"run": run.name, "uuid": uuid}
            LOG.warning("the answer in an HTTP response was refused: %s", type(reason).__name__, extra=extra)

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [_ignored(reason, uuid, at, nonce) for uuid, reason in reasons.items()]

        return self._advancer.advance(run.namespace, run.name, make_events)

    def _call(self, deliverable: Deliverable) -> Delivered:
        run, token = deliverable.run, deliverable.token
        activation, invocation = deliverable.activation, deliverable.invocation
        definition, read_blob = self._definition_cache.of(run), blob_reader(self._runs, run)
        early = deliverable.slot - self._clock.now()
        if early > 0:
            self._clock.sleep(early)
        with work_context.about(run=run.name, step=token.step, uuid=activation.uuid):
            client = self._direct_client if invocation.action.is_called else self._webhook_client
            at = self._clock.now()
            reply = client.send(definition, run, token, activation, invocation, read_blob)
            found = delivered(definition, deliverable, reply, at, self._clock.now() - at)
            self._recorder.record(definition, deliverable, found, read_blob)
            failed = isinstance(reply, NotTaken)
            self._advancer.observer.delivered(reply if isinstance(reply, NotTaken) else Taken())
            self._record_circuit(deliverable, failed=failed)
            LOG.debug("not accepted" if failed else "accepted")  # never what the service answered
        return found

    def _record_circuit(self, deliverable: Deliverable, *, failed: bool) -> None:
        """Tell the action's breaker how the delivery ended."""
        action, run, uuid = deliverable.invocation.action, deliverable.run, deliverable.activation.uuid
        if action.breaker and failed:
            self._breakers.failed(run.namespace, action.name, action.breaker, uuid)
        elif action.breaker and deliverable.failures:
            self._breakers.accepted(run.namespace, action.name, uuid)

    def _after(self, run: Run, uuid: str, check: DeliveryCheck) -> Redelivery | SendAgain:
        """Return when the message must be received or sent again, now that the head records the result."""
        token = run.sent_of(uuid)
        if token is None or token.activation is None or is_over(run, token):
            return None
        if isinstance(check, WhilePaused):
            return None if token.activation.held else 0  # the run was continued in the meantime: look again now
        if isinstance(check, ActionPaused):
            pause = self._hold_gate.stored_pause_of(run.namespace, HeldKind.ACTION, check.action)
            return None if pause == check.pause else 0  # it was continued in the meantime, or paused once more
        has_failed = isinstance(check, Deliverable) and token.activation.attempt > check.activation.attempt
        if isinstance(check, ActionContinued) and not check.is_unsent:
            return 0  # time counts again: the message itself sends the action
        retry_at = token.activation.retry_at
        if retry_at is None or not (has_failed or token.activation.location):
            return None
        wait = max(0, retry_at - self._clock.now())
        return SendAgain(wait) if token.activation.location else wait


def _sent_by(event: Event, found: Delivered | None) -> Event:
    """Return the event with the delivery that it records."""
    return msgspec.structs.replace(event, sent=found.sent) if found and isinstance(event, DeliveryFact) else event


def _has_secrets(check: DeliveryCheck) -> bool:
    return isinstance(check, Deliverable) and check.invocation.has_secrets


def _is_slow(check: DeliveryCheck) -> bool:
    """Return whether a delivery may take so long that other results of its run should not wait for it."""
    timeout = check.invocation.action.reply_timeout if isinstance(check, Deliverable) else None
    return timeout is not None and timeout > REPLY_TIMEOUT_S * 1_000


EventOfDelivery: TypeAlias = Callable[[str, Instant, str], Event]
"""`make(uuid, at, nonce)` returns the event that records the result of a delivery."""


def _result_of(check: DeliveryCheck, reply: Taken | DirectAnswer | None) -> EventOfDelivery | None:
    """Return what records the check or the reply in the head; None if there is nothing to record."""
    if isinstance(check, WhilePaused):
        return lambda uuid, at, nonce: DeliveryHeld(at=at, nonce=nonce, by="delivery", uuid=uuid)
    if isinstance(check, ActionPaused):
        since = check.pause.at
        return lambda uuid, at, nonce: ActionHeld(at=at, nonce=nonce, by="delivery", uuid=uuid, since=since)
    if isinstance(check, ActionContinued):
        return lambda uuid, at, nonce: ActionResumed(at=at, nonce=nonce, by="delivery", uuid=uuid)
    if isinstance(check, CircuitOpen):
        return partial(_circuit_changed, is_open=True)
    if not isinstance(check, Deliverable) or reply is None:
        return None
    if isinstance(reply, NotTaken):
        return partial(_failed, reply)
    if isinstance(check.activation.wait, NoticeWait):
        return partial(_noticed, reply, check)
    if isinstance(reply, Pending):
        return partial(_pending, reply)
    if isinstance(reply, Answered):
        return partial(_answered, reply, check.token.step)
    return _result_of_accepted(check, reply)


def _result_of_accepted(check: Deliverable, reply: Taken) -> EventOfDelivery | None:
    """Return what records the answer in the HTTP answer, if it holds one."""
    try:
        answer = answer_in(reply, check.run, check.token)
    except NotAnAnswer as problem:
        return partial(_ignored, NOT_VALID if check.invocation.has_secrets else str(problem))
    if answer is None and check.activation.awaits_delivery:
        return lambda uuid, at, nonce: DeliveryTaken(at=at, nonce=nonce, by="delivery", uuid=uuid)
    if answer is None:
        return partial(_circuit_changed, is_open=False) if check.activation.circuit_open else None
    if check.invocation.options.signed:
        return partial(_ignored, "it has no signature: the action must answer with a signed `POST /step`")
    return lambda _, at, nonce: answer.as_event(at, nonce, "action")


def _noticed(reply: Taken | Answered | Pending, check: Deliverable, uuid: str, at: Instant, nonce: str) -> Event:
    """Return that the notice was taken, or the valid answer that came with it."""
    if isinstance(reply, Answered):
        return _answered(reply, check.token.step, uuid, at, nonce)
    is_open = isinstance(reply, Taken) and not check.invocation.options.signed
    try:
        answer = answer_in(reply, check.run, check.token) if isinstance(reply, Taken) and is_open else None
    except NotAnAnswer:
        answer = None
    accepted = (ERROR, *check.invocation.action.returns)
    if answer is not None and answer.is_final and answer.state in accepted:
        return answer.as_event(at, nonce, "action")
    return NoticeTaken(at=at, nonce=nonce, by="delivery", uuid=uuid)


def _given_up(uuid: str, reason: str, at: Instant, nonce: str) -> Sequence[Event]:
    return [DeliveryFailed(at=at, nonce=nonce, by="dead-letter", uuid=uuid, error=reason, final=True)]


def _taken(uuid: str, at: Instant, nonce: str) -> Event:
    return DeliveryTaken(at=at, nonce=nonce, by="delivery", uuid=uuid)


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


def _circuit_changed(uuid: str, at: Instant, nonce: str, *, is_open: bool) -> Event:
    return CircuitChanged(at=at, nonce=nonce, by="delivery", uuid=uuid, is_open=is_open)


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
