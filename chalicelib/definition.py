"""What a checked flow is: frozen values, the hinge between language and engine.

The checker makes them, the engine obeys them, the stores keep them as JSON (`encode`, `decode`), and nothing else
describes a flow. Durations are whole milliseconds. A `Template` is a JSON value in which expressions may stand
wherever a value may: `expression()` makes one, `source_of()` recognises one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

Json: TypeAlias = Any
"""What JSON can hold: None, bool, int, float, str, a list or a str-keyed mapping of these."""

Template: TypeAlias = Any
"""Json with expressions at its leaves."""

Milliseconds: TypeAlias = int

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

RESERVED_ARGS: Final = frozenset({"flowId", "stepName", "ackStates", "uuid", "globalVariables", "callbackUrl"})
"""Fields of the request that an action receives; no arg may bear such a name (API.md, 1)."""

SECRET_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""What a namespace's secret may be called."""

_EXPRESSION_KEY: Final = "${}"
_REFERENCE_KEY: Final = "${secret}"
SEALED_KEY: Final = "\0sealed"
"""The one key of a value that is sealed (`engine.sealed`)."""

RESERVED_KEYS: Final = frozenset({_EXPRESSION_KEY, _REFERENCE_KEY, SEALED_KEY})
"""Keys that no map in a document has: they would make it mean something else."""


DEEPEST: Final = 64
"""How deeply JSON may be nested anywhere in Echoer."""


def is_shallow(value: Json, depth: int = DEEPEST) -> bool:
    """Whether the value is nested at most `depth` deep."""
    level = [value]
    for _ in range(depth):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return True
    return not any(_within(outer) for outer in level)


def _within(value: Json) -> list[Json]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []


def expression(source: str) -> Template:
    """A template leaf holding the JSONata text `source` (without `${` and `}`)."""
    return {_EXPRESSION_KEY: source}


def source_of(template: Template) -> str | None:
    """The JSONata text if `template` is an expression, else None."""
    if isinstance(template, Mapping) and template.keys() == {_EXPRESSION_KEY}:
        source = template[_EXPRESSION_KEY]
        return source if isinstance(source, str) else None
    return None


def reference(name: str) -> Template:
    """A template leaf that stands for the namespace's secret of that name, read when an action is dispatched."""
    return {_REFERENCE_KEY: name}


def reference_of(template: Template) -> str | None:
    """The secret's name if `template` is a reference to a secret, else None."""
    if isinstance(template, Mapping) and template.keys() == {_REFERENCE_KEY}:
        name = template[_REFERENCE_KEY]
        return name if isinstance(name, str) else None
    return None


def holds_reference(template: Template) -> bool:
    """Whether a reference to a secret stands anywhere in the template."""
    return reference_of(template) is not None or any(map(holds_reference, _within(template)))


class ArgType(StrEnum):
    STR = "str"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    LIST = "list"
    MAP = "map"
    ANY = "any"

    def admits(self, value: Json) -> bool:
        """Whether a JSON value is of this type. An int is a float too; a bool is no number."""
        match self:
            case ArgType.STR:
                return isinstance(value, str)
            case ArgType.INT:
                return isinstance(value, int) and not isinstance(value, bool)
            case ArgType.FLOAT:
                return isinstance(value, (int, float)) and not isinstance(value, bool)
            case ArgType.BOOL:
                return isinstance(value, bool)
            case ArgType.LIST:
                return isinstance(value, (list, tuple))
            case ArgType.MAP:
                return isinstance(value, Mapping)
            case ArgType.ANY:
                return True


class Method(StrEnum):
    HTTP = "http"
    HTTPS = "https"
    GRPC = "grpc"
    HUMAN = "human"
    QUEUE = "queue"
    LAMBDA = "lambda"


class _Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """A frozen value that leaves defaults out of its JSON."""


class Parameter(_Value, frozen=True, kw_only=True):
    """An arg that an action declares, or an input that a flow declares."""

    name: str
    type: ArgType
    required: bool = True
    default: Json = None
    secret: bool = False
    """Its values are sealed wherever they are kept, and shown to nobody but the action that declares it."""


class Retry(_Value, frozen=True, kw_only=True):
    """How often and how far apart a delivery is tried: `max` deliveries in all."""

    max: int = 3
    delay: Milliseconds = 1_000
    rate: float = 2.0
    cap: Milliseconds = 300_000


class Limit(_Value, frozen=True, kw_only=True):
    """How many activations of an action may be out at once, and how many may go out in a second."""

    concurrent: int | None = None
    per_second: float | None = None


class Undo(_Value, frozen=True, kw_only=True):
    """The action that compensates a finished step, and its args."""

    action: str
    args: dict[str, Template] = {}


class Options(_Value, frozen=True, kw_only=True):
    """What may be said of an action, and again of a step, where it wins. None: not said."""

    timeout: Milliseconds | None = None
    heartbeat: Milliseconds | None = None
    retry: Retry | None = None
    limit: Limit | None = None
    headers: dict[str, str] = {}
    secret_headers: dict[str, str] = {}
    """Headers whose text is a secret: header -> the secret's name."""
    approval: bool = False
    signed: bool = False
    """Answers must bear a signature by the namespace's key."""

    def over(self, base: Options) -> Options:
        """These options, with `base` filling what they leave unsaid."""
        return Options(
            timeout=self.timeout if self.timeout is not None else base.timeout,
            heartbeat=self.heartbeat if self.heartbeat is not None else base.heartbeat,
            retry=self.retry or base.retry,
            limit=self.limit or base.limit,
            headers={**_without(base.headers, self.secret_headers), **self.headers},
            secret_headers={**_without(base.secret_headers, self.headers), **self.secret_headers},
            approval=self.approval or base.approval,
            signed=self.signed or base.signed,
        )


def _without(texts: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    taken = {name.lower() for name in names}
    return {name: text for name, text in texts.items() if name.lower() not in taken}


DEFAULTS: Final = Options(timeout=7 * 24 * 3_600_000, retry=Retry())
"""No wait is without an end, and no delivery without a second try."""


class Action(_Value, frozen=True, kw_only=True):
    """A service that does work. `addresses` are complete URLs (or what the method calls an address), tried in order."""

    name: str
    returns: tuple[str, ...]
    method: Method = Method.HTTP
    addresses: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    roots: str | None = None
    """PEM bundle in base64: the only roots trusted for this action (https)."""
    options: Options = Options()
    undo: Undo | None = None
    secret_data: bool = False
    """What its answers bring (`data`) is sealed."""


class Route(_Value, frozen=True, kw_only=True):
    """`state` when `when` -> `target`. A part that is None is not asked for; both None is `else`."""

    target: str
    state: str | None = None
    when: str | None = None


class _Step(_Value, frozen=True, kw_only=True, tag_field="kind"):
    name: str
    routes: tuple[Route, ...]


class ActionStep(_Step, frozen=True, kw_only=True, tag="action"):
    """Sends an action and waits for its answer. `decides` is how `deci` was written; nothing else differs."""

    action: str
    args: dict[str, Template] = {}
    decides: bool = False
    options: Options = Options()
    save: dict[str, Template] = {}
    undo: Undo | None = None


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


class Branch(_Value, frozen=True, kw_only=True):
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


class Flow(_Value, frozen=True, kw_only=True):
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


class RunOrder(_Value, frozen=True, kw_only=True):
    """One run to be started: of the flow `flow`, or of the steps that it brings along (`steps`)."""

    name: str
    flow: str | None = None
    steps: Flow | None = None
    input: dict[str, Json] = {}
    labels: dict[str, Json] = {}


class Definition(_Value, frozen=True, kw_only=True):
    """All that the engine needs to know of one run: the flow, and the actions it names, each in one fixed version."""

    flow: Flow
    actions: dict[str, Action]
    defaults: Options = DEFAULTS
    """What holds where neither the step nor its action says anything."""

    def step(self, name: str) -> Step | None:
        """The step of that name, at whatever depth."""
        return next((step for step in walk(self.flow.steps) if step.name == name), None)

    @property
    def has_secrets(self) -> bool:
        """Whether anything that a run of it keeps may be sealed."""
        declared = (*self.flow.input, *(one for action in self.actions.values() for one in action.parameters))
        return (
            bool(self.flow.secret_vars)
            or any(one.secret for one in declared)
            or any(action.secret_data for action in self.actions.values())
        )

    def options(self, step: ActionStep) -> Options:
        """The step's options over its action's over the defaults."""
        return step.options.over(self.actions[step.action].options).over(self.defaults)


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


def encode(value: _Value) -> bytes:
    """The value as JSON text."""
    return msgspec.json.encode(value)


_V = TypeVar("_V", bound=_Value)


def decode(data: bytes | str, kind: type[_V]) -> _V:
    """The value that `encode` wrote. Raises msgspec.ValidationError if the JSON is no such value."""
    return msgspec.json.decode(data, type=kind)


def ready(*kinds: Any) -> None:
    """Threads may decode values of these types side by side from now on.

    msgspec (0.22) finds out about a type when it is first decoded, and a process in which two threads do that at once
    crashes. So whoever defines a type that is decoded makes it ready while the module is imported.
    """
    for kind in kinds:
        msgspec.json.Decoder(kind)


ready(Action, Flow)
