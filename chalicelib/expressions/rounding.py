"""Rounding of numbers to decimal digits, half to even."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


def round_half_even(value: float, digits: int) -> float:
    """Return the number rounded to so many decimal digits after the point."""
    shifted = _shifted(value, digits)
    return value if shifted - shifted != 0 else _shifted(float(round(shifted)), -digits)


def _shifted(value: float, digits: int) -> float:
    if not digits:
        return value
    text, _, exponent = repr(value).partition("e")
    return float(f"{text}e{int(exponent or 0) + digits}")
