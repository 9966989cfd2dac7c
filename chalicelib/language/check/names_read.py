"""Find what the expressions of a flow read although it cannot be there: undeclared inputs, variables that nothing sets.

An expression that gives `$input` or `$vars` another meaning is not examined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chalicelib import expressions
from chalicelib.language.check.catalog import named_by
from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import owner_of, property_named
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import (
    Assignment,
    Declaration,
    Expression,
    Group,
    Statement,
    expressions_in,
    steps_within,
)
from chalicelib.model.flow import ENDS, ChoiceStep, Flow, walk
from chalicelib.model.variable_paths import split_path

_REBOUND: Final = re.compile(r"\$(?:input|vars)\s*:=|(?:function|\u03bb)\s*\([^)]{0,200}\$(?:input|vars)\b")
"""Expressions that rebind one of these names. The repetition is bounded, so that the search takes linear time."""


def check(context: Context, statement: Statement, flow: Flow, *, has_errors: bool) -> None:
    """Report inputs that the flow does not declare and, in a flow without errors, variables that nothing sets.

    Without a check of expressions nothing is reported. Inputs follow from args that steps leave out, so they are not
    known where an action is unknown.
    """
    if context.expression_problem is None:
        return
    owner = owner_of(statement.kind.key, statement.name)
    if _knows_inputs(context, statement, flow):
        declared = tuple(parameter.name for parameter in flow.input)
        for name, at in _read(statement, "input", frozenset(declared)):
            near = Suggestion(name, declared)
            context.findings.report(Problem.UNKNOWN_ARG, at, near=near, owner=owner, what="input", name=name)
    if not has_errors:
        for name, at in _read(statement, "vars", _set_somewhere(statement, flow)):
            context.findings.report(Problem.UNSET_VARIABLE, at, name=name, owner=owner)


def _knows_inputs(context: Context, statement: Statement, flow: Flow) -> bool:
    if statement.damaged or flow.input_type is not None:
        return False
    return all(context.action(word.text) is not None for kind, word in named_by(statement) if kind == "action")


def _set_somewhere(statement: Statement, flow: Flow) -> frozenset[str]:
    """Return the variables that the flow declares, in any scope, or that one of its steps sets."""
    found = set(flow.vars)
    for step in walk(flow.steps):
        paths = set() if isinstance(step, ChoiceStep) else set(step.save)
        paths |= {path for route in step.routes if route.target not in ENDS for path in route.entries}
        found |= {split_path(path)[0] for path in paths}
    for node in steps_within(statement.members):
        declared = property_named(node.body.members if node.body else (), "vars")
        if declared and isinstance(declared.value, Group):
            found |= {one.name.text for one in declared.value.items if isinstance(one, (Assignment, Declaration))}
    return frozenset(found)


def _read(statement: Statement, variable: str, known: frozenset[str]) -> Iterator[tuple[str, Span]]:
    """Yield each member of `$variable` that is read and not known, with its place, once for each expression."""
    for value in expressions_in(statement):
        source = value.source
        if f"${variable}" not in source or _REBOUND.search(source) or expressions.problem_in(source.strip()):
            continue
        used = {path[1] for path in expressions.members_used(source.strip()) if path[0] == variable and len(path) > 1}
        for name in sorted(used - known):
            yield name, _place(value, variable, name)


def _place(value: Expression, variable: str, name: str) -> Span:
    """Return the span of `$variable.name` in the expression; that of all of it, if it is spelled in another way."""
    found = re.search(rf"\${variable}\s*\.\s*(`?){re.escape(name)}\1(?!\w)", value.source)
    start = value.span.start + 2
    return Span(start + found.start(), start + found.end()) if found else value.span
