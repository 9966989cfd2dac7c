"""A world without time: runs in memory, moved by `engine.decide` alone, on a clock that jumps from event to event.

Everything that is to happen lies in one heap, by (moment, number): deliveries, answers, alarms, events, children, a
person's orders. What is said first happens first, no id is random, nothing sleeps and nothing runs beside: the same
calls make the same world, and a month passes in a millisecond. It stands for the service and its queues as they are
when all goes well there: each delivery comes once, and no write is lost.

    world = World({"order": definition}, outside=lambda request: (Answer(state="PAID", after=1_000),))
    world.start("order", {"order_id": "o-1"}, name="r")
    world.later(3_600_000, lambda: world.publish("payment.received", key="o-1"))
    world.pass_time()
    assert world.head("r").status is Status.SUCCEEDED

`head`, `history`, `calls`, `refusals` tell what came of it; `now` is the moment at which it stands.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias, TypedDict, assert_never

import msgspec

from chalicelib.engine import effects
from chalicelib.engine.effects import Effect, Outcome
from chalicelib.engine.errors import ExpressionFailed, Refused, RunIsStopped, StepError
from chalicelib.engine.events import (
    ChildEnded,
    DeliveryFailed,
    DeliveryHeld,
    Event,
    EventArrived,
    RunStarted,
    RunStopped,
    StepAcked,
    TimerFired,
)
from chalicelib.engine.inputs import complete
from chalicelib.engine.invocation import (
    APPROVED,
    REJECTED,
    UNDO,
    awaits_approval,
    invocation_of,
)
from chalicelib.engine.machine import decide
from chalicelib.engine.paging import turn_page
from chalicelib.engine.request_args import request_fields
from chalicelib.engine.secret_values import decrypt
from chalicelib.engine.steps.call import error_of
from chalicelib.model import status
from chalicelib.model.actions import RESERVED_ARGS
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.flow import DEFAULT_STATE, ERROR, STOPPED_STATE, CallStep, EventStep
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef, Parent, Run, Token, decode_run, encode
from chalicelib.model.run_error import ErrorName
from chalicelib.model.status import Status
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.model.waits import ChildWait
from fsl.testing.cipher import OpenCipher
from fsl.testing.mail import Letter, Mail
from fsl.testing.outside import Answer, Failure, Kind, Outside, Request, agree

DAWN: Final[Instant] = 1_767_225_600_000
"""When a world begins where nothing is said: 2026-01-01T00:00:00Z."""

TTL: Final[Milliseconds] = 24 * 3_600_000
"""How long an event is kept for runs that begin to wait later, where nothing is said."""


_OfActivation: TypeAlias = effects.DeliverAction | effects.OpenTask | effects.StartChild | effects.Listen


class Of(TypedDict):
    """What every event brings."""

    at: Instant
    nonce: str
    by: str


@dataclass(slots=True)
class _Kept:
    """One run: its head, its whole history, and what it keeps beside its head."""

    definition: Definition
    head: Run
    history: list[Entry] = field(default_factory=list)
    read_blob: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that a run did not take from the outside."""

    at: Instant
    run: str
    why: str


class World:
    """Runs, and everything that is yet to happen to them."""

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        outside: Outside = agree,
        *,
        start: Instant = DAWN,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._cipher = OpenCipher(secrets or {})
        self.now = start
        self.calls: list[Request] = []
        """Every request that was made of the outside, in order."""
        self.refusals: list[Refusal] = []
        self._definitions = definitions
        self._outside = outside
        self._runs: dict[str, _Kept] = {}
        self._heap: list[tuple[Instant, int, Callable[[], object]]] = []
        self._mail = Mail()
        self._count = 0

    # ── what a test does ──────────────────────────────────────────────────────────────────────────────────────────────

    def start(
        self,
        flow: str,
        given: Mapping[str, Json] | None = None,
        *,
        name: str = "run",
        labels: Mapping[str, Json] | None = None,
        parent: Parent | None = None,
    ) -> Run:
        """The run is under way. Raises KeyError (no such flow), InputRefused, ValueError (the name is taken)."""
        if name in self._runs:
            raise ValueError(f"there is a run {name!r} already")
        definition = self._definitions[flow]
        event = RunStarted(
            **self.of(f"run {parent.run}" if parent else "test"),
            namespace="default",
            name=name,
            id=f"id-{name}",
            ref=DefinitionRef(flow=flow, version=1, actions=dict.fromkeys(definition.actions, 1)),
            input=complete(definition.flow, given or {}, self._cipher),
            labels=dict(labels or {}),
            parent=parent,
        )
        decision = decide(definition, None, event, cipher=self._cipher)
        self._runs[name] = _Kept(definition, decode_run(encode(decision.run)), list(decision.run.tail))
        self._execute(name, decision.effects)
        return self._runs[name].head

    def later(self, after: Milliseconds, do: Callable[[], object]) -> None:
        """`do` is done so many milliseconds from now. What is said first is done first."""
        self._at(self.now + max(0, after), do)

    def publish(self, name: str, *, key: str = "", data: Json = None, ttl: Milliseconds = TTL, run: str = "") -> None:
        """The event comes now, and is kept for `ttl`. `run`: it is for that run alone."""
        place = f"{self.now:015}-{self._next():08}"
        self._mail.keep(Letter(name=name, key=key, data=data, run=run, place=place, until=self.now + ttl))
        waiting = self._mail.waiting(name, key)
        if run:
            waiting = [(run, token.activation.uuid) for token in self.head(run).tokens if token.activation]
        for listener, uuid in waiting:
            self.later(0, partial(self._listen, listener, uuid))

    def apply(self, run: str, event: Event) -> Outcome:
        """What became of the event. Raises Refused."""
        kept = self._runs[run]
        decision = decide(kept.definition, kept.head, event, kept.read_blob.__getitem__, cipher=self._cipher)
        if decision.run is not kept.head:
            after, _ = turn_page(kept.head, decision.run)
            kept.history += decision.run.tail[len(kept.head.tail) :]
            kept.head = decode_run(encode(after))
        self._execute(run, decision.effects)
        return decision.outcome

    def of(self, by: str) -> Of:
        """What an event must bring: `RunPaused(**world.of("operator"))`."""
        return Of(at=self.now, nonce=f"{self._next():032x}", by=by)

    def pass_time(self, until: Instant | None = None, *, moves: int = 100_000) -> bool:
        """Everything that happens by `until` (None: ever) has happened. False: that were more than `moves` things."""
        for _ in range(moves):
            if not self._heap or (until is not None and self._heap[0][0] > until):
                self.now = self.now if until is None else max(self.now, until)
                return True
            at, _, do = heapq.heappop(self._heap)
            self.now = max(self.now, at)
            do()
        return False

    # ── what came of it ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def runs(self) -> tuple[str, ...]:
        """The names of all runs, called ones too, in the order in which they began."""
        return tuple(self._runs)

    def head(self, run: str) -> Run:
        return self._runs[run].head

    def history(self, run: str) -> tuple[Entry, ...]:
        return tuple(self._runs[run].history)

    def definition(self, run: str) -> Definition:
        return self._runs[run].definition

    # ── what a decision orders ────────────────────────────────────────────────────────────────────────────────────────

    def _execute(self, run: str, orders: tuple[Effect, ...]) -> None:
        for order in orders:
            match order:
                case effects.StoreBlob(key, value):
                    self._runs[run].read_blob[key] = msgspec.json.decode(msgspec.json.encode(value))
                case effects.SetTimer(at):
                    self._at(at, partial(self._ring, run))
                case effects.TellParent():
                    self.later(0, partial(self._tell_parent, run))
                case effects.StopChild(child):
                    self.later(0, partial(self._stop_child, run, child))
                case effects.SyncChild():
                    pass  # no test pauses a run
                case _:
                    self._begin(run, order)

    def _begin(self, run: str, order: _OfActivation) -> None:
        """What an activation asks for, by its uuid."""
        match order:
            case effects.DeliverAction():
                do = self._deliver
            case effects.OpenTask():
                do = self._ask
            case effects.StartChild():
                do = self._start_child
            case effects.Listen(uuid, names, key, until):
                do = self._listen
                self._mail.subscribe(run, uuid, names, key, until)
            case _:
                assert_never(order)
        self.later(0, partial(do, run, order.uuid))

    def _ring(self, run: str) -> None:
        alarm = self.head(run).timer_at
        if alarm is not None and alarm <= self.now:
            self.apply(run, TimerFired(**self.of("timer")))

    def _deliver(self, run: str, uuid: str) -> None:
        """As service.deliver does: held while paused, again at its time, dropped when it is no longer current."""
        head, token, invocation = self._invocation(run, uuid)
        if (
            token is None
            or token.activation is None
            or invocation is None
            or invocation.is_human
            or awaits_approval(token)
        ):
            return
        if head.status is Status.PAUSED:
            self.apply(run, DeliveryHeld(**self.of("delivery"), uuid=uuid))
            return
        if (token.activation.retry_at or 0) > self.now:
            self._at(token.activation.retry_at or 0, partial(self._deliver, run, uuid))
            return
        try:
            request = self._request(Kind.ACTION, run, token, invocation)
        except ExpressionFailed as failure:
            self._failed(run, uuid, Failure(error=str(failure), final=True, name=failure.name))
            return
        reply = self._outside(request)
        if isinstance(reply, Failure):
            self._failed(run, uuid, reply)
        else:
            self._answers(run, token.step, uuid, reply or (), "action")

    def _failed(self, run: str, uuid: str, failure: Failure) -> None:
        event = DeliveryFailed(
            **self.of("delivery"),
            uuid=uuid,
            error=failure.error,
            final=failure.final,
            retry_after=failure.retry_after,
            name=failure.name,
            status=failure.status,
        )
        self.apply(run, event)
        token = self.head(run).token_of(uuid)
        if token and token.activation and token.activation.retry_at is not None:
            self._at(token.activation.retry_at, partial(self._deliver, run, uuid))

    def _ask(self, run: str, uuid: str) -> None:
        """A person finds the task in the inbox."""
        _, token, invocation = self._invocation(run, uuid)
        if token is None or invocation is None:
            return
        kind = Kind.APPROVAL if awaits_approval(token) else Kind.TASK
        try:
            reply = self._outside(self._request(kind, run, token, invocation))
        except ExpressionFailed:
            return
        if isinstance(reply, tuple):
            self._answers(run, token.step, uuid, reply, "person")

    def _answers(self, run: str, step: str, uuid: str, answers: tuple[Answer, ...], by: str) -> None:
        for answer in answers:
            if answer.after <= 0:
                self._answer(run, step, uuid, answer, by)
            else:
                self.later(answer.after, partial(self._answer, run, step, uuid, answer, by))

    def _answer(self, run: str, step: str, uuid: str, answer: Answer, by: str) -> None:
        """The answer is told. Whoever answers here has the key: signatures are no matter of a flow's tests."""
        event = StepAcked(
            **self.of(by),
            step=step,
            uuid=uuid,
            state=answer.state,
            done=answer.done,
            data=answer.data,
            variables=answer.vars,
            error=answer.error,
            signed=True,
        )
        try:
            self.apply(run, event)
        except RunIsStopped:
            return
        except Refused as refusal:
            self.refusals.append(Refusal(self.now, run, str(refusal)))

    def _listen(self, run: str, uuid: str) -> None:
        """If an event came for which the activation waits, the run takes the earliest."""
        head, token, step = self._waits_at(run, uuid)
        found = self._mail.earliest(head, token, step) if token and isinstance(step, EventStep) else None
        if found is not None:
            what = {"name": found.name, "key": found.key, "data": found.data, "place": found.place}
            self.apply(run, EventArrived(**self.of("event"), uuid=uuid, **what))
        if found is not None or token is None:
            self._mail.unsubscribe(run, uuid)

    # ── called flows, as service.children runs them ───────────────────────────────────────────────────────────────────

    def _start_child(self, run: str, uuid: str) -> None:
        head, token, step = self._waits_at(run, uuid)
        wait = token.activation.wait if token and token.activation else None
        if not isinstance(step, CallStep) or not isinstance(wait, ChildWait) or wait.child in self._runs:
            return
        given = decrypt(wait.input, self._cipher)
        asked = Request(kind=Kind.FLOW, at=self.now, run=run, step=step.name, name=step.flow, args=given)
        self.calls.append(asked)
        reply = self._outside(asked)
        if isinstance(reply, tuple):
            for answer in reply:
                self.later(answer.after, partial(self._tell, run, uuid, answer))
            return
        depth = head.parent.depth + 1 if head.parent else 1
        try:
            self.start(step.flow, wait.input, name=wait.child, parent=Parent(run=run, uuid=uuid, depth=depth))
        except (KeyError, Refused) as refusal:
            self._tell(run, uuid, Answer(state=ERROR, error=StepError(ErrorName.CHILD_FAILED, str(refusal))))

    def _stop_child(self, run: str, child: str) -> None:
        if child in self._runs and self.head(child).status not in status.ENDED:
            why = f"run {run!r} no longer waits for it"
            self.apply(child, RunStopped(**self.of(f"run {run}"), reason=why))

    def _tell_parent(self, run: str) -> None:
        head = self.head(run)
        if head.parent:
            state = DEFAULT_STATE if head.status is Status.SUCCEEDED else STOPPED_STATE
            self._tell(head.parent.run, head.parent.uuid, Answer(state=state, data=head.output, error=error_of(head)))

    def _tell(self, run: str, uuid: str, answer: Answer) -> None:
        ended = {"state": answer.state, "output": answer.data, "error": answer.error}
        self.apply(run, ChildEnded(**self.of("run"), uuid=uuid, **ended))

    # ── small things ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _invocation(self, run: str, uuid: str) -> tuple[Run, Token | None, Invocation | None]:
        head = self.head(run)
        token = head.token_of(uuid) if head.status not in status.ENDED else None
        return head, token, invocation_of(self.definition(run), head, token) if token else None

    def _waits_at(self, run: str, uuid: str) -> tuple[Run, Token | None, object]:
        head = self.head(run)
        token = head.token_of(uuid) if head.status not in status.ENDED else None
        return head, token, self.definition(run).step(token.step) if token else None

    def _request(self, kind: Kind, run: str, token: Token, invocation: Invocation) -> Request:
        kept = self._runs[run]
        fields = request_fields(
            kept.definition, kept.head, token, invocation, self.now, kept.read_blob.__getitem__, self._cipher
        )
        request = Request(
            kind=kind,
            at=self.now,
            run=run,
            step=token.step,
            name=invocation.action.name,
            args={name: value for name, value in fields.items() if name not in RESERVED_ARGS},
            states=(APPROVED, REJECTED) if kind is Kind.APPROVAL else invocation.states,
            attempt=token.activation.attempt + 1 if token.activation else 1,
            undoes=token.id == UNDO,
        )
        self.calls.append(request)
        return request

    def _at(self, moment: Instant, do: Callable[[], object]) -> None:
        heapq.heappush(self._heap, (moment, self._next(), do))

    def _next(self) -> int:
        self._count += 1
        return self._count
