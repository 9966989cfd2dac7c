"""Read the members of a statement or step: its properties, and the entries of groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from chalicelib.language.check.context import Context, fits
from chalicelib.language.check.descriptions import described
from chalicelib.language.check.readers.values import INVALID_VALUE, is_spelt_out, read_json, read_template
from chalicelib.language.limits import MAX_ENTRIES
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import (
    Assignment,
    Damaged,
    Declaration,
    EventName,
    Group,
    Member,
    Property,
    Route,
    Step,
    Use,
    Value,
    Word,
)  # fmt: skip
from chalicelib.model.actions import ArgType, Parameter
from chalicelib.model.templates import Template
from chalicelib.model.variable_paths import join_path

_T = TypeVar("_T")
_LIKE: Final[Mapping[type[object], str]] = {
    Assignment: "(name = value, ...)",
    Declaration: "(type name, ...)",
    Route: "(STATE | ...)",
    EventName: "(run.failed, ...)",
}


class Properties:
    """The properties of `owner` ("action 'ci'"), by name. Properties that are not `allowed` are reported."""

    def __init__(
        self, context: Context, owner: str, members: Iterable[Member], allowed: Iterable[str], *, damaged: bool = False
    ) -> None:
        self.context = context
        self.owner = owner
        self.damaged = damaged
        self._found: dict[str, Property] = {}
        known = tuple(allowed)
        for member in members:
            self.damaged = self.damaged or isinstance(member, Damaged)
            if isinstance(member, Property):
                self._add(member, known)

    def _add(self, member: Property, allowed: tuple[str, ...]) -> None:
        findings, key = self.context.findings, member.name.key
        if key not in allowed:
            self.damaged = True
            near = Suggestion(key, allowed)
            findings.report(
                Problem.UNKNOWN_PROPERTY, member.name.span, near=near, name=member.name.text, owner=self.owner
            )
        elif key in self._found:
            findings.report(Problem.DUPLICATE_PROPERTY, member.name.span, name=key, owner=self.owner)
        else:
            self._found[key] = member

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def value(self, name: str) -> Value | None:
        """Return the value of a property, None if it is absent."""
        return self._found[name].value if name in self._found else None

    def span(self, name: str) -> Span:
        """Return the span of the name of a property that is present."""
        return self._found[name].name.span

    def read(self, name: str, reader: Callable[[Context, str, Value], _T | None]) -> _T | None:
        """Read a property with `reader`; None if it is absent or invalid."""
        value = self.value(name)
        return None if value is None else reader(self.context, name, value)

    def template(self, name: str) -> Template:
        """Read a property of any value; None if it is absent or invalid."""
        found = self.read(name, read_template)
        return None if found is INVALID_VALUE else found

    def variables(self, name: str) -> dict[str, Template]:
        """Read `(name = value, name.member = value, ...)` with any values; empty if it is absent."""
        return self.read(name, read_variables_set) or {}

    def require(self, name: str, at: Span) -> bool:
        """Whether a property is present. A missing one is reported unless a syntax error may have removed it."""
        if name not in self and not self.damaged:
            self.context.findings.report(Problem.MISSING_PROPERTY, at, owner=self.owner, name=name)
        return name in self


def property_named(members: Iterable[Member], name: str) -> Property | None:
    """Return the first property with this name, if there is one."""
    return next((one for one in members if isinstance(one, Property) and one.name.key == name), None)


def owner_of(kind: str, name: Word) -> str:
    """Return the description of a statement or step for messages: `action 'ci'`."""
    return f"{kind} '{name.text}'"


def read_entries(context: Context, name: str, value: Value, kind: type[_T]) -> tuple[_T, ...] | None:
    """Read the entries of a group, all of one kind."""
    if not isinstance(value, Group):
        context.wrong(name, value, f"a group like {_LIKE[kind]}")
        return None
    found = []
    for item in value.items:
        if not isinstance(item, kind):
            context.findings.report(
                Problem.WRONG_VALUE, item.span, name=name, needed=f"a group like {_LIKE[kind]}", found="other entries"
            )
            return None
        found.append(item)
    return tuple(found)


def read_assignments(context: Context, name: str, value: Value) -> dict[str, Assignment] | None:
    """Read `(name = value, ...)`; a name that appears twice is reported."""
    entries = read_entries(context, name, value, Assignment)
    if entries is None:
        return None
    found: dict[str, Assignment] = {}
    for entry in entries:
        if entry.members:
            path = ".".join((entry.name.text, *(word.text for word in entry.members)))
            context.findings.report(Problem.MISPLACED_PATH, entry.name.span, path=path, name=name)
        elif entry.name.text in found:
            context.findings.report(Problem.DUPLICATE_ENTRY, entry.name.span, name=entry.name.text, group=name)
        elif context.valid_name(entry.name):
            found[entry.name.text] = entry
    return found


def read_variables_set(context: Context, name: str, value: Value) -> dict[str, Template] | None:
    """Read `(name = value, name.member = value, ...)`. The keys are paths (`variable_paths`)."""
    entries = read_entries(context, name, value, Assignment)
    if entries is None:
        return None
    found: dict[str, Template] = {}
    for entry in entries:
        path = join_path((entry.name.text, *(word.text for word in entry.members)))
        valid = [context.valid_name(word) for word in (entry.name, *entry.members)]
        if path in found:
            context.findings.report(Problem.DUPLICATE_ENTRY, entry.name.span, name=path, group=name)
        elif all(valid):
            found[path] = read_template(context, path, entry.value)
    return {path: template for path, template in found.items() if template is not INVALID_VALUE}


def read_parameters(
    context: Context, name: str, value: Value, *, references: bool = False
) -> tuple[Parameter, ...] | None:
    """Read `(type name, secret type name = default, ...)`; None if the list is invalid, so its uses are not checked.

    A default may be null for every type. That of a secret parameter may, with `references`, be a reference to a secret.
    """
    entries = read_entries(context, name, value, Declaration)
    if entries is None:
        return None
    if len(entries) > MAX_ENTRIES:
        what = f"entries in '{name}'"
        context.findings.report(Problem.TOO_MANY, value.span, count=len(entries), what=what, limit=MAX_ENTRIES)
        return None
    found: dict[str, Parameter] = {}
    for entry in entries:
        if entry.name.text in found:
            context.findings.report(Problem.DUPLICATE_ENTRY, entry.name.span, name=entry.name.text, group=name)
        elif context.valid_name(entry.name):
            found[entry.name.text] = _read_parameter(context, entry, references=references)
    return tuple(found.values())


def _read_parameter(context: Context, entry: Declaration, *, references: bool) -> Parameter:
    kind, secret = _read_type(context, entry.type), entry.secret is not None
    if entry.default is None:
        return Parameter(name=entry.name.text, type=kind, secret=secret)
    default = read_json(context, entry.name.text, entry.default, secrets=secret and references)
    if default is INVALID_VALUE:
        default = None
    elif secret and is_spelt_out(default):
        hint = 'write secret "NAME" or remove the default' if references else "remove the default"
        context.findings.report(Problem.SECRET_IN_DOCUMENT, entry.default.span, hint=hint, name=entry.name.text)
    elif default is not None and not fits(kind, default):
        context.findings.report(
            Problem.WRONG_TYPE,
            entry.default.span,
            name=entry.name.text,
            type=kind.value,
            found=described(entry.default),
        )
    return Parameter(name=entry.name.text, type=kind, required=False, default=default, secret=secret)


def _read_type(context: Context, word: Word) -> ArgType:
    try:
        return ArgType(word.key)
    except ValueError:
        hint = "write a type after secret, like secret str" if word.key == "secret" else None
        near = Suggestion(word.text, tuple(ArgType))
        context.findings.report(Problem.UNKNOWN_TYPE, word.span, hint=hint, near=near, name=word.text)
        return ArgType.ANY


def refuse_steps(context: Context, owner: str, members: Iterable[Member]) -> None:
    """Report steps that are not allowed in `owner`."""
    for member in members:
        if isinstance(member, Step):
            what = f"{member.kind.text} '{member.name.text}'"
            context.findings.report(Problem.MISPLACED_STEP, member.name.span, what=what, owner=owner)
        elif isinstance(member, Use):
            what = f"use '{member.flow.text}'"
            context.findings.report(Problem.MISPLACED_STEP, member.flow.span, what=what, owner=owner)
