"""Write the properties that several kinds of statements and steps have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from chalicelib.language.format import spelling
from chalicelib.language.format.spelling import Unwritable
from chalicelib.model.actions import WHOLE, ActionCall, Limit, Options, Parameter, Retry, Undo
from chalicelib.model.flow import (
    DEFAULT_CAP_MS,
    ERROR,
    Branch,
    EachStep,
    Flow,
    FlowLimit,
    ForkStep,
    Overflow,
    RepeatRule,
)
from chalicelib.model.templates import Template, source_of
from chalicelib.model.times import Milliseconds, format_duration
from chalicelib.model.variable_paths import split_path

Properties: TypeAlias = Iterator[tuple[str, str]]
"""Names of properties, and their values as FSL."""


def variables(scope: Flow | ForkStep | Branch | EachStep) -> Properties:
    """Write `vars` of a flow or of a scope in it."""
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


def variables_set(values: Mapping[str, Template]) -> str:
    """Write variables and members of variables; the keys are paths."""
    entries = (
        f"{'.'.join(map(spelling.name, split_path(path)))} = {spelling.template(value)}"
        for path, value in values.items()
    )
    return f"({', '.join(entries)})" if values else ""


def action_call(name: str, call: ActionCall | None) -> Properties:
    """Write a property that names an action with args."""
    if call:
        given = call.args[WHOLE] if call.args.keys() == {WHOLE} else call.args
        yield name, spelling.name(call.action) + (f" {group(templates(given))}" if given else "")


def options(options: Options) -> Properties:
    """Write the options of an action or a step."""
    yield from timeout(options.timeout)
    if options.heartbeat is not None:
        yield "heartbeat", spelling.duration(options.heartbeat)
    if options.retry:
        yield "retry", _retry(options.retry)
    if options.limit:
        yield "limit", _limit(options.limit)
    headers = {name: spelling.string(text) for name, text in options.headers.items()}
    headers |= {name: spelling.reference(secret) for name, secret in options.secret_headers.items()}
    if headers:
        yield "headers", group(headers.items())
    if options.approval:
        yield "approval", "required"
    if options.signed:
        yield "callback", "signed"
    if options.role is not None:
        yield "role", spelling.template(options.role)


def _retry(retry: Retry) -> str:
    usual = Retry()
    settings = (
        ("max", str(retry.max), retry.max != usual.max),
        ("delay", format_duration(retry.delay), retry.delay != usual.delay),
        ("rate", spelling.number(retry.rate), retry.rate != usual.rate),
        ("cap", format_duration(retry.cap), retry.cap != max(usual.cap, retry.delay)),
    )
    return group((name, text) for name, text, differs in settings if differs)


def _limit(limit: Limit) -> str:
    burst = limit.burst if limit.burst != Limit().burst else None
    counts = {"concurrent": limit.concurrent, "per_second": limit.per_second, "burst": burst}
    settings = {name: spelling.number(count) for name, count in counts.items() if count is not None}
    return group((*settings.items(), *templates({} if limit.key is None else {"key": limit.key})))


def flow_limit(limit: FlowLimit) -> str:
    """Write the `limit` of a flow."""
    settings = [("concurrent", str(limit.concurrent)), *templates({} if limit.key is None else {"key": limit.key})]
    if limit.overflow is not Overflow.QUEUE:
        settings.append(("overflow", limit.overflow.value))
    return group(settings)


def timeout(timeout: Milliseconds | Template | None) -> Properties:
    """Write a `timeout`."""
    if timeout is not None:
        yield "timeout", spelling.duration(timeout)


def undo(undo: Undo | None) -> Properties:
    """Write an `undo`."""
    if undo:
        given = undo.args[WHOLE] if undo.args.keys() == {WHOLE} else undo.args
        args = f" {group(templates(given))}" if given else ""
        states = f" on {' | '.join(map(spelling.name, undo.states))}" if undo.states else ""
        yield "undo", spelling.name(undo.action) + args + states


def repeat(rules: tuple[RepeatRule, ...]) -> str:
    """Write the rules of a `repeat`."""
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
    return group((name, text) for name, text, differs in settings if differs)


def parameters(parameters: Iterable[Parameter]) -> str:
    """Write `(type name, type name = default)`."""
    declarations = (
        f"{'secret ' * one.secret}{one.type.value} {spelling.name(one.name)}"
        + ("" if one.required else f" = {spelling.template(one.default)}")
        for one in parameters
    )
    return f"({', '.join(declarations)})"


def flow_input(given: Mapping[str, Template]) -> Properties:
    """Write the input of a flow: a value for each of its inputs, or one expression."""
    if source_of(given) is not None:
        yield "input", spelling.template(given)
    else:
        yield from some("input", given)


def some(name: str, values: Mapping[str, Template]) -> Properties:
    """Write a group of values, unless there are none."""
    if values:
        yield name, group(templates(values))


def templates(values: Mapping[str, Template]) -> Iterator[tuple[str, str]]:
    """Yield the names and the values, as FSL."""
    return ((name, spelling.template(value)) for name, value in values.items())


def group(entries: Iterable[tuple[str, str]]) -> str:
    """Write `(name = value, ...)`."""
    return f"({', '.join(f'{spelling.name(name)} = {text}' for name, text in entries)})"


def written(properties: Properties) -> str:
    """Write properties, each ended by `;`."""
    return "\n".join(f"{name} = {text};" for name, text in properties)
