"""Functions on texts."""

from __future__ import annotations

import re
from math import trunc
from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import MAX_TEXT
from chalicelib.expressions.values import MAX_DEPTH, NOTHING, kind, shown_number

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine

_WHITE: Final = re.compile(r"[ \t\n\r]+")


def text_of(m: Machine, value: Any, indent: str = "") -> str:
    """Return the value as text: a text as it is, others as JSON."""
    if isinstance(value, str):
        return value
    letter = kind(value)
    if letter == "n":
        return shown_number(value)
    if letter in "blf":
        return {"b": "true" if value else "false", "l": "null", "f": ""}[letter]
    writer = _Writer(m, indent)
    writer.write(value, 0)
    return "".join(writer.parts)


class _Writer:
    """Writes a value as JSON. Every item and every character is charged."""

    def __init__(self, m: Machine, indent: str) -> None:
        from json.encoder import encode_basestring

        self._meter, self._indent, self._quoted = m.meter, indent, encode_basestring
        self._length = 0
        self.parts: list[str] = []

    def write(self, value: Any, depth: int) -> None:
        """Add the value to the text."""
        if isinstance(value, str):
            self._meter.read(2 * len(value))
            self._put(self._quoted(value))
        elif isinstance(value, (list, dict)):
            self._meter.spend(1 + len(value) // 2)
            if depth >= MAX_DEPTH:
                raise Failure("L0002")
            self._compound(value, depth + 1)
        else:
            letter = kind(value)
            self._put(
                shown_number(value)
                if letter == "n"
                else {"b": "true" if value else "false", "l": "null", "f": '""', "m": "null"}[letter]
            )

    def _compound(self, value: Any, depth: int) -> None:
        is_object = isinstance(value, dict)
        opening, closing = ("{", "}") if is_object else ("[", "]")
        if not value:
            self._put(opening + closing)
            return
        before = f"\n{self._indent * depth}" if self._indent else ""
        self._put(opening)
        first = True
        for name in value:
            self._put(before if first else f",{before}")
            first = False
            if is_object:
                self.write(name, depth)
                self._put(": " if self._indent else ":")
                self.write(value[name], depth)
            else:
                self.write(name, depth)
        self._put(f"\n{self._indent * (depth - 1)}{closing}" if self._indent else closing)

    def _put(self, part: str) -> None:
        self._length += len(part)
        if self._length > MAX_TEXT:
            raise Failure("L0003")
        self._meter.bytes(len(part) + 8)
        self.parts.append(part)


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
