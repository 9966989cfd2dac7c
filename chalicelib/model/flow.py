"""What a checked flow is: frozen values, the hinge between language and engine.

The checker makes them, the engine obeys them, the stores keep them as JSON (`encode`, `decode`), and nothing else
describes a flow. Durations are whole milliseconds. A `Template` is a JSON value in which expressions may stand
wherever a value may: `expression()` makes one, `source_of()` recognises one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from chalicelib.model.actions import Options, Parameter, UndoAction
from chalicelib.model.json_values import FrozenValue, Json, ready
from chalicelib.model.templates import Template
from chalicelib.model.times import Milliseconds

DONE: Final = "done"

STOPPED: Final = "stopped"

ENDS: Final = frozenset({DONE, STOPPED})
"""Targets that are no steps. The checker stores them in lower case however they were written."""

DEFAULT_STATE: Final = "DONE"

TIMEOUT: Final = "TIMEOUT"

ERROR: Final = "ERROR"

FAIL: Final = "FAIL"

STOPPED_STATE: Final = "STOPPED"

BUILT_IN_STATES: Final = frozenset({TIMEOUT, ERROR})
"""States that every action has without declaring them (FSL.md, 4)."""


class Route(FrozenValue, frozen=True, kw_only=True):
    """`state` when `when` -> `target`. A part that is None is not asked for; both None is `else`."""

    target: str
    state: str | None = None
    when: str | None = None


class _Step(FrozenValue, frozen=True, kw_only=True, tag_field="kind"):
    name: str
    routes: tuple[Route, ...]


class ActionStep(_Step, frozen=True, kw_only=True, tag="action"):
    """Sends an action and waits for its answer. `decides` is how `deci` was written; nothing else differs."""

    action: str
    args: dict[str, Template] = {}
    decides: bool = False
    options: Options = Options()
    save: dict[str, Template] = {}
    undo: UndoAction | None = None


class ChoiceStep(_Step, frozen=True, kw_only=True, tag="choice"):
    """Data decides: the first route whose `when` holds, or `else`."""


class SetStep(_Step, frozen=True, kw_only=True, tag="set"):
    """Writes variables, returns DONE."""

    save: dict[str, Template]


class TimerStep(_Step, frozen=True, kw_only=True, tag="timer"):
    """Waits `duration` (milliseconds, or an expression of a duration) or until a time (RFC 3339); returns DONE."""

    duration: Template = None
    until: Template = None
    save: dict[str, Template] = {}


class EventStep(_Step, frozen=True, kw_only=True, tag="event"):
    """Waits for the first of `events` (state -> event name) whose key equals `key`; returns that state, or TIMEOUT."""

    events: dict[str, str]
    key: Template = None
    timeout: Milliseconds | None = None
    save: dict[str, Template] = {}


class ConditionStep(_Step, frozen=True, kw_only=True, tag="condition"):
    """Waits until `condition` (JSONata text) holds over the run's variables; returns DONE, or TIMEOUT."""

    condition: str
    timeout: Milliseconds | None = None
    save: dict[str, Template] = {}


class Branch(FrozenValue, frozen=True, kw_only=True):
    name: str
    steps: tuple[Step, ...]


class ForkStep(_Step, frozen=True, kw_only=True, tag="fork"):
    """Runs its branches side by side; DONE when `join` of them finished, FAIL as soon as that is out of reach."""

    branches: tuple[Branch, ...]
    join: int
    """How many branches must finish: `all` is their number, `any` is 1."""
    save: dict[str, Template] = {}


class EachStep(_Step, frozen=True, kw_only=True, tag="each"):
    """Runs `steps` once per item, at most `max` at once; FAIL once more items failed than are tolerated."""

    items: Template
    steps: tuple[Step, ...]
    max: int = 0
    """0: as many as the house allows."""
    tolerate: int = 0
    tolerate_percent: float | None = None
    save: dict[str, Template] = {}


class CallStep(_Step, frozen=True, kw_only=True, tag="call"):
    """Runs another flow as a step: DONE with its output, STOPPED with its error."""

    flow: str
    input: dict[str, Template] = {}
    timeout: Milliseconds | None = None
    save: dict[str, Template] = {}


Step: TypeAlias = (
    ActionStep | ChoiceStep | SetStep | TimerStep | EventStep | ConditionStep | ForkStep | EachStep | CallStep
)


class Flow(FrozenValue, frozen=True, kw_only=True):
    """A process. It begins at its first step; it ends where a route leads to `done` or `stopped`."""

    name: str
    steps: tuple[Step, ...]
    input: tuple[Parameter, ...] = ()
    vars: dict[str, Template] = {}
    secret_vars: tuple[str, ...] = ()
    """Variables whose values are sealed."""
    output: Template = None
    timeout: Milliseconds | None = None
    labels: dict[str, Template] = {}


class FlowRun(FrozenValue, frozen=True, kw_only=True):
    """One run to be started: of the flow `flow`, or of the steps that it brings along (`steps`)."""

    name: str
    flow: str | None = None
    steps: Flow | None = None
    input: dict[str, Json] = {}
    labels: dict[str, Json] = {}


def children_of(step: Step) -> tuple[tuple[str, tuple[Step, ...]], ...]:
    """The (scope name, steps) pairs nested in a step; empty for a plain one. An `each` has one scope named ``."""
    match step:
        case ForkStep():
            return tuple((branch.name, branch.steps) for branch in step.branches)
        case EachStep():
            return (("", step.steps),)
        case _:
            return ()


def walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Every step, nested ones too, in the order of the text."""
    for step in steps:
        yield step
        for _, nested in children_of(step):
            yield from walk(nested)


def actions_named(flow: Flow) -> frozenset[str]:
    """The names of all actions that a flow sends, undo actions included."""
    names: set[str] = set()
    for step in walk(flow.steps):
        if isinstance(step, ActionStep):
            names.add(step.action)
            if step.undo:
                names.add(step.undo.action)
    return frozenset(names)


ready(Flow)
