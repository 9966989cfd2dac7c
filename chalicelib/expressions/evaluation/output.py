"""Values on their way out: plain JSON of their own, bounded as the tree that they are written as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import MAX_TEXT
from chalicelib.expressions.values import MAX_DEPTH, NOTHING, Function

if TYPE_CHECKING:
    from chalicelib.expressions.meter import Meter

_NUMBER_SIZE = 8


class Output:
    """Makes plain values. `size` counts what they would have as JSON, roughly, in characters."""

    __slots__ = ("_meter", "size")

    def __init__(self, meter: Meter) -> None:
        self._meter, self.size = meter, 0

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Return the value as JSON. Raises Failure if JSON cannot hold it."""
        kind = type(value)
        if kind is str:
            return self._text(value)
        if isinstance(value, (list, dict)):
            return self._compound(value, depth)
        if value is None or kind is bool or kind is int:
            return value
        if kind is float:
            if value - value != 0:
                raise Failure("L0051")
            return value
        if value is NOTHING:
            return NOTHING if depth == 0 else None
        raise Failure("L0050" if isinstance(value, Function) else "L0052")

    def _compound(self, value: Any, depth: int) -> Any:
        self._meter.items(len(value))
        self._meter.spend(2 + len(value) // 4)
        self._grow(_NUMBER_SIZE * (1 + len(value)))
        if depth >= MAX_DEPTH:
            raise Failure("L0002")
        if isinstance(value, list):
            return [self.plain(item, depth + 1) for item in value]
        result = {}
        for name, item in value.items():
            if name == "next" and isinstance(item, Function):
                from chalicelib.expressions.patterns import NextMatch

                if isinstance(item, NextMatch):
                    continue
            result[self._text(name)] = self.plain(item, depth + 1)
        return result

    def _text(self, text: str) -> str:
        self._grow(len(text) + 3)
        if not text.isascii():
            self._meter.read(len(text))
            try:
                text.encode()
            except UnicodeEncodeError:
                raise Failure("L0053") from None
        return text

    def _grow(self, size: int) -> None:
        self.size += size
        if self.size > MAX_TEXT:
            raise Failure("L0003")
