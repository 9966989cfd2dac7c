"""Write a checked definition as FSL. Reading the text again yields an equal definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, assert_never

from chalicelib.language.format import spelling
from chalicelib.language.format.printer import format_text
from chalicelib.language.format.spelling import Unwritable
from chalicelib.model.actions import WHOLE, Action, ActionCall, Limit, Options, Parameter, Retry, Undo, Verb
from chalicelib.model.flow import (
    DEFAULT_CAP_MS,
    ENDS,
    ERROR,
    ActionStep,
    Branch,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EmitStep,
    EventStep,
    Flow,
    FlowLimit,
    FlowRun,
    ForkStep,
    Overflow,
    RepeatRule,
    Route,
    SetStep,
    StartStep,
    Step,
    TimerStep,
)
from chalicelib.model.hooks import Hook
from chalicelib.model.recurrence.schedule import Overlap, Schedule
from chalicelib.model.recurrence.zones import DEFAULT_ZONE
from chalicelib.model.statements import Config, EventType, StatementValue
from chalicelib.model.templates import Template, source_of
from chalicelib.model.times import Milliseconds, format_duration
from chalicelib.model.variable_paths import split_path

_Properties: TypeAlias = Iterator[tuple[str, str]]


def to_fsl(value: StatementValue) -> str:
    """Return the statement for a definition, in the canonical layout.

    Raises Unwritable for values that FSL cannot express (a string with both `"` and a backtick, an expression that its
    brace would not end), and `printer.Unreadable` for names and numbers that FSL refuses.
    """
    return format_text(_statement(value))


def _statement(value: StatementValue) -> str:
    match value:
        case Action():
            return f"action {spelling.name(value.name)} {_written(_of_action(value))} action_end"
        case Flow():
            return f"flow {spelling.name(value.name)} {_of_flow(value)} flow_end"
        case FlowRun():
            inner = _of_flow(value.steps) if value.steps else _written(_of_run(value))
            return f"flow_run {spelling.name(value.name)} {inner} flow_run_end"
        case EventType():
            return f"event {_dotted(value.name)} {_written(_of_event(value))} event_end"
        case Config():
            return f"config {spelling.name(value.name)} = {spelling.template(value.value)};"
        case Schedule():
            return f"schedule {spelling.name(value.name)} {_written(_of_schedule(value))} schedule_end"
        case Hook():
            return f"hook {spelling.name(value.name)} {_written(_of_hook(value))} hook_end"
        case _:
            assert_never(value)


def _of_schedule(schedule: Schedule) -> _Properties:
    yield "flow", spelling.name(schedule.flow)
    if schedule.cron is not None:
        yield "cron", spelling.string(schedule.cron)
    if schedule.every is not None:
        yield "every", format_duration(schedule.every)
    if schedule.at is not None:
        yield "at", spelling.string(schedule.at)
    if schedule.zone != DEFAULT_ZONE:
        yield "zone", spelling.string(schedule.zone)
    yield from _input(schedule.input)
    yield from _some("labels", schedule.labels)
    if schedule.overlap is not Overlap.SKIP:
        yield "overlap", schedule.overlap.value
    if schedule.catch_up:
        yield "catch_up", format_duration(schedule.catch_up)
    if schedule.jitter:
        yield "jitter", format_duration(schedule.jitter)


def _of_hook(hook: Hook) -> _Properties:
    if hook.addresses:
        yield "addr", spelling.string(",".join(hook.addresses))
    yield "method", hook.method.value
    yield "on", f"({', '.join(hook.on)})"
    if hook.flow is not None:
        yield "flow", spelling.name(hook.flow)
    yield from _some("labels", hook.labels)


def _of_event(event: EventType) -> _Properties:
    if event.parameters is not None:
        yield "args", _parameters(event.parameters)


def _dotted(name: str) -> str:
    """Write a name with dots as words with dots between them, if it consists of such words."""
    words = [spelling.name(word) for word in name.split(".")]
    return spelling.name(name) if any(word.startswith(('"', "`")) for word in words) else ".".join(words)


def _of_action(action: Action) -> _Properties:
    if action.addresses:
        yield "addr", spelling.string(",".join(action.addresses))
    yield "method", action.method.value
    if action.ca_bundle is not None:
        yield "secret", f"(capem = {spelling.string(action.ca_bundle)})"
    yield from _of_request(action)
    if action.takes_value:
        yield "args", action.parameters[0].type.value
    elif action.parameters:
        yield "args", _parameters(action.parameters)
    yield "return", f"({' | '.join(_state(action, state) for state in action.returns)})"
    if action.secret_data:
        yield "data", "secret"
    if action.cancel:
        yield "cancel", spelling.string(",".join(action.cancel))
    if action.breaker:
        settings = {"failures": str(action.breaker.failures), "pause": format_duration(action.breaker.pause)}
        yield "breaker", _group(settings.items())
    yield from _options(action.options)
    yield from _undo(action.undo)


def _of_request(action: Action) -> _Properties:
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
    def properties_of_flow() -> _Properties:
        if flow.description is not None:
            yield "description", spelling.string(flow.description)
        if flow.input_type is not None:
            yield "input", flow.input_type.value
        elif flow.input:
            yield "input", _parameters(flow.input)
        yield from _variables(flow)
        if flow.output is not None:
            yield "output", spelling.template(flow.output)
        yield from _timeout(flow.timeout)
        if flow.max_steps is not None:
            yield "max_steps", str(flow.max_steps)
        if flow.keep is not None:
            yield "keep", format_duration(flow.keep)
        if flow.limit is not None:
            yield "limit", _flow_limit(flow.limit)
        yield from _some("labels", flow.labels)

    properties = _written(properties_of_flow())
    between = "\n\n" if properties else "\n"
    return properties + between + _steps(flow.steps)


def _variables(scope: Flow | ForkStep | Branch | EachStep) -> _Properties:
    for name in scope.secret_vars:
        if name not in scope.vars:
            raise Unwritable(f"the secret variable {name!r} has no initial value")
    secret = frozenset(scope.secret_vars)
    entries = [
        f"{'secret ' * (name in secret)}{spelling.name(name)} = {spelling.template(value)}"
        for name, value in scope.vars.items()
    ]
    if entries:
        yield "vars", f"({', '.join(entries)})"


def _of_run(run: FlowRun) -> _Properties:
    yield "flow", spelling.name(run.flow or "")
    yield from _some("input", run.input)
    yield from _some("labels", run.labels)


def _steps(steps: Iterable[Step]) -> str:
    return "\n".join(
        f"{_kind(step)} {spelling.name(step.name)} => {_routes(step.routes)}{_body(step)};" for step in steps
    )


def _kind(step: Step) -> str:
    match step:
        case ActionStep():
            return "deci" if step.decides else "step"
        case ChoiceStep():
            return "deci"
        case TimerStep() | EventStep() | ConditionStep():
            return "wait"
        case SetStep():
            return "set"
        case ForkStep():
            return "fork"
        case EachStep():
            return "each"
        case CallStep():
            return "call"
        case EmitStep():
            return "emit"
        case StartStep():
            return "start"
        case _:
            assert_never(step)


def _routes(routes: Iterable[Route]) -> str:
    """Write the routes. If a state is called `else`, the keyword is written `ELSE`."""
    found = tuple(routes)
    otherwise = "ELSE" if any(route.state == "else" for route in found) else "else"
    return f"({' | '.join(_route(route, otherwise) for route in found)})"


def _route(route: Route, otherwise: str) -> str:
    words = [] if route.state is None else [spelling.name(route.state)]
    if route.when is not None:
        words.append(f"when {spelling.expression(route.when)}")
    entries = _end_entries(route) if route.target in ENDS else _variables_set(route.entries)
    return f"{' '.join(words) or otherwise} -> {spelling.name(route.target)}" + (f" {entries}" if entries else "")


def _end_entries(route: Route) -> str:
    return _group(_templates(route.entries)) if route.entries else ""


def _variables_set(values: Mapping[str, Template]) -> str:
    """Write variables and members of variables; the keys are paths."""
    entries = (
        f"{'.'.join(map(spelling.name, split_path(path)))} = {spelling.template(value)}"
        for path, value in values.items()
    )
    return f"({', '.join(entries)})" if values else ""


def _body(step: Step) -> str:
    if isinstance(step, ChoiceStep):
        return ""
    nested = ""
    if isinstance(step, ForkStep):
        nested = "".join(map(_branch, step.branches))
    elif isinstance(step, EachStep):
        nested = _steps(step.steps)
    return f" {{ {_written(_of_step(step))} {nested} }}"


def _branch(branch: Branch) -> str:
    return f"branch {spelling.name(branch.name)} {{ {_written(_variables(branch))} {_steps(branch.steps)} }};"


def _of_step(step: Step) -> _Properties:
    match step:
        case ActionStep():
            yield from _of_action_step(step)
        case TimerStep() | EventStep() | ConditionStep():
            yield from _of_wait(step)
        case EmitStep() | StartStep():
            yield from _of_outgoing(step)
        case ForkStep():
            yield "join", "all" if step.join == len(step.branches) else "any" if step.join == 1 else str(step.join)
            yield from _timeout(step.timeout)
            yield from _abandoned(step)
            yield from _variables(step)
        case EachStep():
            yield from _of_each(step)
        case CallStep():
            yield from _of_flow_input(step)
            yield from _timeout(step.timeout)
            yield from _undo(step.undo)
    if isinstance(step, ChoiceStep):
        return
    if step.save:
        yield "save", _variables_set(step.save)
    if not isinstance(step, SetStep) and step.repeat:
        yield "repeat", _repeat(step.repeat)


def _of_flow_input(step: CallStep | StartStep) -> _Properties:
    yield "flow", spelling.name(step.flow)
    yield from _input(step.input)


def _of_outgoing(step: EmitStep | StartStep) -> _Properties:
    if isinstance(step, StartStep):
        yield from _of_flow_input(step)
        if step.run is not None:
            yield "name", spelling.template(step.run)
        yield from _some("labels", step.labels)
        return
    for name, value in (("event", step.event), ("key", step.key), ("data", step.data), ("to", step.to)):
        if value is not None:
            yield name, spelling.template(value)
    if step.ttl is not None:
        yield "ttl", spelling.duration(step.ttl)


def _of_wait(step: TimerStep | EventStep | ConditionStep) -> _Properties:
    match step:
        case TimerStep():
            if step.duration is not None:
                yield "for", spelling.duration(step.duration)
            if step.until is not None:
                yield "until", spelling.template(step.until)
            if step.next is not None:
                yield "next", spelling.template(step.next)
            if step.zone is not None:
                yield "zone", spelling.template(step.zone)
        case EventStep():
            yield "events", _group((state, spelling.string(event)) for state, event in step.events.items())
            if step.key is not None:
                yield "key", spelling.template(step.key)
            yield from _timeout(step.timeout)
            yield from _action_call("on_enter", step.on_enter)
            yield from _action_call("on_leave", step.on_leave)
        case ConditionStep():
            yield "condition", spelling.expression(step.condition)
            yield from _timeout(step.timeout)


def _action_call(name: str, call: ActionCall | None) -> _Properties:
    if call:
        given = call.args[WHOLE] if call.args.keys() == {WHOLE} else call.args
        yield name, spelling.name(call.action) + (f" {_group(_templates(given))}" if given else "")


def _of_action_step(step: ActionStep) -> _Properties:
    yield "action", spelling.name(step.action)
    if step.args.keys() == {WHOLE}:
        yield "args", spelling.template(step.args[WHOLE])
    else:
        yield from _some("args", step.args)
    yield from _options(step.options)
    yield from _undo(step.undo)


def _of_each(step: EachStep) -> _Properties:
    yield "items", spelling.template(step.items)
    if step.max:
        yield "max", spelling.template(step.max)
    if step.tolerate_percent is not None:
        yield "tolerate", f'"{step.tolerate_percent:.6f}'.rstrip("0").rstrip(".") + '%"'
    elif step.tolerate:
        yield "tolerate", spelling.template(step.tolerate)
    if step.batch is not None:
        yield "batch", spelling.template(step.batch)
    yield from _timeout(step.timeout)
    yield from _abandoned(step)
    yield from _variables(step)


def _abandoned(step: ForkStep | EachStep) -> _Properties:
    if step.keep_abandoned:
        yield "abandoned", "keep"


def _options(options: Options) -> _Properties:
    yield from _timeout(options.timeout)
    if options.heartbeat is not None:
        yield "heartbeat", spelling.duration(options.heartbeat)
    if options.retry:
        yield "retry", _retry(options.retry)
    if options.limit:
        yield "limit", _limit(options.limit)
    headers = {name: spelling.string(text) for name, text in options.headers.items()}
    headers |= {name: spelling.reference(secret) for name, secret in options.secret_headers.items()}
    if headers:
        yield "headers", _group(headers.items())
    if options.approval:
        yield "approval", "required"
    if options.signed:
        yield "callback", "signed"


def _retry(retry: Retry) -> str:
    usual = Retry()
    settings = (
        ("max", str(retry.max), retry.max != usual.max),
        ("delay", format_duration(retry.delay), retry.delay != usual.delay),
        ("rate", spelling.number(retry.rate), retry.rate != usual.rate),
        ("cap", format_duration(retry.cap), retry.cap != max(usual.cap, retry.delay)),
    )
    return _group((name, text) for name, text, differs in settings if differs)


def _limit(limit: Limit) -> str:
    burst = limit.burst if limit.burst != Limit().burst else None
    counts = {"concurrent": limit.concurrent, "per_second": limit.per_second, "burst": burst}
    settings = {name: spelling.number(count) for name, count in counts.items() if count is not None}
    return _group((*settings.items(), *_templates({} if limit.key is None else {"key": limit.key})))


def _flow_limit(limit: FlowLimit) -> str:
    settings = [("concurrent", str(limit.concurrent)), *_templates({} if limit.key is None else {"key": limit.key})]
    if limit.overflow is not Overflow.QUEUE:
        settings.append(("overflow", limit.overflow.value))
    return _group(settings)


def _timeout(timeout: Milliseconds | Template | None) -> _Properties:
    if timeout is not None:
        yield "timeout", spelling.duration(timeout)


def _undo(undo: Undo | None) -> _Properties:
    if undo:
        given = undo.args[WHOLE] if undo.args.keys() == {WHOLE} else undo.args
        args = f" {_group(_templates(given))}" if given else ""
        states = f" on {' | '.join(map(spelling.name, undo.states))}" if undo.states else ""
        yield "undo", spelling.name(undo.action) + args + states


def _repeat(rules: tuple[RepeatRule, ...]) -> str:
    if len(rules) == 1 and rules[0].state == ERROR and rules[0].when is None:
        return _rule_settings(rules[0])
    return f"({' | '.join(f'{_condition(rule)} -> {_rule_settings(rule)}' for rule in rules)})"


def _condition(rule: RepeatRule) -> str:
    words = [] if rule.state is None else [spelling.name(rule.state)]
    if rule.when is not None:
        words.append(f"when {spelling.expression(rule.when)}")
    return " ".join(words)


def _rule_settings(rule: RepeatRule) -> str:
    usual = RepeatRule(max=1)
    usual_cap = max(DEFAULT_CAP_MS, rule.delay) if isinstance(rule.delay, int) else None
    settings = (
        ("max", spelling.template(rule.max), True),
        ("delay", spelling.duration(rule.delay), rule.delay != usual.delay),
        ("rate", spelling.template(rule.rate), rule.rate != usual.rate),
        ("cap", spelling.duration(rule.cap), rule.cap is not None and rule.cap != usual_cap),
        ("jitter", rule.jitter.value, rule.jitter is not usual.jitter),
    )
    return _group((name, text) for name, text, differs in settings if differs)


def _parameters(parameters: Iterable[Parameter]) -> str:
    declarations = (
        f"{'secret ' * one.secret}{one.type.value} {spelling.name(one.name)}"
        + ("" if one.required else f" = {spelling.template(one.default)}")
        for one in parameters
    )
    return f"({', '.join(declarations)})"


def _input(given: Mapping[str, Template]) -> _Properties:
    """Write the input of a flow: a value for each of its inputs, or one expression."""
    if source_of(given) is not None:
        yield "input", spelling.template(given)
    else:
        yield from _some("input", given)


def _some(name: str, values: Mapping[str, Template]) -> _Properties:
    if values:
        yield name, _group(_templates(values))


def _templates(values: Mapping[str, Template]) -> Iterator[tuple[str, str]]:
    return ((name, spelling.template(value)) for name, value in values.items())


def _group(entries: Iterable[tuple[str, str]]) -> str:
    return f"({', '.join(f'{spelling.name(name)} = {text}' for name, text in entries)})"


def _written(properties: _Properties) -> str:
    return "\n".join(f"{name} = {text};" for name, text in properties)
