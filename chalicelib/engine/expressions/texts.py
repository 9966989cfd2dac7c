"""The functions on texts whose work or result may exceed their arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from jsonata import Functions, JException, Utils

from chalicelib.engine.expressions.limits import SHARE, SIZE, Halt
from chalicelib.engine.expressions.patterns import Pattern, evaluation

_MARK: Final = re.compile(r"\$(\$|\d\d?)", re.ASCII)


def join(texts: Any, separator: Any) -> Any:
    """The texts, one after the other."""
    if texts is not None:
        evaluation().meter.text(sum(map(len, texts)) + len(texts) * len(separator or ""))
    return Functions.join(texts, separator)


def pad(text: Any, width: Any, filling: Any) -> Any:
    """The text, filled up to a width."""
    if isinstance(width, (int, float)):
        evaluation().meter.text(int(abs(width)))
    return Functions.pad(text, width, filling)


def string(value: Any, prettify: Any) -> Any:
    """The value as text."""
    now = evaluation()
    size = now.weights.of(value)
    now.meter.text(size * (1 + now.weights.depth(value)) if prettify else size)
    return Functions.string(value, prettify)


def replace(text: Any, pattern: Any, replacement: Any, limit: Any) -> Any:
    """The text with what matches replaced."""
    if text is None:
        return None
    count = _limit(limit)
    if isinstance(pattern, Pattern):
        return pattern.sub(_replacement(replacement), text, count)
    if not isinstance(text, str) or not isinstance(pattern, str) or not isinstance(replacement, str) or not pattern:
        raise Halt("$replace needs a text, what to replace in it (not empty), and a text instead")
    times = text.count(pattern) if count is None else min(count, text.count(pattern))
    evaluation().meter.text(len(text) + times * len(replacement))
    return text.replace(pattern, replacement, times)


def _replacement(given: Any) -> Callable[[Any], str]:
    if isinstance(given, str):
        return lambda match: _expanded(given, match)

    def called(match: Any) -> str:
        result = Functions.func_apply(given, [Functions.to_jsonata_match(match)])
        if not isinstance(result, str):
            raise JException("D3012", -1)
        return result

    return called


def _expanded(template: str, match: Any) -> str:
    """The template with $0, $1 and so on replaced by the groups of the match, and $$ by $."""
    groups = (match.group(), *match.groups())
    evaluation().meter.spend(1 + len(template) // SHARE)

    def group(mark: re.Match[str]) -> str:
        if mark[1] == "$":
            return "$"
        digits = mark[1] if int(mark[1]) < len(groups) else mark[1][0]
        text = groups[int(digits)] or "" if int(digits) < len(groups) else ""
        evaluation().meter.text(len(text))
        return text + mark[1][len(digits) :]

    return _MARK.sub(group, template)


def split(text: Any, separator: Any, limit: Any) -> Any:
    """The text, cut where it matches."""
    if text is None:
        return None
    count = _limit(limit)
    if not isinstance(text, str) or not isinstance(separator, (str, Pattern)):
        raise Halt("$split needs a text, and where to split it")
    if isinstance(separator, Pattern):
        return separator.split(text)[:count]
    evaluation().meter.slots(text.count(separator) + 1)
    return (text.split(separator) if separator else list(text))[:count]


def match(text: Any, pattern: Any, limit: Any) -> Any:
    """What matches in the text, and where."""
    if text is None:
        return None
    count = _limit(limit)
    if not isinstance(text, str) or not isinstance(pattern, Pattern):
        raise Halt("$match needs a text and a regular expression")
    found = Utils.create_sequence()
    for match in pattern.finditer(text):
        if count is not None and len(found) >= count:
            break
        groups = list(match.groups())
        evaluation().meter.slots(8 + len(groups))
        found.append({"match": match.group(), "index": match.start(), "groups": groups})
    return found


def _limit(limit: Any) -> int | None:
    if limit is None:
        return None
    if not isinstance(limit, (int, float)) or limit < 0:
        raise Halt("a limit must be a number, and not negative")
    return min(int(limit), SIZE)
