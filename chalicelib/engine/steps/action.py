"""A step that sends an action, or asks a person, and waits for the answer."""

from __future__ import annotations

from typing import Final

from chalicelib.definition import Milliseconds, Retry
from chalicelib.engine.draft import Draft
from chalicelib.engine.effects import OpenTask
from chalicelib.engine.errand import Errand
from chalicelib.engine.events import DeliveryFailed
from chalicelib.engine.run import Activation, Instant, Token

HUMAN_TIMEOUT: Final[Milliseconds] = 30 * 86_400_000
"""How long a person is waited for where nothing is said."""


def enter(draft: Draft, token: Token, errand: Errand) -> None:
    """The token waits for the answer, and the action is sent; or a person finds it in the inbox."""
    options = errand.options
    said = options.timeout
    if errand.is_human:
        timeout = HUMAN_TIMEOUT if said in (None, draft.definition.defaults.timeout) else said
        token = draft.activate(token, timeout)
    else:
        memo = {"approval": "open"} if options.approval else None
        token = draft.activate(token, said, heartbeat=options.heartbeat, memo=memo)
        if not options.approval:
            draft.deliver(token)
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
