"""JSON Schemas (draft 2020-12) of what goes into a flow and comes out of its actions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chalicelib.model.actions import RESERVED_ARGS, WHOLE, Action, ArgType, Method, Parameter
from chalicelib.model.flow import BUILT_IN_STATES, ERROR, EventStep, Flow, walk
from chalicelib.model.json_values import Json
from chalicelib.model.statements import EventType

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TYPES: Final[Mapping[ArgType, Schema]] = {
    ArgType.STR: {"type": "string"},
    ArgType.INT: {"type": "integer"},
    ArgType.FLOAT: {"type": "number"},
    ArgType.BOOL: {"type": "boolean"},
    ArgType.LIST: {"type": "array"},
    ArgType.MAP: {"type": "object"},
    ArgType.ANY: {},
}
_ERROR: Final[Schema] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "cause": {"type": "string"}},
    "required": ["name"],
}


def input_schema(flow: Flow) -> Schema:
    """Return the schema of the input of a run."""
    if flow.input_type is not None:
        return {"$schema": DIALECT, **_TYPES[flow.input_type]}
    return {"$schema": DIALECT, **_object(flow.input, closed=True)}


def event_schemas(flow: Flow, declared: Mapping[str, EventType]) -> dict[str, Schema]:
    """Return the schema of the data of each event that the flow waits for. Events without a declaration take any."""
    found: dict[str, Schema] = {}
    for step in walk(flow.steps):
        for name in step.events.values() if isinstance(step, EventStep) else ():
            parameters = declared[name].parameters if name in declared else None
            found[name] = {"$schema": DIALECT} | ({} if parameters is None else _object(parameters))
    return found


def sent_schema(action: Action) -> Schema:
    """Return the schema of the body that the action is sent; of its args, if these are sent in a query or a form."""
    args = _args(action)
    if action.is_called or action.method is Method.HUMAN:
        return {"$schema": DIALECT, **args}
    text: Schema = {"type": "string"}
    own: dict[str, Schema] = {
        "flowId": text,
        "stepName": text,
        "ackStates": {"type": "array", "items": {"enum": list(action.returns)}},
        "uuid": {"type": "string", "format": "uuid"},
        "globalVariables": {"type": "object"},
        "callbackUrl": {"type": "string", "format": "uri"},
    }
    required = [*args.get("required", ()), *sorted(RESERVED_ARGS)]
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {**args.get("properties", {}), **own},
        "required": required,
    }


def answer_schema(action: Action) -> Schema:
    """Return the schema of the answer: of what the request returns if that is the answer, else of the callback."""
    if action.is_called and action.direct:
        return {"$schema": DIALECT}
    states = [*action.returns, *(state for state in (ERROR,) if state in BUILT_IN_STATES)]
    answer: Schema = {
        "type": "object",
        "properties": {
            "ackState": {"enum": states},
            "done": {"type": "boolean", "default": True},
            "data": {},
            "globalVariables": {"type": "object"},
            "error": _ERROR,
        },
        "required": ["ackState"],
    }
    return {"$schema": DIALECT, **answer}


def _args(action: Action) -> Schema:
    if action.takes_value:
        return dict(_TYPES[next(one.type for one in action.parameters if one.name == WHOLE)])
    return _object(action.parameters)


def _object(parameters: Iterable[Parameter], *, closed: bool = False) -> Schema:
    found = tuple(parameters)
    schema: Schema = {"type": "object", "properties": {one.name: _value(one) for one in found}}
    required = [one.name for one in found if one.required]
    if required:
        schema["required"] = required
    return {**schema, "additionalProperties": False} if closed else schema


def _value(parameter: Parameter) -> Schema:
    schema: Schema = dict(_TYPES[parameter.type])
    if not parameter.required:
        if parameter.default is None and schema:
            schema = {"anyOf": [schema, {"type": "null"}]}
        if not parameter.secret:
            schema["default"] = _plain(parameter.default)
    return {**schema, "writeOnly": True} if parameter.secret else schema


def _plain(default: Json) -> Json:
    return list(default) if isinstance(default, tuple) else default
