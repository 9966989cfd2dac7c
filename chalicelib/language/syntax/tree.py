"""The syntax tree, close to the text. Every node has a span.

The grammar is generic: it knows members (`name = value;`), steps and groups, but not which properties an action has.
The checker knows them, so that `adr = ...` gets a hint about `addr` instead of a syntax error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec

from chalicelib.language.source import Span


class Word(msgspec.Struct, frozen=True, gc=False):
    """A name as it is written: an identifier, or the contents of a string."""

    text: str
    quoted: bool
    span: Span

    @property
    def key(self) -> str:
        """The word in lower case, to compare with keywords; empty for a quoted word, which is never a keyword."""
        return "" if self.quoted else self.text.lower()


class Number(msgspec.Struct, frozen=True, gc=False):
    value: int | float
    span: Span


class Duration(msgspec.Struct, frozen=True, gc=False):
    milliseconds: int
    span: Span


class Expression(msgspec.Struct, frozen=True, gc=False):
    """`${ source }`; `source` is the text between the braces and begins at offset `span.start + 2`."""

    source: str
    span: Span


class Reference(msgspec.Struct, frozen=True, gc=False):
    """`secret NAME`: a reference to a secret of the namespace, which is read when an action is dispatched."""

    name: Word
    span: Span


class ListValue(msgspec.Struct, frozen=True, gc=False):
    items: tuple[Value, ...]
    span: Span


class MapValue(msgspec.Struct, frozen=True, gc=False):
    entries: tuple[tuple[Word, Value], ...]
    span: Span


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """`name = value` in a group, or `name.member = value`, which sets a member of a variable."""

    name: Word
    value: Value
    span: Span
    members: tuple[Word, ...] = ()


class Declaration(msgspec.Struct, frozen=True, gc=False):
    """`type name` or `type name = default` in a group, optionally with `secret` before the type."""

    type: Word
    name: Word
    default: Value | None
    span: Span
    secret: Word | None = None


class EventName(msgspec.Struct, frozen=True, gc=False):
    """`run.failed` in a group: a name of several words with dots between them."""

    words: tuple[Word, ...]
    span: Span

    @property
    def text(self) -> str:
        return ".".join(word.text for word in self.words)


class Route(msgspec.Struct, frozen=True, gc=False):
    """`state, state when ${...} -> target (entries)`; any part may be missing. `else` counts as a state here.

    A rule of `repeat` has entries and no target. A state of `return` may have statuses: `state on 404, 410`.
    """

    states: tuple[Word, ...]
    when: Expression | None
    target: Word | None
    span: Span
    entries: Group | None = None
    statuses: tuple[Number, ...] = ()

    @property
    def state(self) -> Word | None:
        """The first state; None if the route names none."""
        return self.states[0] if self.states else None


class Group(msgspec.Struct, frozen=True, gc=False):
    """`( ... )`: routes separated by `|`, or other entries separated by optional commas."""

    items: tuple[Entry, ...]
    span: Span


class Call(msgspec.Struct, frozen=True, gc=False):
    """`name ( ... )` or `name ( ... ) on STATE | STATE`, as in `undo = refund (order = 1) on PAID;`.

    The group may be missing if there are states.
    """

    name: Word
    group: Group | None
    span: Span
    states: tuple[Word, ...] = ()


Entry: TypeAlias = Assignment | Declaration | Route | EventName

Value: TypeAlias = Word | Number | Duration | Expression | Reference | ListValue | MapValue | Group | Call


class Property(msgspec.Struct, frozen=True, gc=False):
    """`name = value;`. Only `secret = ;` has no value."""

    name: Word
    value: Value | None
    span: Span


class Damaged(msgspec.Struct, frozen=True, gc=False):
    """A member that is lost to a syntax error. `name` is the name of a lost step, if it could be read."""

    name: Word | None
    span: Span


class Body(msgspec.Struct, frozen=True, gc=False):
    """`{ ... }`. `damaged` if the closing brace is missing."""

    members: tuple[Member, ...]
    damaged: bool
    span: Span


class Step(msgspec.Struct, frozen=True, gc=False):
    """`kind name => (routes) { body };`; a branch has no routes, a choice no body."""

    kind: Word
    name: Word
    routes: Group | None
    body: Body | None
    span: Span


class Use(msgspec.Struct, frozen=True, gc=False):
    """`use flow as prefix;`: the steps of another flow."""

    flow: Word
    prefix: Word
    span: Span


Member: TypeAlias = Property | Step | Use | Damaged


class Statement(msgspec.Struct, frozen=True, gc=False):
    """`kind name members end`, from the first to the last token. `damaged` if syntax errors may hide some members.

    `config NAME = VALUE;` has one member, the property `config`. The name of an event may have dots: `order.paid`.
    """

    kind: Word
    name: Word
    members: tuple[Member, ...]
    damaged: bool
    span: Span


class Comment(msgspec.Struct, frozen=True, gc=False):
    """`# ...` or `/* ... */`, markers included."""

    text: str
    span: Span


class Document(msgspec.Struct, frozen=True, gc=False):
    """A whole text. `damaged` if it has syntax errors; a damaged document is never applied."""

    text: str
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...]
    damaged: bool


def steps_within(members: tuple[Member, ...]) -> Iterator[Step]:
    """Yield every step and branch among the members, including nested ones, in the order of the text."""
    for member in members:
        if isinstance(member, Step):
            yield member
            if member.body:
                yield from steps_within(member.body.members)


_LEAVES: Final = (Span, Word, Number, Duration, str, int, float, bool, type(None))
"""What holds no expressions."""


_PARTS: Final[dict[type[msgspec.Struct], tuple[str, ...]]] = {
    kind: tuple(name for name in reversed(kind.__struct_fields__) if name != "span")
    for kind in (
        *(Reference, ListValue, MapValue, Assignment, Declaration, EventName, Route, Group, Call, Property, Damaged),
        *(Body, Step, Use, Statement, Document),
    )
}
"""The fields of each kind of node that may hold expressions, the last one first."""


def expressions_in(node: object) -> Iterator[Expression]:
    """Yield every expression in a node, in the order of the text."""
    waiting: list[Any] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Expression):
            yield one
        elif isinstance(one, tuple):
            waiting.extend(reversed(one))
        else:
            for name in _PARTS.get(type(one), ()):
                part = getattr(one, name)
                if type(part) not in _LEAVES:
                    waiting.append(part)
