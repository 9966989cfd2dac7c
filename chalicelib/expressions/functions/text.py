"""Functions on texts."""

from __future__ import annotations

import re
from math import trunc
from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.values import NOTHING

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine
from chalicelib.expressions.evaluation.json_text import text_of

_WHITE: Final = re.compile(r"[ \t\n\r]+")


def string(m: Machine, value: Any = NOTHING, pretty: Any = NOTHING) -> Any:
    """Return the value as text."""
    if value is NOTHING:
        return NOTHING
    return text_of(m, value, "  " if pretty is True else "")


def substring(m: Machine, text: Any = NOTHING, start: Any = NOTHING, length: Any = NOTHING) -> Any:
    """Return a part of the text. A negative start counts from the end."""
    if text is NOTHING:
        return NOTHING
    if start is NOTHING:
        return text if length is NOTHING else ""
    begin = _whole(start)
    if len(text) + begin < 0:
        begin = 0
    if length is NOTHING:
        end = len(text)
    else:
        if length <= 0:
            return ""
        end = _whole((start if begin else 0) + length) if begin >= 0 else _whole(len(text) + start + length)
        end = max(end, 0)
    result: str = text[begin:end] if begin >= 0 else text[max(len(text) + begin, 0) : end]
    m.meter.text(len(result))
    return result


def _whole(value: float) -> int:
    return trunc(max(-(2.0**53), min(value, 2.0**53)))


def before(m: Machine, text: Any = NOTHING, part: Any = NOTHING) -> Any:
    """Return what is before the first occurrence of a part; the text if there is none."""
    if text is NOTHING or part is NOTHING:
        return text
    m.meter.text(len(text))
    head, _, _ = text.partition(part) if part else ("", "", "")
    return head


def after(m: Machine, text: Any = NOTHING, part: Any = NOTHING) -> Any:
    """Return what is after the first occurrence of a part; the text if there is none."""
    if text is NOTHING or part is NOTHING or not part:
        return text
    m.meter.text(len(text))
    _, found, tail = text.partition(part)
    return tail if found else text


def lowercase(m: Machine, text: Any = NOTHING) -> Any:
    """Return the text in lower case."""
    if text is NOTHING:
        return NOTHING
    m.meter.text(2 * len(text))
    return text.lower()


def uppercase(m: Machine, text: Any = NOTHING) -> Any:
    """Return the text in upper case."""
    if text is NOTHING:
        return NOTHING
    m.meter.text(3 * len(text))
    return text.upper()


def length(_m: Machine, text: Any = NOTHING) -> Any:
    """Return how many characters the text has."""
    return NOTHING if text is NOTHING else len(text)


def trim(m: Machine, text: Any = NOTHING) -> Any:
    """Return the text with single spaces between its words and none around it."""
    if text is NOTHING:
        return NOTHING
    m.meter.text(len(text) * 4)
    return _WHITE.sub(" ", text).strip(" ")


def pad(m: Machine, text: Any = NOTHING, width: Any = NOTHING, filling: Any = NOTHING) -> Any:
    """Return the text filled up to a width: on the right, or on the left if the width is negative."""
    if text is NOTHING or width is NOTHING:
        return text
    missing = abs(_whole(width)) - len(text)
    if missing <= 0:
        return text
    m.meter.text(len(text) + missing)
    unit = " " if filling is NOTHING or not filling else filling
    added = (unit * (missing // len(unit) + 1))[:missing]
    return text + added if width > 0 else added + text


def join(m: Machine, texts: Any = NOTHING, separator: Any = NOTHING) -> Any:
    """Return the texts one after another, with a separator between them."""
    if texts is NOTHING:
        return NOTHING
    between = "" if separator is NOTHING else separator
    m.meter.visit(len(texts))
    m.meter.text(sum(map(len, texts)) + len(texts) * len(between))
    return between.join(texts)
