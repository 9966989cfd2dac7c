"""Variables that another version of a flow declares and the run does not have yet."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from chalicelib.engine.bindings import item_at, names_for
from chalicelib.engine.items import place_of
from chalicelib.engine.transition import Transition
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.secret_values import encrypted
from chalicelib.engine.variables import visible
from chalicelib.engine.versions.places import all_tokens
from chalicelib.expressions import NOTHING
from chalicelib.model.compiled_step import CompiledScope
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token


def make_vars(transition: Transition) -> None:
    """Make the variables of the run that the flow declares, and encrypt those that are secret now.

    Variables that exist keep their values. Raises ExpressionFailed, TooLarge.
    """
    flow, known = transition.definition.flow, transition.run.vars
    missing = {name: template for name, template in flow.vars.items() if name not in known}
    names = names_for(
        transition.definition, transition.run, Token(step=flow.steps[0].name), transition.at, draws=transition.draws
    )
    made = transition.resolve_vars(missing, names, frozenset(flow.secret_vars))
    variables = transition.encrypt_secrets({**known, **made})
    size_limits.admit("the run's variables", variables)
    transition.replace_vars(variables)


def make_scope_vars(transition: Transition) -> None:
    """Make the variables of forks, branches and items that have begun. Raises ExpressionFailed."""
    if not transition.definition.has_scopes:
        return
    tokens = all_tokens(transition.tokens.values(), transition.run.interrupted)
    for token in sorted(tokens.values(), key=lambda one: one.id.count(".")):
        tokens[token.id] = _with_vars(transition, token, tokens)
    transition.tokens.update({name: tokens[name] for name in transition.tokens.keys() & tokens.keys()})
    kept = tuple(tokens[token.id] for token in transition.run.interrupted)
    transition.set_run(interrupted=kept)


def _with_vars(transition: Transition, token: Token, tokens: Mapping[str, Token]) -> Token:
    parent, compiled = tokens.get(token.parent), transition.definition.steps.get(token.step)
    scope = transition.definition.steps[parent.step].scopes.get(token.scope) if parent else None
    if scope is not None and token.vars is not None:
        token = replace(token, vars=_made(transition, token, tokens, scope, token.vars))
    is_joined = token.activation is not None and token.activation.is_join
    if compiled is not None and compiled.fork_scope is not None and is_joined:
        token = replace(token, fork_vars=_made(transition, token, tokens, compiled.fork_scope, token.fork_vars or {}))
    return token


def _made(
    transition: Transition, token: Token, tokens: Mapping[str, Token], scope: CompiledScope, known: dict[str, Json]
) -> dict[str, Json]:
    missing = {name: template for name, template in scope.vars.items() if name not in known}
    if not missing:
        return known
    place = place_of(token, tokens)
    names = names_for(
        transition.definition,
        transition.run,
        token,
        transition.at,
        draws=transition.draws,
        item=item_at(place, transition.read) if "item" in scope.names else NOTHING,
        index=NOTHING if place is None else place.index,
        variables=visible(transition.run.vars, token, tokens),
    )
    values = transition.resolve_vars(missing, names, scope.secret)
    made = {
        name: encrypted(value, transition.cipher) if name in scope.secret else value for name, value in values.items()
    }
    return {**known, **made}
