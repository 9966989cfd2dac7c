"""The body of a request to an action (docs/http-api.md, section 1).

Every delivery of an activation sends the same body. Args that depend on what changes in the course of a run are
evaluated when the step is entered, and stored with the activation. The others are evaluated when the request is made,
from constants, `$input` and `$run`, so they are the same each time. Variables are sent as they were when the step was
entered: the activation has the old values of those that changed. Only secrets of the namespace are read at each
delivery, in the args that refer to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.engine.bindings import NO_NAMES, item_at, names_for
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.items import place_of
from chalicelib.engine.transition import Transition
from chalicelib.engine.values.evaluation import Draws, Names, YieldsNothing, resolve
from chalicelib.engine.values.secret_values import MASK, NO_CIPHER, Cipher, decrypt, encrypted, holds_secret, shown
from chalicelib.engine.values.size_limits import fit
from chalicelib.engine.variables import visible
from chalicelib.expressions import NOTHING, together
from chalicelib.model.actions import RESERVED_ARGS, WHOLE, Parameter
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import ABSENT, Activation, Run, Token
from chalicelib.model.templates import holds_reference
from chalicelib.model.waits import NoticeWait


def computed_args(transition: Transition, names: Names, invocation: Invocation) -> dict[str, Json]:
    """Evaluate the args of a step that is entered. Return those that are stored; secret ones are encrypted.

    Raises ExpressionFailed, also for args that are not stored.
    """
    if not invocation.evaluated:
        return {}
    return evaluated_args(invocation, names, transition.with_secrets(names), transition.cipher)


def evaluated_args(
    invocation: Invocation, names: Names, with_secrets: Names | None = None, cipher: Cipher = NO_CIPHER
) -> dict[str, Json]:
    """Return the args as `computed_args` does. Without `with_secrets`, the definition has no secrets."""
    found: dict[str, Json] = {}
    for parameter in invocation.action.parameters:
        if parameter.name not in invocation.evaluated:
            continue
        value = arg_value(parameter, invocation, with_secrets or names if parameter.secret else names)
        if parameter.name in invocation.varying:
            found[parameter.name] = encrypted(value, cipher) if parameter.secret else value
    fit("the args", found)
    return found


@together()
def fixed_args(
    definition: Definition,
    run: Run,
    token: Token,
    invocation: Invocation,
    read: Callable[[str], Json],
    cipher: Cipher,
) -> dict[str, Json]:
    """Return all args that refer to no secret, as they are stored: secret ones are encrypted. Raises ExpressionFailed.

    With them the request stays the same, whatever becomes of the definition.
    """
    stored = (token.activation.args if token.activation else None) or {}
    names = _names(definition, run, token, read)
    found: dict[str, Json] = {}
    for parameter in invocation.action.parameters:
        name = parameter.name
        if name in stored:
            found[name] = stored[name]
        elif not holds_reference(invocation.args.get(name, parameter.default)):
            value = arg_value(parameter, invocation, names.decrypt(cipher) if parameter.secret else names)
            found[name] = encrypted(value, cipher) if parameter.secret else value
    return found


@together()
def request_fields(
    definition: Definition,
    run: Run,
    token: Token,
    invocation: Invocation,
    read: Callable[[str], Json],
    cipher: Cipher = NO_CIPHER,
) -> dict[str, Json]:
    """Return the request's fields except `callbackUrl`. Raises ExpressionFailed, also if an arg has a wrong type.

    Variables that hold secrets are left out, because a service may return everything that it received.
    """
    pinned = token.activation.pinned if token.activation else None
    step = pinned.step if pinned else token.step
    if invocation.is_bare:
        args = (token.activation.args if token.activation else None) or {}
        return {"flowId": run.name, "stepName": step, **args}
    variables = sent_vars(_visible(definition, run, token), token.activation)
    return {
        **args_of(definition, run, token, invocation, read, cipher),
        "flowId": run.name,
        "stepName": step,
        "ackStates": list(pinned.states if pinned else invocation.action.returns),
        "uuid": token.activation.uuid if token.activation else "",
        "globalVariables": {name: value for name, value in variables.items() if not holds_secret(value)},
    }


@together()
def direct_args(
    definition: Definition,
    run: Run,
    token: Token,
    invocation: Invocation,
    read: Callable[[str], Json],
    cipher: Cipher = NO_CIPHER,
) -> dict[str, Json]:
    """Return the args of an action that is sent nothing else. Raises ExpressionFailed, also if one has a wrong type."""
    return args_of(definition, run, token, invocation, read, cipher)


def sent_vars(variables: Mapping[str, Json], activation: Activation | None) -> dict[str, Json]:
    """Return the variables as they were when the activation began."""
    old = activation.old_vars if activation else {}
    return {name: value for name, value in {**variables, **old}.items() if value != ABSENT}


def args_of(
    definition: Definition,
    run: Run,
    token: Token,
    invocation: Invocation,
    read: Callable[[str], Json],
    cipher: Cipher | None,
) -> dict[str, Json]:
    """Return all args of the action; without a cipher, secret ones are masked. Raises ExpressionFailed."""
    stored = (token.activation.args if token.activation else None) or {}
    if token.activation is not None and token.activation.pinned is not None:
        names = _names(definition, run, token, read)
        return _pinned_args(token.activation.pinned.args, stored, invocation, names, cipher)
    names = _names(definition, run, token, read) if _reads_names(invocation, stored) else NO_NAMES
    found: dict[str, Json] = {}
    for parameter in invocation.action.parameters:
        name = parameter.name
        if name in RESERVED_ARGS and not invocation.action.is_called:
            continue
        if parameter.secret and cipher is None:
            found[name] = MASK
        elif not parameter.secret:
            found[name] = stored[name] if name in stored else arg_value(parameter, invocation, names)
        elif cipher is not None:
            value = stored[name] if name in stored else arg_value(parameter, invocation, names.decrypt(cipher))
            found[name] = decrypt(value, cipher)
    return found


def _reads_names(invocation: Invocation, stored: Mapping[str, Json]) -> bool:
    """Return whether an arg that is not stored may hold an expression."""
    is_secret = any(parameter.secret for parameter in invocation.action.parameters)
    return is_secret or not invocation.evaluated <= stored.keys()


def _pinned_args(
    wanted: tuple[str, ...], stored: Mapping[str, Json], invocation: Invocation, names: Names, cipher: Cipher | None
) -> dict[str, Json]:
    """Return the args with these names: stored ones, and those that refer to secrets. Raises ExpressionFailed."""
    parameters = {parameter.name: parameter for parameter in invocation.action.parameters}
    found: dict[str, Json] = {}
    for name in wanted:
        if name in RESERVED_ARGS and not invocation.action.is_called:
            continue
        value = stored.get(name)
        if cipher is None and (name not in stored or holds_secret(value)):
            found[name] = MASK
        elif cipher is not None:
            is_stored = name in stored
            found[name] = decrypt(
                value if is_stored else arg_value(parameters[name], invocation, names.decrypt(cipher)), cipher
            )
        else:
            found[name] = value
    return found


def _names(definition: Definition, run: Run, token: Token, read: Callable[[str], Json]) -> Names:
    """Return the names as they were when the step was entered."""
    activation = token.activation
    place = place_of(token, {known.id: known for known in run.tokens})
    return names_for(
        definition,
        run,
        token,
        activation.since if activation else run.updated_at,
        draws=Draws(activation.since, activation.uuid) if activation else Draws(),
        item=item_at(place, read),
        index=NOTHING if place is None else place.index,
        variables=sent_vars(_visible(definition, run, token), activation),
    )


def _visible(definition: Definition, run: Run, token: Token) -> Mapping[str, Json]:
    """Return the variables that the token sees. A notice keeps those of its scopes itself: its token has moved on."""
    is_notice = token.activation is not None and isinstance(token.activation.wait, NoticeWait)
    if is_notice or not definition.has_scopes:
        return run.vars
    return visible(run.vars, token, {known.id: known for known in run.tokens})


def arg_value(parameter: Parameter, invocation: Invocation, names: Names) -> Json:
    """Return the value of the arg; its default if an expression in it yields nothing. Raises ExpressionFailed."""
    name, owner = parameter.name, invocation.action.name
    what = "the value of 'args'" if name == WHOLE else f"arg {name!r}"
    try:
        if name in invocation.given:
            value = invocation.given[name]
        elif name in invocation.args:
            value = resolve(invocation.args[name], names)
        elif parameter.required:
            raise ExpressionFailed(f"{what} of action {owner!r} is missing")
        else:
            return _default(parameter, names)
    except YieldsNothing as failure:
        if not parameter.required:
            return _default(parameter, names)
        raise ExpressionFailed(f"{what} has no value: {failure}") from failure
    if holds_secret(value):
        if parameter.secret:
            return value
        raise ExpressionFailed(f"{what} would hold a secret, and action {owner!r} does not declare it secret")
    if not parameter.admits(value):
        found = "" if parameter.secret else f", and is {shown(value)}"
        raise ExpressionFailed(f"{what} must be of type {parameter.type}{found}")
    return parameter.type.converted(value)


def _default(parameter: Parameter, names: Names) -> Json:
    return resolve(parameter.default, names) if parameter.secret else parameter.default
