"""Check secret variables, and warn where an expression reads a secret that it cannot see.

Labels, plain args, keys and similar properties see a placeholder instead of the value of a secret input or variable; an
expression there that reads one gets a warning. Names are searched in the text of expressions; doubtful cases are not
reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeGuard

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import Properties, property_named, read_assignments
from chalicelib.language.check.readers.values import INVALID_VALUE, is_spelt_out, leaves_of, read_template
from chalicelib.language.problems import Problem
from chalicelib.language.source import Span
from chalicelib.language.syntax.embedded import pieces_of
from chalicelib.language.syntax.tree import (
    Assignment,
    Call,
    Declaration,
    Entry,
    Expression,
    Group,
    Property,
    Route,
    Statement,
    Value,
    Word,
    steps_within,
)  # fmt: skip
from chalicelib.model.actions import Parameter
from chalicelib.model.flow import Flow
from chalicelib.model.templates import Template

_PLAIN_PROPERTIES: Final = frozenset({"key", "items", "for", "until"})
"""Properties of steps that see placeholders instead of secrets."""
_REBOUND: Final = re.compile(r"\$(?:input|vars)\s*:=|(?:function|\u03bb)\s*\([^)]{0,200}\$(?:input|vars)\b")
"""Expressions that rebind one of these names. The repetition is bounded, so that the search takes linear time."""
_PATH: Final = re.compile(r"\$(input|vars)\.(`[^`]*`|\w+)")
_PRESENCE_TESTS: Final = frozenset({"$exists", "$boolean", "$not"})
"""Functions that return the same for the placeholder as for the value."""
_COMPARED: Final = ("=null", "!=null", "?")


def read_variables(properties: Properties) -> tuple[dict[str, Template], tuple[str, ...]]:
    """Read `vars = (name = value, secret name = value, ...)`: the initial values, and the secret names, sorted."""
    value, context = properties.value("vars"), properties.context
    secret: set[str] = set()
    if isinstance(value, Group):
        secret = {one.name.text for one in value.items if _is_secret_variable(one)}
        value = Group(tuple(map(_as_assignment, value.items)), value.span)
    entries = None if value is None else read_assignments(context, "vars", value)
    found: dict[str, Template] = {}
    for name, entry in (entries or {}).items():
        template = read_template(context, name, entry.value)
        if template is INVALID_VALUE:
            continue
        found[name] = template
        if name in secret and is_spelt_out(template):
            hint = "use null or an expression as the initial value"
            context.findings.report(Problem.SECRET_IN_DOCUMENT, entry.value.span, hint=hint, name=name)
    return found, tuple(sorted(secret & found.keys()))


def _is_secret_variable(entry: Entry) -> TypeGuard[Declaration]:
    """Whether the entry is `secret name = value`, which the grammar parses as a declaration of type `secret`."""
    if not isinstance(entry, Declaration) or entry.secret is not None:
        return False
    return entry.type.key == "secret" and entry.default is not None


def _as_assignment(entry: Entry) -> Entry:
    if _is_secret_variable(entry) and entry.default is not None:
        return Assignment(entry.name, entry.default, entry.span)
    return entry


def refuse_members(context: Context, statement: Statement, secret: Iterable[str]) -> None:
    """Report entries of `save` and of routes that set a member of a secret variable, which is stored as a whole."""
    names = frozenset(secret)
    for entry in _set_in(statement) if names else ():
        if entry.members and entry.name.text in names:
            path = ".".join((entry.name.text, *(word.text for word in entry.members)))
            context.findings.report(Problem.SECRET_MEMBER, entry.name.span, name=entry.name.text, path=path)


def _set_in(statement: Statement) -> Iterator[Assignment]:
    """Yield what the steps of a statement set: the entries of `save` and of their routes."""
    for step in steps_within(statement.members):
        save = property_named(step.body.members if step.body else (), "save")
        routes = [one for one in (step.routes.items if step.routes else ()) if isinstance(one, Route)]
        for group in (save.value if save else None, *(route.entries for route in routes)):
            if isinstance(group, Group):
                yield from (one for one in group.items if isinstance(one, Assignment))


def warn_of_unseen(context: Context, statement: Statement, flow: Flow) -> None:
    """Report expressions that read a secret of the flow where its value cannot be seen."""
    secret = {("input", one.name) for one in flow.input if one.secret} | {("vars", name) for name in flow.secret_vars}
    for value in _plain_values(context, statement) if secret else ():
        for leaf in (one for one in leaves_of(value) if isinstance(one, Expression)):
            for start, end in _named_in(leaf.source, secret):
                at = Span(leaf.span.start + 2 + start, leaf.span.start + 2 + end)
                context.findings.report(Problem.UNSEEN_SECRET, at, path=leaf.source[start:end])


def _plain_values(context: Context, statement: Statement) -> Iterator[Value]:
    """Yield the values of a flow that see placeholders instead of secrets."""
    labels = property_named(statement.members, "labels")
    yield from _given(labels.value if labels else None)
    for step in steps_within(statement.members):
        properties = [one for one in (step.body.members if step.body else ()) if isinstance(one, Property)]
        named = {one.name.key: one.value.text for one in properties if isinstance(one.value, Word)}
        action, flow = context.action(named.get("action", "")), context.flow(named.get("flow", ""))
        for one in properties:
            if one.name.key in _PLAIN_PROPERTIES and one.value:
                yield one.value
            elif one.name.key == "args" and action:
                yield from _given(one.value, action.parameters)
            elif one.name.key == "input" and flow:
                yield from filter(_is_path, _given(one.value, flow.input))
            elif one.name.key == "undo" and isinstance(one.value, Call):
                yield from _given_to_undo(context, one.value)


def _given_to_undo(context: Context, undo: Call) -> Iterator[Value]:
    action, flow = context.action(undo.name.text), context.flow(undo.name.text)
    if action:
        yield from _given(undo.group, action.parameters)
    elif flow:
        yield from filter(_is_path, _given(undo.group, flow.input))


def _given(value: Value | None, parameters: Iterable[Parameter] = ()) -> Iterator[Value]:
    """Yield the values that a group sets for parameters that are not secret."""
    secret = {one.name for one in parameters if one.secret}
    for entry in value.items if isinstance(value, Group) else ():
        if isinstance(entry, Assignment) and entry.name.text not in secret:
            yield entry.value


def _is_path(value: Value) -> bool:
    """Whether a value is exactly one input or variable: a plain input of another flow refuses encrypted values."""
    return isinstance(value, Expression) and _PATH.fullmatch(value.source.strip()) is not None


def _named_in(source: str, secret: set[tuple[str, str]]) -> Iterator[tuple[int, int]]:
    """Yield the ranges where an expression certainly reads the value of a secret."""
    if _REBOUND.search(source):
        return
    pieces = [(kind, source[start:end], start, end) for kind, start, end in pieces_of(source) if kind != "blank"]
    texts = [text for _, text, _, _ in pieces]
    at = 0
    while at < len(pieces):
        first, joined = at, texts[at]
        while at + 1 < len(pieces) and pieces[at + 1][0] == "operand" and "." in (joined[-1:], texts[at + 1][:1]):
            at += 1
            joined += texts[at]
        path, at = _PATH.match(joined), at + 1
        if path and (path[1], path[2].strip("`")) in secret and not _is_presence_test(texts, first, at):
            yield pieces[first][2], pieces[at - 1][3]


def _is_presence_test(texts: list[str], first: int, behind: int) -> bool:
    """Whether the expression only tests if there is a value: by a function, a comparison with null or `?`."""
    if first > 1 and texts[first - 1] == "(" and texts[first - 2] in _PRESENCE_TESTS:
        return True
    return "".join(texts[behind : behind + 3]).startswith(_COMPARED)
