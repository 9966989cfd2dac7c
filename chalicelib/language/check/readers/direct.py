"""Read what an action without callback has of its own: its request, and the statuses that lead to its states.

`callback = none` means that what the request returns is the answer. Only such an action has a verb, placeholders in its
address, statuses, or one value instead of args.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import Properties, read_parameters
from chalicelib.language.check.readers.values import read_duration
from chalicelib.language.limits import MAX_REPLY_TIMEOUT_S
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Group, Route, Value, Word
from chalicelib.model.actions import RESERVED_ARGS, WHOLE, Action, ArgType, Method, Options, Parameter, Verb
from chalicelib.model.addresses import PLACEHOLDER, placeholders_in

PROPERTIES: Final = ("verb", "body", "reply_timeout")
"""The properties that only an action without callback has."""

_WITHOUT_ANSWER: Final = {
    Method.HUMAN: "a person answers it",
    Method.QUEUE: "a queue only takes the message, and returns no answer",
    Method.GRPC: "a gRPC service answers with ackState in its reply or by callback",
}
_BODIES: Final = {"json": False, "form": True}
_STATUSES: Final = range(200, 600)
_IN_URL: Final = frozenset({ArgType.STR, ArgType.INT, ArgType.FLOAT, ArgType.BOOL, ArgType.ANY})


def read_callback(properties: Properties, method: Method, name: Word) -> bool:
    """Return whether the action has no callback; report where its method cannot do without."""
    value = properties.value("callback")
    key = value.key if isinstance(value, Word) else ""
    if method is Method.AWS:
        return key not in ("open", "signed")
    if key != "none":
        return False
    reason = _WITHOUT_ANSWER.get(method)
    if reason:
        findings, span = properties.context.findings, properties.span("callback")
        findings.report(Problem.NO_DIRECT_ANSWER, span, name=name.text, reason=reason)
        return False
    return True


def read_args(properties: Properties, *, is_called: bool, is_human: bool) -> tuple[Parameter, ...] | None:
    """Return the parameters of the action: one without a name for `args = any`. None if they are invalid.

    `is_called`: the action is sent nothing but its args. `is_human`: it is sent nothing at all.
    """
    if "args" not in properties:
        return ()
    value = properties.value("args")
    if isinstance(value, Word) and value.key == ArgType.ANY:
        if not (is_called or is_human):
            _needs_direct(properties, "args = any", properties.span("args"))
        return (Parameter(name=WHOLE, type=ArgType.ANY),)
    found = properties.read("args", functools.partial(read_parameters, references=True))
    if isinstance(value, Group) and not is_called:
        for item in value.items:
            word = getattr(item, "name", None)
            if word and word.text in RESERVED_ARGS:
                properties.context.findings.report(Problem.RESERVED_NAME, word.span, name=word.text)
    return found


def read_statuses(context: Context, route: Route, states: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Return the statuses of a state of `return`. `states` are those before it: no status leads to two states."""
    found: dict[int, None] = {}
    taken = {status for statuses in states.values() for status in statuses}
    for number in route.statuses:
        status = number.value
        if not isinstance(status, int) or status not in _STATUSES:
            context.findings.report(
                Problem.OUT_OF_RANGE, number.span, name="on", found=str(status), range="a status from 200 to 599"
            )
        elif status in found or status in taken:
            context.findings.report(Problem.DUPLICATE_ENTRY, number.span, name=str(status), group="return")
        else:
            found[status] = None
    return tuple(found)


def with_request(properties: Properties, action: Action) -> Action:
    """Return the action with what its request is like, and report what does not fit."""
    if not action.direct:
        _refuse_all(properties, action)
        return action
    action = replace(
        action,
        verb=properties.read("verb", _read_verb) or Verb.POST,
        form=properties.read("body", _read_body) or False,
        reply_timeout=properties.read(
            "reply_timeout", functools.partial(read_duration, longest=MAX_REPLY_TIMEOUT_S * 1_000)
        ),
    )
    refuse_options(properties, action.options, action)
    _check_method(properties, action)
    _check_body(properties, action)
    _check_addresses(properties, action)
    _warn_of_unused(properties, action)
    return action


def refuse_options(properties: Properties, options: Options, action: Action) -> None:
    """Report options of an action without callback, or of its step, that only an answer by callback can meet."""
    for name, is_set in (("heartbeat", options.heartbeat is not None), ("callback", options.signed)):
        if is_set:
            properties.context.findings.report(
                Problem.NEEDLESS_WITHOUT_CALLBACK,
                properties.span(name),
                property=name,
                owner=properties.owner,
                name=action.name,
            )


def refuse_none(properties: Properties) -> None:
    """Report `callback = none` at a step: it belongs to the contract of the action."""
    value = properties.value("callback")
    if isinstance(value, Word) and value.key == "none":
        properties.context.wrong("callback", value, "the word signed or open", "write callback = none at the action")


# ── properties ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse_all(properties: Properties, action: Action) -> None:
    for name in PROPERTIES:
        if name in properties:
            _needs_direct(properties, name, properties.span(name))
    address = properties.value("addr")
    if address and action.is_http and not properties.context.is_echoer:
        declared = {parameter.name for parameter in action.parameters}
        for name in dict.fromkeys(name for one in action.addresses for name in placeholders_in(one)):
            if name in declared:
                _needs_direct(properties, f"{{{name}}}", address.span)
    value = properties.value("return")
    for route in value.items if isinstance(value, Group) and action.statuses else ():
        if isinstance(route, Route) and route.statuses:
            _needs_direct(properties, "on", route.statuses[0].span)


def _needs_direct(properties: Properties, name: str, span: Span) -> None:
    properties.context.findings.report(
        Problem.NEEDS_DIRECT_ANSWER,
        span,
        hint="other actions get a POST with the fields of the run, and answer with a state",
        property=name,
        owner=properties.owner,
        reason="needs callback = none",
    )


def _read_verb(context: Context, name: str, value: Value) -> Verb | None:
    if isinstance(value, Word) and value.text.upper() in tuple(Verb):
        return Verb(value.text.upper())
    near = Suggestion(value.text, tuple(Verb)).hint() if isinstance(value, Word) else None
    context.wrong(name, value, "GET, POST, PUT, PATCH or DELETE", near)
    return None


def _read_body(context: Context, name: str, value: Value) -> bool | None:
    key = value.key if isinstance(value, Word) else ""
    if key not in _BODIES:
        context.wrong(name, value, "the word json or form")
    return _BODIES.get(key)


def _check_method(properties: Properties, action: Action) -> None:
    """Report properties of HTTP requests that an action with another method has."""
    names = [name for name in ("verb", "body") if name in properties and not action.is_http]
    for name in names:
        properties.context.findings.report(
            Problem.NEEDS_DIRECT_ANSWER,
            properties.span(name),
            property=name,
            owner=properties.owner,
            reason=f"belongs to HTTP requests, but the method is {action.method.value}",
        )
    if action.statuses and not action.is_http:
        reason = f"belongs to HTTP answers, but the method is {action.method.value}"
        properties.context.findings.report(
            Problem.NEEDS_DIRECT_ANSWER, properties.span("return"), property="on", owner=properties.owner, reason=reason
        )


def _check_body(properties: Properties, action: Action) -> None:
    """Report args or a body that the request has no place for."""
    findings = properties.context.findings
    if action.takes_value and not action.verb.has_body:
        reason = f"a {action.verb} request has no body; declare the args of its query by name"
        findings.report(Problem.ONE_VALUE, properties.span("args"), owner=properties.owner, reason=reason)
    if "body" in properties and action.is_http and not action.verb.has_body:
        reason = f"has no effect: the args of a {action.verb} request are its query"
        findings.report(
            Problem.NEEDS_DIRECT_ANSWER,
            properties.span("body"),
            property="body",
            owner=properties.owner,
            reason=reason,
        )
    elif action.form and action.takes_value:
        reason = "a form has named fields; declare the args by name"
        findings.report(Problem.ONE_VALUE, properties.span("args"), owner=properties.owner, reason=reason)


def _check_addresses(properties: Properties, action: Action) -> None:
    value = properties.value("addr")
    declared = {parameter.name: parameter for parameter in action.parameters}
    if value is None or not action.is_http:
        return
    for address in action.addresses:
        for placeholder, reason in _misplaced(address, declared):
            properties.context.findings.report(
                Problem.MISPLACED_PLACEHOLDER, value.span, placeholder=placeholder, address=address, reason=reason
            )
        for name in dict.fromkeys(placeholders_in(address)):
            if name not in declared or name == WHOLE:
                near = Suggestion(name, tuple(declared))
                properties.context.findings.report(
                    Problem.UNKNOWN_PLACEHOLDER,
                    value.span,
                    near=near,
                    address=address,
                    placeholder=f"{{{name}}}",
                    name=action.name,
                )


def _misplaced(address: str, declared: Mapping[str, Parameter]) -> Iterator[tuple[str, str]]:
    """Yield each part of the address that can be no placeholder, and why."""
    brace = re.search(r"[{}]", PLACEHOLDER.sub("", address))
    if brace:
        yield brace[0], "a placeholder is {NAME}, the name of an arg in braces"
    for name in dict.fromkeys(placeholders_in(urlsplit(address).fragment)):
        yield f"{{{name}}}", "what follows '#' is not sent"
    for name in dict.fromkeys(placeholders_in(address)):
        kind = declared[name].type if name in declared else ArgType.ANY
        if kind not in _IN_URL:
            yield f"{{{name}}}", f"its type is {kind}; only str, int, float, bool and any can be part of an address"


def _warn_of_unused(properties: Properties, action: Action) -> None:
    """Warn of states that no status leads to. Every success that no state names leads to one state."""
    for state in action.returns:
        if state not in action.statuses and state != action.success_state:
            first = action.success_state
            hint = f"every success returns {first}"
            hint += f"; write a status, like: {state} on 404" if action.is_http else ""
            properties.context.findings.report(
                Problem.UNUSED_STATE, properties.span("return"), hint=hint, name=action.name, state=state
            )
