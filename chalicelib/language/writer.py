"""A checked definition as FSL: the way back from JSON. Reading the text again yields an equal definition."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias, assert_never

from chalicelib.definition import (
    Action,
    ActionStep,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EventStep,
    Flow,
    ForkStep,
    Limit,
    Milliseconds,
    Options,
    Parameter,
    Retry,
    Route,
    RunOrder,
    SetStep,
    Step,
    Template,
    TimerStep,
    Undo,
    reference_of,
    source_of,
)  # fmt: skip
from chalicelib.errors import EchoerError
from chalicelib.language.embedded import end_of_expression
from chalicelib.language.printer import format_text
from chalicelib.language.tokens import END_WORDS

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_NAMES: Final = frozenset({*END_WORDS, "when", "else"})
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_CLOSERS: Final = "*/\"'`/"
"""Whatever an expression might leave open is closed by one of these, and so is found out."""

_Properties: TypeAlias = Iterator[tuple[str, str]]


class Unwritable(EchoerError):
    """FSL has no way to write this value. Only a definition that never was FSL can hold one."""


def to_fsl(value: Action | Flow | RunOrder) -> str:
    """The statement that means this definition, in the canonical layout.

    Raises Unwritable for what no FSL can mean: a string that holds both `"` and a backtick, or an expression that
    its brace would not end; and `printer.Unreadable` for names and numbers that FSL refuses.
    """
    return format_text(_statement(value))


def _statement(value: Action | Flow | RunOrder) -> str:
    match value:
        case Action():
            return f"action {_name(value.name)} {_said(_of_action(value))} action_end"
        case Flow():
            return f"flow {_name(value.name)} {_of_flow(value)} flow_end"
        case RunOrder():
            inner = _of_flow(value.steps) if value.steps else _said(_of_run(value))
            return f"flow_run {_name(value.name)} {inner} flow_run_end"
        case _:
            assert_never(value)


def _of_action(action: Action) -> _Properties:
    if action.addresses:
        yield "addr", _string(",".join(action.addresses))
    yield "method", action.method.value
    if action.roots is not None:
        yield "secret", f"(capem = {_string(action.roots)})"
    if action.parameters:
        yield "args", _parameters(action.parameters)
    yield "return", f"({' | '.join(_name(state) for state in action.returns)})"
    if action.secret_data:
        yield "data", "secret"
    yield from _options(action.options)
    if action.undo:
        yield "undo", _undo(action.undo)


def _of_flow(flow: Flow) -> str:
    def said() -> _Properties:
        if flow.input:
            yield "input", _parameters(flow.input)
        if flow.vars or flow.secret_vars:
            yield "vars", _variables(flow)
        if flow.output is not None:
            yield "output", _template(flow.output)
        yield from _timeout(flow.timeout)
        yield from _some("labels", flow.labels)

    properties = _said(said())
    between = "\n\n" if properties else "\n"
    return properties + between + _steps(flow.steps)


def _variables(flow: Flow) -> str:
    for name in flow.secret_vars:
        if name not in flow.vars:
            raise Unwritable(f"the secret variable {name!r} has no start value")
    secret = frozenset(flow.secret_vars)
    said = (f"{'secret ' * (name in secret)}{_name(name)} = {_template(value)}" for name, value in flow.vars.items())
    return f"({', '.join(said)})"


def _of_run(order: RunOrder) -> _Properties:
    yield "flow", _name(order.flow or "")
    yield from _some("input", order.input)
    yield from _some("labels", order.labels)


def _steps(steps: Iterable[Step]) -> str:
    return "\n".join(f"{_kind(step)} {_name(step.name)} => {_routes(step.routes)}{_body(step)};" for step in steps)


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
        case _:
            assert_never(step)


def _routes(routes: Iterable[Route]) -> str:
    """An action may return a state called `else`; beside it the keyword is written `ELSE`."""
    found = tuple(routes)
    otherwise = "ELSE" if any(route.state == "else" for route in found) else "else"
    return f"({' | '.join(_route(route, otherwise) for route in found)})"


def _route(route: Route, otherwise: str) -> str:
    words = [] if route.state is None else [_name(route.state)]
    if route.when is not None:
        words.append(f"when {_expression(route.when)}")
    return f"{' '.join(words) or otherwise} -> {_name(route.target)}"


def _body(step: Step) -> str:
    if isinstance(step, ChoiceStep):
        return ""
    nested = ""
    if isinstance(step, ForkStep):
        nested = "".join(f"branch {_name(one.name)} {{ {_steps(one.steps)} }};" for one in step.branches)
    elif isinstance(step, EachStep):
        nested = _steps(step.steps)
    return f" {{ {_said(_of_step(step))} {nested} }}"


def _of_step(step: Step) -> _Properties:
    match step:
        case ActionStep():
            yield from _of_action_step(step)
        case TimerStep() | EventStep() | ConditionStep():
            yield from _of_wait(step)
        case ForkStep():
            yield "join", "all" if step.join == len(step.branches) else "any" if step.join == 1 else str(step.join)
        case EachStep():
            yield from _of_each(step)
        case CallStep():
            yield "flow", _name(step.flow)
            yield from _some("input", step.input)
            yield from _timeout(step.timeout)
    if isinstance(step, SetStep):
        yield "save", _group(_templates(step.save))
    elif not isinstance(step, ChoiceStep):
        yield from _some("save", step.save)


def _of_wait(step: TimerStep | EventStep | ConditionStep) -> _Properties:
    match step:
        case TimerStep():
            if step.duration is not None:
                yield "for", _duration(step.duration) if isinstance(step.duration, int) else _template(step.duration)
            if step.until is not None:
                yield "until", _template(step.until)
        case EventStep():
            yield "events", _group((state, _string(event)) for state, event in step.events.items())
            if step.key is not None:
                yield "key", _template(step.key)
            yield from _timeout(step.timeout)
        case ConditionStep():
            yield "condition", _expression(step.condition)
            yield from _timeout(step.timeout)


def _of_action_step(step: ActionStep) -> _Properties:
    yield "action", _name(step.action)
    yield from _some("args", step.args)
    yield from _options(step.options)
    if step.undo:
        yield "undo", _undo(step.undo)


def _of_each(step: EachStep) -> _Properties:
    yield "items", _template(step.items)
    if step.max:
        yield "max", str(step.max)
    if step.tolerate_percent is not None:
        yield "tolerate", f'"{step.tolerate_percent:.6f}'.rstrip("0").rstrip(".") + '%"'
    elif step.tolerate:
        yield "tolerate", str(step.tolerate)


def _options(options: Options) -> _Properties:
    yield from _timeout(options.timeout)
    if options.heartbeat is not None:
        yield "heartbeat", _duration(options.heartbeat)
    if options.retry:
        yield "retry", _retry(options.retry)
    if options.limit:
        yield "limit", _limit(options.limit)
    headers = {name: _string(text) for name, text in options.headers.items()}
    headers |= {name: _reference(secret) for name, secret in options.secret_headers.items()}
    if headers:
        yield "headers", _group(headers.items())
    if options.approval:
        yield "approval", "required"
    if options.signed:
        yield "callback", "signed"


def _retry(retry: Retry) -> str:
    usual = Retry()
    said = (
        ("max", str(retry.max), retry.max != usual.max),
        ("delay", _duration(retry.delay), retry.delay != usual.delay),
        ("rate", _number(retry.rate), retry.rate != usual.rate),
        ("cap", _duration(retry.cap), retry.cap != max(usual.cap, retry.delay)),
    )
    return _group((name, text) for name, text, differs in said if differs)


def _limit(limit: Limit) -> str:
    said = {"concurrent": limit.concurrent, "per_second": limit.per_second}
    return _group((name, _number(count)) for name, count in said.items() if count is not None)


def _timeout(timeout: Milliseconds | None) -> _Properties:
    if timeout is not None:
        yield "timeout", _duration(timeout)


def _undo(undo: Undo) -> str:
    return _name(undo.action) + (f" {_group(_templates(undo.args))}" if undo.args else "")


def _parameters(parameters: Iterable[Parameter]) -> str:
    said = (
        f"{'secret ' * one.secret}{one.type.value} {_name(one.name)}"
        + ("" if one.required else f" = {_template(one.default)}")
        for one in parameters
    )
    return f"({', '.join(said)})"


def _some(name: str, values: Mapping[str, Template]) -> _Properties:
    if values:
        yield name, _group(_templates(values))


def _templates(values: Mapping[str, Template]) -> Iterator[tuple[str, str]]:
    return ((name, _template(value)) for name, value in values.items())


def _group(entries: Iterable[tuple[str, str]]) -> str:
    return f"({', '.join(f'{_name(name)} = {text}' for name, text in entries)})"


def _said(properties: _Properties) -> str:
    return "\n".join(f"{name} = {text};" for name, text in properties)


def _template(template: Template) -> str:
    source = source_of(template)
    if source is not None:
        return _expression(source)
    secret = reference_of(template)
    if secret is not None:
        return _reference(secret)
    match template:
        case str():
            return _string(template)
        case bool() | None:
            return json.dumps(template)
        case int() | float():
            return _number(template)
        case Mapping():
            return f"{{ {', '.join(f'{_string(key)}: {_template(value)}' for key, value in template.items())} }}"
        case _:
            return f"[{', '.join(_template(item) for item in template)}]"


def _reference(name: str) -> str:
    return f"secret {_string(name)}"


def _number(number: float) -> str:
    return repr(number)


def _duration(milliseconds: Milliseconds) -> str:
    return next(f"{milliseconds // size}{unit}" for unit, size in _UNITS if milliseconds % size == 0)


def _name(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) and name.lower() not in _NO_NAMES else _string(name)


def _string(text: str) -> str:
    if '"' not in text:
        return f'"{text}"'
    if "`" in text:
        raise Unwritable(f'no FSL string can hold both " and `: {text[:80]}')
    return f"`{text}`"


def _expression(source: str) -> str:
    if end_of_expression(f"{source} }}{_CLOSERS}", 0) != len(source) + 1:
        raise Unwritable(f"the expression does not end with its brace: {source[:80]}")
    return f"${{ {source} }}"
