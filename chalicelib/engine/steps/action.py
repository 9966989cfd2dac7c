"""A step that sends an action, or gives a task to a person, and waits for the answer.

Args are evaluated when the step is entered: every delivery of the activation sends the same.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from chalicelib.engine.bindings import step_names
from chalicelib.engine.effects import OpenTask
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.events import DeliveryFailed
from chalicelib.engine.request_args import computed_args
from chalicelib.engine.transition import Transition
from chalicelib.engine.values import size_limits
from chalicelib.engine.values.evaluation import Names, resolve
from chalicelib.engine.values.options import optional_duration, text_of
from chalicelib.engine.values.texts import key_text
from chalicelib.model.actions import Retry
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.run import Activation, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import ApprovalWait


def enter(transition: Transition, token: Token, invocation: Invocation) -> None:
    """Send the action and wait for its answer; or open a task in the inbox. Raises ExpressionFailed."""
    timeout, heartbeat = invocation.options.timeout, invocation.options.heartbeat
    if isinstance(timeout, dict) or isinstance(heartbeat, dict):
        names = step_names(transition, token, is_entering=True)
        timeout = optional_duration("timeout", timeout, names)
        heartbeat = optional_duration("heartbeat", heartbeat, names)
    wait = None
    if invocation.is_human:
        heartbeat = None
    elif invocation.options.approval:
        wait, heartbeat = ApprovalWait(heartbeat=heartbeat), None  # what is not sent cannot report
    is_late = heartbeat is not None and invocation.may_be_held_back
    active = transition.activate(token, timeout, heartbeat=heartbeat, awaits_delivery=is_late, wait=wait)
    try:
        args = computed_args(transition, step_names(transition, active), invocation) if invocation.evaluated else None
        key = limit_key(invocation, lambda: step_names(transition, active))
        role = _role(transition, active, invocation)
    except ExpressionFailed:
        transition.put(token)
        raise
    activation = active.activation
    if activation is None:
        return
    if args or key or role:
        changed = replace(activation, args=args or activation.args, permit_key=key, role=role)
        active = transition.put(replace(active, activation=changed))
    if invocation.is_human or wait is not None:
        transition.emit(OpenTask(activation.uuid))
    else:
        transition.deliver(active)


def _role(transition: Transition, token: Token, invocation: Invocation) -> str:
    """Return the role that the step computes; empty if it computes none. Raises ExpressionFailed."""
    role = invocation.options.role
    if not isinstance(role, dict):
        return ""
    return text_of("role", role, step_names(transition, token), "the ARN of an IAM role")


def limit_key(invocation: Invocation, make_names: Callable[[], Names]) -> str:
    """Return the value of the limit's key as text; empty if the limit has none. Raises ExpressionFailed."""
    limit = invocation.options.limit
    if limit is None or limit.key is None:
        return ""
    return size_limits.fit_key(key_text(resolve(limit.key, make_names())))


def retry_at(
    transition: Transition, invocation: Invocation, activation: Activation, failed: DeliveryFailed
) -> Instant | None:
    """Return when the next delivery is due after a failed one; None if no attempt is left.

    The delay is exponential with full jitter: a random part of the whole delay, so that deliveries that failed together
    do not come back together. It never ends before the moment that the service asked for.
    """
    retry = invocation.options.retry or Retry()
    failures = activation.attempt - activation.settled
    if failures >= retry.max:
        return None
    longest = min(retry.delay * retry.rate ** (failures - 1), retry.cap)
    return transition.at + max(int(transition.random() * longest), failed.retry_after)
