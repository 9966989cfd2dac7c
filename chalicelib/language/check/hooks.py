"""Read a hook statement as a `Hook`."""

from __future__ import annotations

from typing import Final

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.addresses import read_addresses
from chalicelib.language.check.readers.labels import read_labels
from chalicelib.language.check.readers.members import Properties, owner_of, read_entries, refuse_steps
from chalicelib.language.check.readers.values import read_name
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.syntax.tree import EventName, Statement, Value, Word
from chalicelib.model.actions import Method
from chalicelib.model.hooks import DEFAULT_BUS, HOOK_METHODS, Hook, HookEvent

PROPERTIES: Final = ("addr", "method", "on", "flow", "labels")


def read_hook(context: Context, statement: Statement) -> Hook:
    """Return the hook. The flow that it names must exist, and its addresses must be permitted."""
    owner = owner_of("hook", statement.name)
    refuse_steps(context, owner, statement.members)
    properties = Properties(context, owner, statement.members, PROPERTIES, damaged=statement.damaged)
    method = properties.read("method", _read_method) or Method.HTTP
    on = properties.read("on", _read_events) if properties.require("on", statement.name.span) else None
    return Hook(
        name=statement.name.text,
        on=on or (),
        method=method,
        addresses=_read_addresses(properties, method, statement.name),
        flow=_read_flow(properties),
        labels=read_labels(properties, plain=True),
    )


def _read_method(context: Context, name: str, value: Value) -> Method | None:
    if isinstance(value, Word) and value.key in HOOK_METHODS:
        return Method(value.key)
    near = Suggestion(value.text.lower(), HOOK_METHODS).hint() if isinstance(value, Word) else None
    context.wrong(name, value, "http, https or events", near)
    return None


def _read_events(context: Context, name: str, value: Value) -> tuple[HookEvent, ...] | None:
    entries = read_entries(context, name, value, EventName)
    if entries is None:
        return None
    if not entries:
        context.findings.report(Problem.HOOK_ON_NOTHING, value.span)
    found: dict[HookEvent, None] = {}
    for entry in entries:
        event = _event(entry.text)
        if event is None:
            near = Suggestion(entry.text, tuple(HookEvent))
            context.findings.report(Problem.UNKNOWN_HOOK_EVENT, entry.span, near=near, name=entry.text)
        elif event in found:
            context.findings.report(Problem.DUPLICATE_ENTRY, entry.span, name=event, group=name)
        else:
            found[event] = None
    return tuple(found)


def _event(text: str) -> HookEvent | None:
    return next((event for event in HookEvent if event == text.lower()), None)


def _read_addresses(properties: Properties, method: Method, name: Word) -> tuple[str, ...]:
    if method is Method.EVENTS and "addr" not in properties:
        return (DEFAULT_BUS,)
    value = properties.value("addr")
    if not properties.require("addr", name.span) or value is None:
        return ()
    context = properties.context
    before = context.findings.errors
    found = read_addresses(context, method, value)
    if not found and context.findings.errors == before:
        context.wrong("addr", value, "a URL" if method is not Method.EVENTS else "the name or ARN of an event bus")
    for address in found if method is not Method.EVENTS else ():
        problem = context.address_problem(address) if context.address_problem else None
        if problem:
            context.findings.report(Problem.INVALID_ADDRESS, value.span, address=address, reason=problem)
    return found


def _read_flow(properties: Properties) -> str | None:
    context, name = properties.context, properties.read("flow", read_name)
    value = properties.value("flow")
    if name is not None and value and context.flow(name) is None and name not in context.broken["flow"]:
        near = Suggestion(name, context.names())
        context.findings.report(Problem.UNKNOWN_FLOW, value.span, near=near, name=name)
    return name
