"""Every occurrence of the name at a position, in all documents: for the references of a name, and to rename it.

A name is an action, a flow or a value of the configuration, which all documents share; a step or a variable of one
statement; or an input of a flow, which the flow declares and reads, and its callers set. A step is also named by texts
that expressions compare with `$step.name` or `$error.step`, and, with a prefix, by the routes of flows that `use` its
flow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from chalicelib.authoring.symbols import Location, uses
from chalicelib.language import Document, parse
from chalicelib.language.format.spelling import Unwritable
from chalicelib.language.format.spelling import name as spelled
from chalicelib.language.limits import MAX_NAME_CHARACTERS
from chalicelib.language.source import Span
from chalicelib.language.syntax.embedded import operands_of, pieces_of
from chalicelib.language.syntax.tree import (
    Assignment,
    Declaration,
    Group,
    Property,
    Route,
    Statement,
    Step,
    Use,
    Word,
    expressions_in,
    steps_within,
)
from chalicelib.model.errors import EchoerError
from chalicelib.model.flow import ENDS
from chalicelib.model.visible_text import is_safe

Kind: TypeAlias = Literal["action", "flow", "flow_run", "config", "step", "variable", "input"]

_MEMBER: Final = re.compile(r"\$(vars|input|config)\s*\.\s*(`[^`]*`|[A-Za-z_]\w*)")
_MEMBERS: Final[dict[str, Kind]] = {"vars": "variable", "input": "input", "config": "config"}
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*")
NAMES_OF_STEPS: Final = frozenset({"$step.name", "$error.step"})
"""What holds the name of a step in an expression."""
_UNDO: Final = ("undo", "")
"""The owner of the name in an `undo`, which may be an action or a flow."""


class NotRenamed(EchoerError):
    """The name cannot be changed to that name; the message says why."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a word names. `owner` is the statement (kind, name) of a step, a variable or an input."""

    kind: Kind
    text: str
    owner: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place of a name. `in_expression`: it follows a dot in an expression, where names are spelled in another way."""

    name: Name
    span: Span
    in_expression: bool = False
    defines: bool = False
    """Whether this place declares the name."""
    is_text: bool = False
    """Whether this place is a text in an expression, quotes included."""
    prefix: str = ""
    """What stands before the name at this place: the prefix of a `use`."""

    def written(self, new: str) -> str:
        """Return how a new name is written at this place. Raises Unwritable."""
        if self.is_text:
            return json.dumps(new, ensure_ascii=False)
        if self.in_expression:
            return new if _IDENTIFIER.fullmatch(new) else f"`{new}`"
        return spelled(self.prefix + new)


def name_at(text: str, offset: int) -> Occurrence | None:
    """Return the name at an offset, or directly before it; None if there is none."""
    found = [one for one in in_document(parse(text)[0]) if one.span.start <= offset <= one.span.end]
    return min(found, key=lambda one: one.span.end - one.span.start, default=None)


def symbol(text: str, offset: int) -> tuple[Occurrence, tuple[Occurrence, ...]] | None:
    """Return the name at an offset, and all its places in this text, in order; None if there is none."""
    at = name_at(text, offset)
    if at is None:
        return None
    found = [one for _, one in _places({"": text}, at.name)]
    return at, tuple(sorted(found, key=lambda one: one.span))


def references(texts: Mapping[str, str], text: str, offset: int, *, declarations: bool = True) -> list[Location]:
    """Return the places of the name at the offset of `text`, in all documents by URI; empty if there is no name."""
    at = name_at(text, offset)
    if at is None:
        return []
    found = _places(texts, at.name)
    return [Location(uri, one.span) for uri, one in found if declarations or not one.defines]


def renamed(texts: Mapping[str, str], text: str, offset: int, new: str) -> list[tuple[Location, str]]:
    """Return the edits that give the name at the offset of `text` the new name, in all documents by URI.

    Raises NotRenamed if there is no name at the offset, or if the new name cannot be used.
    """
    at = name_at(text, offset)
    if at is None:
        raise NotRenamed("there is no action, flow, step, variable, input or config at this place")
    check_name(at.name.kind, new)
    found = list(_places(texts, at.name))
    if new != at.name.text and any(one.defines for _, one in _places(texts, Name(at.name.kind, new, at.name.owner))):
        raise NotRenamed(already_there(at.name.kind, new))
    try:
        return [(Location(uri, one.span), one.written(new)) for uri, one in found]
    except Unwritable as problem:
        raise NotRenamed(str(problem)) from problem


def already_there(kind: Kind, name: str) -> str:
    """Return a message: the name is taken."""
    return f"there is already {'an' if kind in ('action', 'input') else 'a'} {kind} '{name}'"


def check_name(kind: Kind, new: str) -> None:
    """Raise NotRenamed if no name of that kind can be `new`."""
    if not new.strip() or not is_safe(new) or len(new) > MAX_NAME_CHARACTERS:
        raise NotRenamed(f"a name has 1 to {MAX_NAME_CHARACTERS} characters, and no control characters")
    if kind == "step" and new.lower() in ENDS:
        raise NotRenamed(f"'{new}' is a reserved name: routes to it end the run")
    if kind in ("variable", "input", "config") and "`" in new:
        raise NotRenamed("an expression cannot read a name that contains `")
    try:
        spelled(new)
    except Unwritable as problem:
        raise NotRenamed(str(problem)) from problem


def _places(texts: Mapping[str, str], name: Name) -> Iterator[tuple[str, Occurrence]]:
    for uri, text in texts.items():
        for one in in_document(parse(text)[0]):
            if one.name == name or (one.name.kind == "flow" and _is_undo(one, name)):
                yield uri, one


def _is_undo(one: Occurrence, name: Name) -> bool:
    """Whether the place may name an action or a flow (an undo), and has the name."""
    return one.name.owner == _UNDO and name.kind in ("action", "flow") and one.name.text == name.text


def in_document(document: Document) -> Iterator[Occurrence]:
    """Yield every occurrence of every name in a document, in no particular order. Takes time proportional to it."""
    prefixes = {_owner(one): list(_uses_in(one.members)) for one in document.statements}
    defined = {
        _owner(one): {step.name.text for step in steps_within(one.members)} if prefixes[_owner(one)] else frozenset()
        for one in document.statements
    }
    for use in uses(document):
        word, statement = use.word, use.statement
        match use.role:
            case "statement" if statement.kind.key in ("action", "flow", "flow_run", "config"):
                yield Occurrence(Name(_kind(statement.kind.key), word.text), word.span, defines=True)
            case "action" | "flow":
                yield Occurrence(Name(use.role, word.text), word.span)
            case "undo":
                yield Occurrence(Name("flow", word.text, _UNDO), word.span)
            case "step":
                yield Occurrence(Name("step", word.text, _owner(statement)), word.span, defines=True)
            case "target" if word.text.lower() not in ENDS:
                owner = _owner(statement)
                used = None if word.text in defined[owner] else _used(word.text, prefixes[owner])
                yield used_step(word, used) if used else Occurrence(Name("step", word.text, owner), word.span)
    for statement in document.statements:
        yield from _variables(statement)
        yield from _inputs(statement)
        yield from _in_expressions(statement)


def _uses_in(members: tuple[object, ...]) -> Iterator[Use]:
    """Yield every `use` among the members of a statement, nested ones too."""
    for member in members:
        if isinstance(member, Use):
            yield member
        elif isinstance(member, Step) and member.body:
            yield from _uses_in(member.body.members)


def _used(target: str, found: list[Use]) -> Use | None:
    """Return the `use` whose prefix begins the target, the longest one; None if there is none."""
    fitting = [one for one in found if target.startswith(one.prefix.text) and target != one.prefix.text]
    return max(fitting, key=lambda one: len(one.prefix.text), default=None)


def used_step(word: Word, use: Use) -> Occurrence:
    """Return the place of a step of another flow, which a route names with the prefix of a `use`."""
    name = Name("step", word.text.removeprefix(use.prefix.text), ("flow", use.flow.text))
    return Occurrence(name, word.span, prefix=use.prefix.text)


def _kind(key: str) -> Kind:
    return "action" if key == "action" else "config" if key == "config" else "flow_run" if key == "flow_run" else "flow"


def _owner(statement: Statement) -> tuple[str, str]:
    return statement.kind.key, statement.name.text


def _variables(statement: Statement) -> Iterator[Occurrence]:
    """Yield the variables that a statement declares, and those that its steps set."""
    owner = _owner(statement)
    groups = [(statement.members, "vars")]
    for step in steps_within(statement.members):
        groups += [(step.body.members, key) for key in ("vars", "save") if step.body]
        for route in step.routes.items if step.routes else ():
            if isinstance(route, Route) and route.entries and not (route.target and route.target.key in ENDS):
                yield from (Occurrence(Name("variable", one.text, owner), one.span) for one in _names(route.entries))
    for members, key in groups:
        for member in members:
            if isinstance(member, Property) and member.name.key == key and isinstance(member.value, Group):
                for word in _names(member.value):
                    yield Occurrence(Name("variable", word.text, owner), word.span, defines=key == "vars")


def declared_in(statement: Statement, name: str) -> list[tuple[str, str]]:
    """Return the members of `$input` or `$vars` that a statement declares or sets, each with a line about it."""
    if name == "vars":
        found = sorted(_variables(statement), key=lambda one: not one.defines)
        return [(text, "variable") for text in dict.fromkeys(one.name.text for one in found)]
    given = next((one.value for one in statement.members if isinstance(one, Property) and one.name.key == name), None)
    items = given.items if isinstance(given, Group) else ()
    return [(one.name.text, one.type.text) for one in items if isinstance(one, Declaration)]


def _names(group: Group) -> Iterator[Word]:
    return (one.name for one in group.items if isinstance(one, (Assignment, Declaration)))


def _inputs(statement: Statement) -> Iterator[Occurrence]:
    """Yield the inputs that a flow declares, and those that a statement and its steps give to flows."""
    holders: list[Statement | Step] = [statement, *steps_within(statement.members)]
    for holder in holders:
        members = holder.members if isinstance(holder, Statement) else holder.body.members if holder.body else ()
        values = {one.name.key: one.value for one in members if isinstance(one, Property)}
        given, flow = values.get("input"), values.get("flow")
        declares = holder is statement and statement.kind.key == "flow"
        if isinstance(given, Group) and (declares or isinstance(flow, Word)):
            owner = statement.name.text if declares or not isinstance(flow, Word) else flow.text
            for word in _names(given):
                yield Occurrence(Name("input", word.text, ("flow", owner)), word.span, defines=declares)


def _in_expressions(statement: Statement) -> Iterator[Occurrence]:
    owner = _owner(statement)
    for value in expressions_in(statement):
        begin = value.span.start + 2
        for _, start, end in operands_of(value.source):
            found = _MEMBER.match(value.source, start, end)
            if found:
                kind = _MEMBERS[found[1]]
                at = Span(begin + found.start(2), begin + found.end(2))
                name = Name(kind, found[2].strip("`"), ("", "") if kind == "config" else owner)
                yield Occurrence(name, at, in_expression=True)
        for text, start, end in steps_in(value.source):
            yield Occurrence(Name("step", text, owner), Span(begin + start, begin + end), is_text=True)


def steps_in(source: str) -> Iterator[tuple[str, int, int]]:
    """Yield the name, start and end of each text of an expression that is compared with the name of a step."""
    if not any(name in source for name in NAMES_OF_STEPS):
        return
    pieces = [(source[start:end], start, end) for kind, start, end in pieces_of(source) if kind != "blank"]
    words = ["", *(piece[0] for piece in pieces), ""]
    for number, (word, start, end) in enumerate(pieces, 1):
        if words[number - 1] == "&" or words[number + 1] == "&" or word[0] not in "\"'":
            continue
        before = words[number - 2 - (words[number - 2] == "!")] if words[number - 1] == "=" else ""
        is_negated = words[number + 1] == "!"
        after = words[number + 2 + is_negated] if "=" in words[number + 1 : number + 2 + is_negated] else ""
        if before in NAMES_OF_STEPS or after in NAMES_OF_STEPS:
            name = _text_of(word)
            if name is not None:
                yield name, start, end


def _text_of(literal: str) -> str | None:
    """Return the text of a literal of JSONata; None if it cannot be read."""
    inner = literal[1:-1]
    if "\\" not in inner:
        return inner if len(literal) > 1 and literal[0] == literal[-1] else None
    try:
        found = json.loads(f'"{inner}"')
    except ValueError:
        return None
    return found if isinstance(found, str) else None
