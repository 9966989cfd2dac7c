"""Deliveries: a message says that an activation may have to be sent; its run says whether it must.

message ──> read the run ──> not committed yet ──> look again, soon; then later
                         ├─> not current, ended ──> drop
                         ├─> paused ─────────────> the head holds it until `continue`
                         ├─> next try is later ──> later
                         ├─> over a limit ───────> later, as a new message
                         └─> POST ──> taken ─────> drop (the callback will come)
                                  ├─> answered ──> the answer is written
                                  └─> failed ────> written; later, or the step returns ERROR
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.engine.errors import Refused
from chalicelib.engine.events import DeliveryFailed, DeliveryHeld, Event
from chalicelib.engine.invocation import Errand, awaits_approval, errand_of
from chalicelib.model import status
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service import parallel
from chalicelib.service.definitions.cache import Library
from chalicelib.service.deliveries.permits import Limiter
from chalicelib.service.deliveries.webhook_client import Courier
from chalicelib.service.errors import NotFound, ServiceError
from chalicelib.service.messages import Deliver, encode
from chalicelib.service.observability import work_context
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import MAX_DELAY, Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.redelivery import Verdict, not_yet, patient_read
from chalicelib.service.runs.advance import Mover
from chalicelib.service.runs.answer import answer_in
from chalicelib.service.runs.blobs import shelf_of

LOG = logging.getLogger("echoer.deliver")


@dataclass(frozen=True, slots=True)
class Due:
    """An activation whose action is to be sent now."""

    run: Run
    token: Token
    activation: Activation
    errand: Errand


@dataclass(frozen=True, slots=True)
class Held:
    """An activation whose run is paused."""


@dataclass(frozen=True, slots=True)
class Denied:
    """An activation whose action is at its limit; in how many milliseconds it asks again."""

    wait: int


Look: TypeAlias = Due | Held | Denied | Verdict


class Deliverer:
    def __init__(
        self,
        runs: RunStore,
        library: Library,
        mover: Mover,
        courier: Courier,
        limiter: Limiter,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._library = library
        self._mover = mover
        self._courier = courier
        self._limiter = limiter
        self._queue = queue
        self._clock = clock

    def deliver(self, hints: Sequence[Deliver]) -> list[Verdict]:
        """Every hint is obeyed; what is to become of each message. Runs are served side by side."""
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for n, hint in enumerate(hints):
            groups[hint.namespace, hint.run].append(n)
        verdicts: list[Verdict] = [None] * len(hints)
        served = parallel.side_by_side(self._serve, [[hints[n] for n in group] for group in groups.values()])
        for group, found in zip(groups.values(), served, strict=True):
            for n, verdict in zip(group, found, strict=True):
                verdicts[n] = self._put_off(hints[n], verdict) if isinstance(verdict, Denied) else verdict
        return verdicts

    def give_up(self, hint: Deliver, why: str) -> None:
        """The hint lay among the dead letters: its step returns ERROR, if it still waits for it."""

        def draw(at: Instant, nonce: str) -> Sequence[Event]:
            return [DeliveryFailed(at=at, nonce=nonce, by="dead-letter", uuid=hint.uuid, error=why, final=True)]

        try:
            self._mover.move(hint.namespace, hint.run, draw)
        except NotFound:
            LOG.info("dead letter of a run that is gone", extra={"run": hint.run, "uuid": hint.uuid})

    def _put_off(self, hint: Deliver, denied: Denied) -> Verdict:
        """The hint comes again as a new message: a queue counts how often it hands a message out, and then gives up."""
        try:
            self._queue.send(QueueName.DELIVERIES, [encode(hint)], min(denied.wait, MAX_DELAY))
        except ServiceError:
            return denied.wait
        return None

    # ── one run ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _serve(self, hints: Sequence[Deliver]) -> list[Verdict | Denied]:
        """The hints of one run are obeyed; what comes of its deliveries is decided together, in one write."""
        run = patient_read(self._runs, self._clock, hints)
        looks = [self._look(run, hint) for hint in hints]
        dues = {n: look for n, look in enumerate(looks) if isinstance(look, Due)}
        replies = dict(zip(dues, parallel.side_by_side(self._send, list(dues.values())), strict=True))
        told = [n for n, look in enumerate(looks) if isinstance(look, Held) or _speaks(look, replies.get(n))]
        verdicts = [look if isinstance(look, int | Denied) else None for look in looks]
        if run is None or not told:
            return verdicts

        def draw(at: Instant, nonce: str) -> Sequence[Event]:
            return [_event(hints[n].uuid, looks[n], replies.get(n), at, f"{nonce}{n}") for n in told]

        try:
            moved = self._mover.move(run.namespace, run.name, draw, seen=run)
        except NotFound:
            return verdicts
        for n, result in zip(told, moved.results, strict=True):
            if isinstance(result, Refused):
                of = {"run": run.name, "uuid": hints[n].uuid}
                LOG.warning("an answer in the answer was refused: %s", type(result).__name__, extra=of)
            verdicts[n] = self._after(moved.run, hints[n].uuid, looks[n])
        return verdicts

    def _look(self, run: Run | None, hint: Deliver) -> Look:
        """What the hint asks for, by the truth of the head."""
        if run is None or not hint.is_written(run):
            return not_yet(hint.sent_at, self._clock.now())
        token = run.token_of(hint.uuid)
        if token is None or token.activation is None or run.status in status.ENDED:
            return None
        if run.status is Status.PAUSED:
            return Held()
        errand = errand_of(self._library.of(run), run, token)
        if errand is None or errand.is_human or awaits_approval(token):
            return None
        wait = (token.activation.retry_at or 0) - self._clock.now()
        if wait > 0:
            return wait
        denied = self._limiter.admit(run, token.activation, errand)
        return Denied(denied) if denied else Due(run, token, token.activation, errand)

    def _send(self, due: Due) -> Reply:
        definition = self._library.of(due.run)
        shelf = shelf_of(self._runs, due.run)
        with work_context.about(run=due.run.name, step=due.token.step, uuid=due.activation.uuid):
            reply = self._courier.send(definition, due.run, due.token, due.activation, due.errand, shelf)
            self._mover.observer.delivered(reply)
            LOG.debug("taken" if isinstance(reply, Taken) else "not taken")  # what was answered is nobody's here
        return reply

    def _after(self, run: Run, uuid: str, look: Look) -> Verdict:
        """When the message must come again, now that the head says what came of it."""
        token = run.token_of(uuid)
        if token is None or token.activation is None or run.status in status.ENDED:
            return None
        if isinstance(look, Held):
            return None if token.activation.held else 0  # the run went on in the meantime: look again at once
        retry_at = token.activation.retry_at
        return max(0, retry_at - self._clock.now()) if retry_at is not None else None


def _speaks(look: Look, reply: Reply | None) -> bool:
    """Whether the reply says something that the head must know."""
    if not isinstance(look, Due) or reply is None:
        return False
    if isinstance(reply, NotTaken):
        return True
    answer = answer_in(reply.answer, look.run, look.token)
    if answer is not None and look.errand.options.signed:
        LOG.info("an answer in the answer is not signed: the step waits for one that is", extra={"run": look.run.name})
        return False
    return answer is not None


def _event(uuid: str, look: Look, reply: Reply | None, at: Instant, nonce: str) -> Event:
    """The fact that a look or a reply tells of."""
    if not isinstance(look, Due) or reply is None:
        return DeliveryHeld(at=at, nonce=nonce, by="delivery", uuid=uuid)
    if isinstance(reply, NotTaken):
        return DeliveryFailed(
            at=at,
            nonce=nonce,
            by="delivery",
            uuid=uuid,
            error=reply.error,
            final=reply.final,
            retry_after=reply.retry_after,
        )
    answer = answer_in(reply.answer, look.run, look.token)
    if answer is None:
        raise LookupError("the reply holds no answer")
    return answer.as_event(at, nonce, "action")
