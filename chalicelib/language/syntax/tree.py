"""The syntax tree: what a text says, near to how it says it. Every node knows its span.

The grammar is generic: it knows members (`name = value;`), steps and groups, not which property an action has. What
a member means is the checker's business, so that `adr = ...` gets an answer about `addr` and not a bare syntax error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.language.source import Span


@dataclass(frozen=True, slots=True)
class Word:
    """A name as it was written: an identifier, or the inside of a string."""

    text: str
    quoted: bool
    span: Span

    @property
    def key(self) -> str:
        """The word as a keyword: caseless. A quoted word is never one."""
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
    """`${ source }`; `source` is everything between the braces and begins at offset `span.start + 2`."""

    source: str
    span: Span


@dataclass(frozen=True, slots=True)
class Reference:
    """`secret NAME`: what the namespace keeps under that name, and nobody reads before an action is dispatched."""

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
    """`name = value` in a group."""

    name: Word
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Declaration:
    """`type name` or `type name = default` in a group, and maybe `secret` before the type."""

    type: Word
    name: Word
    default: Value | None
    span: Span
    secret: Word | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """`state when ${...} -> target`, where state, condition or target may be missing. `else` is a state here."""

    state: Word | None
    when: Expression | None
    target: Word | None
    span: Span


@dataclass(frozen=True, slots=True)
class Group:
    """`( ... )`: routes divided by `|`, or assignments and declarations divided by commas or nothing."""

    items: tuple[Assignment | Declaration | Route, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`name ( ... )`, as in `undo = refund (order = 1);`."""

    name: Word
    group: Group
    span: Span


Value: TypeAlias = Word | Number | Duration | Expression | Reference | ListValue | MapValue | Group | Call


@dataclass(frozen=True, slots=True)
class Property:
    """`name = value;`. Only `secret = ;` has no value."""

    name: Word
    value: Value | None
    span: Span


@dataclass(frozen=True, slots=True)
class Damaged:
    """What a syntax error took away. `name` is the lost step's, where it could still be read."""

    name: Word | None
    span: Span


@dataclass(frozen=True, slots=True)
class Body:
    """`{ ... }`. `damaged` if its closing brace was missing."""

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


Member: TypeAlias = Property | Step | Damaged


@dataclass(frozen=True, slots=True)
class Statement:
    """`kind name members end`, from its first to its last token. `damaged` if syntax errors may hide members of it."""

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
    """A whole text. `damaged` if it has syntax errors; no damaged document is ever applied."""

    text: str
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...]
    damaged: bool


def steps_within(members: tuple[Member, ...]) -> Iterator[Step]:
    """Every step and branch among the members, nested ones too, in the order of the text."""
    for member in members:
        if isinstance(member, Step):
            yield member
            if member.body:
                yield from steps_within(member.body.members)
