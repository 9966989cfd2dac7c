"""JSONata's functions, each asked what it may cost before it runs.

A function that walks its arguments once pays for their size. Those whose work or result may exceed that (`$pad`,
`$replace`, pictures that widen) are bounded here, or written anew where the library takes quadratic time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jsonata import Functions, JException, Jsonata, Utils

from chalicelib.engine.expressions import dates, texts
from chalicelib.engine.expressions.limits import DEPTH_OF_CALL, SHARE, Halt
from chalicelib.engine.expressions.patterns import evaluation
from chalicelib.engine.expressions.syntax import CALLED, IMPURE, PlainSignature
from chalicelib.engine.expressions.values import copied, number

_CALL: Final = 3
"""Steps of a call, beside those for the arguments."""

_PARTIALS: Final = 50
_PICTURE: Final = 256
_WIDTH: Final = 400

_CHEAP: Final = frozenset({"count", "exists", "type"})
_SHALLOW: Final = frozenset({"map", "filter", "single", "reduce", "each", "sift", "append", "reverse", "zip", "keys"})
_DEAR: Final = {"encodeUrl": 16, "encodeUrlComponent": 16, "decodeUrl": 16, "decodeUrlComponent": 16, "sort": 4}


class Builtin(Jsonata.JFunction):  # type: ignore[misc]
    """A function of JSONata's that pays before it runs."""

    def __init__(self, name: str, signature: Any, run: Callable[..., Any], arity: int) -> None:
        self.function_name = name
        self.signature = signature
        self._run = run
        self._arity = arity

    def get_number_of_args(self) -> int:
        return self._arity

    def validate(self, args: Any, _context: Any) -> Any:
        return args

    def call(self, context: Any, args: Any) -> Any:
        args = self.signature.validate(args, context)
        now = evaluation()
        now.meter.spend(_CALL + sum(self._cost(arg, now) for arg in args))
        with now.deeper(DEPTH_OF_CALL):
            result = self._run(*args, *[None] * (self._arity - len(args)))
        if isinstance(result, str):
            now.meter.text(len(result))
        elif isinstance(result, (int, float)) and not isinstance(result, bool):
            return number(result)
        return result

    def _cost(self, arg: Any, now: Any) -> int:
        name = self.function_name
        if name in _CHEAP or not isinstance(arg, (str, list, dict)):
            return 0
        size = len(arg) * 8 if name in _SHALLOW and not isinstance(arg, str) else now.weights.of(arg)
        return int(size) * _DEAR.get(name, 1) // SHARE


class Partial(Jsonata.JFunction):  # type: ignore[misc]
    """A builtin with some of its arguments given."""

    class _Arity:
        def __init__(self, count: int) -> None:
            self._count = count

        def set_function_name(self, name: str) -> None:
            """Nothing: it has no name."""

        def get_min_number_of_args(self) -> int:
            return self._count

    def __init__(self, whole: Any, args: list[Any], is_open: Callable[[Any], bool]) -> None:
        self.function_name = whole.function_name
        self.signature = Partial._Arity(sum(map(is_open, args)))
        self._whole, self._args, self._is_open = whole, args, is_open
        self._level: int = getattr(whole, "_level", 0) + 1
        if self._level > _PARTIALS:
            raise Halt(f"a function is applied in part more than {_PARTIALS} times")

    def validate(self, args: Any, _context: Any) -> Any:
        return args

    def get_number_of_args(self) -> int:
        return self.signature.get_min_number_of_args()

    def call(self, context: Any, args: Any) -> Any:
        rest = iter(args)
        return self._whole.call(context, [next(rest, None) if self._is_open(arg) else arg for arg in self._args])


def _key(value: Any) -> Any:
    """Something hashable that is equal for equal values only."""
    if isinstance(value, list):
        return ("array", *map(_key, value))
    if isinstance(value, dict):
        return ("object", frozenset((name, _key(member)) for name, member in value.items()))
    if isinstance(value, bool):
        return ("boolean", value)
    return value if isinstance(value, (str, int, float)) else id(value)


def _distinct(values: Any) -> Any:
    if not isinstance(values, list) or len(values) <= 1:
        return values
    first: dict[Any, Any] = {}
    for value in values:
        first.setdefault(_key(value), value)
    kept = list(first.values())
    return Utils.create_sequence_from_iter(kept) if Utils.is_sequence(values) else kept


def _spread(value: Any) -> Any:
    if not isinstance(value, (list, dict)):
        return value
    spread = Utils.create_sequence()
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            spread.extend({name: member} for name, member in item.items())
        elif isinstance(item, list):
            spread.extend(_spread(item))
        elif item is not None:
            spread.append(item)
    return spread


def _zip(*arrays: Any) -> Any:
    if all(array is not None for array in arrays):
        evaluation().meter.slots(min(map(len, arrays), default=0) * len(arrays))
    return Functions.zip(*arrays)


def _append(one: Any, other: Any) -> Any:
    evaluation().meter.slots(sum(len(part) if isinstance(part, list) else 1 for part in (one, other)))
    return Functions.append(one, other)


def _sort(values: Any, comparator: Any) -> Any:
    if values and comparator is None:
        kinds = {str if isinstance(v, str) else float if isinstance(v, (int, float)) else None for v in values}
        if len(kinds) > 1 or None in kinds:
            raise JException("D3070", -1)
    return Functions.sort(values, comparator)


def _round(value: Any, precision: Any) -> Any:
    if isinstance(precision, (int, float)):
        precision = int(max(-_WIDTH, min(precision, _WIDTH)))
        if precision > 15 and isinstance(value, float):
            return value
        if precision >= 0 and isinstance(value, int):
            return value
    return Functions.round(value, precision)


def _checked(picture: Any) -> None:
    if isinstance(picture, str) and len(picture) > _PICTURE:
        raise Halt(f"a picture has at most {_PICTURE} characters")


def _format_number(value: Any, picture: Any, options: Any) -> Any:
    _checked(picture)
    for name, option in (options or {}).items():
        if not isinstance(option, str) or (len(option) != 1 and name not in ("infinity", "NaN")) or len(option) > 20:
            raise Halt(f"$formatNumber's {name[:40]} must be one character")
    return Functions.format_number(value, picture, options)


def _format_integer(value: Any, picture: Any) -> Any:
    _checked(picture)
    if isinstance(value, (int, float)) and isinstance(picture, str) and picture[:1] in ("I", "i") and value > 100_000:
        raise Halt("$formatInteger writes Roman numbers up to 100,000")
    return Functions.format_integer(value, picture)


def _parse_integer(text: Any, picture: Any) -> Any:
    _checked(text)
    _checked(picture)
    return Functions.parse_integer(text, picture)


def _number(value: Any) -> Any:
    if isinstance(value, str) and not value[:1].isspace() and (value.isascii() and "_" not in value):
        try:
            return Functions.number(value)
        except ValueError:
            pass
    elif not isinstance(value, str):
        return Functions.number(value)
    raise Halt("$number needs the text of a number")


def _power(base: Any, exponent: Any) -> Any:
    if base is None or exponent is None:
        return None
    try:
        result = float(base) ** float(exponent)
    except (OverflowError, ZeroDivisionError) as exc:
        raise JException("D3061", -1) from exc
    if isinstance(result, complex):
        raise JException("D3061", -1)
    return result


def _now(picture: Any, zone: Any) -> Any:
    now = evaluation().now
    if picture is None and zone is None:
        return now
    return dates.written(dates.millis(now), picture, zone)


def _clone(value: Any) -> Any:
    return copied(value)


_OWN: Final[dict[str, Callable[..., Any]]] = {
    "append": _append,
    "clone": _clone,
    "distinct": _distinct,
    "formatInteger": _format_integer,
    "formatNumber": _format_number,
    "fromMillis": dates.written,
    "join": texts.join,
    "match": texts.match,
    "millis": lambda: dates.millis(evaluation().now),
    "now": _now,
    "number": _number,
    "pad": texts.pad,
    "parseInteger": _parse_integer,
    "power": _power,
    "replace": texts.replace,
    "round": _round,
    "sort": _sort,
    "split": texts.split,
    "spread": _spread,
    "string": texts.string,
    "toMillis": dates.read,
    "zip": _zip,
}


def builtins() -> dict[str, Builtin]:
    """Every function that FSL binds, by name."""
    bound: dict[str, Builtin] = {}
    for name, native in Jsonata.static_frame.bindings.items():
        if name in IMPURE:
            continue
        signature = PlainSignature.__new__(PlainSignature)
        signature.__dict__.update(vars(native.signature))
        run = _OWN.get(name, native.method)
        bound[CALLED.get(name, name)] = Builtin(name, signature, run, 0 if name == "zip" else native.nargs)
    return bound
