"""The input of a run: checked against the flow's declaration, and completed with defaults."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UnsetType

from chalicelib.engine.errors import InputRefused
from chalicelib.engine.values.secret_values import NO_CIPHER, Cipher, encrypted, is_encrypted
from chalicelib.model.actions import Parameter
from chalicelib.model.flow import Flow
from chalicelib.model.json_values import Json
from chalicelib.model.similar_names import nearest


def complete(flow: Flow, given: Json, cipher: Cipher = NO_CIPHER) -> Json:
    """Return the input with defaults filled in and secret values encrypted; or the one value of the flow's input type.

    Raises InputRefused, which names every problem.
    """
    if flow.input_type is not None:
        if not flow.input_type.admits(given):
            raise InputRefused(flow.name, {"input": f"must be of type {flow.input_type}"})
        return given
    if not isinstance(given, Mapping):
        raise InputRefused(flow.name, {"input": "must be a map of the flow's inputs"})
    declared = {parameter.name: parameter for parameter in flow.input}
    problems = {name: _unknown(name, declared) for name in given if name not in declared}
    problems |= {name: problem for name in declared if (problem := _problem(declared[name], given))}
    if problems:
        raise InputRefused(flow.name, problems)
    return {name: _completed(parameter, given, cipher) for name, parameter in declared.items()}


def merged(flow: Flow, known: Json, given: Json | UnsetType, cipher: Cipher) -> Json:
    """Return the input `known` of a run with the fields of `given` replaced, for a version of its flow.

    Fields that the flow does not declare are left out, unless they are given. If the flow takes one value, `given`
    replaces the whole. Raises InputRefused, which names every problem.
    """
    if flow.input_type is not None:
        return complete(flow, known if isinstance(given, UnsetType) else given, cipher)
    if not isinstance(given, (Mapping, UnsetType)):
        raise InputRefused(flow.name, {"input": "must be a map of the flow's inputs"})
    declared = {parameter.name for parameter in flow.input}
    kept = {name: value for name, value in known.items() if name in declared} if isinstance(known, Mapping) else {}
    return complete(flow, {**kept, **({} if isinstance(given, UnsetType) else given)}, cipher)


def _problem(parameter: Parameter, given: Mapping[str, Json]) -> str:
    """Return what is wrong with the value of the parameter; empty if nothing is."""
    if parameter.name not in given:
        return f"is missing (it must be of type {parameter.type})" if parameter.required else ""
    value = given[parameter.name]
    if is_encrypted(value):  # a secret of another run: its type is not checked
        return "" if parameter.secret else "is a secret, but is not declared as one"
    return "" if parameter.admits(value) else f"must be of type {parameter.type}"


def _completed(parameter: Parameter, given: Mapping[str, Json], cipher: Cipher) -> Json:
    name = parameter.name
    value = parameter.type.converted(given[name]) if name in given else parameter.default
    return encrypted(value, cipher) if parameter.secret else value


def _unknown(name: str, declared: Mapping[str, Parameter]) -> str:
    near = nearest(name, declared)
    return "is not an input of the flow" + (f"; did you mean {near!r}?" if near else "")
