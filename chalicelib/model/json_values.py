"""JSON values: their type, their depth limit, and how stored values are encoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from chalicelib.model import formats

Json: TypeAlias = Any
"""What JSON can hold: None, bool, int, float, str, a list or a str-keyed mapping of these."""

DEEPEST: Final = 64
"""How deeply JSON values may be nested anywhere in Echoer."""


_EXPONENT_FROM: Final = 1e21
"""JSON writes floats from this one on with an exponent."""


def is_shallow(value: Json, depth: int = DEEPEST) -> bool:
    """Return whether the value is nested at most `depth` levels deep."""
    level = [value]
    for _ in range(depth):
        level = [inner for outer in level for inner in children_in(outer)]
        if not level:
            return True
    return not any(children_in(outer) for outer in level)


def children_in(value: Json) -> list[Json]:
    """Return the values directly in a mapping or a list; none for other values."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []


def same(one: Json, other: Json) -> bool:
    """Return whether two values are equal JSON: 7 and 7.0 are, 1 and true are not."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def scalar_text(value: str | float) -> str:
    """Return a scalar as event keys, labels and errors have it: 7 and 7.0 are `7`, large integers have all digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXPONENT_FROM:
        return str(int(value))
    return str(value)


def shown(value: Json, limit: int = 60) -> str:
    """Return the JSON of the value for a message, cut off after `limit` characters."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= limit else f"{text[:limit]}..."


class FrozenValue(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A frozen value that leaves defaults out of its JSON."""


def encode(value: FrozenValue) -> bytes:
    """Return a checked definition as JSON text in the current format."""
    return formats.CHECKED.encode(value)


_V = TypeVar("_V", bound=FrozenValue)


def made(kind: type[_V], given: Mapping[str, Any]) -> _V:
    """Return a value with the fields `given`. What equals a default is left out of its JSON, as if it were not given.

    msgspec itself leaves out only the object that is the default, and an equal one where it happens to be the same.
    """
    defaults = {field.name: field.default for field in msgspec.structs.fields(kind)}
    return kind(**{name: value for name, value in given.items() if value != defaults[name]})


def decode(data: bytes | str, kind: type[_V]) -> _V:
    """Return the checked definition that `encode` of this or an earlier version wrote.

    Raises NewerFormat, and msgspec.ValidationError if the JSON is no such value.
    """
    return formats.CHECKED.decode(data, kind)


def ready(*kinds: Any) -> None:
    """Prepare types for concurrent decoding by several threads.

    msgspec (0.22) inspects a type when it is first decoded, and a process in which two threads do that at the same time
    crashes. So a module that defines a type that is decoded calls this function while it is imported.
    """
    for kind in kinds:
        msgspec.json.Decoder(kind)
