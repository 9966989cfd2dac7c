"""Values of the text -> values of the definition. Each reader returns None where it has reported why it cannot."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, TypeVar

from chalicelib.language.check.context import Context
from chalicelib.language.limits import LONGEST_DURATION
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
from chalicelib.model.times import Milliseconds

_CONSTANTS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}
_ANY_VALUE: Final = "a string, number, true, false, null, list, map or expression"

_T = TypeVar("_T")


class Unreadable:
    """Stands for a value that could not be read and is reported already; null is a value, so None cannot."""


UNREADABLE: Final = Unreadable()


def read_template(context: Context, name: str, value: Value, *, secrets: bool = False) -> Template | Unreadable:
    """Any value, with expressions anywhere in it; and with references to secrets, where `secrets` may stand there."""
    match value:
        case Number():
            return value.value
        case Word() if value.quoted:
            return value.text
        case Word() if value.key in _CONSTANTS:
            return _CONSTANTS[value.key]
        case Word():
            context.wrong(name, value, _ANY_VALUE, f'a string is written "{value.text}"')
            return UNREADABLE
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
            return UNREADABLE


def _read_map(context: Context, name: str, value: MapValue, *, secrets: bool) -> Template | Unreadable:
    found: dict[str, Template] = {}
    for key, inner in value.entries:
        if key.text in found:
            context.findings.report(Problem.DUPLICATE_ENTRY, key.span, name=key.text, group=name)
        if key.text in RESERVED_KEYS:
            context.findings.report(Problem.RESERVED_NAME, key.span, name=key.text)
        found[key.text] = read_template(context, name, inner, secrets=secrets)
    return UNREADABLE if any(item is UNREADABLE for item in found.values()) else found


def _all(items: list[Template | Unreadable]) -> Template | Unreadable:
    return UNREADABLE if any(item is UNREADABLE for item in items) else items


def read_json(context: Context, name: str, value: Value, *, secrets: bool = False) -> Json | Unreadable:
    """Any value without expressions."""
    inner = next((one for one in leaves_of(value) if isinstance(one, Expression)), None)
    if inner:
        context.wrong(name, inner, "a plain value, known before the run begins")
        return UNREADABLE
    return read_template(context, name, value, secrets=secrets)


def is_spelt_out(template: Template) -> bool:
    """Whether a value says what should be secret: it is no null, expression or reference, and holds none of them."""
    if template is None or source_of(template) is not None or reference_of(template) is not None:
        return False
    inner = template.values() if isinstance(template, dict) else template if isinstance(template, list) else ()
    return all(is_spelt_out(one) for one in inner)


def leaves_of(value: Value) -> Iterator[Value]:
    """The value, or what stands in it if it is a list or a map, at whatever depth."""
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
    """An identifier or a string that can be a name."""
    if isinstance(value, Word):
        return value.text if context.valid_name(value) else None
    context.wrong(name, value, "a name")
    return None


def read_text(context: Context, name: str, value: Value) -> str | None:
    """A string; a bare word counts as one."""
    if isinstance(value, Word):
        return value.text
    context.wrong(name, value, "a string")
    return None


def read_source(context: Context, name: str, value: Value) -> str | None:
    """An expression, as its JSONata text."""
    if isinstance(value, Expression):
        return context.source(value)
    context.wrong(name, value, "an expression", "an expression is written ${ ... }")
    return None


def read_duration(
    context: Context, name: str, value: Value, longest: Milliseconds = LONGEST_DURATION
) -> Milliseconds | None:
    """A duration, in milliseconds."""
    if isinstance(value, Duration):
        if value.milliseconds <= longest:
            return value.milliseconds
        range_ = f"at most {longest // 3_600_000}h"
        context.findings.report(Problem.OUT_OF_RANGE, value.span, name=name, found="longer than that", range=range_)
        return None
    hint = f"did you mean {value.value}s?" if isinstance(value, Number) else None
    context.wrong(name, value, "a duration like 30s", hint)
    return None


def read_int(context: Context, name: str, value: Value, least: int, most: int | None = None) -> int | None:
    """A whole number from `least` to `most`."""
    if not isinstance(value, Number) or not isinstance(value.value, int):
        context.wrong(name, value, "a whole number")
        return None
    return _in_range(context, name, value, value.value, least, most)


def read_number(context: Context, name: str, value: Value, least: float, *, above: bool = False) -> float | None:
    """A number of at least `least`, or above it."""
    if not isinstance(value, Number):
        context.wrong(name, value, "a number")
        return None
    if above and value.value <= least:
        context.findings.report(
            Problem.OUT_OF_RANGE, value.span, name=name, found=str(value.value), range=f"more than {least:g}"
        )
        return None
    found = _in_range(context, name, value, value.value, least, None)
    return None if found is None else float(found)


def _in_range(context: Context, name: str, value: Value, found: _T, least: float, most: float | None) -> _T | None:
    if least <= found <= (math.inf if most is None else most):  # type: ignore[operator]  # _T is int or float
        return found
    range_ = f"at least {least:g}" if most is None else f"from {least:g} to {most:g}"
    context.findings.report(Problem.OUT_OF_RANGE, value.span, name=name, found=str(found), range=range_)
    return None
