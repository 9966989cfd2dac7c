"""The values of the configuration that expressions read: `$config.NAME`.

A run keeps the version of each value that its flow reads, so the names must be in the text of the expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chalicelib.language.source import Span
from chalicelib.language.syntax.embedded import operands_of
from chalicelib.language.syntax.tree import Expression, Statement, expressions_in

_READ: Final = re.compile(r"\$config(?![\w$])(?:\.(`[^`]*`|[A-Za-z_]\w*))?")
_REBOUND: Final = re.compile(r"\$config\s*:=|(?:function|\u03bb)\s*\([^)]{0,200}\$config\b")
"""Expressions with a variable of their own that is called `$config`. The repetition is bounded: linear time."""


def config_names(statement: Statement) -> frozenset[str]:
    """Return the names that the expressions of a statement read."""
    return frozenset(name for _, name in configs_in(statement) if name is not None)


def configs_in(statement: Statement) -> Iterator[tuple[Span, str | None]]:
    """Yield where an expression reads `$config`, and the name after it; None if no name follows."""
    for one in expressions_in(statement):
        if "$config" not in one.source or _REBOUND.search(one.source):
            continue
        yield from _reads_in(one)


def _reads_in(one: Expression) -> Iterator[tuple[Span, str | None]]:
    for text, start, end in operands_of(one.source):
        found = _READ.match(text)
        if found:
            at = one.span.start + 2
            yield Span(at + start, at + end), found[1].strip("`") if found[1] else None
