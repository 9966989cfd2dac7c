"""Where two JSON values differ: 1 and 1.0 are the same, and so are texts that hold the same JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any

from chalicelib.asl.problems import pointer
from chalicelib.model.json_values import shown

_SHOWN = 160


def difference(actual: Any, expected: Any, ignored: Collection[str] = (), place: str = "") -> str:
    """Return the first place where the values differ, and how; empty if they do not.

    `ignored`: JSON pointers of places that may differ, with all that is below them.
    """
    if place in ignored:
        return ""
    if isinstance(actual, str) and isinstance(expected, str) and actual != expected:
        actual, expected = _opened(actual, expected)
    if isinstance(actual, dict) and isinstance(expected, dict):
        return _of_objects(actual, expected, ignored, place)
    if isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        pairs = enumerate(zip(actual, expected, strict=True))
        found = (difference(one, other, ignored, pointer(place, number)) for number, (one, other) in pairs)
        return next(filter(None, found), "")
    return "" if _is_same(actual, expected) else _unlike(actual, expected, place)


def _of_objects(actual: dict[str, Any], expected: dict[str, Any], ignored: Collection[str], place: str) -> str:
    for name in {**expected, **actual}:
        at = pointer(place, name)
        if at in ignored:
            continue
        if name not in actual:
            return f"{at} is missing; Step Functions has {_brief(expected[name])}"
        if name not in expected:
            return f"{at} is {_brief(actual[name])}; Step Functions has no such member"
        found = difference(actual[name], expected[name], ignored, at)
        if found:
            return found
    return ""


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or math.isclose(one, other, rel_tol=1e-12)
    return type(one) is type(other) and bool(one == other)


def _opened(one: str, other: str) -> tuple[Any, Any]:
    """Return the values in two texts that both hold a JSON object or list; else the texts."""
    if one[:1] not in ("{", "[") or other[:1] not in ("{", "["):
        return one, other
    try:
        return json.loads(one), json.loads(other)
    except (ValueError, RecursionError):
        return one, other


def _unlike(actual: Any, expected: Any, place: str) -> str:
    where = f"{place} is" if place else "it is"
    return f"{where} {_brief(actual)}; Step Functions has {_brief(expected)}"


def _brief(value: Any) -> str:
    return shown(value, _SHOWN)
