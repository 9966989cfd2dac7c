"""Durations of a machine, which are in seconds, as FSL writes them."""

from __future__ import annotations

from typing import Final

from chalicelib.asl.convert.jsonata.expressions import Expr, Literal, Op
from chalicelib.model.json_values import Json
from chalicelib.model.times import MAX_DURATION_MS, format_duration

LONGEST: Final = format_duration(MAX_DURATION_MS)
"""The longest duration that FSL takes."""
MAX_SECONDS: Final = MAX_DURATION_MS // 1000


def seconds(value: Json) -> str | None:
    """Return a number of seconds as a duration, at most the longest one; None if it is no number from 0 on."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:12])  # A template filled it in.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        return None
    return format_duration(min(round(value * 1000), MAX_DURATION_MS))


def computed_seconds(expr: Expr) -> Expr:
    """Return what computes the duration of so many seconds."""
    return Op("&", (expr, Literal("s")))
