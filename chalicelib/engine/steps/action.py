"""A step that sends an action and waits for its answer."""

from __future__ import annotations

from chalicelib.definition import ActionStep, Retry
from chalicelib.engine.draft import Draft
from chalicelib.engine.events import DeliveryFailed
from chalicelib.engine.run import Activation, Instant, Token


def enter(draft: Draft, token: Token, step: ActionStep) -> None:
    """The token waits for the action's answer, and the action is sent."""
    draft.deliver(draft.activate(token, draft.definition.options(step)))


def retry_at(draft: Draft, step: ActionStep, activation: Activation, failed: DeliveryFailed) -> Instant | None:
    """When the next delivery is due after `activation.attempt` that failed; None if they are used up.

    Exponential with full jitter (a random part of the whole delay, so that many that failed together do not come back
    together), and never before the moment that the service asked for.
    """
    retry = draft.definition.options(step).retry or Retry()
    if activation.attempt >= retry.max:
        return None
    longest = min(retry.delay * retry.rate ** (activation.attempt - 1), retry.cap)
    return draft.at + max(int(draft.chance().uniform(0, longest)), failed.retry_after)
