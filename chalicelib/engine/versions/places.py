"""Where steps and tokens are: at the top level of a flow, or in a branch or the items of one of its steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from chalicelib.engine.errors import NoSuchToken
from chalicelib.engine.invocation import UNDO
from chalicelib.model.definition import Definition
from chalicelib.model.flow import children_of
from chalicelib.model.run import Run, Token

MAX_NAMED_TOKENS: Final = 10
"""How many tokens an error names."""


class Place(NamedTuple):
    """The steps among which a token moves."""

    parent: str = ""
    """The fork or each around them; empty at the top level."""
    scope: str = ""
    """The branch of a fork."""

    def __str__(self) -> str:
        if not self.parent:
            return "at the top level"
        return f"in branch {self.scope!r} of {self.parent!r}" if self.scope else f"in the items of {self.parent!r}"


def place_of_step(definition: Definition, name: str) -> Place:
    """Return where the step is. Raises KeyError if the flow has no such step."""
    parent = definition.steps[name].parent
    if not parent:
        return Place()
    scopes = children_of(definition.steps[parent].step)
    return next(Place(parent, scope) for scope, steps in scopes if any(step.name == name for step in steps))


def place_of_token(token: Token, tokens: Mapping[str, Token], renamed: Mapping[str, str]) -> Place:
    """Return the steps among which the token moves, where steps are called as `renamed` says."""
    parent = tokens.get(token.parent)
    return Place(renamed.get(parent.step, parent.step), token.scope) if parent else Place()


def all_tokens(tokens: Iterable[Token], interrupted: Iterable[Token]) -> dict[str, Token]:
    """Return the tokens that follow the flow, with those that only `retry` resumes, by id."""
    return {token.id: token for token in (*interrupted, *tokens) if token.id != UNDO}


def find_token(run: Run, definition: Definition, tokens: Mapping[str, Token], step: str, given: str | None) -> Token:
    """Return the token that can enter the step: the one with the id `given`, or the only one. Raises NoSuchToken."""
    place = place_of_step(definition, step)
    if given is not None:
        token = tokens.get(given)
        if token is None:
            raise NoSuchToken(f"run {run.name!r} has no token {given!r}; {_listed(tokens.values())}")
        found = place_of_token(token, tokens, {})
        if found != place:
            raise NoSuchToken(f"token {given!r} of run {run.name!r} is {found}, and step {step!r} is {place}")
        return token
    fitting = [token for token in tokens.values() if place_of_token(token, tokens, {}) == place]
    if not fitting:
        raise NoSuchToken(
            f"step {step!r} is {place}, and run {run.name!r} has no token there; {_listed(tokens.values())}"
        )
    if len(fitting) > 1:
        raise NoSuchToken(
            f"several tokens of run {run.name!r} can enter step {step!r}: give `token`; {_listed(fitting)}"
        )
    return fitting[0]


def below(tokens: Mapping[str, Token], token: Token) -> Iterator[Token]:
    """Yield the tokens that the token waits for, directly or indirectly."""
    return (other for other in tokens.values() if other.id.startswith(f"{token.id}."))


def _listed(tokens: Iterable[Token]) -> str:
    """Name the first of the tokens, and where they are."""
    shown = [f"{token.id!r} at {token.step!r}" for token in tokens]
    more = f" and {len(shown) - MAX_NAMED_TOKENS} more" if len(shown) > MAX_NAMED_TOKENS else ""
    return f"its tokens are {', '.join(shown[:MAX_NAMED_TOKENS])}{more}" if shown else "it has no tokens"
