"""Variables of a run and of its scopes, and which of them a token sees.

A fork, a branch and each item of an `each` are scopes: they may have variables of their own, which hide outer ones of
the same name. The token of a branch or an item holds its variables, and the token that waits at a fork holds those of
the fork. All other variables are those of the run. So the variables of a scope end with its token or its fork.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from chalicelib.model.compiled_step import CompiledScope
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token


class Scope(NamedTuple):
    """The scope of a branch, an item or a fork, by the token that holds its variables."""

    token: str
    is_fork: bool


def visible(
    variables: Mapping[str, Json], token: Token, tokens: Mapping[str, Token], *, own_fork: bool = True
) -> Mapping[str, Json]:
    """Return the variables that the token sees: those of the run (`variables`) and of the scopes around the token.

    At a fork it sees those of the fork too, unless `own_fork` is false.
    """
    scopes = [found for _, found in _scopes_around(token, tokens, own_fork=own_fork)]
    if not scopes:
        return variables
    merged = dict(variables)
    for found in reversed(scopes):
        merged.update(found)
    return merged


def scope_of(name: str, token: Token, tokens: Mapping[str, Token], *, own_fork: bool = False) -> Scope | None:
    """Return the innermost scope around the token that declares the variable; None if that is the run.

    Without `own_fork` this is where the token writes: when a fork returns, its own scope has ended.
    """
    scopes = _scopes_around(token, tokens, own_fork=own_fork)
    return next((scope for scope, found in scopes if name in found), None)


def by_scope(
    changed: Mapping[str, Json], token: Token, tokens: Mapping[str, Token]
) -> dict[Scope | None, dict[str, Json]]:
    """Return the variables that the token writes, by the scope that declares them."""
    found: dict[Scope | None, dict[str, Json]] = {}
    for name, value in changed.items():
        found.setdefault(scope_of(name, token, tokens), {})[name] = value
    return found


def secret_names(definition: Definition, scope: Scope | None, tokens: Mapping[str, Token]) -> frozenset[str]:
    """Return the names of the scope's variables that are stored encrypted."""
    if scope is None:
        return frozenset(definition.flow.secret_vars)
    token = tokens[scope.token]
    declared = definition.steps[token.step].fork_scope if scope.is_fork else compiled_scope(definition, token, tokens)
    return declared.secret if declared else frozenset()


def compiled_scope(definition: Definition, token: Token, tokens: Mapping[str, Token]) -> CompiledScope | None:
    """Return the declaration of the variables of the token's branch or item; None if it has none."""
    parent = tokens.get(token.parent)
    return definition.steps[parent.step].scopes.get(token.scope) if parent else None


def _scopes_around(
    token: Token, tokens: Mapping[str, Token], *, own_fork: bool
) -> Iterator[tuple[Scope, Mapping[str, Json]]]:
    """Yield the scopes that have variables, innermost first."""
    at: Token | None = tokens.get(token.id, token)
    sees_fork = own_fork
    while at is not None:
        if sees_fork and at.fork_vars is not None:
            yield Scope(at.id, is_fork=True), at.fork_vars
        if at.vars is not None:
            yield Scope(at.id, is_fork=False), at.vars
        at, sees_fork = tokens.get(at.parent), True
