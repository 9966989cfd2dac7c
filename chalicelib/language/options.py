"""What may be said of an action and again of a step: times, retries, limits, headers, approval."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

from chalicelib.definition import Limit, Options, Retry
from chalicelib.language.context import Context
from chalicelib.language.limits import DELIVERIES, LONGEST_PAUSE
from chalicelib.language.members import Properties, read_assignments
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.tree import Assignment, Value, Word
from chalicelib.language.values import read_duration, read_int, read_number, read_text

OPTIONS: Final = ("timeout", "heartbeat", "retry", "limit", "headers", "approval")

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


def read_options(properties: Properties) -> Options:
    """The options among the properties."""
    return Options(
        timeout=properties.read("timeout", read_duration),
        heartbeat=properties.read("heartbeat", read_duration),
        retry=properties.read("retry", _read_retry),
        limit=properties.read("limit", _read_limit),
        headers=properties.read("headers", _read_headers) or {},
        approval=properties.read("approval", _read_approval) or False,
    )


def _read_retry(context: Context, name: str, value: Value) -> Retry | None:
    pause = functools.partial(read_duration, longest=LONGEST_PAUSE)
    found = _read_settings(
        context, name, value,
        {
            "max": functools.partial(read_int, least=1, most=DELIVERIES),
            "delay": pause,
            "rate": functools.partial(read_number, least=1),
            "cap": pause,
        },
    )  # fmt: skip
    if found is None:
        return None
    if "cap" not in found:
        found["cap"] = max(Retry().cap, found.get("delay", 0))
    return Retry(**found)


def _read_limit(context: Context, name: str, value: Value) -> Limit | None:
    readers: dict[str, Callable[..., object]] = {
        "concurrent": functools.partial(read_int, least=1),
        "per_second": functools.partial(read_number, least=0, above=True),
    }
    found = _read_settings(context, name, value, readers)
    return None if found is None else Limit(**found)


def _read_settings(
    context: Context, name: str, value: Value, readers: dict[str, Callable[..., object]]
) -> dict[str, Any] | None:
    """`(key = value, ...)` where each key has its own reader. Names are caseless, as those of properties are."""
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


def _read_headers(context: Context, name: str, value: Value) -> dict[str, str] | None:
    found = {}
    for key, entry in (read_assignments(context, name, value) or {}).items():
        text = read_text(context, key, entry.value)
        if not _HEADER_NAME.fullmatch(key):
            reason = "the name of a header holds letters, digits and -"
            context.findings.report(Problem.INVALID_NAME, entry.name.span, reason=reason)
        elif text is not None and not _HEADER_VALUE.fullmatch(text):
            context.wrong(key, entry.value, "one line of Latin text")
        elif text is not None:
            found[key] = text
    return found


def _read_approval(context: Context, name: str, value: Value) -> bool | None:
    if isinstance(value, Word) and value.text.lower() == "required":
        return True
    context.wrong(name, value, "the word required")
    return None
