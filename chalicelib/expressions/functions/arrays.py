"""Functions on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import CHARACTERS_PER_STEP
from chalicelib.expressions.values import MAX_DEPTH, NOTHING, Sequence, kind

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


def zipped(m: Machine, *arrays: Any) -> Any:
    """Return the first items of all arrays as an array, then the second ones, as far as the shortest reaches."""
    shortest = min((len(array) if isinstance(array, list) else 0 for array in arrays), default=0)
    m.meter.items(shortest)
    for _ in range(len(arrays) if shortest else 0):
        m.meter.items(shortest)
    m.meter.room(shortest)
    m.meter.spend(shortest // 4)
    return [[array[index] for array in arrays] for index in range(shortest)]


def append(m: Machine, one: Any = NOTHING, other: Any = NOTHING) -> Any:
    """Return the items of both."""
    if one is NOTHING:
        return other
    if other is NOTHING:
        return one
    left = one if isinstance(one, list) else [one]
    right = other if isinstance(other, list) else [other]
    m.meter.items(len(left) + len(right))
    return [*left, *right]


def reverse(m: Machine, values: Any = NOTHING) -> Any:
    """Return the items from the last to the first."""
    if values is NOTHING or len(values) <= 1:
        return values
    m.meter.items(len(values))
    return list(values[::-1])


def shuffle(m: Machine, values: Any = NOTHING) -> Any:
    """Return the items in an order that is drawn."""
    if values is NOTHING or len(values) <= 1:
        return values
    m.meter.items(len(values))
    m.meter.spend(2 * len(values))
    result = list(values)
    for index in range(len(result) - 1, 0, -1):
        other = m.stream.below(index + 1)
        result[index], result[other] = result[other], result[index]
    return result


def distinct(m: Machine, values: Any = NOTHING) -> Any:
    """Return the items without those that equal one before them."""
    if not isinstance(values, list) or len(values) <= 1:
        return values
    m.meter.room(2 * len(values))
    first: dict[Any, Any] = {}
    for value in values:
        first.setdefault(_key(m, value, 0), value)
    found = list(first.values())
    return Sequence(found) if isinstance(values, Sequence) else found


def _key(m: Machine, value: Any, depth: int) -> Any:
    """Return something hashable that is equal for equal values only."""
    letter = kind(value)
    if letter == "s":
        m.meter.left -= len(value) // CHARACTERS_PER_STEP
        return value
    if letter in "nbl":
        return (letter, value)
    if letter not in "ao":
        return ("f", id(value))
    if depth >= MAX_DEPTH:
        raise Failure("L0002")
    m.meter.room(2 * len(value))
    m.meter.spend(2 + len(value) // 2)
    if letter == "a":
        return ("a", tuple([_key(m, item, depth + 1) for item in value]))
    return ("o", frozenset([(name, _key(m, item, depth + 1)) for name, item in value.items()]))
