"""What operators do with values."""

from __future__ import annotations

from math import fmod
from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import ITEMS_PER_STEP, MAX_ITEMS, Meter
from chalicelib.expressions.values import EXACT, MAX_DEPTH, NOTHING, Sequence, double, kind, number

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


def arithmetic(left: Any, right: Any, operator: str, at: int) -> Any:
    """Return the result of `+ - * / %`, as IEEE doubles give it; whole numbers as int."""
    if left is not NOTHING and kind(left) != "n":
        raise Failure("T2001", at, operator, left)
    if right is not NOTHING and kind(right) != "n":
        raise Failure("T2002", at, operator, right)
    if left is NOTHING or right is NOTHING:
        return NOTHING
    if type(left) is int and type(right) is int and -EXACT <= left <= EXACT and -EXACT <= right <= EXACT:
        result = _exact(left, right, operator)
        if result is not None and -EXACT <= result <= EXACT:
            return result
    if right == 0 and operator in "/%":
        raise Failure("L0055", at)
    return _inexact(double(left), double(right), operator, at)


def _exact(left: int, right: int, operator: str) -> int | None:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    return None


def _inexact(left: float, right: float, operator: str, at: int) -> float:
    try:
        if operator == "+":
            return number(left + right)
        if operator == "-":
            return number(left - right)
        if operator == "*":
            return number(left * right)
        if operator == "/":
            return number(left / right)
        return number(fmod(left, right))
    except Failure as failure:
        failure.at, failure.token = at, operator
        raise
    except (OverflowError, ValueError):
        raise Failure("D1001", at, operator) from None


def negated(value: Any, at: int) -> Any:
    """Return `-value`."""
    if value is NOTHING:
        return NOTHING
    if kind(value) != "n":
        raise Failure("D1002", at, "-", value)
    return -value if value else 0


def compared(m: Machine, left: Any, right: Any, operator: str, at: int) -> Any:
    """Return the result of `< <= > >=`."""
    kinds = kind(left) + kind(right)
    if kinds[0] not in "nsm" or kinds[1] not in "nsm":
        raise Failure("T2010", at, operator, right if kinds[0] in "nsm" else left)
    if left is NOTHING or right is NOTHING:
        return NOTHING
    if kinds[0] != kinds[1]:
        raise Failure("T2009", at, left, right)
    if kinds[0] == "s":
        m.meter.read(min(len(left), len(right)))
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    if operator == ">":
        return left > right
    return left >= right


_DEEP: Final = frozenset("ao")


def equal(left: Any, right: Any, meter: Meter, depth: int = 0) -> bool:
    """Whether the values are equal, members and all."""
    if left is right:
        return True
    letter = kind(left)
    if letter != kind(right):
        return False
    if letter in _DEEP:
        return len(left) == len(right) and _equal_members(left, right, meter, depth)
    if letter == "s":
        if len(left) != len(right):
            return False
        meter.left -= len(left) >> 7
    return bool(left == right)


def _equal_members(left: Any, right: Any, meter: Meter, depth: int) -> bool:
    if depth >= MAX_DEPTH:
        raise Failure("L0002")
    meter.spend(1 + len(left) // 2)
    if isinstance(left, list):
        for one, other in zip(left, right, strict=True):  # noqa: SIM110 - generators nest on the C stack
            if not equal(one, other, meter, depth + 1):
                return False
        return True
    for name, one in left.items():  # noqa: SIM110
        if name not in right or not equal(one, right[name], meter, depth + 1):
            return False
    return True


def identical(left: Any, right: Any) -> bool:
    """Whether the values are the same text, number, boolean or null, or the very same array, object or function."""
    letter = kind(left)
    if letter != kind(right):
        return False
    return left is right or (letter not in "aof" and bool(left == right))


def contained(m: Machine, left: Any, right: Any) -> bool:
    """Whether `left in right`."""
    if left is NOTHING or right is NOTHING:
        return False
    if not isinstance(right, list):
        return identical(left, right)
    m.meter.spend(1 + len(right) // 4 + (len(left) * len(right) >> 12 if isinstance(left, str) else 0))
    return any(identical(left, item) for item in right)


def joined(m: Machine, left: Any, right: Any) -> str:
    """Return `left & right`."""
    from chalicelib.expressions.evaluation.json_text import text_of

    one = left if isinstance(left, str) else "" if left is NOTHING else text_of(m, left)
    other = right if isinstance(right, str) else "" if right is NOTHING else text_of(m, right)
    m.meter.text(len(one) + len(other))
    return one + other


def span(m: Machine, left: Any, right: Any, at: int) -> Any:
    """Return the whole numbers of `left..right`."""
    for value, code in ((left, "T2003"), (right, "T2004")):
        if value is not NOTHING and (kind(value) != "n" or value != value // 1):
            raise Failure(code, at, "..", value)
    if left is NOTHING or right is NOTHING or left > right:
        return NOTHING
    size = int(right) - int(left) + 1
    if size > MAX_ITEMS:
        raise Failure("L0004", at)
    m.meter.items(size)
    m.meter.spend(size // ITEMS_PER_STEP)
    return Sequence(range(int(left), int(right) + 1))
