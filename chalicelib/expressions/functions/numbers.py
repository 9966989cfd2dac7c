"""Functions on numbers."""

from __future__ import annotations

import re
from math import ceil as math_ceil
from math import floor as math_floor
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.evaluation.operators import arithmetic
from chalicelib.expressions.values import NOTHING, double, js_number, number

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine
from chalicelib.expressions.rounding import round_half_even

_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?")

_RADIX: Final = re.compile(r"0(?:([xX])[0-9A-Fa-f]+|([oO])[0-7]+|([bB])[01]+)")

_EXACT_DIGITS: Final = 300

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def sum_of(m: Machine, values: Any = NOTHING) -> Any:
    """Return the sum."""
    if values is NOTHING:
        return NOTHING
    m.meter.spend(1 + len(values) // 2)
    total: Any = 0
    for value in values:
        total = arithmetic(total, value, "+", 0)
    return total


def count(_m: Machine, values: Any = NOTHING) -> int:
    """Return how many items there are."""
    return 0 if values is NOTHING else len(values)


def largest(m: Machine, values: Any = NOTHING) -> Any:
    """Return the largest number."""
    if values is NOTHING or not values:
        return NOTHING
    m.meter.visit(len(values))
    return max(values)


def smallest(m: Machine, values: Any = NOTHING) -> Any:
    """Return the smallest number."""
    if values is NOTHING or not values:
        return NOTHING
    m.meter.visit(len(values))
    return min(values)


def average(m: Machine, values: Any = NOTHING) -> Any:
    """Return the mean."""
    if values is NOTHING or not values:
        return NOTHING
    return arithmetic(sum_of(m, values), len(values), "/", 0)


def to_number(m: Machine, value: Any = NOTHING) -> Any:
    """Return the number that a text or a boolean is."""
    if value is True or value is False:
        return int(value)
    if not isinstance(value, str):
        return value
    m.meter.read(len(value))
    found = _DECIMAL.fullmatch(value)
    if found:
        if found[1] is None and found[2] is None and len(value) <= _EXACT_DIGITS:
            return int(value)
        result = float(value)
        if isfinite(result):
            return number(result)
    radix = _RADIX.fullmatch(value)
    if radix and len(value) <= _EXACT_DIGITS:
        return int(value[2:], 16 if radix[1] else 8 if radix[2] else 2)
    raise Failure("D3030", value=value)


def floor(_m: Machine, value: Any = NOTHING) -> Any:
    """Return the next whole number below."""
    return value if value is NOTHING or isinstance(value, int) else number(float(math_floor(value)))


def ceil(_m: Machine, value: Any = NOTHING) -> Any:
    """Return the next whole number above."""
    return value if value is NOTHING or isinstance(value, int) else number(float(math_ceil(value)))


def rounded(_m: Machine, value: Any = NOTHING, precision: Any = NOTHING) -> Any:
    """Return the number rounded to so many digits after the point; halves to the even neighbour."""
    if value is NOTHING:
        return NOTHING
    digits = 0 if precision is NOTHING else int(max(-400, min(precision, 400)))
    if isinstance(value, int) and digits >= 0:
        return value
    return number(round_half_even(double(value), digits))


def absolute(_m: Machine, value: Any = NOTHING) -> Any:
    """Return the number without its sign."""
    return value if value is NOTHING else abs(value)


def square_root(_m: Machine, value: Any = NOTHING) -> Any:
    """Return the square root."""
    if value is NOTHING:
        return NOTHING
    if value < 0:
        raise Failure("D3060", value=value)
    return number(double(value) ** 0.5)


def power(_m: Machine, base: Any = NOTHING, exponent: Any = NOTHING) -> Any:
    """Return the base to the power of the exponent."""
    if base is NOTHING or exponent is NOTHING:
        return NOTHING
    try:
        result = double(base) ** double(exponent)
    except (OverflowError, ZeroDivisionError):
        raise Failure("D3061", value=base) from None
    if isinstance(result, complex) or not isfinite(result):
        raise Failure("D3061", value=base)
    return number(result)


def random(m: Machine, seed: Any = NOTHING) -> float:
    """Return a number from 0 up to 1: that of the seed, or the next one that is drawn."""
    from chalicelib.expressions.draw import Stream

    m.meter.spend(4)
    return m.stream.fraction() if seed is NOTHING else Stream(js_number(double(seed)).encode()).fraction()


def format_base(m: Machine, value: Any = NOTHING, radix: Any = NOTHING) -> Any:
    """Return the whole number written in a radix from 2 to 36."""
    if value is NOTHING:
        return NOTHING
    base = 10 if radix is NOTHING else int(rounded(m, radix))
    if not 2 <= base <= 36:
        raise Failure("D3100", value=base)
    rest = int(rounded(m, value))
    if base == 10:
        return js_number(double(rest))
    m.meter.spend(4 + rest.bit_length() // 8)
    figures = []
    negative, rest = rest < 0, abs(int(double(rest)))
    while rest:
        rest, figure = divmod(rest, base)
        figures.append(_DIGITS[figure])
    return ("-" if negative else "") + ("".join(reversed(figures)) or "0")


def format_number(m: Machine, value: Any = NOTHING, picture: Any = NOTHING, options: Any = NOTHING) -> Any:
    """Return the number written by a decimal picture such as `#,##0.00`."""
    if value is NOTHING or picture is NOTHING:
        return NOTHING
    from chalicelib.expressions.pictures.decimals import format_decimal

    return format_decimal(m.meter, double(value), picture, {} if options is NOTHING else options)


def format_integer(m: Machine, value: Any = NOTHING, picture: Any = NOTHING) -> Any:
    """Return the whole number written by a picture such as `000`, `w`, `I` or `1;o`."""
    if value is NOTHING or picture is NOTHING:
        return NOTHING
    from chalicelib.expressions.pictures.integers import IntegerPicture

    return IntegerPicture(picture, m.meter).format(math_floor(value), m.meter)


def parse_integer(m: Machine, text: Any = NOTHING, picture: Any = NOTHING) -> Any:
    """Return the whole number that a text writes by a picture."""
    if text is NOTHING or picture is NOTHING:
        return NOTHING
    from chalicelib.expressions.pictures.integers import IntegerPicture

    return IntegerPicture(picture, m.meter).parse(text, m.meter)
