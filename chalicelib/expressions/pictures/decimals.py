"""Numbers written by a decimal picture such as `#,##0.00;(#,##0.00)`."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import MAX_PICTURE
from chalicelib.expressions.rounding import round_half_even

if TYPE_CHECKING:
    from chalicelib.expressions.meter import Meter

_DEFAULTS: Final = {
    "decimal-separator": ".",
    "grouping-separator": ",",
    "exponent-separator": "e",
    "infinity": "Infinity",
    "minus-sign": "-",
    "NaN": "NaN",
    "percent": "%",
    "per-mille": "\u2030",
    "zero-digit": "0",
    "digit": "#",
    "pattern-separator": ";",
}
_SINGLE: Final = frozenset(_DEFAULTS) - {"infinity", "NaN", "percent", "per-mille"}
_MAX_OPTION: Final = 20
_NUMBER_STEPS: Final = 32


class _Symbols:
    """The characters of pictures: the usual ones, or those of the options."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        chosen = dict(_DEFAULTS)
        for name, value in options.items():
            if name not in _DEFAULTS:
                continue
            if not isinstance(value, str) or not 1 <= len(value) <= (1 if name in _SINGLE else _MAX_OPTION):
                raise Failure("L0028", token=str(name)[:40])
            chosen[name] = value
        self.point, self.comma = chosen["decimal-separator"], chosen["grouping-separator"]
        self.exponent, self.minus = chosen["exponent-separator"], chosen["minus-sign"]
        self.percent, self.mille = chosen["percent"], chosen["per-mille"]
        self.zero, self.optional, self.pattern = chosen["zero-digit"], chosen["digit"], chosen["pattern-separator"]
        first = ord(self.zero)
        self.digits = frozenset(chr(first + value) for value in range(10) if first + value < 0x110000)
        self.active = self.digits | {self.point, self.exponent, self.comma, self.optional, self.pattern}

    def mandatory(self, part: str) -> int:
        """Return how many mandatory digits a part has."""
        return sum(1 for char in part if char in self.digits)

    def places(self, part: str) -> int:
        """Return how many digits a part has, optional ones included."""
        return sum(1 for char in part if char in self.digits or char == self.optional)


class _Parts(NamedTuple):
    prefix: str
    suffix: str
    active: str
    mantissa: str
    exponent: str | None
    whole: str
    fraction: str


def _split(picture: str, symbols: _Symbols) -> _Parts:
    starts = [at for at, char in enumerate(picture) if char in symbols.active and char != symbols.exponent]
    if not starts:
        raise Failure("D3085")
    prefix, suffix = picture[: starts[0]], picture[starts[-1] + 1 :]
    active = picture[starts[0] : starts[-1] + 1]
    mantissa, found, exponent = active.partition(symbols.exponent)
    whole, _, fraction = mantissa.partition(symbols.point)
    return _Parts(prefix, suffix, active, mantissa, exponent if found else None, whole, fraction)


def _check(picture: str, parts: _Parts, symbols: _Symbols) -> None:
    for char, code in ((symbols.point, "D3081"), (symbols.percent, "D3082"), (symbols.mille, "D3083")):
        if picture.count(char) > 1:
            raise Failure(code)
    scaled = symbols.percent in picture or symbols.mille in picture
    if symbols.percent in picture and symbols.mille in picture:
        raise Failure("D3084")
    if not symbols.places(parts.mantissa):
        raise Failure("D3085")
    if any(char not in symbols.active for char in parts.active):
        raise Failure("D3086")
    _check_digits(picture, parts, symbols)
    if parts.exponent is not None:
        if parts.exponent and scaled:
            raise Failure("D3092")
        if not parts.exponent or any(char not in symbols.digits for char in parts.exponent):
            raise Failure("D3093")


def _check_digits(picture: str, parts: _Parts, symbols: _Symbols) -> None:
    comma, point = symbols.comma, symbols.point
    if point in picture:
        if comma + point in picture or point + comma in picture:
            raise Failure("D3087")
    elif parts.whole.endswith(comma):
        raise Failure("D3088")
    if comma * 2 in picture:
        raise Failure("D3089")
    before, _, _ = parts.whole.partition(symbols.optional)
    if symbols.optional in parts.whole and symbols.mandatory(before):
        raise Failure("D3090")
    _, found, after = parts.fraction.rpartition(symbols.optional)
    if found and symbols.mandatory(after):
        raise Failure("D3091")


class _Analysis:
    """How numbers are written by one part of a picture."""

    def __init__(self, picture: str, symbols: _Symbols) -> None:
        parts = _split(picture, symbols)
        _check(picture, parts, symbols)
        self.prefix, self.suffix = parts.prefix, parts.suffix
        self.scale = 100 if symbols.percent in picture else 1000 if symbols.mille in picture else 1
        self.commas = [symbols.places(parts.whole[at:]) for at, char in enumerate(parts.whole) if char == symbols.comma]
        self.every = _regular(self.commas)
        self.fraction_commas = [
            symbols.places(parts.fraction[:at]) for at, char in enumerate(parts.fraction) if char == symbols.comma
        ]
        self.has_exponent = parts.exponent is not None
        self.exponent_digits = len(parts.exponent or "")
        self.has_point = symbols.point in picture
        self.scaling = self.whole_digits = symbols.mandatory(parts.whole)
        self.least, self.most = symbols.mandatory(parts.fraction), symbols.places(parts.fraction)
        if self.whole_digits == 0 and self.most == 0:
            if self.has_exponent:
                self.least = self.most = 1
            else:
                self.whole_digits = 1
        if self.has_exponent and self.whole_digits == 0 and symbols.optional in parts.whole:
            self.whole_digits = 1
        if self.whole_digits == 0 and self.least == 0:
            self.least = 1


def _regular(positions: list[int]) -> int:
    """Return the distance of separators that are equally far from each other; 0 if they are not."""
    factor = gcd(*positions)
    return factor if all(index * factor in positions for index in range(1, len(positions) + 1)) else 0


def format_decimal(meter: Meter, value: float, picture: str, options: Mapping[str, Any]) -> str:
    """Return the number written by the picture."""
    if len(picture) > MAX_PICTURE:
        raise Failure("L0024")
    meter.spend(_NUMBER_STEPS + 2 * len(picture))
    symbols = _Symbols(options)
    pictures = picture.split(symbols.pattern)
    if len(pictures) > 2:
        raise Failure("D3080")
    parts = [_Analysis(each, symbols) for each in pictures]
    part = parts[-1] if value < 0 else parts[0]
    prefix = symbols.minus + part.prefix if value < 0 and len(parts) == 1 else part.prefix
    return prefix + _written(abs(value) * part.scale, part, symbols) + part.suffix


def _written(value: float, part: _Analysis, symbols: _Symbols) -> str:
    exponent = 0
    if part.has_exponent and value:
        high, low = 10.0**part.scaling, 10.0 ** (part.scaling - 1)
        while value < low:
            value *= 10
            exponent -= 1
        while value > high:
            value /= 10
            exponent += 1
    if value - value != 0:
        raise Failure("D1001")
    text = f"{round_half_even(value, part.most):.{part.most}f}"
    whole, _, fraction = text.partition(".")
    whole = whole.lstrip("0").rjust(part.whole_digits, "0")
    fraction = fraction.rstrip("0").ljust(part.least, "0")
    whole = _grouped(whole, part, symbols.comma)
    for position in part.fraction_commas:
        if position <= len(fraction):
            fraction = fraction[:position] + symbols.comma + fraction[position:]
    result = whole + (symbols.point + fraction if part.has_point and fraction else "")
    if part.has_exponent:
        sign = symbols.minus if exponent < 0 else ""
        result += symbols.exponent + sign + str(abs(exponent)).rjust(part.exponent_digits, "0")
    if symbols.zero == "0":
        return result
    return "".join([chr(ord(char) - 48 + ord(symbols.zero)) if "0" <= char <= "9" else char for char in result])


def _grouped(whole: str, part: _Analysis, comma: str) -> str:
    positions = range(part.every, len(whole), part.every) if part.every else part.commas
    pieces = []
    end = len(whole)
    for position in sorted(positions):
        start = len(whole) - position
        if start <= 0:
            break
        pieces.append(whole[start:end])
        end = start
    pieces.append(whole[:end])
    return comma.join(reversed(pieces))
