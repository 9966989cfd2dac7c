"""Read an action statement as an `Action`."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

import msgspec

from chalicelib.language.check.configs import read_configs
from chalicelib.language.check.context import Context
from chalicelib.language.check.readers import direct
from chalicelib.language.check.readers.addresses import read_addresses
from chalicelib.language.check.readers.arguments import lacking, refuse_plain_heirs, report_missing
from chalicelib.language.check.readers.members import (
    Properties,
    owner_of,
    property_named,
    read_assignments,
    read_entries,
    refuse_steps,
)  # fmt: skip
from chalicelib.language.check.readers.operations import read_operation
from chalicelib.language.check.readers.options import OPTIONS, read_breaker, read_options, refuse_signature
from chalicelib.language.check.readers.undo import Undone, read_undo
from chalicelib.language.check.readers.values import read_text
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Route, Statement, Value, Word
from chalicelib.model.actions import Action, Method
from chalicelib.model.flow import DEFAULT_STATE

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_PROPERTIES = (
    "addr",
    "method",
    "secret",
    "args",
    "return",
    "data",
    "undo",
    "role",
    "breaker",
    "cancel",
    *direct.PROPERTIES,
    *OPTIONS,
)


def read_action(context: Context, statement: Statement) -> Action | None:
    """Return the action; None if its args or states are too damaged to check the steps that use it."""
    owner = owner_of("action", statement.name)
    refuse_steps(context, owner, statement.members)
    properties = Properties(context, owner, statement.members, _PROPERTIES, damaged=statement.damaged)
    method = properties.read("method", _read_method) or Method.HTTP
    is_direct = direct.read_callback(properties, method, statement.name)
    is_called, is_human = is_direct or method is Method.AWS, method is Method.HUMAN
    parameters = direct.read_args(properties, is_called=is_called, is_human=is_human)
    returns = properties.read("return", _read_states) if properties.require("return", statement.name.span) else None
    action = Action(
        name=statement.name.text,
        returns=tuple(returns or ()),
        method=method,
        addresses=_read_addresses(properties, method, statement.name),
        parameters=parameters or (),
        ca_bundle=_read_roots(properties),
        options=read_options(properties),
        secret_data=properties.read("data", _read_data) or False,
        direct=is_direct,
        statuses={state: statuses for state, statuses in (returns or {}).items() if statuses},
        breaker=properties.read("breaker", read_breaker),
        cancel=properties.read("cancel", _read_cancel) or (),
        configs=read_configs(context, statement),
    )
    action = read_operation(properties, direct.with_request(properties, action), statement.name)
    refuse_signature(properties, action.options, action)
    if action.breaker and method is Method.HUMAN:
        context.findings.report(Problem.NEEDLESS_BREAKER, properties.span("breaker"), name=action.name)
    return None if returns is None or parameters is None or properties.damaged else action


def with_undo(context: Context, statement: Statement, action: Action) -> Action:
    """Return the action with what undoes it, which is read once all actions and flows are known.

    Args that `undo` does not set are taken from the args of the same name of the step that is undone, but not for a
    flow, which gets only what `undo` sets.
    """
    member = property_named(statement.members, "undo")
    if member is None or member.value is None:
        return action
    owner = owner_of("action", statement.name)
    found = read_undo(context, member.value, Undone(owner, owner, action.returns))
    if found is None:
        return action
    undo, undoer = found
    at, parameters = member.name.span, undoer.parameters or ()
    own = {} if undo.is_flow else {parameter.name: parameter.type for parameter in action.parameters}
    heirs = (one for one in parameters if one.name not in undo.args and one.name in own)
    refuse_plain_heirs(context, action.parameters, heirs, at, owner=owner, undoer=undoer.owner)
    absent = [one for one in lacking(parameters, undo.args) if own.get(one.name) != one.type]
    report_missing(
        context,
        absent,
        at,
        step=f"the undo of {owner}",
        owner=undoer.owner,
        what="input" if undo.is_flow else "arg",
    )
    return msgspec.structs.replace(action, undo=undo)


def _read_cancel(context: Context, _name: str, value: Value) -> tuple[str, ...]:
    return read_addresses(context, Method.HTTP, value)


def _read_method(context: Context, name: str, value: Value) -> Method | None:
    known = tuple(method for method in Method if method is not Method.EVENTS)
    if isinstance(value, Word) and value.text.lower() in known:
        return Method(value.text.lower())
    near = Suggestion(value.text.lower(), known).hint() if isinstance(value, Word) else None
    context.wrong(name, value, "http, https, grpc, human, queue, lambda or aws", near)
    return None


def _read_states(context: Context, name: str, value: Value) -> dict[str, tuple[int, ...]] | None:
    """Read `(STATE | STATE on 404, 410)`: the states in their order, each with the statuses that lead to it.

    Targets are accepted and ignored, as in the original echoer; `()` means `(DONE)`.
    """
    routes = read_entries(context, name, value, Route)
    if routes is None:
        return None
    states: dict[str, tuple[int, ...]] = {}
    for route in routes:
        if not route.states or route.when is not None or route.entries is not None:
            reason = "'return' lists states, without when and without entries"
            context.findings.report(Problem.MISPLACED_ROUTE, route.span, reason=reason)
            continue
        for word in route.states:
            if word.text in states:
                context.findings.report(Problem.DUPLICATE_ENTRY, word.span, name=word.text, group=name)
            elif context.valid_name(word):
                states[word.text] = direct.read_statuses(context, route, states)
    return states or {DEFAULT_STATE: ()}


def _read_data(context: Context, name: str, value: Value) -> bool | None:
    if isinstance(value, Word) and value.key == "secret":
        return True
    context.wrong(name, value, "the word secret")
    return None


def _read_addresses(properties: Properties, method: Method, name: Word) -> tuple[str, ...]:
    findings, value = properties.context.findings, properties.value("addr")
    if method is Method.HUMAN:
        if value:
            findings.report(Problem.NEEDLESS_ADDRESS, properties.span("addr"), name=name.text)
        return ()
    before = findings.errors
    found = read_addresses(properties.context, method, value) if value else ()
    if not found and findings.errors == before and not properties.damaged and (value or "addr" not in properties):
        span = value.span if value else name.span
        findings.report(Problem.NO_ADDRESS, span, name=name.text)
    return found


def _read_roots(properties: Properties) -> str | None:
    """Read `secret = (capem = "...")`. `secret = ;` is accepted and ignored, as in the original echoer."""
    context = properties.context
    entries = properties.read("secret", read_assignments)
    if entries is None:
        return None
    for name, entry in entries.items():
        if entry.name.key != "capem":
            near = Suggestion(name, ("capem",))
            context.findings.report(Problem.UNKNOWN_PROPERTY, entry.name.span, near=near, name=name, owner="'secret'")
            continue
        text = read_text(context, "capem", entry.value)
        if text is not None and not text.strip():
            context.wrong("capem", entry.value, "a base64-encoded PEM bundle")
        elif text is not None:
            _check_roots(context, text, entry.value.span)
            return text
    return None


def _check_roots(context: Context, text: str, span: Span) -> None:
    try:
        bundle = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        reason = "it is not valid base64"
    else:
        if _CERTIFICATE.search(bundle):
            return
        reason = "it contains no certificate"
    context.findings.report(Problem.UNREADABLE_ROOTS, span, reason=reason)
