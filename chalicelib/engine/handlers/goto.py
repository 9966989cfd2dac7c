"""`goto`: a token leaves what it waits for, as if that had lost its sense, and enters a step that a person names."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.errors import NoSuchStep
from chalicelib.engine.events import TokenMoved
from chalicelib.engine.scope_vars import end_fork_scope
from chalicelib.engine.transition import Transition
from chalicelib.engine.undo.compensation import adopt
from chalicelib.engine.versions.places import all_tokens, find_token


def go_to(transition: Transition, event: TokenMoved) -> None:
    """Let the token enter the step. What it waits for is canceled; work that was done stays done, and can be undone.

    Raises NoSuchStep, NoSuchToken.
    """
    run = transition.run
    if event.step not in transition.definition.steps:
        raise NoSuchStep(run.name, event.step)
    tokens = all_tokens(transition.tokens.values(), ())
    token = find_token(run, transition.definition, tokens, event.step, event.token)
    reason = {"reason": event.reason} if event.reason else None
    transition.record("TokenMoved", token, target=event.step, data=reason)
    transition.abandon(token)
    for child in transition.children_of(token):
        transition.remove(child)
    transition.forget_interrupted(token.id)
    adopt(transition, token.id)
    if transition.definition.has_scopes:
        end_fork_scope(transition, token)
    moved = replace(transition.tokens[token.id], step=event.step, activation=None, repeats={}, passes=0)
    transition.arrive(moved)
