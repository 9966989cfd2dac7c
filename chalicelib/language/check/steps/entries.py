"""Read the entries of a route: what stands in parentheses after its target."""

from __future__ import annotations

from typing import Final

from chalicelib.language.check.context import Context, fits
from chalicelib.language.check.readers.members import read_assignments, read_variables_set
from chalicelib.language.check.readers.values import INVALID_VALUE, read_template
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.syntax.tree import Assignment, Group
from chalicelib.model.actions import ArgType
from chalicelib.model.flow import DONE, STOPPED
from chalicelib.model.templates import Template

_AT_ENDS: Final = {DONE: ("output",), STOPPED: ("error", "cause")}


def read_route_entries(context: Context, target: str, group: Group | None) -> dict[str, Template]:
    """Read the variables that a route to a step sets, or what a route to an end says."""
    if group is None:
        return {}
    name = f"-> {target}"
    allowed = _AT_ENDS.get(target)
    if allowed is None:
        return read_variables_set(context, name, group) or {}
    found: dict[str, Template] = {}
    for entry in (read_assignments(context, name, group) or {}).values():
        key = entry.name.key
        if key not in allowed:
            near = Suggestion(entry.name.text, allowed)
            words = " and ".join(allowed)
            context.findings.report(
                Problem.UNKNOWN_ENTRY, entry.name.span, near=near, target=target, name=entry.name.text, allowed=words
            )
        else:
            value = _read_end_entry(context, key, entry)
            found |= {} if value is INVALID_VALUE else {key: value}
    return found


def _read_end_entry(context: Context, key: str, entry: Assignment) -> Template:
    value = read_template(context, key, entry.value)
    if key == "output" or value is INVALID_VALUE or fits(ArgType.STR, value):
        return value
    context.wrong(key, entry.value, "a string or an expression")
    return INVALID_VALUE
