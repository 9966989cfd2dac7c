"""Check secret variables, and warn where an expression reads a secret that it cannot see.

Labels, plain args, keys and similar properties see a placeholder instead of the value of a secret input or variable; an
expression there that reads one gets a warning. Names are searched in the text of expressions; doubtful cases are not
reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import property_named
from chalicelib.language.check.readers.values import leaves_of
from chalicelib.language.check.readers.variables import declared_in
from chalicelib.language.problems import Problem
from chalicelib.language.source import Span
from chalicelib.language.syntax.embedded import pieces_of
from chalicelib.language.syntax.tree import (
    Assignment,
    Call,
    Expression,
    Group,
    Member,
    Property,
    Route,
    Statement,
    Step,
    Value,
    Word,
)  # fmt: skip
from chalicelib.model.actions import Parameter
from chalicelib.model.flow import Flow

_PLAIN_PROPERTIES: Final = frozenset(
    {"key", "items", "for", "until", "next", "zone", "timeout", "heartbeat", "role", "max", "tolerate", "batch"}
    | {"event", "data", "to", "ttl", "name"}
)
"""Properties of steps that see placeholders instead of secrets."""
_CALLS: Final = frozenset({"undo", "on_enter", "on_leave"})
"""Properties that name an action or a flow and give it args."""
_REBOUND: Final = re.compile(r"\$(?:input|vars)\s*:=|(?:function|\u03bb)\s*\([^)]{0,200}\$(?:input|vars)\b")
"""Expressions that rebind one of these names. The repetition is bounded, so that the search takes linear time."""
_PATH: Final = re.compile(r"\$(input|vars)\.(`[^`]*`|\w+)")
_PRESENCE_TESTS: Final = frozenset({"$exists", "$boolean", "$not"})
"""Functions that return the same for the placeholder as for the value."""
_COMPARED: Final = ("=null", "!=null", "?")


def refuse_members(context: Context, statement: Statement, secret: Iterable[str]) -> None:
    """Report entries of `save` and of routes that set a member of a secret variable, which is stored as a whole."""
    for step, names in _steps_in(statement.members, frozenset(secret)):
        for entry in _set_by(step) if names else ():
            if entry.members and entry.name.text in names:
                path = ".".join((entry.name.text, *(word.text for word in entry.members)))
                context.findings.report(Problem.SECRET_MEMBER, entry.name.span, name=entry.name.text, path=path)


def _steps_in(members: Iterable[Member], secret: frozenset[str]) -> Iterator[tuple[Step, frozenset[str]]]:
    """Yield each step with the names of the secret variables that it sees; scopes may hide outer ones."""
    for step in (one for one in members if isinstance(one, Step)):
        yield step, secret
        body = step.body.members if step.body else ()
        variables = property_named(body, "vars")
        names, own = declared_in(variables.value if variables else None)
        yield from _steps_in(body, (secret - names) | own)


def _set_by(step: Step) -> Iterator[Assignment]:
    """Yield what a step sets: the entries of `save` and of its routes."""
    save = property_named(step.body.members if step.body else (), "save")
    routes = [one for one in (step.routes.items if step.routes else ()) if isinstance(one, Route)]
    for group in (save.value if save else None, *(route.entries for route in routes)):
        if isinstance(group, Group):
            yield from (one for one in group.items if isinstance(one, Assignment))


def warn_of_unseen(context: Context, statement: Statement, flow: Flow) -> None:
    """Report expressions that read a secret of the flow where its value cannot be seen."""
    inputs = {("input", one.name) for one in flow.input if one.secret}
    for value, variables in _plain_values(context, statement, frozenset(flow.secret_vars)):
        secret = inputs | {("vars", name) for name in variables}
        for leaf in (one for one in leaves_of(value) if isinstance(one, Expression)):
            for start, end in _named_in(leaf.source, secret):
                at = Span(leaf.span.start + 2 + start, leaf.span.start + 2 + end)
                context.findings.report(Problem.UNSEEN_SECRET, at, path=leaf.source[start:end])


def _plain_values(
    context: Context, statement: Statement, secret: frozenset[str]
) -> Iterator[tuple[Value, frozenset[str]]]:
    """Yield the values of a flow that see placeholders instead of secrets, each with the secret variables there."""
    labels, timeout = (property_named(statement.members, name) for name in ("labels", "timeout"))
    yield from ((value, secret) for value in _given(labels.value if labels else None))
    if timeout and timeout.value:
        yield timeout.value, secret
    for step, names in _steps_in(statement.members, secret):
        yield from ((value, names) for value in _plain_values_of(context, step))


def _plain_values_of(context: Context, step: Step) -> Iterator[Value]:
    properties = [one for one in (step.body.members if step.body else ()) if isinstance(one, Property)]
    named = {one.name.key: one.value.text for one in properties if isinstance(one.value, Word)}
    action = context.action(named["action"]) if "action" in named else None
    flow = context.flow(named["flow"]) if "flow" in named else None
    for one in properties:
        if one.name.key in _PLAIN_PROPERTIES and one.value:
            yield one.value
        elif one.name.key == "repeat":
            yield from _numbers_of_repeat(one.value)
        elif one.name.key == "labels":
            yield from _given(one.value)
        elif one.name.key == "args" and action and action.takes_value and one.value:
            yield from _given(one.value) if isinstance(one.value, Group) else (one.value,)
        elif one.name.key == "args" and action:
            yield from _given(one.value, action.parameters)
        elif one.name.key == "input" and flow:
            yield from filter(_is_path, _given(one.value, flow.input))
        elif one.name.key in _CALLS and isinstance(one.value, Call):
            yield from _given_in_call(context, one.value)


def _numbers_of_repeat(value: Value | None) -> Iterator[Value]:
    for item in value.items if isinstance(value, Group) else ():
        yield from _given(item.entries) if isinstance(item, Route) else ()
    yield from _given(value)


def _given_in_call(context: Context, call: Call) -> Iterator[Value]:
    action, flow = context.action(call.name.text), context.flow(call.name.text)
    if action:
        yield from _given(call.group, action.parameters)
    elif flow:
        yield from filter(_is_path, _given(call.group, flow.input))


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
