"""The operations on a flow, as JSON: each object names its operation in `op`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal, TypeAlias, get_args

import msgspec

from chalicelib.model.json_values import Json

MAX_OPERATIONS: Final = 1_000
"""The operations of one request."""

StepKind: TypeAlias = Literal["step", "deci", "set", "wait", "fork", "each", "call", "emit", "start", "branch"]

_Text = Annotated[str, msgspec.Meta(max_length=1_024)]
_Source = Annotated[str, msgspec.Meta(max_length=65_536)]
_States = _Text | Annotated[tuple[_Text, ...], msgspec.Meta(min_length=1, max_length=200)]
"""A state, or those of a route that has several."""


class _Operation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="op"):
    """The base of all operations: unknown fields are refused."""


class Add(_Operation, frozen=True, kw_only=True, tag="add"):
    """Add a step. With `after`, the route of that step for the state `on` (with the condition `when`), by default its
    first route, leads to the new step, and the new step leads where that route led. With `before`, what led to that
    step leads to the new one, and that leads to the step. Else it becomes the last step of `into`: the name of an each,
    `FORK/BRANCH`, or empty for the flow itself. A branch is added `into` a fork.

    `to` is where the new step leads instead. `properties` are its properties, as in `set`; those that make a step of
    its kind may also stand beside `name`.
    """

    kind: StepKind
    name: _Text
    after: _Text | None = None
    before: _Text | None = None
    into: _Text | None = None
    on: _Text | None = None
    when: _Source | None = None
    to: _Text | None = None
    properties: dict[str, Json] = {}
    action: Json = None
    args: Json = None
    flow: Json = None
    input: Json = None
    event: Json = None
    events: Json = None
    key: Json = None
    data: Json = None
    condition: Json = None
    duration: Json = msgspec.field(name="for", default=None)
    until: Json = None
    items: Json = None
    join: Json = None
    save: Json = None
    timeout: Json = None

    @property
    def given(self) -> dict[str, Json]:
        """The properties of the new step, by name."""
        beside = (
            "action", "flow", "args", "input", "event", "events", "key", "data", "condition", "duration", "until",
            "items", "join", "timeout", "save",
        )  # fmt: skip
        found = {"for" if name == "duration" else name: getattr(self, name) for name in beside}
        return {name: value for name, value in {**found, **self.properties}.items() if value is not None}


class Rename(_Operation, frozen=True, kw_only=True, tag="rename"):
    """Give a step another name, everywhere it is named. With `at` instead of `step`, an offset in the text, the name at
    that place is changed: of a step, a variable, an input, an action, a flow or a value of the configuration. Such an
    operation is the only one of its request."""

    to: _Text
    step: _Text | None = None
    at: Annotated[int, msgspec.Meta(ge=0, le=10**9)] | None = None


class SetRoute(_Operation, frozen=True, kw_only=True, tag="route"):
    """Let the route of a step for a state, a condition or both lead to `to`. A route that is not there is added where
    it can be taken. `else` is a state. One of several states of a route is parted from it; a list of states
    means the route that has just these."""

    step: _Text
    to: _Text
    state: _States | None = None
    when: _Source | None = None


class Unroute(_Operation, frozen=True, kw_only=True, tag="unroute"):
    """Remove the route of a step for a state, a condition or both. A list of states means the route that has just
    these."""

    step: _Text
    state: _States | None = None
    when: _Source | None = None


class SetProperty(_Operation, frozen=True, kw_only=True, tag="set"):
    """Set a property of a step, of a branch (`FORK/BRANCH`), or without `step` of the flow; null removes it. A text is
    FSL (`10m`, `(a = 1)`, `${ $input.x }`) where it can be read as one value, and otherwise that text; other JSON is
    written as FSL."""

    property: _Text
    value: Json
    step: _Text | None = None


class Delete(_Operation, frozen=True, kw_only=True, tag="delete"):
    """Delete a step, with the steps within it. With `heal`, what led to it leads where its first route led. Without it,
    routes to it stay as they are, and lead to no step."""

    step: _Text
    heal: bool = False


Operation: TypeAlias = Add | Rename | SetRoute | Unroute | SetProperty | Delete

_BY_NAME: Final = {str(one.__struct_config__.tag): one for one in get_args(Operation)}


def misspelling(value: Json) -> str | None:
    """Return what is misspelled in an operation as JSON: its name, a kind or a field; None if nothing is."""
    if not isinstance(value, dict) or not isinstance(op := value.get("op"), str):
        return None
    kind = _BY_NAME.get(op)
    if kind is None:
        return _unknown("operation", op, _BY_NAME)
    fields = [one.encode_name for one in msgspec.structs.fields(kind)]
    unknown = next((name for name in value if name not in ("op", *fields)), None)
    if unknown is not None:
        return _unknown(f"field of '{op}'", unknown, fields)
    step = value.get("kind")
    if isinstance(step, str) and kind is Add and step not in get_args(StepKind):
        return _unknown("kind of step", step, get_args(StepKind))
    return None


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    # The language is loaded with the first wrong operation: the table of routes needs only the types of this module.
    from chalicelib.language.problems import Suggestion, displayed

    near = Suggestion(name, known).hint() or f"expected one of {', '.join(known)}"
    return f"'{displayed(name)}' is no {what}: {near}"
