"""Windows on JSON values: some children of a value, to a depth, with what is left out by place, type and size. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, Literal

import msgspec

from chalicelib.model.json_values import Json

TypeName = Literal["null", "bool", "int", "float", "str", "list", "map"]

MAX_STRING_CHARACTERS: Final = 2_000
"""Longer strings in a window are cut."""

MAX_WINDOW_BYTES: Final = 512 * 1024
"""A window ends before its value has more bytes of JSON."""

MAX_INNER_CHILDREN: Final = 100
"""How many children a list or a map within a window has."""

MAX_CUTS: Final = 1_000
"""How many places where something is left out a window lists."""


class Cut(msgspec.Struct, frozen=True):
    """A place below the value (a JSON pointer, RFC 6901) where something is left out, and what is there."""

    path: str
    type: TypeName
    bytes: int


class Window(msgspec.Struct, frozen=True):
    """A window: `length` is the number of children or characters, `next` the index of the first child after it."""

    type: TypeName
    length: int | None
    bytes: int
    value: Json
    cut: tuple[Cut, ...]
    next: int | None


def at_path(value: Json, path: str) -> Json:
    """Return the value at a JSON pointer. Raises LookupError if there is none."""
    if not path:
        return value
    if not path.startswith("/"):
        raise LookupError(path)
    for part in path[1:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = value[name]
        elif isinstance(value, (list, tuple)) and name.isascii() and name.isdecimal():
            value = value[int(name)]
        else:
            raise LookupError(path)
    return value


def type_of(value: Json) -> TypeName:
    """Return the type of a JSON value by its name in FSL."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "str"
        case Mapping():
            return "map"
        case _:
            return "list"


def window(value: Json, *, depth: int, first: int, count: int) -> Window:
    """Return `count` children of the value from the index `first`, with what they contain to that depth.

    A list or a map in them has its first MAX_INNER_CHILDREN children.
    """
    made = _Window()
    shown: Json
    following: int | None = None
    if isinstance(value, (Mapping, list, tuple)):
        end = len(value)
        chosen = list(islice(_children(value), first, first + count))
        kept: list[tuple[str | int, Json]] = []
        for name, child in chosen:
            if kept and made.room < 0:
                break
            kept.append((name, made.shown(child, f"/{_escaped(name)}", depth - 1)))
        following = first + len(kept) if first + len(kept) < end else None
        shown = dict(kept) if isinstance(value, Mapping) else [child for _, child in kept]
    else:
        shown = made.shown(value, "", 0)
    length = len(value) if isinstance(value, (str, Mapping, list, tuple)) else None
    return Window(type_of(value), length, _size(value), shown, tuple(made.cuts), following)


class _Window(msgspec.Struct):
    room: int = MAX_WINDOW_BYTES
    cuts: list[Cut] = msgspec.field(default_factory=list)

    def shown(self, value: Json, path: str, depth: int) -> Json:
        if isinstance(value, str):
            return self._string(value, path)
        if not isinstance(value, (Mapping, list, tuple)):
            self.room -= 8
            return value
        count = MAX_INNER_CHILDREN if depth > 0 and self.room >= 0 else 0
        if len(value) > count:
            self._cut(value, path)
        children = [
            (name, self.shown(child, f"{path}/{_escaped(name)}", depth - 1))
            for name, child in islice(_children(value), count)
        ]
        self.room -= 2 + sum(len(str(name)) + 4 for name, _ in children)
        return dict(children) if isinstance(value, Mapping) else [child for _, child in children]

    def _string(self, text: str, path: str) -> str:
        if len(text) > MAX_STRING_CHARACTERS:
            self._cut(text, path)
            text = text[:MAX_STRING_CHARACTERS]
        self.room -= len(text.encode()) + 2
        return text

    def _cut(self, value: Json, path: str) -> None:
        if len(self.cuts) < MAX_CUTS:
            self.cuts.append(Cut(path, type_of(value), _size(value)))


def _children(value: Mapping[str, Json] | Sequence[Json]) -> Iterable[tuple[str | int, Json]]:
    return value.items() if isinstance(value, Mapping) else enumerate(value)


def _escaped(name: str | int) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


def _size(value: Json) -> int:
    return len(msgspec.json.encode(value))
