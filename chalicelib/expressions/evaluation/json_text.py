"""Values as text, as `$string` and `&` write them: every item and character is charged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import MAX_TEXT
from chalicelib.expressions.values import MAX_DEPTH, kind, shown_number

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


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
