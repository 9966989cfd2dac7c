"""Play a script: start a run on a virtual host, make the moves, and return what became of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from chalicelib.adapters.virtual import START
from chalicelib.engine.errors import Refused
from chalicelib.engine.values.texts import key_text
from chalicelib.hosting.responder import Answer, Failure
from chalicelib.hosting.wiring import Services
from chalicelib.model import status, times
from chalicelib.model.definition import Definition
from chalicelib.model.flow import ERROR
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.times import Instant
from chalicelib.play.moves import (
    MAX_MOVES,
    AnswerMove,
    AnyMove,
    At,
    AutoMove,
    ClockMove,
    CommandMove,
    EventMove,
    FailMove,
    GivenError,
    Move,
    made,
)
from chalicelib.play.play_host import PlayHost
from chalicelib.play.waiting import PEOPLE, Waiting, waiting
from chalicelib.service.deliveries.direct_answers import RETRIED_STATUSES
from chalicelib.service.details.kinds import WaitKind
from chalicelib.service.documents.results import Submission
from chalicelib.service.errors import Invalid, ServiceError
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.runs import answer as service

RUN: Final = "run"
"""The name of the run that is played."""

MAX_EVENTS: Final = 20_000
"""How many messages and timers one play may handle."""

MAX_SECONDS: Final = 5.0
"""How long one play may take."""

MAX_IDLE_WAKES: Final = 100
"""How many timers that change nothing `clock.next` passes."""


class PlayTooLong(ServiceError):
    """The play would take too long: it has too many moves, or the flow goes round in circles."""

    code = "too-long"


class UnknownFlow(Invalid):
    """The text does not say which flow to play."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What is played: `text` may be empty if the namespace defines the flow. An empty `flow`: the only one of the text,
    or its last one."""

    text: str = ""
    flow: str = ""
    input: Json = field(default_factory=dict)
    version: int | None = None
    """Which version of a flow of the namespace; None: the newest."""
    labels: dict[str, Json] = field(default_factory=dict)
    at: Instant | None = None
    """When it begins; None: at a fixed moment."""
    script: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMove:
    """A move that changed nothing. `move` counts from 0."""

    move: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An action or a person was asked, for the `attempt`-th time, at that moment."""

    at: Instant
    what: Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of a play."""

    run: Run
    """Its values are decrypted only for the play's own placeholders."""
    output: Json
    vars: dict[str, Json]
    history: tuple[Entry, ...]
    now: Instant
    next_at: Instant | None
    next_what: str
    waits: tuple[Waiting, ...]
    asked: tuple[Asked, ...]
    refused: tuple[RefusedMove, ...]
    runs: tuple[Run, ...]
    """The called and started runs, oldest first."""
    definition: Definition
    submission: Submission | None
    script: tuple[Move, ...]


def play(lender: Services, namespace: str, wanted: Play) -> Played:
    """Play. `lender` and `namespace` define the names that the text does not define.

    Raises FslMalformed and FslRefused for the text, UnknownFlow, NotFound, InputRefused, PlayTooLong.
    """
    return _Session(lender, namespace, wanted).played()


class _Session:
    def __init__(self, lender: Services, namespace: str, wanted: Play) -> None:
        self._began = time.monotonic()
        self._events = 0
        pinned = {(Kind.FLOW, wanted.flow): wanted.version}
        self._host = PlayHost(lender, namespace, START if wanted.at is None else wanted.at, pinned)
        self._refused: list[RefusedMove] = []
        self._asked: dict[tuple[str, int], Asked] = {}
        services, own = self._host.services, self._host.namespace
        self._submission = services.submitter.submit(own, wanted.text) if wanted.text.strip() else None
        self._script = wanted.script
        self._host.start(wanted.flow or self._only_flow(), wanted.input, name=RUN, labels=wanted.labels)
        self._settle()
        for number, move in enumerate(wanted.script):
            self._make(number, move)
            self._settle()

    def _only_flow(self) -> str:
        flows = [one.name for one in self._submission.results if one.kind == Kind.FLOW] if self._submission else []
        if not flows:
            raise UnknownFlow("`flow` must name the flow to play, because the text defines none")
        return flows[-1]

    # ── moves ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _make(self, number: int, move: Move) -> None:
        """Make one move; one that the run refuses is noted and changes nothing."""
        try:
            self._apply(made(move))
        except (Refused, ServiceError, ValueError) as refusal:
            if isinstance(refusal, PlayTooLong):
                raise
            self._refused.append(RefusedMove(move=number, why=str(refusal)))
        answers = self._host.refusals
        self._refused += (RefusedMove(move=number, why=one.reason) for one in answers)
        answers.clear()

    def _apply(self, move: AnyMove) -> None:
        match move:
            case AnswerMove():
                self._answer(move)
            case FailMove():
                self._fail(move)
            case EventMove():
                self._publish(move)
            case CommandMove():
                self._command(move)
            case ClockMove():
                self._pass_time(move)
            case AutoMove():
                self._answer_all(move)
            case _:
                assert_never(move)

    def _answer(self, move: AnswerMove) -> None:
        at = self._find(move)
        if not at.states:
            raise Invalid(f"step {at.step!r} waits for {at.kind}, and no answer ends that wait")
        error = move.error or (GivenError() if move.state == ERROR else None)
        if move.done and move.state not in (*at.states, ERROR):
            raise Invalid(f"{move.state!r} is not a state of {at.name!r}, which answers {' | '.join(at.states)}")
        if self._is_direct(at):
            why = StepError(error.name, error.cause) if error else None
            self._host.deliver_held(at.uuid, (Answer(state=move.state, data=move.data, error=why),))
            return
        self._host.held.pop(at.uuid, None)
        answer = service.Answer(
            run=at.run,
            step=at.step,
            uuid=at.uuid,
            state=move.state,
            done=move.done,
            data=move.data,
            variables=move.vars or None,
            error=service.AnswerError(name=error.name, cause=error.cause) if error else None,
        )
        self._host.answer(answer, by="person" if at.kind in PEOPLE else "action")

    def _is_direct(self, at: Waiting) -> bool:
        """Return whether what the action returns is the answer (`callback = none`)."""
        if at.kind in PEOPLE or not at.states:
            return False
        action = self._host.services.definition_cache.of(self._host.head(at.run)).actions.get(at.name)
        if action is None or not action.direct:
            return False
        if not at.is_held:
            raise Invalid(f"the next delivery of {at.name!r} is not due yet: let time pass")
        return True

    def _fail(self, move: FailMove) -> None:
        at = self._find(move)
        if not at.is_held:
            raise Invalid(f"no delivery of step {at.step!r} is due")
        retried = move.status is None or move.status >= 500 or move.status in RETRIED_STATUSES
        final = move.final if move.final is not None else not retried
        name = ErrorName.REFUSED if final and move.status else ErrorName.UNDELIVERABLE
        text = f"{at.name}: HTTP {move.status}" if move.status and move.error == FailMove(step="").error else move.error
        self._host.deliver_held(at.uuid, Failure(error=text, final=final, status=move.status, name=name))

    def _publish(self, move: EventMove) -> None:
        services, namespace = self._host.services, self._host.namespace
        if move.run is not None:
            self._host.signal(move.run, move.name, data=move.data)
        else:
            services.signaler.publish(namespace, move.name, key=key_text(move.key), data=move.data)

    def _command(self, move: CommandMove) -> None:
        operator, namespace = self._host.services.operator, self._host.namespace
        match move.do:
            case "pause":
                operator.pause(namespace, RUN, by="user")
            case "continue":
                operator.resume(namespace, RUN, by="user")
            case "stop":
                operator.stop(namespace, RUN, reason=move.reason, by="user")
            case "retry":
                operator.retry(namespace, RUN, step=move.step, by="user")
            case "vars":
                operator.set_vars(namespace, RUN, move.set, remove=move.remove, by="user")

    def _pass_time(self, move: ClockMove) -> None:
        now = self._host.clock.now()
        if move.next + (move.by is not None) + (move.to is not None) != 1:
            raise Invalid("`clock` has exactly one of `next`, `by` and `to`")
        if move.next:
            self._pass_to_next()
            return
        length = times.duration(move.by) if move.by is not None else None
        until = now + int(length) if length is not None else times.instant(move.to) if move.to is not None else None
        if until is None or until < now:
            raise Invalid(f"the clock cannot go to {move.by or move.to!r}")
        self._run_until(until)

    def _pass_to_next(self) -> None:
        """Let time pass until something happens by itself to a run."""
        before = self._progress()
        for _ in range(MAX_IDLE_WAKES):
            at = self._host.next_at()
            if at is None:
                raise Invalid("nothing happens by itself any more")
            self._run_until(at)
            if self._progress() != before or self._due_now():
                return

    def _due_now(self) -> bool:
        return any(one.is_held for one in self._waits())

    def _progress(self) -> list[int]:
        """Return how long the histories are: a timer that only finds out that it is early adds no entry."""
        return [run.tail[-1].seq for run in self._host.runs()]

    def _answer_all(self, move: AutoMove) -> None:
        """Answer everything that is asked with its first state."""
        for _ in range(MAX_MOVES):
            asked = [one for one in self._waits() if one.states and (one.is_held or one.kind in PEOPLE)]
            if not asked or any(one.step == move.until for one in self._waits()):
                return
            at = asked[0]
            self._answer(AnswerMove(step=at.step, token=at.token, run=at.run, state=at.states[0]))
            self._settle()
        raise PlayTooLong(f"{MAX_MOVES} answers lead to no end: the runs are at {', '.join(self._places())}")

    def _find(self, at: At) -> Waiting:
        """Return the token that waits there. Raises Invalid if none does, or several do."""
        found = [
            one
            for one in self._waits()
            if one.step == at.step and at.token in (None, one.token) and at.run in (None, one.run)
        ]
        found = [one for one in found if one.run == RUN] or found
        if not found:
            steps = sorted({one.step for one in self._waits()})
            raise Invalid(f"no token waits at step {at.step!r}; tokens wait at {', '.join(steps) or 'no step'}")
        held = [one for one in found if one.is_held]
        return held[0] if held else found[0]

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _settle(self) -> None:
        self._host.drop_stale()
        self._run_until(self._host.clock.now())
        for one in self._waits():
            if one.is_held or one.kind in PEOPLE:
                self._asked.setdefault((one.uuid, one.attempt), Asked(at=self._host.clock.now(), what=one))

    def _run_until(self, until: Instant) -> None:
        """Let everything happen that is due by then. Raises PlayTooLong."""
        while not self._host.run_until(until, max_events=MAX_EVENTS // 20):
            self._events += MAX_EVENTS // 20
            if self._events >= MAX_EVENTS or time.monotonic() - self._began > MAX_SECONDS:
                raise PlayTooLong(f"the play does not come to rest: its runs are at {', '.join(self._places())}")
        if time.monotonic() - self._began > MAX_SECONDS:
            raise PlayTooLong(f"the play takes more than {MAX_SECONDS:g} s: make fewer moves")

    def _places(self) -> list[str]:
        return sorted({token.step for run in self._host.runs() for token in run.tokens}) or ["no step"]

    # ── the result ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _waits(self) -> list[Waiting]:
        live = [run for run in reversed(self._host.runs()) if run.status in status.LIVE]
        live.sort(key=lambda run: run.name != RUN)
        return [one for run in live for one in waiting(self._host, run)]

    def played(self) -> Played:
        host = self._host
        head, next_at, waits = host.head(RUN), host.next_at(), tuple(self._waits())
        return Played(
            run=head,
            output=head.output,
            vars=head.vars,
            history=host.history(RUN),
            now=host.clock.now(),
            next_at=next_at,
            next_what=_what(next_at, waits),
            waits=waits,
            asked=tuple(self._asked.values()),
            refused=tuple(self._refused),
            runs=tuple(run for run in reversed(host.runs()) if run.name != RUN),
            definition=host.services.definition_cache.of(head),
            submission=self._submission,
            script=self._script,
        )


def _what(at: Instant | None, waits: Sequence[Waiting]) -> str:
    """Return what happens then."""
    for one in waits:
        if at is not None and one.retry_at == at:
            return f"step {one.step} is tried again"
        if at is not None and one.deadline == at:
            return f"{'the end' if one.kind is WaitKind.TIMER else 'the deadline'} of step {one.step}"
    return "" if at is None else "a timer"
