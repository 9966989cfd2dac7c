"""Lines of FSL: what stands on one line, what is broken into several, and where comments go.

The theory. A document is a tree of pieces. A piece is written flat, on one line, if it is short enough and no comment
in it needs a line's end; otherwise its bracket is broken: each item on a line of its own, each item flat or broken in
its turn. What is flat is decided by the pieces alone, never by how the text was broken before, so that formatting
twice changes nothing. Only blank lines between members, and comments, are taken over from the text.
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
"""A step with more members than that is never written on one line, however short."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the result (or several, where a string spans lines), and the comment that ends it."""

    text: str
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment on lines of its own. `indent`: how many of its further lines' leading blanks are indentation."""

    text: str
    indent: int
    blank: bool
    """A blank line stands before it."""

    def lines(self, depth: int) -> Iterator[Line]:
        first, *rest = LINE_END.split(self.text)
        yield Line(INDENT * depth + first.rstrip())
        for line in rest:
            inner = line.strip()
            blanks = indent_of(line) - self.indent
            yield Line(INDENT * depth + " " * blanks + inner if inner else "")


@dataclass(frozen=True)
class Piece:
    """Text, with at most one bracket in it, where it may be broken."""

    head: str
    bracket: Bracket | None = None
    tail: str = ""

    @cached_property
    def flat(self) -> str | None:
        """The piece on one line; None if it needs several."""
        inner = self.bracket.flat if self.bracket else ""
        return None if inner is None or "\n" in self.head + self.tail else self.head + inner + self.tail

    def lines(self, depth: int, before: str, after: str) -> list[Line]:
        """The piece behind `before`, which holds the indentation, and in front of `after`."""
        if self.flat is not None and _width(before) + len(self.flat) + len(after) <= WIDTH:
            return [Line(before + self.flat + after)]
        if self.bracket is None or not (self.bracket.items or self.bracket.flat is None):
            return [Line(before + self.head + (self.bracket.flat or "" if self.bracket else "") + self.tail + after)]
        return self.bracket.lines(depth, before + self.head, self.tail + after)


@dataclass(frozen=True)
class Item:
    """One entry of a bracket, and the comments that need lines' ends."""

    piece: Piece
    above: tuple[Remark, ...] = ()
    beside: str = ""


@dataclass(frozen=True)
class Bracket:
    """`(a, b)`: entries between brackets; or `(a | b)`, where broken lines begin with what divides them."""

    opener: str
    closer: str
    items: tuple[Item, ...]
    routes: bool = False
    beside: str = ""
    below: tuple[Remark, ...] = ()

    @cached_property
    def flat(self) -> str | None:
        found = [item.piece.flat for item in self.items if not (item.above or item.beside)]
        if self.beside or self.below or len(found) < len(self.items) or None in found:
            return None
        pad = " " if found and self.opener == "{" else ""
        inner = (" | " if self.routes else ", ").join(one for one in found if one is not None)
        return self.opener + pad + inner + pad + self.closer

    def lines(self, depth: int, before: str, after: str) -> list[Line]:
        """The bracket broken: one item on a line."""
        found = [Line(before + self.opener, self.beside)]
        for number, item in enumerate(self.items):
            found += (line for remark in item.above for line in remark.lines(depth + 1))
            bullet = "" if not self.routes else "| " if number else "  "
            behind = "" if self.routes or number == len(self.items) - 1 else ","
            inner = item.piece.lines(depth + 1, INDENT * (depth + 1) + bullet, behind)
            found += _ended(inner, item.beside)
        found += (line for remark in self.below for line in remark.lines(depth + 1))
        return [*found, Line(INDENT * depth + self.closer + after)]


@dataclass(frozen=True)
class Field:
    """`name = value;`"""

    name: str
    value: Piece
    width: int = 0
    """To which the name is filled up, so that a block's `=` stand in a column."""

    @property
    def flat(self) -> str | None:
        return None if self.value.flat is None else f"{self.name} = {self.value.flat};"

    def lines(self, depth: int) -> list[Line]:
        return self.value.lines(depth, f"{INDENT * depth}{self.name.ljust(self.width)} = ", ";")


@dataclass(frozen=True)
class Block:
    """The members between two brackets or words, and the comments before the first and behind the last."""

    members: tuple[Placed, ...]
    beside: str = ""
    below: tuple[Remark, ...] = ()

    @cached_property
    def flat(self) -> str | None:
        """`{ a = 1; }` if the members are few and plain enough."""
        contents = [one.content for one in self.members if not (one.above or one.beside)]
        steps = [one for one in contents if isinstance(one, Node)]
        if self.beside or self.below or len(contents) < len(self.members) or len(contents) > _INLINE_MEMBERS:
            return None
        if not contents or (steps and len(contents) > 1):
            return None
        found = [one.flat for one in contents]
        return None if None in found else "{ " + " ".join(one for one in found if one is not None) + " }"

    def lines(self, depth: int) -> list[Line]:
        """The members, one below the other, without the brackets."""
        found: list[Line] = []
        for one in _aligned(self.members, depth):
            found += _set_off((*one.above, one.blank), depth, first=not found)
            found += _ended(one.content.lines(depth), one.beside)
        return [*found, *_set_off(self.below, depth, first=not found)]


@dataclass(frozen=True)
class Node:
    """`step A => (routes) { body };`. `head` is kind and name; a branch has no routes."""

    head: str
    routes: Piece | None
    body: Block | None
    tail: str = ""
    width: int = 0
    """To which the head is filled up, so that the arrows of one-line steps stand in a column."""
    inline: bool = True
    """A fork or an each always has its body on lines of its own."""

    @property
    def flat(self) -> str | None:
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
        indent = INDENT * depth
        if self.is_line(depth):
            return [Line(f"{indent}{self.flat}")]
        after = " {" if self.body else self.tail + ";"
        before = indent + self.head + (" => " if self.routes else "")
        found = self.routes.lines(depth, before, after) if self.routes else [Line(before + after)]
        if self.body:
            found = _ended(found, self.body.beside) + self.body.lines(depth + 1)
            found.append(Line(f"{indent}}}{self.tail};"))
        return found


Content: TypeAlias = Field | Node


@dataclass(frozen=True)
class Placed:
    """A member, the comments above and beside it, and whether a blank line stands right before it."""

    content: Content
    above: tuple[Remark, ...] = ()
    blank: bool = False
    beside: str = ""


def text_of(lines: Iterable[Line]) -> str:
    """The lines as text. Comments beside lines that follow each other stand in a column."""
    found: list[str] = []
    for commented, run in groupby(
        lines, key=lambda line: (bool(line.beside), bool(line.beside) and indent_of(line.text))
    ):
        together = list(run)
        column = max(_width(line.text) for line in together)
        for line in together:
            gap = " " * (column - _width(line.text) + 2) if column <= WIDTH else "  "
            found.append(line.text + gap + line.beside if commented[0] else line.text)
    return "\n".join(found) + "\n"


def indent_of(line: str) -> int:
    """How far a line is indented; a tab leads to the next multiple of four."""
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(len(INDENT)))


def _width(text: str) -> int:
    return len(text) - text.rfind("\n") - 1


def _ended(lines: list[Line], beside: str) -> list[Line]:
    return [*lines[:-1], replace(lines[-1], beside=beside)] if beside else lines


def _set_off(parts: Iterable[Remark | bool], depth: int, *, first: bool) -> Iterator[Line]:
    """Remarks, with a blank line before each that had one, but not at the very start of a block."""
    for part in parts:
        if not first and (part if isinstance(part, bool) else part.blank):
            yield Line("")
        if isinstance(part, Remark):
            yield from part.lines(depth)
            first = False


def _aligned(members: tuple[Placed, ...], depth: int) -> Iterator[Placed]:
    """The members, with `=` in a column for properties that follow each other, and `=>` for steps of one line."""
    run: list[Placed] = []
    for one in members:
        if run and (_is_apart(one) or _rank(one, depth) != _rank(run[-1], depth)):
            yield from _in_column(run, depth)
            run = []
        run.append(one)
    yield from _in_column(run, depth)


def _is_apart(one: Placed) -> bool:
    return one.blank or any(remark.blank for remark in one.above)


def _rank(one: Placed, depth: int) -> str:
    if isinstance(one.content, Field):
        return "alone" if " " in one.content.name else "property"  # a comment stands before its name
    return "line" if one.content.routes and one.content.is_line(depth) else "alone"


def _in_column(run: list[Placed], depth: int) -> list[Placed]:
    if not run or _rank(run[0], depth) == "alone":
        return run
    heads = [one.content.name if isinstance(one.content, Field) else one.content.head for one in run]
    width = max(_width(head) for head in heads)
    wide = [replace(one, content=replace(one.content, width=width)) for one in run]
    if all(isinstance(one.content, Field) or one.content.is_line(depth) for one in wide):
        return wide
    return run
