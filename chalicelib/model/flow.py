"""Checked flows, as frozen values: all that the language gives to the engine.

The checker makes them, the engine executes them, and the stores keep them as JSON. Durations are whole milliseconds. A
`Template` is a JSON value that may hold expressions in the place of values (`model.templates`).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, TypeAlias

from chalicelib.model.actions import ActionCall, ArgType, Options, Parameter, Undo
from chalicelib.model.json_values import FrozenValue, Json, ready
from chalicelib.model.templates import Expression, Template
from chalicelib.model.times import Milliseconds

DONE: Final = "done"

STOPPED: Final = "stopped"

ENDS: Final = frozenset({DONE, STOPPED})
"""Targets that are not steps. The checker stores them in lower case."""

DEFAULT_STATE: Final = "DONE"

TIMEOUT: Final = "TIMEOUT"

ERROR: Final = "ERROR"

FAIL: Final = "FAIL"

STOPPED_STATE: Final = "STOPPED"

BUILT_IN_STATES: Final = frozenset({TIMEOUT, ERROR})
"""States that every action has without declaring them (fsl/manual.md, 3)."""


class Route(FrozenValue, frozen=True, kw_only=True):
    """A state and a condition, and the target. None accepts any state, or needs no condition; both None is `else`."""

    target: str
    state: str | None = None
    when: str | None = None
    entries: dict[str, Template] = {}
    """What the text has in parentheses after the target. For a step: variables to set, with keys as in `save`. For
    `done`: `output`. For `stopped`: `error` and `cause`."""


DEFAULT_CAP_MS: Final[Milliseconds] = 300_000
"""The longest delay of a rule of `repeat` that has no cap, unless its first delay is longer."""


class Jitter(StrEnum):
    """How much of a delay is random."""

    NONE = "none"
    FULL = "full"


MAX_EACH_ITEMS: Final = 100_000
"""How many items an each can have, in batches or not."""

MAX_REPEATS: Final = 1_000
"""How often a rule of `repeat` can do a step again."""


class RepeatRule(FrozenValue, frozen=True, kw_only=True):
    """When a step is done again before its route is taken: after `state`, if `when` holds, at most `max` times.

    A rule without a state has a condition, and applies to every state. Its numbers may be expressions, which are
    evaluated when the rule is used.
    """

    state: str | None = None
    when: str | None = None
    max: int | Expression
    delay: Milliseconds | Expression = 1_000
    rate: float | Expression = 2.0
    cap: Milliseconds | Expression | None = DEFAULT_CAP_MS
    """None: the default cap, or the delay if that is an expression and longer."""
    jitter: Jitter = Jitter.NONE


class _Step(FrozenValue, frozen=True, kw_only=True, tag_field="kind"):
    name: str
    routes: tuple[Route, ...]


class ActionStep(_Step, frozen=True, kw_only=True, tag="action"):
    """Sends an action and waits for its answer. `decides`: it was written as `deci`, which changes nothing else."""

    action: str
    args: dict[str, Template] = {}
    decides: bool = False
    options: Options = Options()
    save: dict[str, Template] = {}
    undo: Undo | None = None
    repeat: tuple[RepeatRule, ...] = ()


class ChoiceStep(_Step, frozen=True, kw_only=True, tag="choice"):
    """Takes the first route with a condition that holds, or `else`."""


class SetStep(_Step, frozen=True, kw_only=True, tag="set"):
    """Sets variables, and returns DONE. Without variables it is a milestone."""

    save: dict[str, Template] = {}


class TimerStep(_Step, frozen=True, kw_only=True, tag="timer"):
    """Waits `duration` (milliseconds, or an expression of a duration), or until a moment; returns DONE."""

    duration: Template = None
    until: Template = None
    """A time (RFC 3339), or an expression of one."""
    next: Template = None
    """A cron expression, or an expression of one: it waits until its next match."""
    zone: Template = None
    """The time zone in whose local time `next` is matched. None: UTC."""

    @property
    def is_moment(self) -> bool:
        """Whether it waits until a moment, which a pause does not move."""
        return self.until is not None or self.next is not None

    save: dict[str, Template] = {}
    repeat: tuple[RepeatRule, ...] = ()


class EventStep(_Step, frozen=True, kw_only=True, tag="event"):
    """Waits for the first of `events` (state -> event name) with this `key`; returns its state, or TIMEOUT."""

    events: dict[str, str]
    key: Template = None
    timeout: Milliseconds | Expression | None = None
    on_enter: ActionCall | None = None
    """What is sent when the wait begins. If it fails, the step returns ERROR."""
    on_leave: ActionCall | None = None
    """What is sent when the wait ends, in whatever way."""
    save: dict[str, Template] = {}
    repeat: tuple[RepeatRule, ...] = ()


class ConditionStep(_Step, frozen=True, kw_only=True, tag="condition"):
    """Waits until `condition` (JSONata text) holds over the run's variables; returns DONE, or TIMEOUT."""

    condition: str
    timeout: Milliseconds | Expression | None = None
    save: dict[str, Template] = {}
    repeat: tuple[RepeatRule, ...] = ()


class Branch(FrozenValue, frozen=True, kw_only=True):
    """Steps of a fork that run concurrently with those of its other branches."""

    name: str
    steps: tuple[Step, ...]
    vars: dict[str, Template] = {}
    """Variables of the branch, and their initial values."""
    secret_vars: tuple[str, ...] = ()


class ForkStep(_Step, frozen=True, kw_only=True, tag="fork"):
    """Runs branches concurrently: DONE when `join` of them have finished, FAIL when that has become impossible."""

    branches: tuple[Branch, ...]
    join: int
    """How many branches must finish. `all` is stored as their number, `any` as 1."""
    timeout: Milliseconds | Expression | None = None
    """When it returns TIMEOUT, and what still runs is abandoned."""
    keep_abandoned: bool = False
    """Whether the work of branches that lost is kept (`abandoned = keep`) instead of being undone."""
    vars: dict[str, Template] = {}
    """Variables that its branches share, and their initial values."""
    secret_vars: tuple[str, ...] = ()
    save: dict[str, Template] = {}
    repeat: tuple[RepeatRule, ...] = ()


class EachStep(_Step, frozen=True, kw_only=True, tag="each"):
    """Runs `steps` for each item, at most `max` concurrently; FAIL when more items failed than are tolerated."""

    items: Template
    steps: tuple[Step, ...]
    max: int | Expression = 0
    """0: the engine's maximum."""
    tolerate: int | Expression | None = None
    """How many items may fail; an expression may yield a percentage, too. None: it does not say."""
    batch: int | Expression | None = None
    """How many items are worked on together, as one list. None: each by itself."""
    timeout: Milliseconds | Expression | None = None
    """When it returns TIMEOUT, and what still runs is abandoned."""
    tolerate_percent: float | None = None
    keep_abandoned: bool = False
    """Whether the work of items that failed is kept (`abandoned = keep`) instead of being undone."""
    vars: dict[str, Template] = {}
    """Variables that every item has for itself, and their initial values."""
    secret_vars: tuple[str, ...] = ()
    save: dict[str, Template] = {}
    repeat: tuple[RepeatRule, ...] = ()


class CallStep(_Step, frozen=True, kw_only=True, tag="call"):
    """Runs another flow as a step: DONE with its output, STOPPED with its error."""

    flow: str
    input: dict[str, Template] = {}
    """A template for each parameter of the flow; or one expression, if the flow takes one value."""
    timeout: Milliseconds | Expression | None = None
    save: dict[str, Template] = {}
    undo: Undo | None = None
    repeat: tuple[RepeatRule, ...] = ()


class EmitStep(_Step, frozen=True, kw_only=True, tag="emit"):
    """Publishes an event for all runs, or sends it to one run; DONE when it is stored."""

    event: Template
    """The name of the event."""
    key: Template = None
    data: Template = None
    to: Template = None
    """The name of the only run that receives it."""
    ttl: Template = None
    """How long runs that begin to wait later receive it too: milliseconds, or an expression of a duration."""
    save: dict[str, Template] = {}
    repeat: tuple[RepeatRule, ...] = ()


class StartStep(_Step, frozen=True, kw_only=True, tag="start"):
    """Starts a run that goes on by itself; DONE with its name."""

    flow: str
    input: dict[str, Template] = {}
    """A template for each parameter of the flow; or one expression, if the flow takes one value."""
    run: Template = None
    """The name of the run. None: one that no other run has."""
    labels: dict[str, Template] = {}
    save: dict[str, Template] = {}
    repeat: tuple[RepeatRule, ...] = ()


Step: TypeAlias = (
    ActionStep
    | ChoiceStep
    | SetStep
    | TimerStep
    | EventStep
    | ConditionStep
    | ForkStep
    | EachStep
    | CallStep
    | EmitStep
    | StartStep
)


class Overflow(StrEnum):
    """What becomes of a run over the limit of its flow."""

    QUEUE = "queue"
    """It waits until its turn comes."""
    SKIP = "skip"
    """It does not start."""
    CANCEL_OLDEST = "cancel_oldest"
    """The run that holds a permit longest is canceled."""


class FlowLimit(FrozenValue, frozen=True, kw_only=True):
    """How many runs of a flow may be in progress, for each value of `key` if there is one."""

    concurrent: int
    key: Template = None
    overflow: Overflow = Overflow.QUEUE


class Flow(FrozenValue, frozen=True, kw_only=True):
    """A process. It starts at its first step, and ends where a route leads to `done` or `stopped`."""

    name: str
    steps: tuple[Step, ...]
    input: tuple[Parameter, ...] = ()
    input_type: ArgType | None = None
    """The type of the run's input, if the flow takes one value (`input = any`) and declares no parameters."""
    vars: dict[str, Template] = {}
    secret_vars: tuple[str, ...] = ()
    """Variables that are stored encrypted."""
    output: Template = None
    timeout: Milliseconds | Expression | None = None
    """An expression is evaluated when a run starts, and when it is retried."""
    max_steps: int | None = None
    """How many steps a run may enter in all. None: as many as the engine allows."""
    labels: dict[str, Template] = {}
    description: str | None = None
    keep: Milliseconds | None = None
    """How long an ended run is kept. None: as long as the server keeps runs."""
    limit: FlowLimit | None = None
    configs: tuple[str, ...] = ()
    """The values of the configuration that its expressions read as `$config.NAME`."""


class FlowRun(FrozenValue, frozen=True, kw_only=True):
    """A run to start: of the flow named `flow`, or with its own `steps`."""

    name: str
    flow: str | None = None
    steps: Flow | None = None
    input: dict[str, Json] = {}
    labels: dict[str, Json] = {}


def children_of(step: Step) -> tuple[tuple[str, tuple[Step, ...]], ...]:
    """Return the (scope name, steps) pairs nested in a step. The only scope of an `each` has an empty name."""
    match step:
        case ForkStep():
            return tuple((branch.name, branch.steps) for branch in step.branches)
        case EachStep():
            return (("", step.steps),)
        case _:
            return ()


def walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield every step, nested ones included, in the order of the text."""
    for step in steps:
        yield step
        for _, nested in children_of(step):
            yield from walk(nested)


def action_calls(step: Step) -> tuple[ActionCall, ...]:
    """Return the actions that a step sends without waiting for their answers."""
    return tuple(call for call in (step.on_enter, step.on_leave) if call) if isinstance(step, EventStep) else ()


def scopes_of(step: Step) -> tuple[Branch | ForkStep | EachStep, ...]:
    """Return the scopes of a step that can have variables: an each, or a fork and its branches."""
    match step:
        case ForkStep():
            return (step, *step.branches)
        case EachStep():
            return (step,)
        case _:
            return ()


def has_secret_vars(flow: Flow) -> bool:
    """Return whether any variable of the flow or of a scope in it is secret."""
    return bool(flow.secret_vars) or any(scope.secret_vars for step in walk(flow.steps) for scope in scopes_of(step))


def actions_named(flow: Flow) -> frozenset[str]:
    """Return the names of all actions that a flow sends, with those that undo its steps."""
    sent = {step.action for step in walk(flow.steps) if isinstance(step, ActionStep)}
    sent |= {call.action for step in walk(flow.steps) for call in action_calls(step)}
    return frozenset(sent | {undo.action for undo in _undos_of(flow) if not undo.is_flow})


def flows_named(flow: Flow) -> frozenset[str]:
    """Return the names of all flows that a flow calls or starts, with those that undo its steps."""
    called = {step.flow for step in walk(flow.steps) if isinstance(step, (CallStep, StartStep))}
    return frozenset(called | {undo.action for undo in _undos_of(flow) if undo.is_flow})


def _undos_of(flow: Flow) -> Iterator[Undo]:
    for step in walk(flow.steps):
        if isinstance(step, (ActionStep, CallStep)) and step.undo:
            yield step.undo


ready(Flow)
