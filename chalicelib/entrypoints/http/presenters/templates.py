"""Steps and templates as they are written in FSL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.model import templates
from chalicelib.model.actions import shown_args
from chalicelib.model.flow import ActionStep, CallStep, EmitStep, StartStep, Step

if TYPE_CHECKING:
    from chalicelib.model.json_values import Json


def action_of(step: Step) -> str:
    """Return the name of the action that the step calls; empty if it calls none."""
    return step.action if isinstance(step, ActionStep) else ""


def arguments(found: Step) -> dict[str, Json]:
    """Return the step's args as they are written, with expressions as `${...}`."""
    match found:
        case ActionStep():
            given = found.args
        case CallStep() | StartStep():
            given = found.input
        case EmitStep():
            fields = {"event": found.event, "key": found.key, "data": found.data, "to": found.to}
            given = {name: template for name, template in fields.items() if template is not None}
        case _:
            given = {}
    return shown_args({name: shown(template) for name, template in given.items()})


def shown(template: Json) -> Json:
    """Return the template as it is written: expressions are `${...}`."""
    source = templates.source_of(template)
    if source is not None:
        return "${" + source + "}"
    if isinstance(template, dict):
        return {key: shown(value) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [shown(value) for value in template]
    return template
