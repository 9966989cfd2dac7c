"""A step that sends an action, or asks a person, and waits for the answer."""

from __future__ import annotations

from chalicelib.engine.effects import OpenTask
from chalicelib.engine.events import DeliveryFailed
from chalicelib.engine.transition import Transition
from chalicelib.model.actions import Retry
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.run import Activation, Token
from chalicelib.model.times import Instant


def enter(transition: Transition, token: Token, invocation: Invocation) -> None:
    """The token waits for the answer, and the action is sent; or a person finds it in the inbox."""
    options = invocation.options
    if invocation.is_human:
        token = transition.activate(token, options.timeout)
    elif options.approval:
        token = transition.activate(token, options.timeout, memo={"approval": "open"})  # nobody is to report yet
    else:
        transition.deliver(transition.activate(token, options.timeout, heartbeat=options.heartbeat))
        return
    if token.activation:
        transition.emit(OpenTask(token.activation.uuid))


def retry_at(
    transition: Transition, invocation: Invocation, activation: Activation, failed: DeliveryFailed
) -> Instant | None:
    """When the next delivery is due after `activation.attempt` that failed; None if they are used up.

    Exponential with full jitter (a random part of the whole delay, so that many that failed together do not come back
    together), and never before the moment that the service asked for.
    """
    retry = invocation.options.retry or Retry()
    if activation.attempt >= retry.max:
        return None
    longest = min(retry.delay * retry.rate ** (activation.attempt - 1), retry.cap)
    return transition.at + max(int(transition.random() * longest), failed.retry_after)
