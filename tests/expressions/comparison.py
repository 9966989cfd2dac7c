"""Whether two values are the same JSON, numbers to 14 digits."""

from __future__ import annotations

from typing import Any


def same(one: Any, other: Any) -> bool:
    """Whether both are equal; integers and floats of the same value are, booleans and numbers are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or abs(one - other) <= 1e-14 * abs(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return type(one) is type(other) and bool(one == other)
