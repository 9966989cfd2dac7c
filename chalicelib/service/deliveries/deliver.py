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
from chalicelib.engine.invocation import awaits_approval, invocation_of
from chalicelib.model import status
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service import parallel
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.deliveries.permits import Limiter
from chalicelib.service.deliveries.webhook_client import WebhookClient
from chalicelib.service.errors import NotFound, ServiceError
from chalicelib.service.messages import Deliver, encode
from chalicelib.service.observability import work_context
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import MAX_DELAY, Queue, QueueName
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.redelivery import Verdict, not_yet, read_with_retries
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.answer import answer_in
from chalicelib.service.runs.blobs import blob_reader

LOG = logging.getLogger("echoer.deliver")


@dataclass(frozen=True, slots=True)
class Due:
    """An activation whose action is to be sent now."""

    run: Run
    token: Token
    activation: Activation
    invocation: Invocation


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
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        webhook_client: WebhookClient,
        limiter: Limiter,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._webhook_client = webhook_client
        self._limiter = limiter
        self._queue = queue
        self._clock = clock

    def deliver(self, messages_: Sequence[Deliver]) -> list[Verdict]:
        """Every hint is obeyed; what is to become of each message. Runs are served side by side."""
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for n, message in enumerate(messages_):
            groups[message.namespace, message.run].append(n)
        verdicts: list[Verdict] = [None] * len(messages_)
        served = parallel.side_by_side(self._serve, [[messages_[n] for n in group] for group in groups.values()])
        for group, found in zip(groups.values(), served, strict=True):
            for n, verdict in zip(group, found, strict=True):
                verdicts[n] = self._put_off(messages_[n], verdict) if isinstance(verdict, Denied) else verdict
        return verdicts

    def give_up(self, message: Deliver, why: str) -> None:
        """The hint lay among the dead letters: its step returns ERROR, if it still waits for it."""

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [DeliveryFailed(at=at, nonce=nonce, by="dead-letter", uuid=message.uuid, error=why, final=True)]

        try:
            self._advancer.advance(message.namespace, message.run, make_events)
        except NotFound:
            LOG.info("dead letter of a run that is gone", extra={"run": message.run, "uuid": message.uuid})

    def _put_off(self, message: Deliver, denied: Denied) -> Verdict:
        """The hint comes again as a new message: a queue counts how often it hands a message out, and then gives up."""
        try:
            self._queue.send(QueueName.DELIVERIES, [encode(message)], min(denied.wait, MAX_DELAY))
        except ServiceError:
            return denied.wait
        return None

    # ── one run ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _serve(self, messages_: Sequence[Deliver]) -> list[Verdict | Denied]:
        """The hints of one run are obeyed; what comes of its deliveries is decided together, in one write."""
        run = read_with_retries(self._runs, self._clock, messages_)
        looks = [self._look(run, message) for message in messages_]
        dues = {n: look for n, look in enumerate(looks) if isinstance(look, Due)}
        replies = dict(zip(dues, parallel.side_by_side(self._send, list(dues.values())), strict=True))
        told = [n for n, look in enumerate(looks) if isinstance(look, Held) or _speaks(look, replies.get(n))]
        verdicts = [look if isinstance(look, int | Denied) else None for look in looks]
        if run is None or not told:
            return verdicts

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [_event(messages_[n].uuid, looks[n], replies.get(n), at, f"{nonce}{n}") for n in told]

        try:
            advanced = self._advancer.advance(run.namespace, run.name, make_events, seen=run)
        except NotFound:
            return verdicts
        for n, result in zip(told, advanced.results, strict=True):
            if isinstance(result, Refused):
                of = {"run": run.name, "uuid": messages_[n].uuid}
                LOG.warning("an answer in the answer was refused: %s", type(result).__name__, extra=of)
            verdicts[n] = self._after(advanced.run, messages_[n].uuid, looks[n])
        return verdicts

    def _look(self, run: Run | None, message: Deliver) -> Look:
        """What the hint asks for, by the truth of the head."""
        if run is None or not message.is_written(run):
            return not_yet(message.sent_at, self._clock.now())
        token = run.token_of(message.uuid)
        if token is None or token.activation is None or run.status in status.ENDED:
            return None
        if run.status is Status.PAUSED:
            return Held()
        invocation = invocation_of(self._definition_cache.of(run), run, token)
        if invocation is None or invocation.is_human or awaits_approval(token):
            return None
        wait = (token.activation.retry_at or 0) - self._clock.now()
        if wait > 0:
            return wait
        denied = self._limiter.admit(run, token.activation, invocation)
        return Denied(denied) if denied else Due(run, token, token.activation, invocation)

    def _send(self, due: Due) -> Reply:
        definition = self._definition_cache.of(due.run)
        read_blob = blob_reader(self._runs, due.run)
        with work_context.about(run=due.run.name, step=due.token.step, uuid=due.activation.uuid):
            reply = self._webhook_client.send(definition, due.run, due.token, due.activation, due.invocation, read_blob)
            self._advancer.observer.delivered(reply)
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
    if answer is not None and look.invocation.options.signed:
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
