"""The body of a request to an action (docs/http-api.md, section 1)."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.engine.bindings import item_of, names_for
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import Names, resolve
from chalicelib.engine.expressions.limits import together
from chalicelib.engine.secret_values import MASK, NO_CIPHER, Cipher, decrypt, holds_secret
from chalicelib.model.actions import RESERVED_ARGS, Parameter
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant


@together()
def request_fields(
    definition: Definition,
    run: Run,
    token: Token,
    invocation: Invocation,
    at: Instant,
    read: Callable[[str], Json],
    cipher: Cipher = NO_CIPHER,
) -> dict[str, Json]:
    """Return the request's fields except `callbackUrl`. Raises ExpressionFailed, also if an arg has a wrong type.

    Variables that hold secrets are left out, because a service may return everything that it received.
    """
    item = item_of(token, {known.id: known for known in run.tokens}, read)
    names = names_for(definition, run, token, at, item=item)
    variables = {name: value for name, value in run.vars.items() if not holds_secret(value)}
    return {
        **args_of(invocation, names, cipher),
        "flowId": run.name,
        "stepName": token.step,
        "ackStates": list(invocation.action.returns),
        "uuid": token.activation.uuid if token.activation else "",
        "globalVariables": variables,
    }


def args_of(invocation: Invocation, names: Names, cipher: Cipher | None) -> dict[str, Json]:
    """Return all args of the action; without a cipher, secret ones are masked. Raises ExpressionFailed."""
    found: dict[str, Json] = {}
    for parameter in invocation.action.parameters:
        if parameter.name in RESERVED_ARGS:
            continue
        if not parameter.secret:
            found[parameter.name] = _arg(parameter, invocation, names)
        elif cipher is None:
            found[parameter.name] = MASK
        else:
            found[parameter.name] = decrypt(_arg(parameter, invocation, names.decrypt(cipher)), cipher)
    return found


def _arg(parameter: Parameter, invocation: Invocation, names: Names) -> Json:
    name = parameter.name
    if name in invocation.given:
        value = invocation.given[name]
    elif name in invocation.args:
        value = resolve(invocation.args[name], names)
    else:
        return resolve(parameter.default, names) if parameter.secret else parameter.default
    if holds_secret(value):
        if parameter.secret:
            return value
        raise ExpressionFailed(
            f"arg {name!r} would hold a secret, and action {invocation.action.name!r} does not declare it secret"
        )
    if not parameter.type.admits(value):
        shown = "" if parameter.secret else f", and is {value!r:.100}"
        raise ExpressionFailed(f"arg {name!r} must be of type {parameter.type}{shown}")
    return value
