"""How what Echoer did is compared with what AWS recorded.

- A wildcard at a place accepts everything (`*`), or text that its regular expression matches.
- 1 equals 1.0; true and false equal only themselves.
- JSON within text is compared as the value that it holds: AWS's recordings hold both.
- Error names are Echoer's, also those that a Catch saves as `Error`. `CORRESPONDING` says what they are on AWS.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

CORRESPONDING: Final[Mapping[str, frozenset[str | None]]] = {
    "ExpressionFailed": frozenset(
        {
            "States.Runtime",
            "States.ParameterPathFailure",
            "States.IntrinsicFailure",
            "States.ResultPathMatchFailure",
            "States.QueryEvaluationError",
        }
    ),
    "Timeout": frozenset({"States.Timeout"}),
    "HeartbeatTimeout": frozenset({"States.Timeout", "States.HeartbeatTimeout"}),
    "NoMatch": frozenset({"States.NoChoiceMatched"}),
    "ItemsFailed": frozenset({"States.ExceedToleratedFailureThreshold"}),
    "TaskFailed": frozenset({"States.TaskFailed"}),
    "TooLarge": frozenset({"States.DataLimitExceeded"}),
    "Forbidden": frozenset({"States.Permissions"}),
    "Stopped": frozenset({None}),
}
"""Echoer's error names, and those of AWS that mean the same. None: a Fail state without an Error."""

_PLACEHOLDER: Final = re.compile(r"<[^<>]*>|[a-z]+(?:_[a-z]+)+")
"""Placeholders of text in recorded requests: `<region>`, and words like `lambda_function_name`."""


def same_error(name: str | None, recorded: str | None) -> bool:
    """Return whether an error of Echoer is the recorded one."""
    return name == recorded or (name is not None and recorded in CORRESPONDING.get(name, ()))


def difference(actual: Any, expected: Any, wildcards: Mapping[str, str], place: str = "") -> str:
    """Return where two values differ and how, the first such place; empty if they are the same."""
    wildcard = wildcards.get(place)
    if wildcard is not None:
        return "" if wildcard == "*" or _fits(actual, wildcard) else _unlike(actual, f"~{wildcard}", place)
    if isinstance(actual, str) and actual != expected:
        actual, expected = _opened(actual, expected)
    match actual, expected:
        case dict(), dict():
            return _difference_of_objects(actual, expected, wildcards, place)
        case list(), list() if len(actual) == len(expected):
            pairs = enumerate(zip(actual, expected, strict=True))
            return next((text for n, (a, e) in pairs if (text := difference(a, e, wildcards, f"{place}/{n}"))), "")
        case _:
            return "" if _is_same_scalar(actual, expected) else _unlike(actual, expected, place)


def request_difference(actual: Any, recorded: Any, known: str) -> str:
    """Return where a request differs from the recorded one.

    The recordings have placeholders for names that are drawn anew each time. `known` is the text of the machine and its
    input: a word in it is none.
    """
    return difference(actual, recorded, _placeholders(recorded, "", known))


def _difference_of_objects(
    actual: dict[str, Any], expected: dict[str, Any], wildcards: Mapping[str, str], place: str
) -> str:
    if actual.keys() != expected.keys():
        return _unlike(sorted(actual), sorted(expected), f"{place} (members)")
    found = (
        difference(value, expected[key], wildcards, f"{place}/{_escaped(key)}")
        for key, value in actual.items()
        if key != "Error" or not _is_same_name(value, expected[key])
    )
    return next(filter(None, found), "")


def _is_same_name(actual: Any, recorded: Any) -> bool:
    """Return whether a member `Error` holds the name of the recorded error: names that are saved are Echoer's."""
    return isinstance(actual, str) and isinstance(recorded, str) and same_error(actual, recorded)


def _is_same_scalar(actual: Any, expected: Any) -> bool:
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(actual, (int, float)) and isinstance(expected, (int, float)):
        return actual == expected or math.isclose(actual, expected, rel_tol=1e-12, abs_tol=1e-12)
    return type(actual) is type(expected) and bool(actual == expected)


def _fits(actual: Any, pattern: str) -> bool:
    text = actual if isinstance(actual, str) else json.dumps(actual)
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def _opened(actual: str, expected: Any) -> tuple[Any, Any]:
    """Return the values that two texts hold, where both hold JSON objects or lists, or the expected one is a value."""
    holds_text = isinstance(expected, str)
    if not (holds_text and expected[:1] in ("{", "[")) and not isinstance(expected, (dict, list)):
        return actual, expected
    try:
        opened = json.loads(actual), json.loads(expected) if holds_text else expected
    except ValueError:
        return actual, expected
    return opened if isinstance(opened[0], (dict, list)) else (actual, expected)


def _placeholders(value: Any, place: str, known: str) -> dict[str, str]:
    """Return a wildcard for each text that has placeholders."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return _placeholders(json.loads(value), place, known)
        except ValueError:
            pass
    if isinstance(value, dict):
        children = {f"{place}/{_escaped(key)}": child for key, child in value.items()}
    elif isinstance(value, list):
        children = {f"{place}/{n}": child for n, child in enumerate(value)}
    else:
        pattern = _pattern(value, known) if isinstance(value, str) else ""
        return {place: pattern} if pattern else {}
    return {at: one for where, child in children.items() for at, one in _placeholders(child, where, known).items()}


def _pattern(text: str, known: str) -> str:
    """Return a regular expression for a text with placeholders; empty if it has none."""
    masks = [found for found in _PLACEHOLDER.finditer(text) if found[0].startswith("<") or found[0] not in known]
    ends = [0, *(found.end() for found in masks)]
    starts = [*(found.start() for found in masks), len(text)]
    parts = [re.escape(text[end:start]) for end, start in zip(ends, starts, strict=True)]
    return ".*".join(parts) if masks else ""


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _unlike(actual: Any, expected: Any, place: str) -> str:
    return f"{place or '/'}: {_brief(actual)} is not {_brief(expected)}"


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) and value.startswith("~") else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."
