"""Whether a value is JSON that can be handled: its nesting, its numbers and its texts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from chalicelib.asl.problems import Level, Problem, pointer

MAX_DEPTH: Final = 200
"""Levels of objects and lists within each other."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SHOWN_KEYS: Final = 20


def not_plain(value: Any, max_depth: int = MAX_DEPTH) -> Problem | None:
    """Return the first problem: too deep, a number that JSON has not, half a character, or no JSON at all."""
    waiting: list[Iterator[tuple[str | int, Any]]] = [iter([("", value)])]
    keys: list[str | int] = []
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            if keys:
                keys.pop()
            continue
        key, here = found
        if (reason := _wrong(key) or _wrong(here)) is None and len(waiting) > max_depth + 1:
            reason = f"more than {max_depth} objects and lists are nested"
        if reason is not None:
            return Problem(pointer("", *[*keys, key][1 : _SHOWN_KEYS + 1]), Level.ERROR, reason)
        if isinstance(here, dict | list):
            keys.append(key)
            waiting.append(iter(here.items() if isinstance(here, dict) else enumerate(here)))
    return None


def _wrong(value: Any) -> str | None:
    if isinstance(value, str):
        return "a text holds half a character (a lone surrogate)" if _SURROGATE.search(value) else None
    if isinstance(value, float):
        return None if math.isfinite(value) else "a number is too large, or none at all"
    if value is None or isinstance(value, bool | int | dict | list):
        return None
    return f"{type(value).__name__} is no JSON"
