"""Keys of `save`: the path of a variable, or of a member within one."""

from __future__ import annotations

import re
from typing import Final

_PART: Final = re.compile(r"(?:[^.\\]|\\.?)*", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.?)", re.DOTALL)


def split_path(key: str) -> tuple[str, ...]:
    """Return the names in a key such as `a.b.c`. A backslash escapes a dot or a backslash within a name."""
    parts: list[str] = []
    at = 0
    while True:
        found = _PART.match(key, at)
        part = found[0] if found else ""
        parts.append(_ESCAPED.sub(r"\1", part))
        at += len(part) + 1
        if at > len(key):
            return tuple(parts)


def join_path(names: tuple[str, ...]) -> str:
    """Return the key that `split_path` splits into these names."""
    return ".".join(re.sub(r"([.\\])", r"\\\1", name) for name in names)
