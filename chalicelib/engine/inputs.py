"""The input of a run: checked against the flow's declaration, and completed with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from chalicelib.engine.errors import InputRefused
from chalicelib.engine.secret_values import NO_CIPHER, Cipher, encrypted, is_encrypted
from chalicelib.model.actions import Parameter
from chalicelib.model.flow import Flow
from chalicelib.model.json_values import Json


def complete(flow: Flow, given: Mapping[str, Json], cipher: Cipher = NO_CIPHER) -> dict[str, Json]:
    """Return the input with defaults filled in and secret values encrypted.

    Raises InputRefused, which names every problem.
    """
    declared = {parameter.name: parameter for parameter in flow.input}
    problems = {name: _unknown(name, declared) for name in given if name not in declared}
    for name, parameter in declared.items():
        if name not in given:
            if parameter.required:
                problems[name] = f"is missing (it must be of type {parameter.type})"
        elif is_encrypted(given[name]):  # a secret of another run: its type is not checked
            if not parameter.secret:
                problems[name] = "is a secret, but is not declared as one"
        elif not parameter.type.admits(given[name]):
            problems[name] = f"must be of type {parameter.type}"
    if problems:
        raise InputRefused(flow.name, problems)
    found = {name: given.get(name, parameter.default) for name, parameter in declared.items()}
    return {name: encrypted(value, cipher) if declared[name].secret else value for name, value in found.items()}


def _unknown(name: str, declared: Mapping[str, Parameter]) -> str:
    near = get_close_matches(name, declared, n=1)
    return "is not an input of the flow" + (f"; did you mean {near[0]!r}?" if near else "")
