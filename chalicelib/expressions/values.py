"""The values of expressions: JSON, nothing, sequences and functions.

JSON values are Python's own (`None` is null), and are never copied on their way in. Besides them there are
- `NOTHING`, what an expression yields that finds nothing; it is not null;
- `Sequence`, what a path collects: a list that is its only item where it has one, and NOTHING where it has none;
- `Constructed`, a list written as `[...]` within a path: it is one value, and is not flattened;
- `Tuples`, a sequence of bindings, while a path uses `@`, `#` or `%`;
- functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine
    from chalicelib.expressions.meter import Meter

EXACT: Final = 2**53
"""Integers up to this one have an exact double."""

MAX_DEPTH: Final = 250
"""Arrays and objects within each other, wherever a value is walked."""


class Nothing:
    """The type of NOTHING."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOTHING"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "NOTHING"


NOTHING: Final = Nothing()
"""What an expression yields that finds nothing. Distinct from None, which is null."""


UNUSUAL: Final = object()
"""What the short way of small expressions yields where only a full evaluation yields a value (`quick`)."""


class Sequence(list[Any]):
    """What a path collects. `keep` retains a sequence of one item as an array."""

    keep = False


class Tuples(Sequence):
    """A sequence of bindings: objects with the value as their member `@`."""


class Constructed(list[Any]):
    """An array that its expression constructed in a path."""


class Outer(Sequence):
    """The document, where it is an array: the one item of this sequence."""


class Function:
    """Anything that can be called."""

    __slots__ = ()
    arity = 0

    def applied(self, _m: Machine, _args: list[Any], _value: Any) -> Any:
        """Return its result for the arguments, where `$` is the value. Builtins and lambdas are applied by `calls`."""
        raise TypeError(f"{type(self).__name__} is applied by `calls`")


_KINDS: Final[dict[type, str]] = {
    str: "s",
    int: "n",
    float: "n",
    bool: "b",
    type(None): "l",
    dict: "o",
    list: "a",
    Sequence: "a",
    Tuples: "a",
    Constructed: "a",
    Outer: "a",
    Nothing: "m",
}

TYPE_NAMES: Final = {
    "s": "string",
    "n": "number",
    "b": "boolean",
    "l": "null",
    "o": "object",
    "a": "array",
    "f": "function",
    "m": "undefined",
}


def kind(value: Any) -> str:
    """Return the letter that signatures use for the type of a value; `m` for NOTHING."""
    found = _KINDS.get(type(value))
    return found if found is not None else _kind_of_subclass(value)


def _kind_of_subclass(value: Any) -> str:
    for base in (str, bool, int, float, list, dict):
        if isinstance(value, base):
            return _KINDS[base]
    if isinstance(value, Function):
        return "f"
    raise Failure("L0052")


def is_number(value: Any) -> bool:
    """Whether the value is a number; a boolean is none."""
    return kind(value) == "n"


def number(value: float) -> int | float:
    """Return the result of a computation: whole numbers as int. Raises Failure unless it is finite."""
    if value - value != 0:  # infinite, or not a number
        raise Failure("D1001", value=value)
    if -EXACT <= value <= EXACT and value == int(value):
        return int(value)
    return value


def double(value: float) -> float:
    """Return the IEEE double of a number. Raises Failure for integers beyond its range."""
    try:
        return float(value)
    except OverflowError:
        raise Failure("D1001", value="an integer") from None


def truth(value: Any, meter: Meter, depth: int = 0) -> bool:
    """Return the boolean that JSONata makes of a value; false for NOTHING."""
    if value is True or value is False:
        return bool(value)
    if isinstance(value, list):
        meter.visit(len(value))
        if depth >= MAX_DEPTH:
            raise Failure("L0002")
        for item in value:  # noqa: SIM110 - generators nest on the C stack
            if truth(item, meter, depth + 1):
                return True
        return False
    if isinstance(value, Function):
        return False
    return bool(value)


def member(value: Any, name: str, meter: Meter) -> Any:
    """Return the member of an object, or those of the objects in an array; NOTHING if there is none."""
    if isinstance(value, dict):
        return value.get(name, NOTHING)
    if not isinstance(value, list):
        return NOTHING
    found = Sequence()
    _collect(value, name, found, meter, 0)
    meter.items(len(found))
    return found


def _collect(values: list[Any], name: str, found: Sequence, meter: Meter, depth: int) -> None:
    meter.visit(len(values))
    if depth >= MAX_DEPTH:
        raise Failure("L0002")
    for item in values:
        if isinstance(item, dict):
            if name in item:
                inner = item[name]
                if isinstance(inner, list):
                    meter.items(len(inner))
                    found.extend(inner)
                else:
                    found.append(inner)
        elif isinstance(item, list):
            _collect(item, name, found, meter, depth + 1)


def appended(one: Any, other: Any) -> Any:
    """Return both as one list; either alone where the other is NOTHING."""
    if one is NOTHING:
        return other
    if other is NOTHING:
        return one
    left = one if isinstance(one, list) else [one]
    return [*left, *other] if isinstance(other, list) else [*left, other]


def shown_number(value: float) -> str:
    """Return the number as text: 15 digits of a fraction, integers below 10^21 in full, as JavaScript writes them."""
    if isinstance(value, int):
        if -(10**21) < value < 10**21:
            return str(value)
        value = double(value)
    if not value.is_integer():
        value = float(f"{value:.15g}")
    return js_number(value)


def js_number(value: float) -> str:
    """Return the shortest text of a double, as JavaScript writes it."""
    if value == 0:
        return "0"
    digits, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = digits.partition(".")
    point = len(whole) + int(exponent or 0)
    figures = whole + (fraction if fraction != "0" else "")
    stripped = figures.lstrip("0")
    point -= len(figures) - len(stripped)
    figures = stripped.rstrip("0")
    sign = "-" if value < 0 else ""
    if -6 < point <= 21:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{figures}"
        if len(figures) <= point:
            return f"{sign}{figures}{'0' * (point - len(figures))}"
        return f"{sign}{figures[:point]}.{figures[point:]}"
    mantissa = figures[0] + (f".{figures[1:]}" if len(figures) > 1 else "")
    return f"{sign}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"
