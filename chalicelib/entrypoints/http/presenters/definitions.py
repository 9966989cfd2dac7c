"""Definitions of all kinds as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, assert_never, cast

from chalicelib.entrypoints.http import echoer_types
from chalicelib.entrypoints.http.presenters.common import Resource, metadata, moment
from chalicelib.entrypoints.http.presenters.templates import action_of, shown
from chalicelib.model import json_values
from chalicelib.model.actions import WHOLE, Action, Parameter
from chalicelib.model.flow import Flow, walk
from chalicelib.model.hooks import Hook
from chalicelib.model.recurrence.schedule import Schedule
from chalicelib.model.statements import VALUE_TYPES, Config, DefinitionValue, EventType
from chalicelib.model.times import format_duration

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses
    from chalicelib.model.json_values import Json
    from chalicelib.service.deliveries.statistics import LastHour
    from chalicelib.service.details.activity import Activity
    from chalicelib.service.holds.book import Pause
    from chalicelib.service.limits.breakers import Circuit
    from chalicelib.service.ports.definitions import Definition


def definition(namespace: str, found: Definition) -> Json:
    """Return a definition: `responses.Action`, `responses.Flow` and so on, by its kind."""
    value = json_values.decode(found.value, VALUE_TYPES[found.kind])
    return {
        "metadata": metadata(found.name, cast(Resource, found.kind.resource), namespace, found.version, found.uuid),
        "spec": {**_spec(value, found), "text": found.text, "created_at": moment(found.created_at)},
    }


def _spec(value: DefinitionValue, found: Definition) -> Mapping[str, Json]:
    match value:
        case Action():
            return _action_spec(value, found)
        case Flow():
            return _flow_spec(value, found)
        case EventType():
            parameters = value.parameters
            return {"args": None if parameters is None else [_parameter(parameter) for parameter in parameters]}
        case Config():
            return {"value": value.value}
        case Schedule():
            return _schedule_spec(value)
        case Hook():
            return {
                "method": value.method,
                "addresses": list(value.addresses),
                "on": list(value.on),
                "flow": value.flow,
                "labels": value.labels,
            }
        case _:
            assert_never(value)


def _action_spec(action: Action, found: Definition) -> responses.ActionSpec:
    return {
        "system": "",
        "serve_type": echoer_types.SERVE_TYPES[action.method],
        "method": action.method,
        "endpoints": list(action.addresses),
        "params": {parameter.name: echoer_types.PARAM_TYPES[parameter.type] for parameter in _named(action)},
        "args": {parameter.name: parameter.type for parameter in _named(action)},
        "return_states": list(action.returns),
        "text": found.text,
        "created_at": moment(found.created_at),
    }


def _named(action: Action) -> tuple[Parameter, ...]:
    """Return the args that have a name: an action with `args = any` has none."""
    return () if action.takes_value else action.parameters


def _flow_spec(flow: Flow, found: Definition) -> responses.FlowSpec:
    return {
        "description": flow.description or "",
        "keep": flow.keep,
        "steps": [
            {"name": step.name, "action_name": action_of(step), "returns": echoer_types.returns_of(step)}
            for step in walk(flow.steps)
        ],
        "input": _inputs(flow),
        "text": found.text,
        "created_at": moment(found.created_at),
    }


def _schedule_spec(schedule: Schedule) -> Mapping[str, Json]:
    return {
        "flow": schedule.flow,
        "cron": schedule.cron,
        "every": None if schedule.every is None else format_duration(schedule.every),
        "at": schedule.at,
        "zone": schedule.zone,
        "input": shown(schedule.input),
        "labels": shown(schedule.labels),
        "overlap": schedule.overlap,
        "catch_up": format_duration(schedule.catch_up),
        "jitter": format_duration(schedule.jitter),
    }


def breaker(circuit: Circuit | None) -> responses.Breaker | None:
    """Return the state of a breaker; None if there is none."""
    return {"failures": circuit.failures, "open_until": moment(circuit.open_until)} if circuit else None


def pause(found: Pause | None) -> responses.Pause:
    """Return the pause of an action or a flow; None: it is not paused."""
    if found is None:
        return {"paused": False, "paused_at": None, "paused_by": ""}
    return {"paused": True, "paused_at": moment(found.at), "paused_by": found.by}


def activity(found: Activity) -> responses.Activity:
    """Return how many activations of an action are in flight and wait."""
    return {
        "in_flight": found.in_flight,
        "waiting": found.waiting,
        "counted_runs": found.runs,
        "complete": found.is_complete,
    }


def last_hour(found: LastHour | None) -> responses.LastHour | None:
    """Return the deliveries of the last hour; None if they are not counted."""
    if found is None:
        return None
    return {
        "deliveries": found.deliveries,
        "failures": found.failures,
        "p50_ms": found.p50,
        "p95_ms": found.p95,
    }


def _inputs(flow: Flow) -> list[responses.Input]:
    if flow.input_type is not None:
        return [{"name": WHOLE, "type": flow.input_type, "required": True}]
    return [_parameter(parameter) for parameter in flow.input]


def _parameter(parameter: Parameter) -> responses.Input:
    shown: responses.Input = {"name": parameter.name, "type": parameter.type, "required": parameter.required}
    if not parameter.required:
        shown["default"] = parameter.default
    if parameter.secret:
        shown["secret"] = True
    return shown
