"""The syntax tree, close to the text. Every node has a span.

The grammar is generic: it knows members (`name = value;`), steps and groups, but not which properties an action has.
The checker knows them, so that `adr = ...` gets a hint about `addr` instead of a syntax error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import TypeAlias

from chalicelib.language.source import Span


@dataclass(frozen=True, slots=True)
class Word:
    """A name as it is written: an identifier, or the contents of a string."""

    text: str
    quoted: bool
    span: Span

    @property
    def key(self) -> str:
        """The word in lower case, to compare with keywords; empty for a quoted word, which is never a keyword."""
        return "" if self.quoted else self.text.lower()


@dataclass(frozen=True, slots=True)
class Number:
    value: int | float
    span: Span


@dataclass(frozen=True, slots=True)
class Duration:
    milliseconds: int
    span: Span


@dataclass(frozen=True, slots=True)
class Expression:
    """`${ source }`; `source` is the text between the braces and begins at offset `span.start + 2`."""

    source: str
    span: Span


@dataclass(frozen=True, slots=True)
class Reference:
    """`secret NAME`: a reference to a secret of the namespace, which is read when an action is dispatched."""

    name: Word
    span: Span


@dataclass(frozen=True, slots=True)
class ListValue:
    items: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MapValue:
    entries: tuple[tuple[Word, Value], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name = value` in a group, or `name.member = value`, which sets a member of a variable."""

    name: Word
    value: Value
    span: Span
    members: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """`type name` or `type name = default` in a group, optionally with `secret` before the type."""

    type: Word
    name: Word
    default: Value | None
    span: Span
    secret: Word | None = None


@dataclass(frozen=True, slots=True)
class EventName:
    """`run.failed` in a group: a name of several words with dots between them."""

    words: tuple[Word, ...]
    span: Span

    @property
    def text(self) -> str:
        return ".".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Route:
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


@dataclass(frozen=True, slots=True)
class Group:
    """`( ... )`: routes separated by `|`, or other entries separated by optional commas."""

    items: tuple[Entry, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`name ( ... )` or `name ( ... ) on STATE | STATE`, as in `undo = refund (order = 1) on PAID;`.

    The group may be missing if there are states.
    """

    name: Word
    group: Group | None
    span: Span
    states: tuple[Word, ...] = ()


Entry: TypeAlias = Assignment | Declaration | Route | EventName

Value: TypeAlias = Word | Number | Duration | Expression | Reference | ListValue | MapValue | Group | Call


@dataclass(frozen=True, slots=True)
class Property:
    """`name = value;`. Only `secret = ;` has no value."""

    name: Word
    value: Value | None
    span: Span


@dataclass(frozen=True, slots=True)
class Damaged:
    """A member that is lost to a syntax error. `name` is the name of a lost step, if it could be read."""

    name: Word | None
    span: Span


@dataclass(frozen=True, slots=True)
class Body:
    """`{ ... }`. `damaged` if the closing brace is missing."""

    members: tuple[Member, ...]
    damaged: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Step:
    """`kind name => (routes) { body };`; a branch has no routes, a choice no body."""

    kind: Word
    name: Word
    routes: Group | None
    body: Body | None
    span: Span


@dataclass(frozen=True, slots=True)
class Use:
    """`use flow as prefix;`: the steps of another flow."""

    flow: Word
    prefix: Word
    span: Span


Member: TypeAlias = Property | Step | Use | Damaged


@dataclass(frozen=True, slots=True)
class Statement:
    """`kind name members end`, from the first to the last token. `damaged` if syntax errors may hide some members.

    `config NAME = VALUE;` has one member, the property `config`. The name of an event may have dots: `order.paid`.
    """

    kind: Word
    name: Word
    members: tuple[Member, ...]
    damaged: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Comment:
    """`# ...` or `/* ... */`, markers included."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Document:
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


def expressions_in(node: object) -> Iterator[Expression]:
    """Yield every expression in a node, in the order of the text."""
    if isinstance(node, Expression):
        yield node
    elif isinstance(node, tuple):
        for inner in node:
            yield from expressions_in(inner)
    elif is_dataclass(node) and not isinstance(node, (Word, Span)):
        for field in fields(node):
            yield from expressions_in(getattr(node, field.name))
