"""Read the JSON text of a machine: problems have a line and column, or a pointer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.asl.plain import MAX_DEPTH, not_plain
from chalicelib.asl.problems import Level, Problem, pointer

MAX_BYTES: Final = 1_048_576
"""Bytes of a definition, in UTF-8 (AWS)."""

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]|\$\{[^{}"\s]+\}|-?\b(?:NaN|Infinity)\b', re.DOTALL)
_MAX_DIGITS: Final = 300
_Pairs = list[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read.

    Attributes:
        machine: The object, None where the text is none. It may be no valid machine: that is for `check`.
        problems: What is wrong with the text.
    """

    machine: dict[str, Any] | None
    problems: tuple[Problem, ...] = ()


class _NotJson(Exception):
    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at, self.reason = at, reason


def failed(reason: str) -> Reading:
    """Return the reading of a text that is no machine at all."""
    return Reading(None, (Problem("", Level.ERROR, reason),))


def read_json(text: str | bytes, values: Mapping[str, str] | None = None) -> Reading:
    """Return the machine that the text holds. `${NAME}` outside of quotes takes the value of `values`.

    Takes time linear in the length of the text.
    """
    if len(text) > MAX_BYTES or (isinstance(text, str) and len(text.encode("utf-8", "replace")) > MAX_BYTES):
        return failed(f"the definition is larger than {MAX_BYTES} bytes")
    try:
        source = (text.decode("utf-8") if isinstance(text, bytes) else text).removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        return failed(f"the text is not UTF-8: byte {problem.start + 1} is wrong")
    try:
        source = _filled_in(source, values or {})
        reader = _Objects()
        found = json.loads(source, object_pairs_hook=reader.build, parse_int=_integer)
    except _NotJson as problem:
        return failed(_place(source, problem.at, problem.reason))
    except json.JSONDecodeError as problem:
        return failed(_words(problem))
    return reading_of(found, reader.twice(found))


def reading_of(found: Any, problems: Iterable[Problem] = ()) -> Reading:
    """Return the reading of JSON that is read already."""
    if not isinstance(found, dict):
        return failed("a machine is an object, with `StartAt` and `States`")
    if (wrong := not_plain(found)) is not None:
        return Reading(None, (wrong,))
    return Reading(found, tuple(problems))


def _filled_in(source: str, values: Mapping[str, str]) -> str:
    """Return the text with the values outside of quotes filled in.

    Raises _NotJson for what JSON has not, and for what is nested too deep.
    """
    parts: list[str] = []
    end = depth = 0
    for found in _TOKEN.finditer(source):
        word = found.group()
        if word in "[{":
            depth += 1
            if depth > MAX_DEPTH + 1:
                raise _NotJson(found.start(), f"more than {MAX_DEPTH} objects and lists are nested")
        elif word in "]}":
            depth -= 1
        elif word.startswith("$"):
            parts += source[end : found.start()], _scalar(word, values)
            end = found.end()
        elif not word.startswith('"'):
            raise _NotJson(found.start(), f"{word} is no number of JSON")
    return "".join((*parts, source[end:]))


def _scalar(placeholder: str, values: Mapping[str, str]) -> str:
    value = values.get(placeholder[2:-1], placeholder)
    try:
        known = json.loads(value, parse_constant=str)
    except (ValueError, RecursionError):
        known = value
    return value if isinstance(known, int | float) else json.dumps(value)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _place(source: str, at: int, reason: str) -> str:
    line, begun = source.count("\n", 0, at) + 1, source.rfind("\n", 0, at)
    return f"{reason} at line {line}, column {at - begun}"


def _words(problem: json.JSONDecodeError) -> str:
    if not problem.doc.strip():
        return "the text is empty"
    return f"the text is no JSON at line {problem.lineno}, column {problem.colno}: {problem.msg}"


class _Objects:
    """Makes the objects of a text, and keeps which of them have a name twice."""

    def __init__(self) -> None:
        self._twice: dict[int, tuple[dict[str, Any], list[str]]] = {}

    def build(self, pairs: _Pairs) -> dict[str, Any]:
        """Return the object of these members; of two with the same name, the last one."""
        built = dict(pairs)
        if len(built) < len(pairs):
            seen: set[str] = set()
            names = [name for name, _ in pairs if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
            self._twice[id(built)] = (built, names)
        return built

    def twice(self, value: Any) -> Iterator[Problem]:
        """Yield a problem for each name that is there twice."""
        waiting: list[tuple[Any, _Way | None]] = [(value, None)] if self._twice else []
        while waiting:
            here, way = waiting.pop()
            for name in dict.fromkeys(self._twice.get(id(here), (None, []))[1]):
                yield Problem(_pointer(_Way(way, name)), Level.ERROR, "the name is there twice")
            if isinstance(here, dict):
                waiting.extend((item, _Way(way, name)) for name, item in reversed(here.items()))
            elif isinstance(here, list):
                waiting.extend((item, _Way(way, index)) for index, item in enumerate(here))


@dataclass(frozen=True, slots=True)
class _Way:
    parent: _Way | None
    key: str | int


def _pointer(way: _Way | None) -> str:
    keys: list[str | int] = []
    while way is not None:
        keys.append(way.key)
        way = way.parent
    return pointer("", *reversed(keys))
