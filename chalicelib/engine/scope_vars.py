"""How the variables of a scope begin and end."""

from __future__ import annotations

from chalicelib.engine.bindings import names_at
from chalicelib.engine.transition import Transition
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.secret_values import encrypted
from chalicelib.engine.variables import Scope, compiled_scope
from chalicelib.model.compiled_step import CompiledScope
from chalicelib.model.run import Token


def begin_scope(transition: Transition, token: Token) -> None:
    """Make the variables of the token's branch or item, if it has some and they have not begun.

    Raises ExpressionFailed.
    """
    declared = compiled_scope(transition.definition, token, transition.tokens) if token.vars is None else None
    if declared is not None:
        _begin(transition, token, declared, Scope(token.id, is_fork=False))


def begin_fork_scope(transition: Transition, token: Token) -> None:
    """Make the variables of the fork that the token enters. Raises ExpressionFailed."""
    declared = transition.definition.steps[token.step].fork_scope
    if declared is not None:
        _begin(transition, token, declared, Scope(token.id, is_fork=True))


def end_fork_scope(transition: Transition, token: Token) -> None:
    """Forget the variables of the fork that the token leaves."""
    known = transition.tokens.get(token.id)
    if known is not None and known.fork_vars is not None:
        transition.set_scope(Scope(token.id, is_fork=True), None)


def _begin(transition: Transition, token: Token, declared: CompiledScope, scope: Scope) -> None:
    names = names_at(transition, token, declared.names)
    values = transition.resolve_vars(declared.vars, names, declared.secret)
    made = {
        name: encrypted(value, transition.cipher) if name in declared.secret else value
        for name, value in values.items()
    }
    size_limits.fit("the run's variables", {**transition.visible_vars(token), **made})
    transition.set_scope(scope, made)
