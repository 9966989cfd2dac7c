"""Read `vars`: the variables of a flow, a fork, a branch or an each, with their initial values."""

from __future__ import annotations

from typing import TypeGuard

from chalicelib.language.check.readers.members import Properties, read_assignments
from chalicelib.language.check.readers.values import INVALID_VALUE, is_spelt_out, read_template
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Assignment, Declaration, Entry, Group, Value
from chalicelib.model.templates import Template


def read_variables(properties: Properties) -> tuple[dict[str, Template], tuple[str, ...]]:
    """Read `vars = (name = value, secret name = value, ...)`: the initial values, and the secret names, sorted."""
    value, context = properties.value("vars"), properties.context
    secret = declared_in(value)[1]
    if isinstance(value, Group):
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


def declared_in(value: Value | None) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the variables in the value of `vars`, and those of the secret ones."""
    items = value.items if isinstance(value, Group) else ()
    secret = frozenset(one.name.text for one in items if _is_secret_variable(one))
    return secret | {one.name.text for one in items if isinstance(one, Assignment)}, secret


def _is_secret_variable(entry: Entry) -> TypeGuard[Declaration]:
    """Whether the entry is `secret name = value`, which the grammar parses as a declaration of type `secret`."""
    if not isinstance(entry, Declaration) or entry.secret is not None:
        return False
    return entry.type.key == "secret" and entry.default is not None


def _as_assignment(entry: Entry) -> Entry:
    if _is_secret_variable(entry) and entry.default is not None:
        return Assignment(entry.name, entry.default, entry.span)
    return entry
