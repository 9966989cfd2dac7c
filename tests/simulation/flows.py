"""Random flows of every kind of step. Each can always end: the first state of every step leads on."""

from __future__ import annotations

from random import Random
from typing import Final

from msgspec.structs import replace

from chalicelib.model.actions import ActionCall, ArgType, Options, Parameter
from chalicelib.model.flow import (
    DONE,
    ERROR,
    STOPPED,
    TIMEOUT,
    ActionStep,
    Branch,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EmitStep,
    EventStep,
    Flow,
    FlowLimit,
    ForkStep,
    Overflow,
    Route,
    SetStep,
    StartStep,
    Step,
    TimerStep,
)
from chalicelib.model.templates import Template, expression
from tests.simulation.catalog import (
    BROKEN_UNDOS,
    DIRECT,
    SECRET,
    SEES,
    SENT,
    TOKEN,
    TRUSTED,
    UNDOER,
    UNDOS,
    UNDOS_OF_CALLS,
)
from tests.simulation.counters import OF_ITEMS, counted, counts_of
from tests.simulation.mishaps import with_mishaps

DATA: Final = {"v": 1}
EVENTS: Final = ("go", "no")
MAIN: Final = "main"
CHILD: Final = "child"

GONE: Final = {"gone": expression("$vars.nowhere"), "went": True}
"""Saves nothing: where `went` is true, `gone` is null."""

_PLAIN_KINDS: Final = ("action",) * 6 + ("choice", "set", "timer", "event", "condition", "emit", "start")
_NESTING: Final = ("fork", "each", "call", "fork", "each", "call", "call")
_LIMITS: Final = (
    FlowLimit(concurrent=1),
    FlowLimit(concurrent=2, key="k"),
    FlowLimit(concurrent=1, overflow=Overflow.SKIP),
    FlowLimit(concurrent=1, overflow=Overflow.CANCEL_OLDEST),
)
_NOTICE: Final = ActionCall(action="noted", args=SEES)


def is_signed(step: str) -> bool:
    """Whether the step's answers must be signed: one in four, by its number, so that nothing more is drawn."""
    return step[1:].isdecimal() and int(step[1:]) % 4 == 2


def computed(step: str, value: int | None) -> Template:
    """Return an option of the step in milliseconds: in one step of three as an expression that yields its text."""
    is_computed = step[1:].isdecimal() and int(step[1:]) % 3 == 1
    return expression(f'"{value}ms"') if value is not None and is_computed else value


def _timer(name: str, routes: tuple[Route, ...], waits: int) -> TimerStep:
    """One in five waits for a time of the clock."""
    if int(name[1:]) % 5 == 3:
        return TimerStep(name=name, routes=routes, next="*/20 * * * *", zone="Asia/Kolkata")
    return TimerStep(name=name, routes=routes, duration=waits)


class FlowMaker:
    """Makes the steps of one flow."""

    def __init__(self, rng: Random, *, calls: bool) -> None:
        self._rng = rng
        self._calls = calls
        self._made = 0
        self._sent = rng.choice(SENT)

    def flow(self, name: str) -> Flow:
        rng = self._rng
        return Flow(
            name=name,
            steps=self._steps(rng.choice((1, 1, 2, 2, 3, 4)), depth=0),
            vars={"n": 0, "flag": False, "token": SECRET, "gone": "here", **counts_of(outer=True)},
            secret_vars=("token",),
            timeout=rng.choice((None, None, None, 15_000, 1_800_000, 21_600_000)),
            limit=rng.choice(_LIMITS) if rng.random() < 0.1 else None,
        )

    def _steps(self, count: int, depth: int, *, action_last: bool = False) -> tuple[Step, ...]:
        names = [self._name() for _ in range(count)]
        steps: list[Step] = []
        for place, name in enumerate(names):
            forward = names[place + 1] if place + 1 < count else DONE
            kind = "action" if action_last and place == count - 1 else self._kind(depth)
            step = counted(self._rng, self._step(kind, name, forward, names, depth), depth)
            steps.append(with_mishaps(self._rng, step, forward))
        return tuple(steps)

    def _name(self) -> str:
        self._made += 1
        return f"S{self._made}"

    def _kind(self, depth: int) -> str:
        if depth < 2 and self._rng.random() < (0.3 if depth == 0 else 0.15):
            kind = self._rng.choice(_NESTING)
            return kind if kind != "call" or (self._calls and depth <= 1) else "action"
        kind = self._rng.choice(_PLAIN_KINDS)
        return kind if kind != "start" or self._calls else "emit"

    def _step(self, kind: str, name: str, forward: str, names: list[str], depth: int) -> Step:
        rng = self._rng
        waits = rng.choice((300, 5_000, 60_000, 1_200_000, 7_200_000))
        aside = rng.choice((forward, STOPPED, STOPPED))
        on_done = (Route(state="DONE", target=forward),)
        match kind:
            case "choice":
                when = Route(when="$vars.n > 1", target=aside)
                return ChoiceStep(name=name, routes=(when, Route(target=forward)))
            case "set":
                return SetStep(name=name, routes=on_done, save={"n": expression("$vars.n + 1"), **GONE})
            case "timer":
                return _timer(name, on_done, waits)
            case "event":
                return self._event(name, forward, aside, waits)
            case "condition":
                either = (*on_done, Route(state=TIMEOUT, target=forward))
                return ConditionStep(name=name, routes=either, condition="$vars.flag", timeout=computed(name, waits))
            case "fork":
                return self._fork(name, self._joined(forward, aside), depth)
            case "each":
                return self._each(name, self._joined(forward, aside), depth)
            case "call":
                routes = (*on_done, Route(state="STOPPED", target=aside), Route(target=forward))
                undo = rng.choice((None, None, *UNDOS_OF_CALLS))
                timeout = computed(name, rng.choice((None, 30_000, 3_600_000)))
                return CallStep(name=name, routes=routes, flow=CHILD, timeout=timeout, undo=undo)
            case "emit" | "start":
                return self._emit(name, forward) if kind == "emit" else self._start(name, forward)
            case _:
                return self._sends(name, forward, names)

    def _event(self, name: str, forward: str, aside: str, timeout: int) -> EventStep:
        rng = self._rng
        routes = [Route(state="GO", target=forward), Route(state="NO", target=aside)]
        routes += [Route(state=state, target=forward) for state in (TIMEOUT, ERROR)]
        return EventStep(
            name=name,
            routes=tuple(routes),
            events={"GO": EVENTS[0], "NO": EVENTS[1]},
            key=rng.choice((None, "k")),
            timeout=computed(name, timeout),
            on_enter=rng.choice((None, None, _NOTICE)),
            on_leave=rng.choice((None, _NOTICE)),
        )

    def _emit(self, name: str, forward: str) -> EmitStep:
        rng = self._rng
        return EmitStep(
            name=name,
            routes=self._done_or_error(forward),
            event=rng.choice(EVENTS),
            key=rng.choice((None, "k")),
            data={"v": 4},
            to=rng.choice((None, None, "r1", "r2")),
            ttl=rng.choice((None, 60_000)),
        )

    def _start(self, name: str, forward: str) -> StartStep:
        """A run that is started twice under one name is the same one; `r1` may be another."""
        return StartStep(
            name=name,
            routes=self._done_or_error(forward),
            flow=CHILD,
            run=self._rng.choice((None, None, "d1", "d1", "r1")),
        )

    def _done_or_error(self, forward: str) -> tuple[Route, ...]:
        """Some refusals are routed."""
        routes = (Route(state="DONE", target=forward), Route(state=ERROR, target=forward))
        return routes[: self._rng.choice((1, 2, 2))]

    def _joined(self, forward: str, aside: str) -> tuple[Route, ...]:
        routes = (Route(state="DONE", target=forward), Route(state="FAIL", target=aside))
        return (*routes, Route(state=TIMEOUT, target=forward)) if self._rng.random() < 0.3 else routes

    def _sends(self, name: str, forward: str, names: list[str]) -> ActionStep:
        rng = self._rng
        routes = [Route(state="OK", target=forward), Route(state="FAIL", target=rng.choice((*names, STOPPED, STOPPED)))]
        routes += [
            Route(state=state, target=rng.choice((forward, name))) for state in (TIMEOUT, ERROR) if rng.random() < 0.4
        ]
        action = rng.choice(self._sent)
        undo = rng.choice(UNDOS) if rng.random() < 0.3 else None
        if undo in BROKEN_UNDOS:  # every answer becomes an ERROR, so a loop would never end
            routes = [replace(route, target=forward) if route.state == ERROR else route for route in routes]
        return ActionStep(
            name=name,
            routes=tuple(routes),
            action=action,
            args={**(TOKEN if action in TRUSTED else {}), **SEES},
            save={"n": expression("$vars.n + 1")} if rng.random() < 0.15 else {},
            undo=undo,
            options=Options(signed=is_signed(name) and action not in DIRECT),
        )

    def _fork(self, name: str, routes: tuple[Route, ...], depth: int) -> ForkStep:
        count = self._rng.choice((2, 2, 3))
        branches = tuple(
            Branch(
                name=f"b{n}",
                steps=self._steps(self._rng.choice((1, 1, 2)), depth + 1),
                vars=self._rng.choice(({}, counts_of())),
            )
            for n in range(count)
        )
        return ForkStep(
            name=name,
            routes=routes,
            branches=branches,
            join=self._rng.randint(1, count),
            vars=self._rng.choice(({}, counts_of(outer=True))),
            keep_abandoned=self._rng.random() < 0.5,
            timeout=computed(name, self._rng.choice((*(None,) * 6, 5_000, 600_000))),
        )

    def _each(self, name: str, routes: tuple[Route, ...], depth: int) -> EachStep:
        return EachStep(
            name=name,
            routes=routes,
            batch=self._rng.choice((*(None,) * 5, 2)),
            items=list(range(self._rng.choice((0, 1, 2, 3, 5)))),
            steps=self._steps(self._rng.choice((1, 1, 2)), depth + 1, action_last=True),
            max=self._rng.choice((0, 1, 2)),
            tolerate=self._rng.choice((0, 0, 1, 5)),
            vars=self._rng.choice(({}, OF_ITEMS)),
            keep_abandoned=self._rng.random() < 0.5,
            timeout=computed(name, self._rng.choice((*(None,) * 6, 5_000, 600_000))),
        )


def undoer() -> Flow:
    """A flow that undoes: it may fail as any other."""
    routes = (Route(state="OK", target=DONE), Route(state="FAIL", target=STOPPED))
    return Flow(
        name=UNDOER,
        steps=(ActionStep(name="Undo", routes=routes, action="plain", args=TOKEN),),
        input=(Parameter(name="n", type=ArgType.INT, required=False, default=0),),
        vars={"token": SECRET},
        secret_vars=("token",),
    )
