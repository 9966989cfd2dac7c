"""Whether tokens of a run can be at a step of another version of its flow, and go on there as they wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from chalicelib.engine.errors import Fit
from chalicelib.engine.versions.places import place_of_step, place_of_token
from chalicelib.engine.versions.waiting import wait_problem
from chalicelib.model.definition import Definition
from chalicelib.model.flow import ENDS
from chalicelib.model.run import Token


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Two versions of a flow, and what steps of the first are called in the second."""

    before: Definition
    after: Definition
    number: int
    renamed: Mapping[str, str]
    is_live: bool
    """Whether the tokens wait; otherwise they enter their steps again."""


def token_fits(versions: Versions, tokens: Mapping[str, Token], anew: Iterable[str] = ()) -> tuple[Fit, ...]:
    """Return what fits. Tokens with an id in `anew` are at a step of the second version already, and enter it anew."""
    placed = frozenset(anew)
    return tuple(_fit(versions, token, tokens, is_placed=token.id in placed) for token in tokens.values())


def _fit(versions: Versions, token: Token, tokens: Mapping[str, Token], *, is_placed: bool) -> Fit:
    target = token.step if is_placed else versions.renamed.get(token.step, token.step)
    problem = "" if token.step in ENDS else _problem(versions, token, tokens, target, is_placed=is_placed)
    return Fit(token=token.id, step=token.step, target=target, problem=problem)


def _problem(versions: Versions, token: Token, tokens: Mapping[str, Token], target: str, *, is_placed: bool) -> str:
    after, there = versions.after.steps.get(target), f"version {versions.number}"
    if after is None:
        return f"{there} has no step {target!r}"
    place, wanted = place_of_step(versions.after, target), place_of_token(token, tokens, versions.renamed)
    if place != wanted:
        return f"in {there} step {target!r} is {place}, and the token is {wanted}"
    before = versions.before.steps.get(token.step)
    if is_placed or before is None:
        return ""
    if type(after.step) is not type(before.step):
        kinds = type(before.step).__struct_config__.tag, type(after.step).__struct_config__.tag
        return f"step {target!r} is of kind {kinds[1]!r} in {there}, and of kind {kinds[0]!r} in the run"
    return wait_problem(before, after, token, there, is_live=versions.is_live)
