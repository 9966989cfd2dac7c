"""Read an action that a step sends without waiting for its answer: `on_enter = watch (id = 1);`."""

from __future__ import annotations

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.arguments import Inputs, given_args, lacking, report_missing, value_of
from chalicelib.language.check.readers.members import Properties, read_assignments
from chalicelib.language.check.readers.values import INVALID_VALUE, read_name
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.syntax.tree import Call, Value
from chalicelib.model.actions import WHOLE, Action, ActionCall, Method
from chalicelib.model.templates import Template


def read_action_call(properties: Properties, name: str, inputs: Inputs | None) -> ActionCall | None:
    """Read the property; None if it is absent or invalid. Args that are left out become `inputs` of the flow."""

    def read(context: Context, _: str, value: Value) -> ActionCall | None:
        if isinstance(value, Call) and value.states:
            context.wrong(name, value, "an action with its args, like watch (id = 1)")
            return None
        word = value.name if isinstance(value, Call) else value
        called = read_name(context, name, word)
        if called is None:
            return None
        action = context.action(called)
        if action is None and called not in context.broken["action"]:
            near = Suggestion(called, context.names())
            context.findings.report(Problem.UNKNOWN_ACTION, word.span, near=near, owner=properties.owner, name=called)
        if action is not None:
            _refuse_unfit(context, name, word, action)
        return ActionCall(action=called, args=_args(properties, name, value, action, inputs))

    return properties.read(name, read)


def _refuse_unfit(context: Context, name: str, value: Value, action: Action) -> None:
    reason = "people do its work" if action.method is Method.HUMAN else "a person must approve it"
    if action.method is Method.HUMAN or action.options.approval:
        context.findings.report(Problem.UNFIT_ACTION, value.span, name=action.name, property=name, reason=reason)


def _args(
    properties: Properties, name: str, value: Value, action: Action | None, inputs: Inputs | None
) -> dict[str, Template]:
    context, group = properties.context, value.group if isinstance(value, Call) else None
    if action and action.takes_value:
        if group is None:
            reason = f"'{name}' of {properties.owner} must give it, like: {action.name} (name = value)"
            context.findings.report(Problem.ONE_VALUE, value.span, owner=f"action '{action.name}'", reason=reason)
        whole = value_of(context, name, group) if group else INVALID_VALUE
        return {} if whole is INVALID_VALUE else {WHOLE: whole}
    entries = read_assignments(context, name, group) if group else {}
    owner = f"action '{action.name}'" if action else ""
    given = given_args(context, entries or {}, action.parameters if action else None, owner)
    if action is None or entries is None or properties.damaged:
        return given
    missing, at = lacking(action.parameters, given), properties.span(name)
    if inputs is None:
        report_missing(context, missing, at, step=f"'{name}' of {properties.owner}", owner=owner)
        return given
    return given | {parameter.name: inputs.require(parameter, at, owner) for parameter in missing}
