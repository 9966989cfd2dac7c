"""The data of an event, checked against the declaration of the event."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.model.actions import Parameter
from chalicelib.model.json_values import Json
from chalicelib.model.similar_names import nearest
from chalicelib.model.statements import EventType


def data_problems(event: EventType, data: Json) -> dict[str, str]:
    """Return what is wrong with the data of an event: path (`data.order`) -> problem; empty if it fits."""
    if event.parameters is None:
        return {}
    if not isinstance(data, Mapping):
        return {"data": f"must be a map with the args of event {event.name!r}"}
    declared = {parameter.name: parameter for parameter in event.parameters}
    problems = {_path(name): _unknown(name, declared, event) for name in data if name not in declared}
    for name, parameter in declared.items():
        if name not in data and parameter.required:
            problems[_path(name)] = f"is missing (it must be of type {parameter.type})"
        elif name in data and not parameter.admits(data[name]):
            problems[_path(name)] = f"must be of type {parameter.type}"
    return problems


def completed_data(event: EventType, data: Json) -> Json:
    """Return data without problems as runs receive it: with defaults filled in, and 7.0 as 7 where an int is wanted."""
    if event.parameters is None:
        return data
    return {
        one.name: one.type.converted(data[one.name]) if one.name in data else one.default for one in event.parameters
    }


def _path(name: str) -> str:
    return f"data.{name}"


def _unknown(name: str, declared: Mapping[str, Parameter], event: EventType) -> str:
    near = nearest(name, declared)
    return f"is not an arg of event {event.name!r}" + (f"; did you mean {near!r}?" if near else "")
