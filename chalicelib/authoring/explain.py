"""Explain the settings that apply to each step of a flow, where each one comes from, and what is secret.

A setting comes from the step, from its action, or from the defaults. `fsl explain` prints the rows; the language server
shows them on hover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from chalicelib.engine.transition import JOIN_TIMEOUT_MS
from chalicelib.model.actions import DEFAULTS, Action, Method, Options, Retry, Undo
from chalicelib.model.compiled_step import HUMAN_TIMEOUT_MS
from chalicelib.model.flow import (
    DEFAULT_CAP_MS,
    ERROR,
    TIMEOUT,
    ActionStep,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EmitStep,
    EventStep,
    Flow,
    ForkStep,
    Jitter,
    RepeatRule,
    Route,
    SetStep,
    StartStep,
    Step,
    children_of,
)
from chalicelib.model.templates import Template, source_of
from chalicelib.model.times import format_duration

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of a setting as text, and its origin: `step`, `action` or `default`."""

    value: str
    by: str

    def __str__(self) -> str:
        return f"{self.value} ({self.by})"


@dataclass(frozen=True, slots=True)
class Row:
    """One step. A field is None if it does not apply to the step."""

    step: str
    kind: str
    action: str | None = None
    timeout: Setting | None = None
    heartbeat: Setting | None = None
    retry: Setting | None = None
    on_timeout: str | None = None
    """Where TIMEOUT leads, or that it stops the run."""
    on_error: str | None = None
    callback: Setting | None = None
    """Whether answers must be signed, or the response is the answer."""
    secret: str | None = None
    """The secret args, headers and data."""
    repeat: str | None = None
    """When the step is done again before its route is taken."""
    undo: Setting | None = None
    """What undoes the step, and after which states."""
    conditions: str | None = None
    """What a condition of its routes or of `repeat` does that fails."""
    notices: str | None = None
    """The actions that are sent when a wait for events begins and when it ends."""


def explain(flow: Flow, actions: Mapping[str, Action], defaults: Options = DEFAULTS) -> list[Row]:
    """Return a row for every step, including nested steps, in the order of the text.

    An unknown action contributes no settings.
    """
    return list(_rows(flow.steps, actions, defaults, "stops the run"))


def _rows(steps: tuple[Step, ...], actions: Mapping[str, Action], defaults: Options, unrouted: str) -> Iterator[Row]:
    for step in steps:
        yield _row(step, actions, defaults, unrouted)
        nested = "fails its item" if isinstance(step, EachStep) else "fails its branch"
        for _, inner in children_of(step):
            yield from _rows(inner, actions, defaults, nested)


def _row(step: Step, actions: Mapping[str, Action], defaults: Options, unrouted: str) -> Row:
    row = _settings(step, actions, defaults, unrouted)
    undo, conditions, notices = _undo_of(step, actions), _conditions(step, row), _notices(step)
    return replace(row, repeat=_repeat(step), undo=undo, conditions=conditions, notices=notices)


def _notices(step: Step) -> str | None:
    calls = {"on_enter": step.on_enter, "on_leave": step.on_leave} if isinstance(step, EventStep) else {}
    return ", ".join(f"{name} {call.action}" for name, call in calls.items() if call) or None


def _conditions(step: Step, row: Row) -> str | None:
    rules = () if isinstance(step, (ChoiceStep, SetStep)) else step.repeat
    conditions = [route.when for route in step.routes] + [rule.when for rule in rules]
    has_conditions = any(condition is not None for condition in conditions)
    return f"one that fails returns ERROR: {row.on_error}" if has_conditions else None


def _settings(step: Step, actions: Mapping[str, Action], defaults: Options, unrouted: str) -> Row:
    kind = str(step.__struct_config__.tag)
    on_timeout, on_error = (", ".join(_ways(step, state, unrouted)) for state in (TIMEOUT, ERROR))
    match step:
        case ActionStep():
            action = actions.get(step.action)
            base = action.options if action else Options()
            layers = {"step": step.options, "action": base, "default": defaults}
            is_human = action is not None and action.method is Method.HUMAN
            timeouts = {by: one.timeout for by, one in layers.items()}
            if is_human:
                timeouts["default"] = HUMAN_TIMEOUT_MS
            sent = {} if is_human else layers  # nothing is sent to a person
            return Row(
                step.name,
                kind,
                step.action,
                _first(timeouts, duration_text),
                _first({by: one.heartbeat for by, one in sent.items()}, duration_text),
                _first({by: one.retry for by, one in sent.items()}, _retry),
                on_timeout,
                on_error,
                _callback(action, layers),
                ", ".join(_secrets(action, step.options.over(base))) or None,
            )
        case EmitStep() | StartStep():
            timeout = _first({"default": defaults.timeout}, duration_text)
            return Row(step.name, kind, timeout=timeout, on_timeout=on_timeout, on_error=on_error)
        case EventStep() | ConditionStep():
            timeout = _first({"step": step.timeout, "default": defaults.timeout}, duration_text)
            return Row(step.name, kind, timeout=timeout, on_timeout=on_timeout, on_error=on_error)
        case CallStep() | ForkStep() | EachStep():
            timeout = _first({"step": step.timeout, "default": JOIN_TIMEOUT_MS}, duration_text)
            return Row(step.name, kind, timeout=timeout, on_timeout=on_timeout, on_error=on_error)
        case _:
            return Row(step.name, kind, on_error=on_error)


def _callback(action: Action | None, layers: Mapping[str, Options]) -> Setting | None:
    """Return that the response is the answer, or that answers must be signed."""
    if action and action.direct:
        return Setting("none", "action")
    return _first({by: one.signed or None for by, one in layers.items()}, lambda _: "signed")


def _first(values: Mapping[str, _T | None], format_value: Callable[[_T], str]) -> Setting | None:
    """Return the first value that is set; the keys are the origins, in order of precedence."""
    return next((Setting(format_value(value), by) for by, value in values.items() if value is not None), None)


def duration_text(option: Template) -> str:
    """Return an option in milliseconds as text; an expression as it is written."""
    return format_duration(option) if isinstance(option, int) else _expression_text(option)


def number_text(option: Template) -> str:
    """Return an option that is a number as text; an expression as it is written."""
    return f"{option:g}" if isinstance(option, (int, float)) else _expression_text(option)


def _expression_text(option: Template) -> str:
    return f"${{ {' '.join((source_of(option) or '').split())} }}"


def _secrets(action: Action | None, options: Options) -> Iterator[str]:
    if action:
        yield from (one.name for one in action.parameters if one.secret)
    yield from (f"header {name}" for name in options.secret_headers)
    if action and action.secret_data:
        yield "data"


def undo_text(undo: Undo) -> str:
    """Return what undoes a step, and after which states."""
    flow = "flow " if undo.is_flow else ""
    return f"{flow}{undo.action}" + (f" on {' | '.join(undo.states)}" if undo.states else "")


def _undo_of(step: Step, actions: Mapping[str, Action]) -> Setting | None:
    if not isinstance(step, (ActionStep, CallStep)):
        return None
    action = actions.get(step.action) if isinstance(step, ActionStep) else None
    return _first({"step": step.undo, "action": action.undo if action else None}, undo_text)


def _repeat(step: Step) -> str | None:
    rules = () if isinstance(step, (ChoiceStep, SetStep)) else step.repeat
    return "; ".join(map(_rule, rules)) or None


def _rule(rule: RepeatRule) -> str:
    condition = rule.state or "any state"
    condition += f" when {' '.join(rule.when.split())}" if rule.when is not None else ""
    random = ", random" if rule.jitter is Jitter.FULL else ""
    count, delay, rate = number_text(rule.max), duration_text(rule.delay), number_text(rule.rate)
    cap = duration_text(DEFAULT_CAP_MS if rule.cap is None else rule.cap)
    times = "once" if count == "1" else f"{count} times"
    return f"{condition}: {times}, after {delay}, times {rate}, up to {cap}{random}"


def _retry(retry: Retry) -> str:
    if retry.max == 1:
        return "1 delivery"
    delay, cap = format_duration(retry.delay), format_duration(retry.cap)
    return f"{retry.max} deliveries, {delay} apart, times {retry.rate:g}, up to {cap}"


def _ways(step: Step, state: str, unrouted: str) -> Iterator[str]:
    """Yield where a state leads: the routes that may match it, in order.

    Of a choice these are only the routes that name the state: no condition is judged again after one failed.
    """
    accepting = (state,) if isinstance(step, ChoiceStep) else (state, None)
    for route in step.routes:
        if route.state in accepting:
            yield f"-> {route_target(route)}" + (f" when {route.when}" if route.when is not None else "")
            if route.when is None:
                return
    yield unrouted


def route_target(route: Route) -> str:
    """Return the target of a route, with the names of what the route sets."""
    return f"{route.target} ({', '.join(route.entries)})" if route.entries else route.target
