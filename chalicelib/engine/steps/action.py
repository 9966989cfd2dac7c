"""A step that sends an action, or gives a task to a person, and waits for the answer."""

from __future__ import annotations

from chalicelib.engine.effects import OpenTask
from chalicelib.engine.events import DeliveryFailed
from chalicelib.engine.transition import Transition
from chalicelib.model.actions import Retry
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.run import Activation, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import ApprovalWait


def enter(transition: Transition, token: Token, invocation: Invocation) -> None:
    """Send the action and wait for its answer; or open a task in the inbox."""
    options = invocation.options
    if invocation.is_human:
        token = transition.activate(token, options.timeout)
    elif options.approval:  # without a heartbeat: nothing is sent yet that could report
        token = transition.activate(token, options.timeout, wait=ApprovalWait())
    else:
        transition.deliver(transition.activate(token, options.timeout, heartbeat=options.heartbeat))
        return
    if token.activation:
        transition.emit(OpenTask(token.activation.uuid))


def retry_at(
    transition: Transition, invocation: Invocation, activation: Activation, failed: DeliveryFailed
) -> Instant | None:
    """Return when the next delivery is due after `activation.attempt` failed ones; None if no attempt is left.

    The delay is exponential with full jitter: a random part of the whole delay, so that deliveries that failed together
    do not come back together. It never ends before the moment that the service asked for.
    """
    retry = invocation.options.retry or Retry()
    if activation.attempt >= retry.max:
        return None
    longest = min(retry.delay * retry.rate ** (activation.attempt - 1), retry.cap)
    return transition.at + max(int(transition.random() * longest), failed.retry_after)
