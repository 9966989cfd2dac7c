"""Read config statements, and check the places where flows and actions read their values."""

from __future__ import annotations

from chalicelib.language.check.config_names import configs_in
from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import property_named
from chalicelib.language.check.readers.values import INVALID_VALUE, read_json
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.statements import CONFIG
from chalicelib.language.syntax.tree import Statement
from chalicelib.model.statements import Config


def read_config(context: Context, statement: Statement) -> Config | None:
    """Return the value of the configuration; None if it is no JSON value."""
    member = property_named(statement.members, CONFIG)
    if member is None or member.value is None:
        return None
    value = read_json(context, statement.name.text, member.value)
    return None if value is INVALID_VALUE else Config(name=statement.name.text, value=value)


def read_configs(context: Context, statement: Statement) -> tuple[str, ...]:
    """Return the names that the expressions of a statement read, sorted. Names without a value are reported."""
    found: set[str] = set()
    for span, name in configs_in(statement):
        if name is None:
            context.findings.report(Problem.WHOLE_CONFIG, span)
            continue
        found.add(name)
        if context.config(name) is None and name not in context.broken["config"]:
            near = Suggestion(name, (*context.configs, *context.catalog.config_names()))
            context.findings.report(Problem.UNKNOWN_CONFIG, span, near=near, name=name)
    return tuple(sorted(found))
