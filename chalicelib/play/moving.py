"""The moves of a play: answers, failures, events, commands and time, on a host of plays."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, assert_never

from chalicelib.engine.errors import Refused
from chalicelib.engine.values.texts import key_text
from chalicelib.hosting.responder import Answer, Failure
from chalicelib.model import status, times
from chalicelib.model.flow import ERROR
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
from chalicelib.play.outside import Answered, Commanded, Failed, Published, whole_delay
from chalicelib.play.play_host import PlayHost
from chalicelib.play.recorded import MAX_SECONDS, PlayTooLong
from chalicelib.play.waiting import PEOPLE, Waiting, waiting
from chalicelib.service.deliveries.direct_answers import RETRIED_STATUSES
from chalicelib.service.errors import Invalid, ServiceError
from chalicelib.service.runs import answer as service

MAX_EVENTS: Final = 100_000
"""How many messages and timers one play may handle."""

MAX_IDLE_WAKES: Final = 100
"""How many timers that change nothing `clock.next` passes."""


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


class Player:
    """Makes moves with the run of that name. `ends_at` is when the play takes too long, by `time.monotonic()`.

    `is_spread`: each move is a millisecond after what happened before it, so that a test repeats them in this order.
    """

    def __init__(self, host: PlayHost, name: str, ends_at: float, *, is_spread: bool = False) -> None:
        self._is_spread = is_spread
        self.host = host
        self.name = name
        self.refused: list[RefusedMove] = []
        self.asked: dict[tuple[str, int], Asked] = {}
        self.log: list[Answered | Failed | Published | Commanded] = []
        """What the moves did, in order."""
        self._ends_at = ends_at
        self._events = 0

    # ── moves ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def make(self, number: int, move: Move) -> None:
        """Make one move; one that the run refuses is noted and changes nothing."""
        try:
            if self._is_spread and move.clock is None:
                self._run_until(self.host.clock.now() + 1)
            self._apply(made(move))
        except (Refused, ServiceError, ValueError) as refusal:
            if isinstance(refusal, PlayTooLong):
                raise
            self.refused.append(RefusedMove(move=number, why=str(refusal)))
        answers = self.host.refusals
        self.refused += (RefusedMove(move=number, why=one.reason) for one in answers)
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
        why = StepError(error.name, error.cause) if error else None
        log = Answered(self.host.clock.now(), at.uuid, move.state, move.data, move.vars, why, is_done=move.done)
        if self._is_direct(at):
            self.log.append(log)
            self.host.deliver_held(at.uuid, (Answer(state=move.state, data=move.data, error=why),))
            return
        self.host.held.pop(at.uuid, None)
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
        self.host.answer(answer, by="person" if at.kind in PEOPLE else "action")
        self.log.append(log)

    def _is_direct(self, at: Waiting) -> bool:
        """Return whether what the action returns is the answer (`callback = none`)."""
        if at.kind in PEOPLE or not at.states:
            return False
        action = self.host.services.definition_cache.of(self.host.head(at.run)).actions.get(at.name)
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
        head = self.host.head(at.run)
        delay = whole_delay(self.host.services.definition_cache.of(head), head, at.uuid)
        self.log.append(Failed(self.host.clock.now(), at.uuid, text, move.status, is_final=final, retry_after=delay))
        self.host.deliver_held(
            at.uuid, Failure(error=text, final=final, status=move.status, name=name, retry_after=delay)
        )

    def _publish(self, move: EventMove) -> None:
        services, namespace = self.host.services, self.host.namespace
        if move.run is not None:
            self.host.signal(move.run, move.name, data=move.data)
        else:
            services.signaler.publish(namespace, move.name, key=key_text(move.key), data=move.data)
        run = "" if move.run is None else move.run
        self.log.append(Published(self.host.clock.now(), move.name, key_text(move.key), move.data, run))

    def _command(self, move: CommandMove) -> None:
        operator, namespace = self.host.services.operator, self.host.namespace
        match move.do:
            case "pause":
                operator.pause(namespace, self.name, by="user")
            case "continue":
                operator.resume(namespace, self.name, by="user")
            case "stop":
                operator.stop(namespace, self.name, reason=move.reason, by="user")
            case "retry":
                operator.retry(namespace, self.name, step=move.step, by="user")
            case "vars":
                operator.set_vars(namespace, self.name, move.set, remove=move.remove, by="user")
        self.log.append(Commanded(self.host.clock.now(), move))

    def _pass_time(self, move: ClockMove) -> None:
        now = self.host.clock.now()
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
            at = self.host.next_at()
            if at is None:
                raise Invalid("nothing happens by itself any more")
            self._run_until(at)
            if self._progress() != before or self._due_now():
                return

    def _due_now(self) -> bool:
        return any(one.is_held for one in self.waits())

    def _progress(self) -> list[int]:
        """Return how long the histories are: a timer that only finds out that it is early adds no entry."""
        return [run.tail[-1].seq for run in self.host.runs()]

    def _answer_all(self, move: AutoMove) -> None:
        """Answer everything that is asked with its first state; with `time`, let time pass where nothing is asked."""
        for _ in range(MAX_MOVES):
            waits = self.waits()
            asked = [one for one in waits if one.states and (one.is_held or one.kind in PEOPLE)]
            if any(one.step == move.until for one in waits) or (not asked and not self._may_wait(move)):
                return
            if not asked:
                self._pass_to_next()
                self.settle()
                continue
            at = asked[0]
            if self._is_spread:
                self._run_until(self.host.clock.now() + 1)
            self._answer(AnswerMove(step=at.step, token=at.token, run=at.run, state=at.states[0]))
            self.settle()
        raise PlayTooLong(f"{MAX_MOVES} answers lead to no end: the runs are at {', '.join(self._places())}")

    def _may_wait(self, move: AutoMove) -> bool:
        """Return whether time may pass: something happens by itself, and the run has not ended."""
        return move.time and self.host.head(self.name).status in status.LIVE and self.host.next_at() is not None

    def _find(self, at: At) -> Waiting:
        """Return the token that waits there. Raises Invalid if none does, or several do."""
        found = [
            one
            for one in self.waits()
            if one.step == at.step and at.token in (None, one.token) and at.run in (None, one.run)
        ]
        found = [one for one in found if one.run == self.name] or found
        if not found:
            steps = sorted({one.step for one in self.waits()})
            raise Invalid(f"no token waits at step {at.step!r}; tokens wait at {', '.join(steps) or 'no step'}")
        held = [one for one in found if one.is_held]
        return held[0] if held else found[0]

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        self.host.drop_stale()
        self._run_until(self.host.clock.now())
        for one in self.waits():
            if one.is_held or one.kind in PEOPLE:
                self.asked.setdefault((one.uuid, one.attempt), Asked(at=self.host.clock.now(), what=one))

    def _run_until(self, until: Instant) -> None:
        """Let everything happen that is due by then. Raises PlayTooLong."""
        while not self.host.run_until(until, max_events=MAX_EVENTS // 20):
            self._events += MAX_EVENTS // 20
            if self._events >= MAX_EVENTS or time.monotonic() > self._ends_at:
                raise PlayTooLong(f"the play does not come to rest: its runs are at {', '.join(self._places())}")
        if time.monotonic() > self._ends_at:
            raise PlayTooLong(f"the play takes more than {MAX_SECONDS:g} s: make fewer moves")

    def _places(self) -> list[str]:
        return sorted({token.step for run in self.host.runs() for token in run.tokens}) or ["no step"]

    def waits(self) -> list[Waiting]:
        live = [run for run in reversed(self.host.runs()) if run.status in status.LIVE]
        live.sort(key=lambda run: run.name != self.name)
        return [one for run in live for one in waiting(self.host, run)]
