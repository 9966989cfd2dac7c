"""Args of an action that calls an operation (`method = aws`), checked against what the operation takes.

Names match without the case of their first letter. An expression fits everywhere: its value is checked when the
operation is called. Where text or bytes are wanted, a map or a list may be given: its JSON is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from chalicelib.language.check.context import Context
from chalicelib.language.check.descriptions import described
from chalicelib.language.check.operations import Shape, UnknownOperation
from chalicelib.language.check.readers.members import Properties
from chalicelib.language.check.readers.values import or_expression, read_text
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import (
    Assignment,
    Call,
    Declaration,
    Expression,
    Group,
    ListValue,
    MapValue,
    Number,
    Reference,
    Value,
    Word,
)
from chalicelib.model.actions import Action, ArgType, Parameter
from chalicelib.model.templates import Template

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


_ROLE: Final = re.compile(r"arn:aws[\w-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
_NEEDLESS: Final = ("headers", "secret")


# ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_operation(properties: Properties, action: Action, name: Word) -> Action:
    """Return the action with its role, and report what does not fit the operation that it calls."""
    findings = properties.context.findings
    if not action.is_operation:
        if "role" in properties:
            findings.report(Problem.NEEDS_OPERATION, properties.span("role"), property="role", owner=properties.owner)
        return action
    for needless in (one for one in _NEEDLESS if one in properties):
        findings.report(
            Problem.NEEDLESS_FOR_OPERATION, properties.span(needless), property=needless, owner=properties.owner
        )
    address = properties.value("addr")
    if address is not None and len(action.addresses) > 1:
        findings.report(Problem.TOO_MANY, address.span, count=len(action.addresses), what="operations", limit=1)
    elif address is not None and action.addresses:
        _check_address(properties, action, address, name)
    return replace(action, role=properties.read("role", _read_role))


def read_step_role(properties: Properties, action: Action | None) -> Template:
    """Return the role of a step that calls an operation, or the expression that yields it."""
    if action is not None and not action.is_operation and "role" in properties:
        findings = properties.context.findings
        findings.report(Problem.NEEDS_OPERATION, properties.span("role"), property="role", owner=properties.owner)
    return properties.read("role", or_expression(_read_role))


def _read_role(context: Context, name: str, value: Value) -> str | None:
    text = read_text(context, name, value)
    if text is None or _ROLE.fullmatch(text):
        return text
    context.wrong(name, value, "the ARN of an IAM role, such as arn:aws:iam::123456789012:role/orders")
    return None


def _check_address(properties: Properties, action: Action, address: Value, name: Word) -> None:
    operation = action.addresses[0]
    if ".sync" in operation and not action.direct:
        reason = "waits for the end of a job, so it cannot have callback = open or signed"
        properties.context.findings.report(
            Problem.NEEDS_DIRECT_ANSWER, address.span, property=operation, owner=properties.owner, reason=reason
        )
    args = _known_args(properties.context, action, address.span)
    group = properties.value("args")
    if args and isinstance(group, Group) and action.parameters:
        declared = {parameter.name: parameter for parameter in action.parameters}
        words = [item.name for item in group.items if isinstance(item, Declaration) and item.name.text in declared]
        args.check_declared([(word, declared[word.text]) for word in words], name.span, properties.owner)


def _known_args(context: Context, action: Action, at: Span, *, is_defined: bool = False) -> OperationArgs | None:
    """Return the args of the action's operation, if operations are known.

    One that cannot be called is reported, unless it was where the document defines the action.
    """
    if context.catalog.operations is None or not action.addresses:
        return None
    address = action.addresses[0]
    try:
        shape = context.catalog.operations.input_of(address)
    except UnknownOperation as problem:
        if is_defined:
            return None
        near = Suggestion(problem.word, problem.known) if problem.word else None
        context.findings.report(
            Problem.INVALID_ADDRESS, at, hint=problem.hint or None, near=near, address=address, reason=str(problem)
        )
        return None
    return OperationArgs(context, address.removesuffix(":2").removesuffix(".sync"), shape)


def check_operation_args(properties: Properties, action: Action, step: Word) -> None:
    """Check the args that a step gives to an action that calls an operation."""
    value, named = properties.value("args"), properties.value("action")
    is_defined = action.name in properties.context.actions
    args = _known_args(properties.context, action, named.span if named else step.span, is_defined=is_defined)
    if args and not properties.damaged:
        _check(args, action, value, properties.span("args") if value else step.span, properties.owner)


def check_undo_args(context: Context, action: Action, value: Value, undone: str) -> None:
    """Check the args that an undo gives to an action that calls an operation."""
    args = _known_args(context, action, value.span, is_defined=action.name in context.actions)
    if args:
        group = value.group if isinstance(value, Call) else None
        _check(args, action, group, value.span, f"the undo of {undone}")


def _check(args: OperationArgs, action: Action, value: Value | None, at: Span, giver: str) -> None:
    if isinstance(value, Group):
        entries = [(item.name, item.value) for item in value.items if isinstance(item, Assignment)]
        args.check_given(entries, at, giver, all_of_them=action.is_open or action.takes_value)
    elif value is None and action.is_open:
        args.check_given([], at, giver, all_of_them=True)
    elif value is not None and action.takes_value:
        args.check_value(value, at, giver)


# ── args ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class OperationArgs:
    """The args of one use of an operation, or those that its action declares. `operation` is its address."""

    def __init__(self, context: Context, operation: str, shape: Shape | None) -> None:
        self._context = context
        self._operation = operation
        self._shape = shape

    def check_given(self, entries: Iterable[tuple[Word, Value]], at: Span, step: str, *, all_of_them: bool) -> None:
        """Check args that a step gives by name; `at` is where it lacks one, if all must be given that are required."""
        found = self._members(entries, self._shape, "")
        if all_of_them:
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
            case "structure", Word() if value.quoted and shape.takes_text:
                return
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
