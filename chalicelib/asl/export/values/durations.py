"""Durations of FSL, which are milliseconds or texts such as `1h30m`, as seconds."""

from __future__ import annotations

import re
from typing import Final

from chalicelib.asl.export.values.names import Inexpressible
from chalicelib.asl.export.values.templates import Missing, Writer, wrapped
from chalicelib.model import times
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template, expression, source_of

_WITH_UNIT: Final = re.compile(r'(?P<number>.*\S)\s*&\s*"(?P<unit>ms|s|m|h|d)"\s*', re.DOTALL)
_LOOSE: Final = re.compile(r"&|\?|:=|\b(and|or|in)\b|[=<>]")
_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def seconds_of(template: Template, writer: Writer) -> Json:
    """Return a duration as whole seconds, or as an expression of them. Raises Inexpressible for parts of a second."""
    source = source_of(template)
    if source is None:
        milliseconds = int(template)
        if milliseconds % 1_000:
            raise Inexpressible(f"{times.format_duration(milliseconds)}: Step Functions waits for whole seconds")
        return milliseconds // 1_000
    found = _WITH_UNIT.fullmatch(source)
    if found and found["unit"] != "ms" and not _LOOSE.search(found["number"]):
        factor = _SECONDS[found["unit"]]
        text = writer.text(expression(found["number"]), Missing.FAIL)
        return wrapped(text if factor == 1 else f"$number({text}) * {factor}")
    return wrapped(_parsed(writer.text(template, Missing.FAIL), writer.local("length")))


def _parsed(text: str, name: str) -> str:
    """Return an expression of the seconds in a duration: a number of milliseconds, or a text with units."""
    units = '{"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}'
    parts = f"$match({name}, /([0-9.]+)(ms|s|m|h|d)/).($number(groups[0]) * $lookup({units}, groups[1]))"
    return f'({name} := {text}; $ceil($type({name}) = "number" ? {name} / 1000 : $sum({parts})))'
