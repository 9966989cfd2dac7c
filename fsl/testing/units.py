"""Durations as text."""

from __future__ import annotations

from typing import Final

from chalicelib.model.times import Milliseconds

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def elapsed(milliseconds: Milliseconds) -> str:
    """Return the duration in the units of FSL: `2d 3h`, `1m 30s`, `0s`."""
    parts: list[str] = []
    for unit, size in _UNITS:
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
