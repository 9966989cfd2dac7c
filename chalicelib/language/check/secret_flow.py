"""What is secret: it does not stand in a document, and flows into nothing that is plain.

Where a secret input or variable is named and its value cannot be seen is a warning: such a place works on what stands
for the value. Names are found in the text of expressions, and only where they surely mean what they seem to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeGuard

from chalicelib.language.check.context import Context
from chalicelib.language.check.members import Properties, property_named, read_assignments
from chalicelib.language.check.values import UNREADABLE, is_spelt_out, leaves_of, read_template
from chalicelib.language.problems import Problem
from chalicelib.language.source import Span
from chalicelib.language.syntax.embedded import pieces_of
from chalicelib.language.syntax.tree import (
    Assignment,
    Call,
    Declaration,
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

_UNSEEING: Final = frozenset({"key", "items", "for", "until"})
"""Properties of steps that work on plain values."""
_REBOUND: Final = re.compile(r"\$(?:input|vars)\s*:=|(?:function|\u03bb)\s*\([^)]{0,200}\$(?:input|vars)\b")
"""Where one of these names may mean something else; bounded, so that the search takes no more than linear time."""
_PATH: Final = re.compile(r"\$(input|vars)\.(`[^`]*`|\w+)")
_ASKING: Final = frozenset({"$exists", "$boolean", "$not"})
"""Functions that say the same of what stands for a value as of the value."""
_COMPARED: Final = ("=null", "!=null", "?")


def read_variables(properties: Properties) -> tuple[dict[str, Template], tuple[str, ...]]:
    """`vars = (name = value, secret name = value, ...)`: what each begins with, and which are secret, sorted."""
    value, context = properties.value("vars"), properties.context
    secret: set[str] = set()
    if isinstance(value, Group):
        secret = {one.name.text for one in value.items if _is_secret_variable(one)}
        value = Group(tuple(map(_as_assignment, value.items)), value.span)
    entries = None if value is None else read_assignments(context, "vars", value)
    found: dict[str, Template] = {}
    for name, entry in (entries or {}).items():
        template = read_template(context, name, entry.value)
        if template is UNREADABLE:
            continue
        found[name] = template
        if name in secret and is_spelt_out(template):
            hint = "let it begin with null, or with an expression"
            context.findings.report(Problem.SECRET_IN_DOCUMENT, entry.value.span, hint=hint, name=name)
    return found, tuple(sorted(secret & found.keys()))


def _is_secret_variable(entry: Assignment | Declaration | Route) -> TypeGuard[Declaration]:
    """Whether it is `secret name = value`, which the grammar takes for a declaration of the type `secret`."""
    if not isinstance(entry, Declaration) or entry.secret is not None:
        return False
    return entry.type.key == "secret" and entry.default is not None


def _as_assignment(entry: Assignment | Declaration | Route) -> Assignment | Declaration | Route:
    if _is_secret_variable(entry) and entry.default is not None:
        return Assignment(entry.name, entry.default, entry.span)
    return entry


def warn_of_unseen(context: Context, statement: Statement, flow: Flow) -> None:
    """Reports where expressions name what is secret in the flow, and cannot see its value."""
    secret = {("input", one.name) for one in flow.input if one.secret} | {("vars", name) for name in flow.secret_vars}
    for value in _unseeing(context, statement) if secret else ():
        for leaf in (one for one in leaves_of(value) if isinstance(one, Expression)):
            for start, end in _named_in(leaf.source, secret):
                at = Span(leaf.span.start + 2 + start, leaf.span.start + 2 + end)
                context.findings.report(Problem.UNSEEN_SECRET, at, path=leaf.source[start:end])


def _unseeing(context: Context, statement: Statement) -> Iterator[Value]:
    """The values of a flow that see no secret."""
    labels = property_named(statement.members, "labels")
    yield from _given(labels.value if labels else None)
    for step in steps_within(statement.members):
        properties = [one for one in (step.body.members if step.body else ()) if isinstance(one, Property)]
        named = {one.name.key: one.value.text for one in properties if isinstance(one.value, Word)}
        action, flow = context.action(named.get("action", "")), context.flow(named.get("flow", ""))
        for one in properties:
            if one.name.key in _UNSEEING and one.value:
                yield one.value
            elif one.name.key == "args" and action:
                yield from _given(one.value, action.parameters)
            elif one.name.key == "input" and flow:
                yield from filter(_is_path, _given(one.value, flow.input))
            elif one.name.key == "undo" and isinstance(one.value, Call):
                undo = context.action(one.value.name.text)
                yield from _given(one.value.group, undo.parameters) if undo else ()


def _given(value: Value | None, parameters: Iterable[Parameter] = ()) -> Iterator[Value]:
    """What a group gives to names that are not secret."""
    secret = {one.name for one in parameters if one.secret}
    for entry in value.items if isinstance(value, Group) else ():
        if isinstance(entry, Assignment) and entry.name.text not in secret:
            yield entry.value


def _is_path(value: Value) -> bool:
    """Whether a value is the whole of an input or variable: a plain input of another flow refuses what is sealed."""
    return isinstance(value, Expression) and _PATH.fullmatch(value.source.strip()) is not None


def _named_in(source: str, secret: set[tuple[str, str]]) -> Iterator[tuple[int, int]]:
    """Where an expression names what is secret and needs its value, as far as its text tells for sure."""
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
        if path and (path[1], path[2].strip("`")) in secret and not _is_asked(texts, first, at):
            yield pieces[first][2], pieces[at - 1][3]


def _is_asked(texts: list[str], first: int, behind: int) -> bool:
    """Whether it is only asked if there is a value: by a function, by a comparison with null or by `?`."""
    if first > 1 and texts[first - 1] == "(" and texts[first - 2] in _ASKING:
        return True
    return "".join(texts[behind : behind + 3]).startswith(_COMPARED)
