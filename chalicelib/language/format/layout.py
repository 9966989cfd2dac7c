"""Format FSL in lines: what goes on one line, what is broken into several, and where comments go.

A document is a tree of pieces. A piece is flat (on one line) if it is short enough and contains no comment that must
end a line. Otherwise its bracket is broken: each item gets its own line and is flat or broken in turn. Only the pieces
decide this, never the line breaks of the original text, so that formatting twice changes nothing. Only comments, and
blank lines between members, are kept from the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Final, TypeAlias

WIDTH: Final = 100
INDENT: Final = "    "
LINE_END: Final = re.compile(r"\r\n|\n|\r")
_INLINE_MEMBERS: Final = 2
"""A step with more members is never written on one line."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the result (or several, if a string spans lines), and the comment at its end."""

    text: str
    trailing: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment on lines of its own. `indent`: the number of leading spaces of its further lines to strip."""

    text: str
    indent: int
    blank: bool
    """A blank line precedes it."""

    def lines(self, depth: int) -> Iterator[Line]:
        """Yield the lines of the comment at a depth."""
        first, *rest = LINE_END.split(self.text)
        yield Line(INDENT * depth + first.rstrip())
        for line in rest:
            inner = line.strip()
            blanks = indent_of(line) - self.indent
            yield Line(INDENT * depth + " " * blanks + inner if inner else "")


@dataclass(frozen=True)
class Piece:
    """Text with at most one bracket, where it may be broken."""

    head: str
    bracket: Bracket | None = None
    tail: str = ""

    @cached_property
    def flat(self) -> str | None:
        """The piece on one line; None if it needs several lines."""
        inner = self.bracket.flat if self.bracket else ""
        return None if inner is None or "\n" in self.head + self.tail else self.head + inner + self.tail

    def lines(self, depth: int, before: str, after: str) -> list[Line]:
        """Return the piece between `before`, which includes the indentation, and `after`."""
        if self.flat is not None and _width(before) + len(self.flat) + len(after) <= WIDTH:
            return [Line(before + self.flat + after)]
        if self.bracket is None or not (self.bracket.items or self.bracket.flat is None):
            return [Line(before + self.head + (self.bracket.flat or "" if self.bracket else "") + self.tail + after)]
        return self.bracket.lines(depth, before + self.head, self.tail + after)


@dataclass(frozen=True)
class Item:
    """One entry of a bracket, and the comments that end lines."""

    piece: Piece
    above: tuple[Remark, ...] = ()
    trailing: str = ""


@dataclass(frozen=True)
class Bracket:
    """`(a, b)`, or `(a | b)`, where broken lines begin with the separator."""

    opener: str
    closer: str
    items: tuple[Item, ...]
    routes: bool = False
    trailing: str = ""
    below: tuple[Remark, ...] = ()

    @cached_property
    def flat(self) -> str | None:
        """The bracket on one line; None if it needs several lines."""
        found = [item.piece.flat for item in self.items if not (item.above or item.trailing)]
        if self.trailing or self.below or len(found) < len(self.items) or None in found:
            return None
        pad = " " if found and self.opener == "{" else ""
        inner = (" | " if self.routes else ", ").join(one for one in found if one is not None)
        return self.opener + pad + inner + pad + self.closer

    def lines(self, depth: int, before: str, after: str) -> list[Line]:
        """Return the broken bracket: one item on each line."""
        found = [Line(before + self.opener, self.trailing)]
        for number, item in enumerate(self.items):
            found += (line for remark in item.above for line in remark.lines(depth + 1))
            bullet = "" if not self.routes else "| " if number else "  "
            behind = "" if self.routes or number == len(self.items) - 1 else ","
            inner = item.piece.lines(depth + 1, INDENT * (depth + 1) + bullet, behind)
            found += _ended(inner, item.trailing)
        found += (line for remark in self.below for line in remark.lines(depth + 1))
        return [*found, Line(INDENT * depth + self.closer + after)]


@dataclass(frozen=True)
class Field:
    """`name = value;`"""

    name: str
    value: Piece
    width: int = 0
    """The width to which the name is padded, so that the `=` of a block are aligned."""

    @property
    def flat(self) -> str | None:
        """The property on one line; None if it needs several lines."""
        return None if self.value.flat is None else f"{self.name} = {self.value.flat};"

    def lines(self, depth: int) -> list[Line]:
        """Return the lines of the property at a depth."""
        return self.value.lines(depth, f"{INDENT * depth}{self.name.ljust(self.width)} = ", ";")


@dataclass(frozen=True)
class Block:
    """The members between two brackets or words, and the comments before the first and after the last."""

    members: tuple[BlockMember, ...]
    trailing: str = ""
    below: tuple[Remark, ...] = ()

    @cached_property
    def flat(self) -> str | None:
        """`{ a = 1; }`; None if the members are too many or too complex for one line."""
        contents = [one.content for one in self.members if not (one.above or one.trailing)]
        steps = [one for one in contents if isinstance(one, Node)]
        if self.trailing or self.below or len(contents) < len(self.members) or len(contents) > _INLINE_MEMBERS:
            return None
        if not contents or (steps and len(contents) > 1):
            return None
        found = [one.flat for one in contents]
        return None if None in found else "{ " + " ".join(one for one in found if one is not None) + " }"

    def lines(self, depth: int) -> list[Line]:
        """Return the members, one below the other, without the brackets."""
        found: list[Line] = []
        for one in _aligned(self.members, depth):
            found += _set_off((*one.above, one.blank), depth, first=not found)
            found += _ended(one.content.lines(depth), one.trailing)
        return [*found, *_set_off(self.below, depth, first=not found)]


@dataclass(frozen=True)
class Node:
    """`step A => (routes) { body };`. `head` is the kind and name; a branch has no routes."""

    head: str
    routes: Piece | None
    body: Block | None
    tail: str = ""
    width: int = 0
    """The width to which the head is padded, so that the arrows of one-line steps are aligned."""
    inline: bool = True
    """False for a fork or an each: the body always has its own lines."""

    @property
    def flat(self) -> str | None:
        """The step on one line; None if it needs several lines."""
        routes = self.routes.flat if self.routes else ""
        body = "" if self.body is None else self.body.flat if self.inline else None
        if routes is None or body is None or "\n" in self.head + self.tail:
            return None
        head = self.head.ljust(self.width) + " => " if self.routes else self.head + " "
        return (head + routes + (" " if routes and body else "") + body).rstrip() + self.tail + ";"

    def is_line(self, depth: int) -> bool:
        """Whether the whole step fits on a line."""
        return self.flat is not None and len(INDENT) * depth + len(self.flat) <= WIDTH

    def lines(self, depth: int) -> list[Line]:
        """Return the lines of the step at a depth."""
        indent = INDENT * depth
        if self.is_line(depth):
            return [Line(f"{indent}{self.flat}")]
        after = " {" if self.body else self.tail + ";"
        before = indent + self.head + (" => " if self.routes else "")
        found = self.routes.lines(depth, before, after) if self.routes else [Line(before + after)]
        if self.body:
            found = _ended(found, self.body.trailing) + self.body.lines(depth + 1)
            found.append(Line(f"{indent}}}{self.tail};"))
        return found


Content: TypeAlias = Field | Node


@dataclass(frozen=True)
class BlockMember:
    """A member, its comments, and whether a blank line precedes it."""

    content: Content
    above: tuple[Remark, ...] = ()
    blank: bool = False
    trailing: str = ""


def text_of(lines: Iterable[Line]) -> str:
    """Return the lines as text. The trailing comments of consecutive lines are aligned."""
    found: list[str] = []
    for commented, run in groupby(
        lines, key=lambda line: (bool(line.trailing), bool(line.trailing) and indent_of(line.text))
    ):
        together = list(run)
        column = max(_width(line.text) for line in together)
        for line in together:
            gap = " " * (column - _width(line.text) + 2) if column <= WIDTH else "  "
            found.append(line.text + gap + line.trailing if commented[0] else line.text)
    return "\n".join(found) + "\n"


def indent_of(line: str) -> int:
    """Return the indentation of a line; a tab advances to the next multiple of four."""
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(len(INDENT)))


def _width(text: str) -> int:
    return len(text) - text.rfind("\n") - 1


def _ended(lines: list[Line], trailing: str) -> list[Line]:
    return [*lines[:-1], replace(lines[-1], trailing=trailing)] if trailing else lines


def _set_off(parts: Iterable[Remark | bool], depth: int, *, first: bool) -> Iterator[Line]:
    """Yield the lines of remarks; blank lines before them are kept, except at the start of a block."""
    for part in parts:
        if not first and (part if isinstance(part, bool) else part.blank):
            yield Line("")
        if isinstance(part, Remark):
            yield from part.lines(depth)
            first = False


def _aligned(members: tuple[BlockMember, ...], depth: int) -> Iterator[BlockMember]:
    """Yield the members, with aligned `=` for consecutive properties and aligned `=>` for one-line steps."""
    run: list[BlockMember] = []
    for one in members:
        if run and (_is_apart(one) or _rank(one, depth) != _rank(run[-1], depth)):
            yield from _in_column(run, depth)
            run = []
        run.append(one)
    yield from _in_column(run, depth)


def _is_apart(one: BlockMember) -> bool:
    return one.blank or any(remark.blank for remark in one.above)


def _rank(one: BlockMember, depth: int) -> str:
    if isinstance(one.content, Field):
        return "alone" if " " in one.content.name else "property"  # a comment precedes its name
    return "line" if one.content.routes and one.content.is_line(depth) else "alone"


def _in_column(run: list[BlockMember], depth: int) -> list[BlockMember]:
    if not run or _rank(run[0], depth) == "alone":
        return run
    heads = [one.content.name if isinstance(one.content, Field) else one.content.head for one in run]
    width = max(_width(head) for head in heads)
    wide = [replace(one, content=replace(one.content, width=width)) for one in run]
    if all(isinstance(one.content, Field) or one.content.is_line(depth) for one in wide):
        return wide
    return run
