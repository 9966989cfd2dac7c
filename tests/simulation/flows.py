"""Random flows of every kind of step. Each can always end: the first state of every step leads on."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from msgspec.structs import replace

from chalicelib.model.actions import (
    Action,
    ArgType,
    Limit,
    Method,
    Options,
    Parameter,
    Retry,
    Undo,
)
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
    EventStep,
    Flow,
    ForkStep,
    Route,
    SetStep,
    Step,
    TimerStep,
)
from chalicelib.model.templates import expression
from tests.simulation.mishaps import with_mishaps

STATES: Final = ("OK", "ODD", "FAIL")
"""What actions declare. Few steps route ODD."""

DATA: Final = {"v": 1}
EVENTS: Final = ("go", "no")
MAIN: Final = "main"
CHILD: Final = "child"

SECRET: Final = "S3CR3T"
"""What every run keeps, and only some actions may see."""

_TOKEN: Final = {"token": expression("$vars.token")}
UNDOER: Final = "undoer"
"""The flow that undoes calls."""

_UNDOS: Final = (
    Undo(action="undo", args=_TOKEN),
    Undo(action="undo", args=_TOKEN, states=("OK",)),
    Undo(action="undo", args=_TOKEN, states=("FAIL",)),
    Undo(action="undo", args={**_TOKEN, "note": expression("$result.v")}, states=STATES),
    Undo(action="undo", args={**_TOKEN, "note": expression("$result.missing")}, states=("OK",)),
    Undo(action="undo", args={**_TOKEN, "note": expression("$string($result)")}, states=("OK",)),
    Undo(action=UNDOER, args={"n": expression("$result.v")}, states=("OK",), is_flow=True),
)
_BROKEN_UNDOS: Final = _UNDOS[4:]
"""They may have an arg that cannot be made: it yields nothing, or has the wrong type."""
_UNDOS_OF_CALLS: Final = (
    Undo(action="undo", args=_TOKEN, states=("DONE",)),
    Undo(action=UNDOER, states=("DONE",), is_flow=True),
)
TRUSTED: Final = ("plain", "human", "undo")
"""Actions that are sent the secret."""


_PARAMETERS: Final = (
    Parameter(name="token", type=ArgType.STR, secret=True),
    Parameter(name="note", type=ArgType.INT, required=False, default=0),
)


_SEEN: Final = Parameter(name="seen", type=ArgType.ANY, required=False, default=0)
_SEES: Final = {"seen": [expression("$vars.n"), expression("$result.v ?? 0"), expression("$uuid()")]}
"""An arg that has another value whenever it is evaluated."""

GONE: Final = {"gone": expression("$vars.nowhere"), "went": True}
"""Saves nothing: where `went` is true, `gone` is null."""


def _action(name: str, method: Method = Method.HTTP, **options: Any) -> Action:
    return Action(
        name=name,
        returns=STATES,
        method=method,
        addresses=(f"http://{name}.test/",),
        parameters=_PARAMETERS if name == "undo" else (*(_PARAMETERS[:1] if name in TRUSTED else ()), _SEEN),
        secret_data=name == "brisk",
        options=Options(**options),
    )


ACTIONS: Final = (
    _action("plain"),
    _action("brisk", timeout=20_000, retry=Retry(max=2, delay=100)),
    _action("alive", timeout=600_000, heartbeat=30_000),
    _action("asked", timeout=3_600_000, approval=True),
    _action("human", Method.HUMAN, timeout=7_200_000),
    _action("scarce", timeout=20_000, limit=Limit(concurrent=1)),
    _action("undo", timeout=120_000, retry=Retry(max=5, delay=500)),
)
"""What the flows send: an action for each of the ways in which one can be waited for."""

_SENT: Final = ("plain", "plain", "scarce", "brisk", "alive", "asked", "human")
_PLAIN_KINDS: Final = ("action",) * 6 + ("choice", "set", "timer", "event", "condition")
_NESTING: Final = ("fork", "each", "call", "fork", "each", "call", "call")


def is_signed(step: str) -> bool:
    """Whether the step's answers must be signed: one in four, by its number, so that nothing more is drawn."""
    return step[1:].isdecimal() and int(step[1:]) % 4 == 2


class FlowMaker:
    """Makes the steps of one flow."""

    def __init__(self, rng: Random, *, calls: bool) -> None:
        self._rng = rng
        self._calls = calls
        self._made = 0

    def flow(self, name: str) -> Flow:
        rng = self._rng
        return Flow(
            name=name,
            steps=self._steps(rng.choice((1, 1, 2, 2, 3, 4)), depth=0),
            vars={"n": 0, "flag": False, "token": SECRET, "gone": "here"},
            secret_vars=("token",),
            timeout=rng.choice((None, None, None, 15_000, 1_800_000, 21_600_000)),
        )

    def _steps(self, count: int, depth: int, *, action_last: bool = False) -> tuple[Step, ...]:
        names = [self._name() for _ in range(count)]
        steps: list[Step] = []
        for place, name in enumerate(names):
            forward = names[place + 1] if place + 1 < count else DONE
            kind = "action" if action_last and place == count - 1 else self._kind(depth)
            steps.append(with_mishaps(self._rng, self._step(kind, name, forward, names, depth), forward))
        return tuple(steps)

    def _name(self) -> str:
        self._made += 1
        return f"S{self._made}"

    def _kind(self, depth: int) -> str:
        if depth < 2 and self._rng.random() < (0.3 if depth == 0 else 0.15):
            kind = self._rng.choice(_NESTING)
            return kind if kind != "call" or (self._calls and depth <= 1) else "action"
        return self._rng.choice(_PLAIN_KINDS)

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
                return TimerStep(name=name, routes=on_done, duration=waits)
            case "event":
                routes = (
                    Route(state="GO", target=forward),
                    Route(state="NO", target=aside),
                    Route(state=TIMEOUT, target=forward),
                )
                key = rng.choice((None, "k"))
                events = {"GO": EVENTS[0], "NO": EVENTS[1]}
                return EventStep(name=name, routes=routes, events=events, key=key, timeout=waits)
            case "condition":
                either = (*on_done, Route(state=TIMEOUT, target=forward))
                return ConditionStep(name=name, routes=either, condition="$vars.flag", timeout=waits)
            case "fork":
                return self._fork(name, self._joined(forward, aside), depth)
            case "each":
                return self._each(name, self._joined(forward, aside), depth)
            case "call":
                routes = (*on_done, Route(state="STOPPED", target=aside), Route(target=forward))
                undo = rng.choice((None, None, *_UNDOS_OF_CALLS))
                timeout = rng.choice((None, 30_000, 3_600_000))
                return CallStep(name=name, routes=routes, flow=CHILD, timeout=timeout, undo=undo)
            case _:
                return self._sends(name, forward, names)

    def _joined(self, forward: str, aside: str) -> tuple[Route, ...]:
        return (Route(state="DONE", target=forward), Route(state="FAIL", target=aside))

    def _sends(self, name: str, forward: str, names: list[str]) -> ActionStep:
        rng = self._rng
        routes = [Route(state="OK", target=forward), Route(state="FAIL", target=rng.choice((*names, STOPPED, STOPPED)))]
        routes += [
            Route(state=state, target=rng.choice((forward, name))) for state in (TIMEOUT, ERROR) if rng.random() < 0.4
        ]
        action = rng.choice(_SENT)
        undo = rng.choice(_UNDOS) if rng.random() < 0.3 else None
        if undo in _BROKEN_UNDOS:  # every answer becomes an ERROR, so a loop would never end
            routes = [replace(route, target=forward) if route.state == ERROR else route for route in routes]
        return ActionStep(
            name=name,
            routes=tuple(routes),
            action=action,
            args={**(_TOKEN if action in TRUSTED else {}), **_SEES},
            save={"n": expression("$vars.n + 1")} if rng.random() < 0.15 else {},
            undo=undo,
            options=Options(signed=is_signed(name)),
        )

    def _fork(self, name: str, routes: tuple[Route, ...], depth: int) -> ForkStep:
        count = self._rng.choice((2, 2, 3))
        branches = tuple(
            Branch(name=f"b{n}", steps=self._steps(self._rng.choice((1, 1, 2)), depth + 1)) for n in range(count)
        )
        return ForkStep(
            name=name,
            routes=routes,
            branches=branches,
            join=self._rng.randint(1, count),
            keep_abandoned=self._rng.random() < 0.5,
        )

    def _each(self, name: str, routes: tuple[Route, ...], depth: int) -> EachStep:
        return EachStep(
            name=name,
            routes=routes,
            items=list(range(self._rng.choice((0, 1, 2, 3, 5)))),
            steps=self._steps(self._rng.choice((1, 1, 2)), depth + 1, action_last=True),
            max=self._rng.choice((0, 1, 2)),
            tolerate=self._rng.choice((0, 0, 1, 5)),
            keep_abandoned=self._rng.random() < 0.5,
        )


def undoer() -> Flow:
    """A flow that undoes: it may fail as any other."""
    routes = (Route(state="OK", target=DONE), Route(state="FAIL", target=STOPPED))
    return Flow(
        name=UNDOER,
        steps=(ActionStep(name="Undo", routes=routes, action="plain", args=_TOKEN),),
        input=(Parameter(name="n", type=ArgType.INT, required=False, default=0),),
        vars={"token": SECRET},
        secret_vars=("token",),
    )
