"""Read the labels of flows, runs, schedules and hooks."""

from __future__ import annotations

from chalicelib.language.check.readers.members import Properties, read_assignments
from chalicelib.language.check.readers.values import INVALID_VALUE, read_json, read_template
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Value
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template, source_of
from chalicelib.model.visible_text import is_safe


def read_labels(properties: Properties, *, plain: bool) -> dict[str, Template]:
    """Read `labels = (name = value, ...)`. With `plain`, there are no expressions."""
    found = {}
    for name, entry in (properties.read("labels", read_assignments) or {}).items():
        if ":" in name:
            reason = f"the name of a label must not contain ':', but '{name}' does"
            properties.context.findings.report(Problem.INVALID_NAME, entry.name.span, reason=reason)
        elif not is_safe(name):
            reason = "a name must not have control characters, or ones that turn the direction of text"
            properties.context.findings.report(Problem.INVALID_NAME, entry.name.span, reason=reason)
        value = (read_json if plain else read_template)(properties.context, name, entry.value)
        if value is INVALID_VALUE:
            continue
        if _is_scalar(value):
            found[name] = value
        else:
            _refuse_label(properties, name, entry.value)
    return found


def _is_scalar(value: Json) -> bool:
    return source_of(value) is not None or (value is not None and not isinstance(value, (dict, list)))


def _refuse_label(properties: Properties, name: str, value: Value) -> None:
    properties.context.wrong(name, value, "a string, a number, true or false")
