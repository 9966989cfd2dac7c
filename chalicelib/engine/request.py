"""What an action receives (API.md, 1)."""

from __future__ import annotations

from chalicelib.definition import ActionStep, Definition, Json, Parameter, Template
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.machine import names_for
from chalicelib.engine.routes import answers
from chalicelib.engine.run import Run, Token
from chalicelib.engine.templates import Names, resolve


def fields(definition: Definition, run: Run, token: Token, step: ActionStep) -> dict[str, Json]:
    """The request's fields but for `callbackUrl`. Raises ExpressionFailed, also where an arg's type does not fit."""
    action = definition.actions[step.action]
    names = names_for(definition, run, token)
    given = {parameter.name: _arg(parameter, step.args, names) for parameter in action.parameters}
    return {
        **given,
        "flowId": run.name,
        "stepName": step.name,
        "ackStates": list(answers(step, action)),
        "uuid": token.activation.uuid if token.activation else "",
        "globalVariables": run.vars,
    }


def _arg(parameter: Parameter, args: dict[str, Template], names: Names) -> Json:
    if parameter.name not in args:
        return parameter.default
    value = resolve(args[parameter.name], names)
    if not parameter.type.admits(value):
        raise ExpressionFailed(f"arg {parameter.name!r} must be of type {parameter.type}, and is {value!r:.100}")
    return value
