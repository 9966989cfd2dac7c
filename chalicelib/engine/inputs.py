"""The input of a run: checked against what its flow declares, and completed by the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from chalicelib.definition import Flow, Json, Parameter
from chalicelib.engine.errors import InputRefused


def complete(flow: Flow, given: Mapping[str, Json]) -> dict[str, Json]:
    """The given input with defaults filled in. Raises InputRefused naming everything that is wrong with it."""
    declared = {parameter.name: parameter for parameter in flow.input}
    problems = {name: _unknown(name, declared) for name in given if name not in declared}
    for name, parameter in declared.items():
        if name not in given:
            if parameter.required:
                problems[name] = f"is missing (it must be of type {parameter.type})"
        elif not parameter.type.admits(given[name]):
            problems[name] = f"must be of type {parameter.type}"
    if problems:
        raise InputRefused(flow.name, problems)
    return {name: given.get(name, parameter.default) for name, parameter in declared.items()}


def _unknown(name: str, declared: Mapping[str, Parameter]) -> str:
    near = get_close_matches(name, declared, n=1)
    return "is not an input of the flow" + (f"; did you mean {near[0]!r}?" if near else "")
