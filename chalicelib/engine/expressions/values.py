"""Values on their way into JSONata and out of it, and how large they are.

JSONata's arrays and objects share their members, so twenty doublings make a value of a million nodes out of twenty
objects, and whatever walks it (a comparison, `$string`, an answer as JSON) takes for ever. So each value is weighed
as the tree it looks like, once, and remembered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from jsonata import Utils

from chalicelib.engine.expressions.limits import NESTING, SIZE, Halt, Meter
from chalicelib.model.json_values import Json

NULL: Final[Any] = Utils.NULL_VALUE
_INT64: Final = 2**63
_EXACT: Final = 2**53
_DEEP: Final = f"a value is nested more than {NESTING} deep"


class Weights:
    """The size as JSON, in characters, of every array and object that an evaluation has made."""

    __slots__ = ("_known", "_meter")

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._known: dict[int, tuple[int, int, object]] = {}

    def forget(self) -> None:
        """Weigh everything anew: something was changed in place."""
        self._known.clear()

    def of(self, value: Any) -> int:
        """How many characters the value would have as JSON, roughly. Raises Halt if it is too large or too deep."""
        if isinstance(value, str):
            return len(value) + 2
        if isinstance(value, (list, dict)):
            return self._weigh(value, NESTING)[0]
        return 8

    def depth(self, value: Any) -> int:
        """How many arrays and objects lie within each other."""
        return self._weigh(value, NESTING)[1] if isinstance(value, (list, dict)) else 0

    def _weigh(self, value: Any, levels: int) -> tuple[int, int]:
        known = self._known.get(id(value))
        if known:
            return known[0], known[1]
        if levels <= 0:
            raise Halt(_DEEP)
        self._meter.spend()
        self._meter.slots(len(value) * (1 if isinstance(value, list) else 2))
        size, depth = 8, 0
        for member in value.values() if isinstance(value, dict) else value:
            if isinstance(member, str):
                size += len(member) + 3
            elif isinstance(member, (list, dict)):
                inner, below = self._weigh(member, levels - 1)
                size += inner + 1
                depth = max(depth, below)
            else:
                size += 9
        if isinstance(value, dict):
            size += sum(len(name) + 3 for name in value)
        if size > SIZE:
            raise Halt(f"a value would have more than {SIZE:,} characters as JSON")
        if depth >= NESTING:
            raise Halt(_DEEP)
        self._known[id(value)] = (size, depth + 1, value)  # holds the value: its id stays its own
        return size, depth + 1


def taken_in(value: Json, levels: int = NESTING) -> Any:
    """A copy for JSONata to work on: it changes some arrays in place, and knows only list, dict and its own null."""
    if isinstance(value, (str, bool, int, float)):
        return value
    if value is None:
        return NULL
    if levels <= 0:
        raise Halt(_DEEP)
    if isinstance(value, (list, tuple)):
        return [taken_in(item, levels - 1) for item in value]
    if isinstance(value, Mapping):
        return {str(name): taken_in(item, levels - 1) for name, item in value.items()}
    raise Halt("a value is not JSON")


def copied(value: Any) -> Any:
    """The value with arrays and objects of its own."""
    if isinstance(value, list):
        return [copied(item) for item in value]
    if isinstance(value, dict):
        return {name: copied(item) for name, item in value.items()}
    return value


def plain(value: Any) -> Json:
    """The value as JSON. Raises Halt if JSON cannot hold it."""
    if value is None or value is NULL:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {_text(name): plain(item) for name, item in value.items()}
    raise Halt("it yields a function, not a value")


def number(value: float) -> int | float:
    """Whole numbers as int, others and those beyond 64 bits as float; neither NaN nor infinite."""
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else float(value)
    if not math.isfinite(value):
        raise Halt("it yields a number that JSON cannot hold")
    return int(value) if value.is_integer() and abs(value) <= _EXACT else value


def _text(value: str) -> str:
    if value.isascii():
        return value
    try:  # "\ud83d\ude00" is read as two halves: join them
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as exc:
        raise Halt("it yields text that is not Unicode: half a surrogate pair") from exc
