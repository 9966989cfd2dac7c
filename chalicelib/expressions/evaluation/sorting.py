"""A stable merge sort that asks a comparator in the order in which JSONata does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalicelib.expressions.meter import Meter


def merge_sorted(meter: Meter, values: list[Any], after: Callable[[Any, Any], bool]) -> list[Any]:
    """Return the values so that none is `after` the next. The comparator may be of any kind: it always ends."""
    if len(values) <= 1:
        return values
    middle = len(values) // 2
    left = merge_sorted(meter, values[:middle], after)
    right = merge_sorted(meter, values[middle:], after)
    meter.spend(1 + len(values) // 2)
    merged = []
    first = second = 0
    while first < len(left) and second < len(right):
        if after(left[first], right[second]):
            merged.append(right[second])
            second += 1
        else:
            merged.append(left[first])
            first += 1
    merged += left[first:]
    merged += right[second:]
    return merged
