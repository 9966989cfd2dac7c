"""Format a document in its one canonical layout. `layout` decides on lines, `comments` places comments.

Strings, numbers, durations of one unit, and expressions that span lines are kept as they are written. Keywords become
lower case, missing commas are inserted, and a line with `/` separates two statements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from chalicelib.language.format.comments import Comments, Gap
from chalicelib.language.format.layout import (
    LINE_END,
    Block,
    BlockMember,
    Bracket,
    Field,
    Item,
    Line,
    Node,
    Piece,
    Remark,
    text_of,
)  # fmt: skip
from chalicelib.language.problems import Diagnostic
from chalicelib.language.source import Span
from chalicelib.language.statements import CONFIG
from chalicelib.language.syntax import tree
from chalicelib.language.syntax.parsing import parse
from chalicelib.model.errors import EchoerError
from chalicelib.model.flow import ENDS
from chalicelib.model.times import combined_duration

_KEYWORD_PROPERTIES: Final = frozenset({"method", "approval", "join", "data", "callback", "abandoned", "input", "body"})
"""Properties with a case-insensitive keyword as their value."""
_ENTRIES: Final = "->"
_END_ENTRIES: Final = "-> end"
_SETTINGS: Final = frozenset({"retry", "limit", "breaker", "secret", "repeat", _END_ENTRIES})
"""Properties with case-insensitive keys in their group."""
_TEMPLATES: Final = frozenset(
    {
        "args",
        "input",
        "vars",
        "output",
        "labels",
        "save",
        "undo",
        "on_enter",
        "on_leave",
        "key",
        "items",
        "data",
        CONFIG,
        _ENTRIES,
        _END_ENTRIES,
    }
)
"""Properties in which `TRUE` is the value true and not a name."""
_TOP_TEMPLATES: Final = frozenset({"output", "key", "items", "args", CONFIG})
"""The properties among them that are templates themselves, not groups of templates."""
_CONSTANTS: Final = frozenset({"true", "false", "null"})
_SEVERAL_UNITS: Final = re.compile("[a-z][0-9]")
_NESTING: Final = frozenset({"fork", "each"})

_N = TypeVar("_N", bound="tree.Entry | tree.Value | _Pair")


class Unreadable(EchoerError):
    """The text has syntax errors and cannot be formatted. `diagnostics` are those of `parse`."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("the text has syntax errors")
        self.diagnostics = diagnostics


def format_text(text: str) -> str:
    """Return the document in the canonical layout, with its meaning unchanged. Raises Unreadable."""
    document, found = parse(text)
    if document.damaged:
        raise Unreadable(found)
    return text_of(_Printer(document).lines())


@dataclass(frozen=True, slots=True)
class _Pair:
    """An entry of a map."""

    key: tree.Word
    value: tree.Value

    @property
    def span(self) -> Span:
        return self.key.span.to(self.value.span)


class _Printer:
    """Prints the lines of one document."""

    def __init__(self, document: tree.Document) -> None:
        self._text = document.text
        self._statements = document.statements
        self._comments = Comments(document)

    def lines(self) -> list[Line]:
        """Return the lines of all statements, separated by lines with a `/`."""
        first = self._statements[0].span.start
        gap = self._comments.gap(0, first, begins=True)
        found = _above(gap, first=True)
        for number, statement in enumerate(self._statements):
            end = statement.span.end
            is_last = number == len(self._statements) - 1
            stop = len(self._text) if is_last else self._comments.slash(end, self._statements[number + 1].span.start)
            behind = self._comments.gap(end, stop, last=True)
            found += self._statement(statement, gap.lead, behind)
            if not is_last:
                gap = self._comments.gap(stop + 1, self._statements[number + 1].span.start)
                found += [Line("/", gap.trailing), *_above(gap)]
        return found

    def _statement(self, node: tree.Statement, lead: str, behind: Gap) -> list[Line]:
        if node.kind.key == CONFIG:
            return self._config(node, lead, behind)
        end = node.span.end - len(node.kind.key) - len("_end")
        above: list[Remark] = []
        glued = self._comments.glue(node.kind.span.end, node.name.span.start, above)
        head = _spaced(f"{lead}{node.kind.key}", glued, self._verbatim(node.name.span))
        block = self._block(node.members, node.name.span.end, end)
        return [
            *(line for remark in above for line in remark.lines(0)),
            Line(head, block.trailing),
            *block.lines(1),
            Line(f"{node.kind.key}_end", behind.trailing),
            *_below(behind),
        ]

    def _config(self, node: tree.Statement, lead: str, behind: Gap) -> list[Line]:
        """Return the lines of `config NAME = VALUE;`."""
        above: list[Remark] = []
        glued = self._comments.glue(node.kind.span.end, node.name.span.start, above)
        name = _spaced(f"{lead}{node.kind.key}", glued, self._verbatim(node.name.span))
        value = next(one.value for one in node.members if isinstance(one, tree.Property) and one.value)
        glued = self._comments.glue(node.name.span.end, value.span.start, above)
        piece = self._value(value, CONFIG, above, top=True)
        tail = self._comments.glue(value.span.end, node.span.end, above)
        field = Field(name, _around(piece, glued and f"{glued} ", tail and f" {tail}"))
        lines = field.lines(0)
        lines[-1] = replace(lines[-1], trailing=behind.trailing)
        return [*(line for remark in above for line in remark.lines(0)), *lines, *_below(behind)]

    def _block(self, members: Sequence[tree.Member], start: int, end: int) -> Block:
        placed: list[BlockMember] = []
        gap = None
        trailing = ""
        for number, member in enumerate(members):
            gap = self._comments.gap(start, member.span.start)
            if number:
                placed[-1] = _with_trailing(placed[-1], gap.trailing)
            else:
                trailing = gap.trailing
            placed.append(self._member(member, gap))
            start = member.span.end
        gap = self._comments.gap(start, end, last=True)
        if placed:
            placed[-1] = _with_trailing(placed[-1], gap.trailing)
        return Block(tuple(placed), trailing if placed else gap.trailing, gap.above)

    def _member(self, member: tree.Member, gap: Gap) -> BlockMember:
        above: list[Remark] = []
        match member:
            case tree.Property():
                content: Field | Node = self._property(member, gap.lead, above)
            case tree.Step():
                content = self._step(member, gap.lead, above)
            case tree.Use():
                content = self._use(member, gap.lead, above)
            case tree.Damaged():
                raise AssertionError("a damaged document is never printed")
        if gap.blank and above:
            above[0] = Remark(above[0].text, above[0].indent, blank=True)
        return BlockMember(content, (*gap.above, *above), gap.blank and not above)

    def _property(self, member: tree.Property, lead: str, above: list[Remark]) -> Field:
        name = lead + member.name.key
        if member.value is None:
            return Field(name, Piece(self._comments.glue(member.name.span.end, member.span.end, above)))
        glued = self._comments.glue(member.name.span.end, member.value.span.start, above)
        piece = self._value(member.value, member.name.key, above, top=True)
        tail = self._comments.glue(member.value.span.end, member.span.end, above)
        return Field(name, _around(piece, glued and f"{glued} ", tail and f" {tail}"))

    def _use(self, use: tree.Use, lead: str, above: list[Remark]) -> Node:
        glue, at = self._comments.glue, use.span.start + len("use")
        words = [f"{lead}use", glue(at, use.flow.span.start, above), self._verbatim(use.flow.span)]
        words += [glue(use.flow.span.end, use.prefix.span.start, above), "as", self._verbatim(use.prefix.span)]
        tail = glue(use.prefix.span.end, use.span.end, above)
        return Node(_spaced(*words), None, None, tail and f" {tail}")

    def _step(self, step: tree.Step, lead: str, above: list[Remark]) -> Node:
        glue = self._comments.glue
        head = _spaced(
            lead + step.kind.key, glue(step.kind.span.end, step.name.span.start, above), self._verbatim(step.name.span)
        )
        at, routes, body = step.name.span.end, None, None
        if step.routes:
            glued = glue(at, step.routes.span.start, above)
            routes = _around(self._value(step.routes, "=>", above, top=True), glued and f"{glued} ", "")
            at = step.routes.span.end
        if step.body:
            glued = glue(at, step.body.span.start, above)
            if routes:
                routes = _around(routes, "", glued and f" {glued}")
            else:
                head = _spaced(head, glued) if glued else head
            found = self._block(step.body.members, step.body.span.start + 1, step.body.span.end - 1)
            body = found if found.members or found.trailing or found.below or not routes else None
            at = step.body.span.end
        tail = glue(at, step.span.end, above)
        return Node(head, routes, body, tail and f" {tail}", inline=step.kind.key not in _NESTING)

    def _value(self, value: tree.Value, owner: str, above: list[Remark], *, top: bool = False) -> Piece:
        match value:
            case tree.Word():
                return Piece(self._word(value, owner, top=top))
            case tree.Expression():
                return Piece(_expression(value.source))
            case tree.Reference():
                glued = self._comments.glue(value.span.start + len("secret"), value.name.span.start, above)
                return Piece(_spaced("secret", glued, self._verbatim(value.name.span)))
            case tree.ListValue():
                listed = self._bracket(value.span, value.items, lambda one, into: self._value(one, owner, into))
                return Piece("", listed)
            case tree.MapValue():
                pairs = [_Pair(key, inner) for key, inner in value.entries]
                return Piece("", self._bracket(value.span, pairs, lambda one, into: self._pair(one, owner, into)))
            case tree.Group():
                return Piece("", self._group(value, owner))
            case tree.Call():
                return self._call(value, owner, above)
            case tree.Duration():
                return Piece(self._duration(value))
            case _:
                return Piece(self._verbatim(value.span))

    def _call(self, call: tree.Call, owner: str, above: list[Remark]) -> Piece:
        head, group, at = self._verbatim(call.name.span), None, call.name.span.end
        if call.group:
            head = _spaced(head, self._comments.glue(at, call.group.span.start, above), "")
            group, at = self._group(call.group, owner), call.group.span.end
        words: list[str] = []
        for state in call.states:
            words += [self._comments.glue(at, state.span.start, above), "|" if words else "on"]
            words.append(self._verbatim(state.span))
            at = state.span.end
        tail = f" {_spaced(*words)}" if words else ""
        return Piece(head, group, tail) if group else Piece(head + tail)

    def _group(self, group: tree.Group, owner: str) -> Bracket:
        return self._bracket(group.span, group.items, lambda one, into: self._entry(one, owner, into))

    def _bracket(self, span: Span, nodes: Sequence[_N], build: Callable[[_N, list[Remark]], Piece]) -> Bracket:
        items: list[Item] = []
        at, opened = span.start + 1, ""
        for node in nodes:
            gap = self._comments.gap(at, node.span.start, divided=not items)
            if items:
                items[-1] = _closed(items[-1], gap)
            else:
                opened = gap.trailing
            above = list(gap.above)
            piece = build(node, above)
            items.append(Item(_around(piece, gap.lead, ""), tuple(above)))
            at = node.span.end
        gap = self._comments.gap(at, span.end - 1, divided=not items, last=True)
        if items:
            items[-1] = _closed(items[-1], gap)
        opener, closer = self._text[span.start], self._text[span.end - 1]
        return Bracket(
            opener,
            closer,
            tuple(items),
            routes=any(isinstance(node, tree.Route) for node in nodes),
            trailing=opened if items else gap.trailing,
            below=gap.above,
        )

    def _pair(self, pair: _Pair, owner: str, above: list[Remark]) -> Piece:
        key = self._verbatim(pair.key.span) + ":"
        glued = self._comments.glue(pair.key.span.end, pair.value.span.start, above)
        return _around(self._value(pair.value, owner, above), _spaced(key, glued, ""), "")

    def _entry(self, entry: tree.Entry, owner: str, above: list[Remark]) -> Piece:
        match entry:
            case tree.Assignment():
                name = ".".join(self._verbatim(word.span) for word in (entry.name, *entry.members))
                return self._given(name.lower() if owner in _SETTINGS else name, entry.name, entry.value, owner, above)
            case tree.Declaration():
                return self._given(self._declared(entry, above), entry.name, entry.default, owner, above)
            case tree.Route():
                return self._route(entry, owner, above)
            case tree.EventName():
                return Piece(self._verbatim(entry.span))

    def _declared(self, entry: tree.Declaration, above: list[Remark]) -> str:
        """Return `secret type name` or `type name`."""
        words: list[str] = []
        if entry.secret:
            words += [entry.secret.key, self._comments.glue(entry.secret.span.end, entry.type.span.start, above)]
        words.append(entry.type.key or self._verbatim(entry.type.span))
        words.append(self._comments.glue(entry.type.span.end, entry.name.span.start, above))
        return _spaced(*words, self._verbatim(entry.name.span))

    def _given(self, head: str, name: tree.Word, value: tree.Value | None, owner: str, above: list[Remark]) -> Piece:
        """Return `head = value`, or the head alone if there is no value."""
        if value is None:
            return Piece(head)
        glued = self._comments.glue(name.span.end, value.span.start, above)
        return _around(self._value(value, owner, above), _spaced(head, "=", glued, ""), "")

    def _route(self, route: tree.Route, owner: str, above: list[Remark]) -> Piece:
        words: list[str] = []
        at = route.span.start
        for number, part in enumerate((*route.states, route.when, route.target)):
            if part is None:
                continue
            words += {id(route.when): ["when"], id(route.target): ["->"]}.get(id(part), [])
            glued = self._comments.glue(at, part.span.start, above)
            more = "," if number + 1 < len(route.states) else ""
            words += [glued, self._part(part, is_target=part is route.target) + more]
            at = part.span.end
        if route.entries is None:
            return Piece(_spaced(*words, *self._statuses(route, at, above)))
        if route.target is None:
            words.append("->")
        elif owner == "=>":
            owner = _END_ENTRIES if route.target.key in ENDS else _ENTRIES
        glued = self._comments.glue(at, route.entries.span.start, above)
        return Piece(_spaced(*words, glued, ""), self._group(route.entries, owner))

    def _statuses(self, route: tree.Route, at: int, above: list[Remark]) -> list[str]:
        """Return the words of `on 404, 410`; none if the route has no statuses. `at` is where the state ends."""
        words: list[str] = []
        for number, status in enumerate(route.statuses, 1):
            glued = self._comments.glue(at, status.span.start, above)
            more = "," if number < len(route.statuses) else ""
            words += [glued, "" if words else "on", self._verbatim(status.span) + more]
            at = status.span.end
        return words

    def _part(self, part: tree.Word | tree.Expression, *, is_target: bool) -> str:
        if isinstance(part, tree.Expression):
            return _expression(part.source)
        return part.key if is_target and part.key in ENDS else self._verbatim(part.span)

    def _word(self, word: tree.Word, owner: str, *, top: bool) -> str:
        is_keyword = word.key in _CONSTANTS and owner in (_TOP_TEMPLATES if top else _TEMPLATES)
        if top and owner == "verb" and word.key:
            return word.text.upper()
        if top and owner in _KEYWORD_PROPERTIES:
            is_keyword = is_keyword or bool(word.key)
        is_keyword = is_keyword or (top and owner == "args" and word.key == "any")
        is_jitter = not top and owner == "repeat" and bool(word.key)
        return word.key if is_keyword or is_jitter else self._verbatim(word.span)

    def _duration(self, value: tree.Duration) -> str:
        """Return a duration as it is written, but one with several units canonically: `2h30m` for `1h90m`."""
        written = self._verbatim(value.span)
        return combined_duration(value.milliseconds) if _SEVERAL_UNITS.search(written) else written

    def _verbatim(self, span: Span) -> str:
        return self._text[span.start : span.end]


def _above(gap: Gap, *, first: bool = False) -> list[Line]:
    """Return the lines of the comments before a statement."""
    found: list[Line] = []
    for remark in gap.above:
        found += [Line("")] if remark.blank and (found or not first) else []
        found += remark.lines(0)
    return [*found, Line("")] if gap.blank and (found or not first) else found


def _below(gap: Gap) -> list[Line]:
    """Return the lines of the comments after a statement."""
    return [line for remark in gap.above for line in ([Line("")] if remark.blank else []) + [*remark.lines(0)]]


def _with_trailing(placed: BlockMember, comments: str) -> BlockMember:
    return replace(placed, trailing=comments) if comments else placed


def _closed(item: Item, gap: Gap) -> Item:
    """Return the item with the comments directly after it."""
    return replace(item, piece=_around(item.piece, "", gap.suffix), trailing=gap.trailing)


def _around(piece: Piece, lead: str, tail: str) -> Piece:
    return replace(piece, head=lead + piece.head, tail=piece.tail + tail) if lead or tail else piece


def _spaced(first: str, *words: str) -> str:
    """Join the words with spaces, without empty ones; an empty last word leaves a space at the end."""
    inner = [word for word in (first, *words[:-1]) if word]
    return " ".join([*inner, *words[-1:]])


def _expression(source: str) -> str:
    return "${" + source + "}" if LINE_END.search(source) else "${ " + source.strip() + " }"
