"""Args of an action that calls an operation (`method = aws`), checked against what the operation takes.

Names match without the case of their first letter. An expression fits everywhere: its value is checked when the
operation is called. Where text or bytes are wanted, a map or a list may be given: its JSON is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chalicelib.language.check.context import Context
from chalicelib.language.check.descriptions import described
from chalicelib.language.check.operations import Shape
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import (
    Assignment,
    Expression,
    ListValue,
    MapValue,
    Number,
    Reference,
    Value,
    Word,
)
from chalicelib.model.actions import ArgType, Parameter

_TEXT: Final = frozenset({"string", "blob", "timestamp"})
_DECLARED: Final = {
    ArgType.STR: _TEXT,
    ArgType.INT: frozenset({"integer", "float", "timestamp"}),
    ArgType.FLOAT: frozenset({"float", "timestamp"}),
    ArgType.BOOL: frozenset({"boolean"}),
    ArgType.LIST: frozenset({"list", "string", "blob"}),
    ArgType.MAP: frozenset({"structure", "map", "string", "blob"}),
}
"""What an arg of each declared type can be sent as. A document takes all of them."""

_SHOWN: Final = {"structure": "map", "string": "str", "integer": "int", "boolean": "bool", "blob": "bytes"}


class OperationArgs:
    """The args of one use of an operation, or those that its action declares. `operation` is its address."""

    def __init__(self, context: Context, operation: str, shape: Shape | None) -> None:
        self._context = context
        self._operation = operation
        self._shape = shape

    def check_given(self, entries: dict[str, Assignment], at: Span, step: str) -> None:
        """Check args that a step gives by name; `at` is where it lacks one that must be given."""
        found = self._members([(entry.name, entry.value) for entry in entries.values()], self._shape, "")
        self._require(found, self._shape, at, step)

    def check_value(self, value: Value, at: Span, step: str) -> None:
        """Check all args, given as one value."""
        if isinstance(value, MapValue):
            self._require(self._members(value.entries, self._shape, ""), self._shape, at, step)
        elif not isinstance(value, Expression):
            self._wrong("args", value, "map")

    def check_declared(self, words: Iterable[tuple[Word, Parameter]], at: Span, owner: str) -> None:
        """Check args that an action declares: their names, their types, and that none is missing."""
        found: set[str] = set()
        for word, parameter in words:
            name, shape = self._member(word, self._shape, "")
            if shape is None:
                continue
            self._once(word, name, found)
            allowed = _DECLARED.get(parameter.type)
            if allowed is not None and shape.kind not in allowed and shape.kind != "document":
                self._context.findings.report(
                    Problem.UNFIT_ARG,
                    word.span,
                    name=word.text,
                    type=parameter.type.value,
                    operation=self._operation,
                    wanted=_SHOWN.get(shape.kind, shape.kind),
                )
        self._require(found, self._shape, at, owner)

    def _members(self, entries: Iterable[tuple[Word, Value]], shape: Shape | None, place: str) -> set[str]:
        """Check the members of a structure, and return their names as the operation spells them."""
        found: set[str] = set()
        for word, value in entries:
            name, member = self._member(word, shape, place)
            if member is not None:
                self._once(word, name, found)
                self._check(word.text, value, member, f"{place}.{name}".lstrip("."))
        return found

    def _member(self, word: Word, shape: Shape | None, place: str) -> tuple[str, Shape | None]:
        members = shape.members if shape else {}
        by_key = {_key(name): name for name in members}
        name = by_key.get(_key(word.text), "")
        if name:
            return name, members[name]
        owner = f"'{place}' of {self._operation}" if place else self._operation
        self._context.findings.report(
            Problem.UNKNOWN_ARG,
            word.span,
            near=Suggestion(word.text, tuple(members)),
            owner=owner,
            what="member" if place else "arg",
            name=word.text,
        )
        return "", None

    def _once(self, word: Word, name: str, found: set[str]) -> None:
        if name in found:
            self._context.findings.report(Problem.DUPLICATE_ENTRY, word.span, name=word.text, group="args")
        found.add(name)

    def _require(self, found: set[str], shape: Shape | None, at: Span, owner: str, what: str = "arg") -> None:
        """Report the members of a structure that must be given and are not among `found`."""
        required = shape.required - found if shape else frozenset[str]()
        for name, member in shape.members.items() if shape else ():
            if name in required:
                self._context.findings.report(
                    Problem.MISSING_ARG,
                    at,
                    step=owner,
                    what=what,
                    name=name,
                    type=_SHOWN.get(member.kind, member.kind),
                    owner=self._operation,
                )

    def _check(self, name: str, value: Value, shape: Shape, place: str) -> None:
        """Check a value against a shape, at any depth."""
        if isinstance(value, (Expression, Reference)) or (isinstance(value, Word) and value.key == "null"):
            return
        match shape.kind, value:
            case "structure", MapValue():
                found = self._members(value.entries, shape, place)
                self._require(found, shape, value.span, f"'{place}'", "member")
            case "map", MapValue():
                for key, inner in value.entries:
                    self._check(key.text, inner, shape.element, place)
            case "list", ListValue():
                for inner in value.items:
                    self._check(name, inner, shape.element, place)
            case _ if not _is_fit(shape.kind, value):
                self._wrong(name, value, _SHOWN.get(shape.kind, shape.kind))

    def _wrong(self, name: str, value: Value, kind: str) -> None:
        self._context.findings.report(Problem.WRONG_TYPE, value.span, name=name, type=kind, found=described(value))


def _is_fit(kind: str, value: Value) -> bool:
    """Whether a literal can be sent as this kind. What no arg can be is reported where it is read."""
    match value:
        case MapValue() | ListValue():
            return kind in ("string", "blob", "document")
        case Word() if value.quoted:
            return kind in _TEXT or kind == "document"
        case Word() if value.key in ("true", "false"):
            return kind in ("boolean", "document")
        case Number():
            is_whole = float(value.value).is_integer()
            return kind in ("float", "timestamp", "document") or (kind == "integer" and is_whole)
        case _:
            return True


def _key(name: str) -> str:
    return name[:1].lower() + name[1:]
