"""Read the options of an action or step: times, retries, limits, headers, approval, signatures."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import Properties, read_assignments
from chalicelib.language.check.readers.values import (
    INVALID_VALUE,
    read_duration,
    read_int,
    read_number,
    read_template,
    read_text,
    read_timespan,
)
from chalicelib.language.limits import MAX_BURST, MAX_CONCURRENT, MAX_DELIVERIES, MAX_FAILURES, MAX_RETRY_PAUSE_MS
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.syntax.tree import Assignment, Expression, Group, Reference, Value, Word
from chalicelib.model.actions import Action, Breaker, Limit, Method, Options, Retry
from chalicelib.model.flow import FlowLimit, Overflow
from chalicelib.model.json_values import made
from chalicelib.model.templates import Template
from chalicelib.model.times import Milliseconds

OPTIONS: Final = ("timeout", "heartbeat", "retry", "limit", "headers", "approval", "callback")

_CALLBACKS: Final = {"signed": True, "open": False, "none": False}
"""The values of `callback`, and whether answers must be signed."""
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


def read_options(properties: Properties, *, of_step: bool = False) -> Options:
    """Return the options among the properties. Only those of a step may be expressions."""
    read_time = read_timespan if of_step else _read_constant_time
    headers, secret_headers = properties.read("headers", _read_headers) or ({}, {})
    return Options(
        timeout=properties.read("timeout", read_time),
        heartbeat=properties.read("heartbeat", read_time),
        retry=properties.read("retry", _read_retry),
        limit=properties.read("limit", _read_limit),
        headers=headers,
        secret_headers=secret_headers,
        approval=properties.read("approval", _read_approval) or False,
        signed=properties.read("callback", _read_callback) or False,
    )


def _read_constant_time(context: Context, name: str, value: Value) -> Milliseconds | None:
    if isinstance(value, Expression):
        context.wrong(name, value, "a duration like 30s", "only a step can compute it: write it there")
        return None
    return read_duration(context, name, value)


def _read_retry(context: Context, name: str, value: Value) -> Retry | None:
    pause = functools.partial(read_duration, longest=MAX_RETRY_PAUSE_MS)
    found = read_settings(
        context, name, value,
        {
            "max": functools.partial(read_int, least=1, most=MAX_DELIVERIES),
            "delay": pause,
            "rate": functools.partial(read_number, least=1),
            "cap": pause,
        },
    )  # fmt: skip
    if found is None:
        return None
    if "cap" not in found:
        found["cap"] = max(Retry().cap, found.get("delay", 0))
    return made(Retry, found)


def _read_limit(context: Context, name: str, value: Value) -> Limit | None:
    readers: dict[str, Callable[..., object]] = {
        "concurrent": functools.partial(read_int, least=1, most=MAX_CONCURRENT),
        "per_second": functools.partial(read_number, least=0, above=True),
        "burst": functools.partial(read_int, least=1, most=MAX_BURST),
        "key": read_key,
    }
    found = read_settings(context, name, value, readers)
    if found is None:
        return None
    _refuse_needless(context, value, found)
    return made(Limit, found)


def read_flow_limit(context: Context, name: str, value: Value) -> FlowLimit | None:
    """Read the limit of a flow: `(concurrent = 1, key = ${ ... }, overflow = queue)`."""
    readers: dict[str, Callable[..., object]] = {
        "concurrent": functools.partial(read_int, least=1, most=MAX_CONCURRENT),
        "key": read_key,
        "overflow": _read_overflow,
    }
    found = read_settings(context, name, value, readers)
    if found is None or "concurrent" in found:
        return None if found is None else made(FlowLimit, found)
    if not any(entry.name.key == "concurrent" for entry in _entries_of(value)):
        context.wrong(name, value, "a group with concurrent, like (concurrent = 1)")
    return None


def _read_overflow(context: Context, name: str, value: Value) -> Overflow | None:
    if isinstance(value, Word) and value.key in tuple(Overflow):
        return Overflow(value.key)
    context.wrong(name, value, "queue, skip or cancel_oldest")
    return None


def read_breaker(context: Context, name: str, value: Value) -> Breaker | None:
    """Read `(failures = 20, pause = 1m)`."""
    found = read_settings(
        context, name, value,
        {
            "failures": functools.partial(read_int, least=1, most=MAX_FAILURES),
            "pause": functools.partial(read_duration, longest=MAX_RETRY_PAUSE_MS),
        },
    )  # fmt: skip
    return None if found is None else made(Breaker, found)


def read_key(context: Context, name: str, value: Value) -> Template | None:
    """Read the key of a limit: an expression, which is evaluated for each activation or run."""
    if isinstance(value, Expression):
        found = read_template(context, name, value)
        return None if found is INVALID_VALUE else found
    context.wrong(name, value, "an expression like ${ $input.tenant }")
    return None


def _refuse_needless(context: Context, value: Value, found: Mapping[str, object]) -> None:
    """Report settings of a limit that limit nothing by themselves."""
    written = {entry.name.key: entry for entry in _entries_of(value)}
    for setting, needed in (("burst", ("per_second",)), ("key", ("concurrent", "per_second"))):
        if setting in found and not any(one in written for one in needed):
            names = " or ".join(f"'{one}'" for one in needed)
            context.findings.report(Problem.NEEDLESS_LIMIT, written[setting].span, name=setting, needed=names)


def _entries_of(value: Value) -> Iterator[Assignment]:
    return (entry for entry in (value.items if isinstance(value, Group) else ()) if isinstance(entry, Assignment))


def read_settings(
    context: Context, name: str, value: Value, readers: dict[str, Callable[..., object]]
) -> dict[str, Any] | None:
    """Read `(key = value, ...)`, where each key has its own reader. Keys are case-insensitive, like properties."""
    entries = read_assignments(context, name, value)
    if entries is None:
        return None
    found: dict[str, Any] = {}
    for entry in entries.values():
        reader = readers.get(entry.name.key)
        if reader is None:
            _unknown(context, name, entry, readers)
        else:
            found[entry.name.key] = reader(context, entry.name.key, entry.value)
    return {key: setting for key, setting in found.items() if setting is not None}


def _unknown(context: Context, name: str, entry: Assignment, readers: dict[str, Callable[..., object]]) -> None:
    near = Suggestion(entry.name.text, tuple(readers))
    context.findings.report(
        Problem.UNKNOWN_PROPERTY, entry.name.span, near=near, name=entry.name.text, owner=f"'{name}'"
    )


def _read_headers(context: Context, name: str, value: Value) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headers with plain text, and by header the names of the secrets that others contain."""
    found: dict[str, str] = {}
    secret: dict[str, str] = {}
    for key, entry in (read_assignments(context, name, value) or {}).items():
        reference = entry.value if isinstance(entry.value, Reference) else None
        text = context.secret(reference) if reference else read_text(context, key, entry.value)
        if not _HEADER_NAME.fullmatch(key):
            reason = "the name of a header consists of letters, digits and '-'"
            context.findings.report(Problem.INVALID_NAME, entry.name.span, reason=reason)
        elif text is not None and not reference and not _HEADER_VALUE.fullmatch(text):
            context.wrong(key, entry.value, "one line of Latin-1 text")
        elif text is not None:
            (secret if reference else found)[key] = text
    return found, secret


def _read_approval(context: Context, name: str, value: Value) -> bool | None:
    if isinstance(value, Word) and value.text.lower() == "required":
        return True
    context.wrong(name, value, "the word required")
    return None


def _read_callback(context: Context, name: str, value: Value) -> bool | None:
    key = value.key if isinstance(value, Word) else ""
    if key not in _CALLBACKS:
        context.wrong(name, value, "the word signed, open or none")
    return _CALLBACKS.get(key)


def refuse_signature(properties: Properties, options: Options, action: Action) -> None:
    """Report that a human action requires signed answers."""
    if options.signed and action.method is Method.HUMAN:
        properties.context.findings.report(Problem.NEEDLESS_SIGNATURE, properties.span("callback"), name=action.name)
