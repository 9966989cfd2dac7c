"""JSON values as YAML text, without a library: the process that answers requests has none.

Mappings and lists are written in blocks down to a depth, and below that in one line, as JSON has them. Text is plain
where it can be read as nothing else, and quoted otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from chalicelib.model.json_values import Json

MAX_LINE: Final = 100
"""Values that fit into a line of so many characters are written in one."""

_PLAIN: Final = re.compile(r"[A-Za-z_$][\w.$-]*(?: [\w.$-]+)*", re.ASCII)
_DURATION: Final = re.compile(r"\d+(?:ms|s|m|h|d)(?: \d+(?:ms|s|m|h|d))*")
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""Words that some readers of YAML take for other values than text."""


def yaml_text(value: Mapping[str, Json]) -> str:
    """Return the mapping as a YAML document."""
    return "".join(f"{line}\n" for line in _block(value, 0))


def _block(value: Json, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _member(f"{indent}{_scalar(key)}:", inner, depth)
        return
    for item in value:
        line = _line(item)
        if not isinstance(item, Mapping) or not item or len(line) + len(indent) <= MAX_LINE // 2:
            yield f"{indent}- {line}"
            continue
        first, *rest = _block(item, depth + 1)
        yield f"{indent}- {first.lstrip()}"
        yield from rest


def _member(head: str, value: Json, depth: int) -> Iterator[str]:
    line = _line(value)
    is_scalar = not isinstance(value, (Mapping, list, tuple)) or not value
    if is_scalar or len(head) + len(line) < MAX_LINE:
        yield f"{head} {line}"
        return
    yield head
    yield from _block(value, depth + 1)


def _line(value: Json) -> str:
    """Return the value in one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_scalar(key)}: {_line(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_line, value))}]"
    return _scalar(value)


def _scalar(value: Json) -> str:
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    is_plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    if is_plain or _DURATION.fullmatch(value):
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    """Return the character as double-quoted text has it: what is not printable by its number."""
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
