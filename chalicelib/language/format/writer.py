"""Write a checked definition as FSL. Reading the text again yields an equal definition."""

from __future__ import annotations

from typing import assert_never

from chalicelib.language.format import spelling
from chalicelib.language.format.printer import format_text
from chalicelib.language.format.written_properties import (
    Properties,
    flow_input,
    flow_limit,
    group,
    options,
    parameters,
    some,
    timeout,
    undo,
    variables,
    written,
)
from chalicelib.language.format.written_steps import steps
from chalicelib.model.actions import Action, Verb
from chalicelib.model.flow import (
    Flow,
    FlowRun,
)
from chalicelib.model.hooks import Hook
from chalicelib.model.recurrence.schedule import Overlap, Schedule
from chalicelib.model.recurrence.zones import DEFAULT_ZONE
from chalicelib.model.statements import Config, EventType, StatementValue
from chalicelib.model.times import format_duration


def to_fsl(value: StatementValue) -> str:
    """Return the statement for a definition, in the canonical layout.

    Raises Unwritable for values that FSL cannot express (a string with both `"` and a backtick, an expression that its
    brace would not end), and `printer.Unreadable` for names and numbers that FSL refuses.
    """
    return format_text(_statement(value))


def _statement(value: StatementValue) -> str:
    match value:
        case Action():
            return f"action {spelling.name(value.name)} {written(_of_action(value))} action_end"
        case Flow():
            return f"flow {spelling.name(value.name)} {_of_flow(value)} flow_end"
        case FlowRun():
            inner = _of_flow(value.steps) if value.steps else written(_of_run(value))
            return f"flow_run {spelling.name(value.name)} {inner} flow_run_end"
        case EventType():
            return f"event {_dotted(value.name)} {written(_of_event(value))} event_end"
        case Config():
            return f"config {spelling.name(value.name)} = {spelling.template(value.value)};"
        case Schedule():
            return f"schedule {spelling.name(value.name)} {written(_of_schedule(value))} schedule_end"
        case Hook():
            return f"hook {spelling.name(value.name)} {written(_of_hook(value))} hook_end"
        case _:
            assert_never(value)


def _of_schedule(schedule: Schedule) -> Properties:
    yield "flow", spelling.name(schedule.flow)
    if schedule.cron is not None:
        yield "cron", spelling.string(schedule.cron)
    if schedule.every is not None:
        yield "every", format_duration(schedule.every)
    if schedule.at is not None:
        yield "at", spelling.string(schedule.at)
    if schedule.zone != DEFAULT_ZONE:
        yield "zone", spelling.string(schedule.zone)
    yield from flow_input(schedule.input)
    yield from some("labels", schedule.labels)
    if schedule.overlap is not Overlap.SKIP:
        yield "overlap", schedule.overlap.value
    if schedule.catch_up:
        yield "catch_up", format_duration(schedule.catch_up)
    if schedule.jitter:
        yield "jitter", format_duration(schedule.jitter)


def _of_hook(hook: Hook) -> Properties:
    if hook.addresses:
        yield "addr", spelling.string(",".join(hook.addresses))
    yield "method", hook.method.value
    yield "on", f"({', '.join(hook.on)})"
    if hook.flow is not None:
        yield "flow", spelling.name(hook.flow)
    yield from some("labels", hook.labels)


def _of_event(event: EventType) -> Properties:
    if event.parameters is not None:
        yield "args", parameters(event.parameters)


def _dotted(name: str) -> str:
    """Write a name with dots as words with dots between them, if it consists of such words."""
    words = [spelling.name(word) for word in name.split(".")]
    return spelling.name(name) if any(word.startswith(('"', "`")) for word in words) else ".".join(words)


def _of_action(action: Action) -> Properties:
    if action.addresses:
        yield "addr", spelling.string(",".join(action.addresses))
    yield "method", action.method.value
    if action.ca_bundle is not None:
        yield "secret", f"(capem = {spelling.string(action.ca_bundle)})"
    yield from _of_request(action)
    if action.takes_value:
        yield "args", action.parameters[0].type.value
    elif action.parameters:
        yield "args", parameters(action.parameters)
    yield "return", f"({' | '.join(_state(action, state) for state in action.returns)})"
    if action.secret_data:
        yield "data", "secret"
    if action.cancel:
        yield "cancel", spelling.string(",".join(action.cancel))
    if action.breaker:
        settings = {"failures": str(action.breaker.failures), "pause": format_duration(action.breaker.pause)}
        yield "breaker", group(settings.items())
    yield from options(action.options)
    yield from undo(action.undo)


def _of_request(action: Action) -> Properties:
    if action.role is not None:
        yield "role", spelling.string(action.role)
    if action.is_operation and not action.direct and not action.options.signed:
        yield "callback", "open"
    if not action.direct:
        return
    if not action.is_operation:
        yield "callback", "none"
    if action.verb is not Verb.POST:
        yield "verb", action.verb.value
    if action.form:
        yield "body", "form"
    if action.reply_timeout is not None:
        yield "reply_timeout", format_duration(action.reply_timeout)


def _state(action: Action, state: str) -> str:
    statuses = action.statuses.get(state, ())
    return spelling.name(state) + (f" on {', '.join(map(str, statuses))}" if statuses else "")


def _of_flow(flow: Flow) -> str:
    def properties_of_flow() -> Properties:
        if flow.description is not None:
            yield "description", spelling.string(flow.description)
        if flow.input_type is not None:
            yield "input", flow.input_type.value
        elif flow.input:
            yield "input", parameters(flow.input)
        yield from variables(flow)
        if flow.output is not None:
            yield "output", spelling.template(flow.output)
        yield from timeout(flow.timeout)
        if flow.max_steps is not None:
            yield "max_steps", str(flow.max_steps)
        if flow.keep is not None:
            yield "keep", format_duration(flow.keep)
        if flow.limit is not None:
            yield "limit", flow_limit(flow.limit)
        yield from some("labels", flow.labels)

    properties = written(properties_of_flow())
    between = "\n\n" if properties else "\n"
    return properties + between + steps(flow.steps)


def _of_run(run: FlowRun) -> Properties:
    yield "flow", spelling.name(run.flow or "")
    yield from some("input", run.input)
    yield from some("labels", run.labels)
