"""A step that sends an action, or asks a person, and waits for the answer."""

from __future__ import annotations

from chalicelib.engine.effects import OpenTask
from chalicelib.engine.events import DeliveryFailed
from chalicelib.engine.invocation import Errand
from chalicelib.engine.transition import Draft
from chalicelib.model.actions import Retry
from chalicelib.model.run import Activation, Token
from chalicelib.model.times import Instant


def enter(draft: Draft, token: Token, errand: Errand) -> None:
    """The token waits for the answer, and the action is sent; or a person finds it in the inbox."""
    options = errand.options
    if errand.is_human:
        token = draft.activate(token, options.timeout)
    elif options.approval:
        token = draft.activate(token, options.timeout, memo={"approval": "open"})  # nobody is to report yet
    else:
        draft.deliver(draft.activate(token, options.timeout, heartbeat=options.heartbeat))
        return
    if token.activation:
        draft.order(OpenTask(token.activation.uuid))


def retry_at(draft: Draft, errand: Errand, activation: Activation, failed: DeliveryFailed) -> Instant | None:
    """When the next delivery is due after `activation.attempt` that failed; None if they are used up.

    Exponential with full jitter (a random part of the whole delay, so that many that failed together do not come back
    together), and never before the moment that the service asked for.
    """
    retry = errand.options.retry or Retry()
    if activation.attempt >= retry.max:
        return None
    longest = min(retry.delay * retry.rate ** (activation.attempt - 1), retry.cap)
    return draft.at + max(int(draft.chance() * longest), failed.retry_after)
