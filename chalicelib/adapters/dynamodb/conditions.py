"""Conditions on attributes of items, as DynamoDB's expressions (Amazon DynamoDB Developer Guide, "Using expressions").

Every name is written as a placeholder, `#` and the name, because any word may be reserved. Values get theirs when the
request is made.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

Raw: TypeAlias = dict[str, Any]
"""A value of an attribute as in requests: its type and the value, such as `{"S": "text"}`."""

_PLACE: Final = "\0"
"""Where a value will be in the text of a condition. No expression has this character."""


class Condition(msgspec.Struct, frozen=True):
    """A condition, or several that `&` and `|` combine."""

    text: str
    names: frozenset[str]
    values: tuple[Raw, ...] = ()

    def __and__(self, other: Condition) -> Condition:
        return self._joined("AND", other)

    def __or__(self, other: Condition) -> Condition:
        return self._joined("OR", other)

    def _joined(self, word: str, other: Condition) -> Condition:
        return Condition(f"({self.text} {word} {other.text})", self.names | other.names, self.values + other.values)


class Attribute:
    """An attribute that conditions name, and its type: `S` (text), `N` (number) or `BOOL`."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self._kind = kind
        self._names = frozenset({name})
        self._is_absent = Condition(f"attribute_not_exists(#{name})", self._names)

    def is_absent(self) -> Condition:
        return self._is_absent

    def equals(self, value: object) -> Condition:
        return self._compared("=", value)

    def below(self, value: object) -> Condition:
        return self._compared("<", value)

    def at_most(self, value: object) -> Condition:
        return self._compared("<=", value)

    def above(self, value: object) -> Condition:
        return self._compared(">", value)

    def at_least(self, value: object) -> Condition:
        return self._compared(">=", value)

    def between(self, lower: object, upper: object) -> Condition:
        text = f"#{self.name} BETWEEN {_PLACE} AND {_PLACE}"
        return Condition(text, self._names, (self._raw(lower), self._raw(upper)))

    def begins_with(self, text: str) -> Condition:
        return Condition(f"begins_with(#{self.name}, {_PLACE})", self._names, ({"S": text},))

    def _compared(self, sign: str, value: object) -> Condition:
        return Condition(f"#{self.name} {sign} {_PLACE}", self._names, (self._raw(value),))

    def _raw(self, value: object) -> Raw:
        return {self._kind: str(value)}


K: Final = Attribute("k", "S")
S: Final = Attribute("s", "S")
B: Final = Attribute("b", "S")
V: Final = Attribute("v", "N")
T: Final = Attribute("t", "BOOL")
U: Final = Attribute("u", "N")
AL: Final = Attribute("al", "N")
C: Final = Attribute("c", "S")
CA: Final = Attribute("ca", "N")


def in_request(**conditions: Condition | None) -> dict[str, Any]:
    """Return the part of a request with these expressions, by the name of each: `ConditionExpression=...`."""
    found: dict[str, Any] = {}
    names: set[str] = set()
    values: dict[str, Raw] = {}
    for name, condition in conditions.items():
        if condition is None:
            continue
        first, *rest = condition.text.split(_PLACE)
        text = first
        for raw, piece in zip(condition.values, rest, strict=True):
            place = f":{len(values)}"
            values[place] = raw
            text += place + piece
        found[name] = text
        names |= condition.names
    if names:
        found["ExpressionAttributeNames"] = {f"#{name}": name for name in sorted(names)}
    if values:
        found["ExpressionAttributeValues"] = values
    return found
