"""Read values of the text as values of the definition. A reader that reports a problem returns None."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from chalicelib.language.check.context import Context
from chalicelib.language.limits import MAX_DURATION_MS
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import (
    Duration,
    Expression,
    ListValue,
    MapValue,
    Number,
    Reference,
    Value,
    Word,
)
from chalicelib.model.json_values import Json
from chalicelib.model.templates import RESERVED_KEYS, Template, reference_of, source_of
from chalicelib.model.times import Milliseconds, format_duration

_CONSTANTS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}
_ANY_VALUE: Final = "a string, number, true, false, null, list, map or expression"

_T = TypeVar("_T")


class InvalidValue:
    """Marks a value that is invalid and already reported. None cannot mark it, since null is a value."""


INVALID_VALUE: Final = InvalidValue()


def read_template(context: Context, name: str, value: Value, *, secrets: bool = False) -> Template | InvalidValue:
    """Read any value, including expressions and, with `secrets`, references to secrets."""
    match value:
        case Number():
            return value.value
        case Word() if value.quoted:
            return value.text
        case Word() if value.key in _CONSTANTS:
            return _CONSTANTS[value.key]
        case Word():
            context.wrong(name, value, _ANY_VALUE, f'write a string as "{value.text}"')
            return INVALID_VALUE
        case Expression():
            return context.expression(value)
        case Reference() if secrets:
            return context.reference(value)
        case ListValue():
            return _all([read_template(context, name, item, secrets=secrets) for item in value.items])
        case MapValue():
            return _read_map(context, name, value, secrets=secrets)
        case _:
            context.wrong(name, value, _ANY_VALUE)
            return INVALID_VALUE


def _read_map(context: Context, name: str, value: MapValue, *, secrets: bool) -> Template | InvalidValue:
    found: dict[str, Template] = {}
    for key, inner in value.entries:
        if key.text in found:
            context.findings.report(Problem.DUPLICATE_ENTRY, key.span, name=key.text, group=name)
        if key.text in RESERVED_KEYS:
            context.findings.report(Problem.RESERVED_NAME, key.span, name=key.text)
        found[key.text] = read_template(context, name, inner, secrets=secrets)
    return INVALID_VALUE if any(item is INVALID_VALUE for item in found.values()) else found


def _all(items: list[Template | InvalidValue]) -> Template | InvalidValue:
    return INVALID_VALUE if any(item is INVALID_VALUE for item in items) else items


def read_json(context: Context, name: str, value: Value, *, secrets: bool = False) -> Json | InvalidValue:
    """Read any value without expressions."""
    inner = next((one for one in leaves_of(value) if isinstance(one, Expression)), None)
    if inner:
        context.wrong(name, inner, "a constant value")
        return INVALID_VALUE
    return read_template(context, name, value, secrets=secrets)


def is_spelt_out(template: Template) -> bool:
    """Whether a value is a literal: not null, an expression or a reference, and without them inside."""
    if template is None or source_of(template) is not None or reference_of(template) is not None:
        return False
    inner = template.values() if isinstance(template, dict) else template if isinstance(template, list) else ()
    return all(is_spelt_out(one) for one in inner)


def leaves_of(value: Value) -> Iterator[Value]:
    """Yield the value or, for a list or map, the values in it at every depth."""
    match value:
        case ListValue():
            for item in value.items:
                yield from leaves_of(item)
        case MapValue():
            for _, item in value.entries:
                yield from leaves_of(item)
        case _:
            yield value


def read_name(context: Context, name: str, value: Value) -> str | None:
    """Read an identifier or string that is a valid name."""
    if isinstance(value, Word):
        return value.text if context.valid_name(value) else None
    context.wrong(name, value, "a name")
    return None


def read_text(context: Context, name: str, value: Value) -> str | None:
    """Read a string; a bare word is accepted."""
    if isinstance(value, Word):
        return value.text
    context.wrong(name, value, "a string")
    return None


def read_source(context: Context, name: str, value: Value) -> str | None:
    """Read an expression and return its JSONata text."""
    if isinstance(value, Expression):
        return context.source(value)
    context.wrong(name, value, "an expression", "write an expression as ${ ... }")
    return None


def read_duration(
    context: Context, name: str, value: Value, longest: Milliseconds = MAX_DURATION_MS, shortest: Milliseconds = 1
) -> Milliseconds | None:
    """Read a duration, in milliseconds."""
    if isinstance(value, Duration):
        if value.milliseconds < shortest:
            found = format_duration(value.milliseconds)
            context.findings.report(Problem.DURATION_OUT_OF_RANGE, value.span, found=found)
            return None
        if value.milliseconds <= longest:
            return value.milliseconds
        found, range_ = format_duration(value.milliseconds), f"at most {format_duration(longest)}"
        context.findings.report(Problem.OUT_OF_RANGE, value.span, name=name, found=found, range=range_)
        return None
    hint = f"did you mean {value.value}s?" if isinstance(value, Number) and value.value > 0 else None
    context.wrong(name, value, "a duration like 30s", hint)
    return None


def read_delay(context: Context, name: str, value: Value) -> Milliseconds | None:
    """Read a duration, in milliseconds, that may be 0."""
    if isinstance(value, Number) and value.value == 0:
        return 0
    return read_duration(context, name, value, shortest=0)


def or_expression(reader: Callable[[Context, str, Value], _T | None]) -> Callable[[Context, str, Value], Template]:
    """Return a reader of what `reader` reads, or of an expression that yields it."""

    def read(context: Context, name: str, value: Value) -> Template:
        return context.expression(value) if isinstance(value, Expression) else reader(context, name, value)

    return read


def read_timespan(context: Context, name: str, value: Value) -> Template:
    """Read a duration of a step, in milliseconds, or an expression that yields one."""
    return or_expression(read_duration)(context, name, value)


def read_int(context: Context, name: str, value: Value, least: int, most: int | None = None) -> int | None:
    """Read an integer from `least` to `most`."""
    if not isinstance(value, Number) or not isinstance(value.value, int):
        context.wrong(name, value, "an integer")
        return None
    return _in_range(context, name, value, value.value, least, most)


def read_number(context: Context, name: str, value: Value, least: float, *, above: bool = False) -> float | None:
    """Read a number of at least `least` or, with `above`, greater than `least`."""
    if not isinstance(value, Number):
        context.wrong(name, value, "a number")
        return None
    if above and value.value <= least:
        context.findings.report(
            Problem.OUT_OF_RANGE, value.span, name=name, found=str(value.value), range=f"greater than {least:g}"
        )
        return None
    found = _in_range(context, name, value, value.value, least, None)
    return None if found is None else float(found)


def _in_range(context: Context, name: str, value: Value, found: _T, least: float, most: float | None) -> _T | None:
    if least <= found <= (math.inf if most is None else most):  # type: ignore[operator]  # _T is int or float
        return found
    range_ = f"at least {least:g}" if most is None else f"from {least} to {most}"
    context.findings.report(Problem.OUT_OF_RANGE, value.span, name=name, found=str(found), range=range_)
    return None
