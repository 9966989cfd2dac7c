"""Steps that wait without sending anything: for time, for an event, for a condition."""

from __future__ import annotations

from typing import Final

from chalicelib.engine import notices
from chalicelib.engine.effects import Listen
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.events import EventArrived
from chalicelib.engine.received_events import took
from chalicelib.engine.request_args import computed_args
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.steps.action import limit_key
from chalicelib.engine.transition import Transition
from chalicelib.engine.values.evaluation import Names, holds, resolve
from chalicelib.engine.values.options import duration_of, optional_duration, text_of, value_of
from chalicelib.engine.values.texts import key_text
from chalicelib.model import times
from chalicelib.model.flow import DEFAULT_STATE, ConditionStep, EventStep, TimerStep
from chalicelib.model.recurrence.cron import InvalidCron, check_cron, next_match
from chalicelib.model.recurrence.zones import DEFAULT_ZONE, UnknownZone, check_zone
from chalicelib.model.run import Run, Token
from chalicelib.model.times import MAX_DURATION_MS, Instant, Milliseconds
from chalicelib.model.waits import EventWait, NoticeKind

MAX_WAIT_MS: Final[Milliseconds] = MAX_DURATION_MS
"""The longest wait `for` a computed duration."""


def enter(
    transition: Transition, token: Token, step: TimerStep | EventStep | ConditionStep, names: Names
) -> StepResult | None:
    """Let the token wait. Return the step's result if it need not wait. Raises ExpressionFailed."""
    match step:
        case TimerStep():
            _enter_timer(transition, token, step, names)
        case EventStep():
            _enter_event(transition, token, step, names)
        case ConditionStep():
            return _enter_condition(transition, token, step, names)
    return None


def _enter_timer(transition: Transition, token: Token, step: TimerStep, names: Names) -> None:
    """Wait until the moment, or for the duration. Raises ExpressionFailed if an expression yields neither."""
    if step.until is not None:
        until = times.instant(str(value_of("until", step.until, names, "an RFC 3339 time")))
        if until is None:
            raise ExpressionFailed("`until` must be an RFC 3339 time such as 2026-01-31T08:00:00Z")
        transition.activate(token, max(0, until - transition.at))
        return
    if step.next is not None:
        transition.activate(token, _next_match(step, names, transition.at) - transition.at)
        return
    transition.activate(token, duration_of("for", step.duration, names, least=0, most=MAX_WAIT_MS))


def _next_match(step: TimerStep, names: Names, at: Instant) -> Instant:
    """Return the next match of the step's cron expression. Raises ExpressionFailed if there is none."""
    cron = text_of("next", step.next, names, "a cron expression")
    zone = DEFAULT_ZONE if step.zone is None else text_of("zone", step.zone, names, "the name of a time zone")
    try:
        if isinstance(step.next, dict):
            check_cron(cron)
        if isinstance(step.zone, dict):
            check_zone(zone)
        found = next_match(cron, zone, at)
    except UnknownZone as unknown:
        raise ExpressionFailed(f"`zone`: {unknown}") from unknown
    except InvalidCron as invalid:
        raise ExpressionFailed(f"`next`: {invalid}") from invalid
    if found is None:
        raise ExpressionFailed(f"`next`: '{cron}' does not match within the next 50 years")
    return found


def _enter_event(transition: Transition, token: Token, step: EventStep, names: Names) -> None:
    """Wait for the first of the step's events. Raises ExpressionFailed if the key yields nothing."""
    key = "" if step.key is None else key_text(resolve(step.key, names))
    invocations = transition.definition.steps[step.name].notices
    args = {kind: computed_args(transition, names, invocation) for kind, invocation in invocations.items()}
    keys = {kind: limit_key(invocation, lambda: names) for kind, invocation in invocations.items()}
    wait = EventWait(key=key, leave=args.get(NoticeKind.LEAVE), leave_key=keys.get(NoticeKind.LEAVE, ""))
    active = transition.activate(token, optional_duration("timeout", step.timeout, names), wait=wait)
    listen(transition, active, step)
    if NoticeKind.ENTER in args and active.activation:
        kind, uuid = NoticeKind.ENTER, active.activation.uuid
        notices.add(transition, active, kind, args[kind], key=keys[kind], of=uuid)


def listen(transition: Transition, token: Token, step: EventStep) -> None:
    """Subscribe the token to its events until its deadline; again when the deadline moves."""
    activation = token.activation
    if activation and isinstance(activation.wait, EventWait):
        names = tuple(dict.fromkeys(step.events.values()))
        transition.emit(Listen(activation.uuid, names, activation.wait.key, activation.deadline))


def result_of_event(run: Run, token: Token, step: EventStep, event: EventArrived) -> StepResult | None:
    """Return what the step returns for the event; None if it is not for this step, or was taken before."""
    wait = token.activation.wait if token.activation else None
    state = next((state for state, name in step.events.items() if name == event.name), None)
    if state is None or not isinstance(wait, EventWait) or took(run, event.name, event.key, event.place):
        return None
    signal = {"name": event.name, "key": event.key, "data": event.data, "at": times.rfc3339(event.at)}
    return StepResult(state=state, data=event.data, event="EventArrived", signal=signal)


def _enter_condition(transition: Transition, token: Token, step: ConditionStep, names: Names) -> StepResult | None:
    """Wait for the condition; return DONE if it holds already. Raises ExpressionFailed."""
    if holds(step.condition, transition.with_secrets(names)):
        return StepResult(state=DEFAULT_STATE)
    transition.activate(token, optional_duration("timeout", step.timeout, names))
    return None
