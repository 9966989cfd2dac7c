"""The body of a request to an action (docs/http-api.md, section 1)."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.engine.bindings import item_of, names_for
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import Names, resolve
from chalicelib.engine.expressions.limits import together
from chalicelib.engine.invocation import Errand
from chalicelib.engine.secret_values import MASK, NO_VAULT, Vault, holds_secret, opened
from chalicelib.model.actions import RESERVED_ARGS, Parameter
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant


@together()
def request_fields(
    definition: Definition,
    run: Run,
    token: Token,
    errand: Errand,
    at: Instant,
    read: Callable[[str], Json],
    vault: Vault = NO_VAULT,
) -> dict[str, Json]:
    """The request's fields but for `callbackUrl`. Raises ExpressionFailed, also where an arg's type does not fit.

    Variables that are secret, or hold what is, are left out: a service may send back all that it was sent.
    """
    item = item_of(token, {known.id: known for known in run.tokens}, read)
    names = names_for(definition, run, token, at, item=item)
    variables = {name: value for name, value in run.vars.items() if not holds_secret(value)}
    return {
        **args_of(errand, names, vault),
        "flowId": run.name,
        "stepName": token.step,
        "ackStates": list(errand.states),
        "uuid": token.activation.uuid if token.activation else "",
        "globalVariables": variables,
    }


def args_of(errand: Errand, names: Names, vault: Vault | None) -> dict[str, Json]:
    """The action's args, complete; without a vault, as they may be shown. Raises ExpressionFailed."""
    found: dict[str, Json] = {}
    for parameter in errand.action.parameters:
        if parameter.name in RESERVED_ARGS:
            continue
        if not parameter.secret:
            found[parameter.name] = _arg(parameter, errand, names)
        elif vault is None:
            found[parameter.name] = MASK
        else:
            found[parameter.name] = opened(_arg(parameter, errand, names.opened(vault)), vault)
    return found


def _arg(parameter: Parameter, errand: Errand, names: Names) -> Json:
    name = parameter.name
    if name in errand.given:
        value = errand.given[name]
    elif name in errand.args:
        value = resolve(errand.args[name], names)
    else:
        return resolve(parameter.default, names) if parameter.secret else parameter.default
    if holds_secret(value):
        if parameter.secret:
            return value
        raise ExpressionFailed(
            f"arg {name!r} would hold a secret, and action {errand.action.name!r} does not declare it secret"
        )
    if not parameter.type.admits(value):
        told = "" if parameter.secret else f", and is {value!r:.100}"
        raise ExpressionFailed(f"arg {name!r} must be of type {parameter.type}{told}")
    return value
