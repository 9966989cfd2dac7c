"""Definitions as JSON documents, as `fsl export` writes and `fsl import` reads them, and their JSON Schema.

A document is one definition or a list of them. An action has `returns`, a flow has a list of `steps`; an object with
`statement` is what this word begins: `event`, `config`, `schedule`, `hook`; any other object is a run.
`definition.schema.json` in this folder is the schema; a test compares it with the types.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from chalicelib.model.actions import Action
from chalicelib.model.errors import EchoerError
from chalicelib.model.flow import Flow, FlowRun
from chalicelib.model.hooks import Hook
from chalicelib.model.json_values import Json
from chalicelib.model.recurrence.schedule import Schedule
from chalicelib.model.statements import KIND_OF, VALUE_TYPES, Config, EventType, StatementValue

Definition: TypeAlias = StatementValue

FILE: Final = Path(__file__).with_name("definition.schema.json")
_KINDS: Final = (Action, Flow, FlowRun, EventType, Config, Schedule, Hook)
_STATEMENT: Final = "statement"
"""The member that has the word of a statement other than an action, a flow or a run."""
_TAGGED: Final = {kind: found for kind, found in VALUE_TYPES.items() if found not in (Action, Flow)}


class NoDefinition(EchoerError):
    """The JSON is not a definition; the message says where and why."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12), generated from the types of definitions."""
    _, components = msgspec.json.schema_components(_KINDS, ref_template="#/$defs/{name}")
    one: dict[str, Any] = {"$ref": "#/$defs/FlowRun"}
    for kind, found in _TAGGED.items():
        components[found.__name__]["properties"][_STATEMENT] = {"const": kind}
        condition = {"properties": {_STATEMENT: {"const": kind}}, "required": [_STATEMENT]}
        one = {"if": condition, "then": {"$ref": f"#/$defs/{found.__name__}"}, "else": one}
    has_steps = {"properties": {"steps": {"type": "array"}}, "required": ["steps"]}
    one = {"if": has_steps, "then": {"$ref": "#/$defs/Flow"}, "else": one}
    one = {"if": {"required": ["returns"]}, "then": {"$ref": "#/$defs/Action"}, "else": one, "type": "object"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "FSL definitions",
        "description": (
            'Checked actions, flows and runs. Durations are milliseconds; {"${}": TEXT} is an expression, '
            '{"${secret}": NAME} a reference to a secret.'
        ),
        "if": {"type": "array"},
        "then": {"items": {"$ref": "#/$defs/Definition"}},
        "else": {"$ref": "#/$defs/Definition"},
        "$defs": {"Definition": one, **components},
    }


def schema_text() -> str:
    """Return the schema as the text of the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def exported(value: Definition) -> Json:
    """Return the definition as plain JSON values."""
    found = msgspec.json.decode(msgspec.json.encode(value))
    kind = "" if isinstance(value, FlowRun) else KIND_OF[type(value)]
    return {_STATEMENT: kind, **found} if kind in _TAGGED else found


def imported(data: bytes | str) -> list[Definition]:
    """Return the definitions in a JSON document. Raises NoDefinition."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        found = msgspec.json.decode(text.removeprefix("\ufeff"))
        return [_imported(one) for one in (found if isinstance(found, list) else [found])]
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as exc:
        raise NoDefinition(str(exc)) from exc


def _imported(value: Json) -> Definition:
    if not isinstance(value, dict):
        raise msgspec.ValidationError("expected an object, or a list of objects")
    if "returns" in value:
        return msgspec.convert(value, Action)
    if isinstance(value.get("steps"), list):
        return msgspec.convert(value, Flow)
    if _STATEMENT in value:
        members = {name: member for name, member in value.items() if name != _STATEMENT}
        kind = value[_STATEMENT]
        if kind not in _TAGGED:
            raise msgspec.ValidationError(f"unknown statement {kind!r:.60}: expected {', '.join(_TAGGED)}")
        return msgspec.convert(members, _TAGGED[kind])
    return msgspec.convert(value, FlowRun)
