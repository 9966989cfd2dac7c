"""Bounded JSONata: the value of an expression, computed from the names that it is given, and nothing else.

An expression comes from whoever submits a flow, and is evaluated in the process that decides every run. So it reads
only the names it is given and never changes them, it yields the same value each time, and it ends: what it may take
is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from chalicelib.expressions.draw import Draw
from chalicelib.expressions.errors import ExpressionFailed
from chalicelib.expressions.meter import together
from chalicelib.expressions.names import NAMES
from chalicelib.expressions.values import NOTHING, Nothing

if TYPE_CHECKING:
    from chalicelib.expressions.cache import Cache
    from chalicelib.expressions.compiled import Compiled

Json: TypeAlias = Any

__all__ = [
    "NAMES",
    "NOTHING",
    "Draw",
    "ExpressionFailed",
    "Nothing",
    "compile",
    "evaluate",
    "members_used",
    "names_used",
    "problem_in",
    "together",
]

_compiled: Cache[Compiled] | None = None


def compile(source: str) -> Compiled:  # noqa: A001 - as `re.compile`
    """Return the expression, read once and cached. What is wrong with it is its `problem()`."""
    global _compiled
    if _compiled is None:
        from chalicelib.expressions.cache import Cache
        from chalicelib.expressions.compiled import Compiled

        _compiled = Cache(Compiled)
    return _compiled(source)


def evaluate(source: str, names: Mapping[str, Json], draw: Draw) -> Json | Nothing:
    """Return the value of the expression, plain JSON, or NOTHING where it finds nothing.

    `names` are without their `$`. The same names and draw give the same value. Raises ExpressionFailed.
    """
    return compile(source).evaluate(names, draw)


def problem_in(source: str) -> tuple[int, str] | None:
    """Return where (an offset) and what the first problem is that reading the expression finds; None if none."""
    return compile(source).problem()


def names_used(source: str) -> frozenset[str]:
    """Return which of FSL's names the expression reads."""
    return frozenset(used[0] for used in compile(source).members_used())


def members_used(source: str) -> frozenset[tuple[str, ...]]:
    """Return the names that the expression reads, each with the members after it: `$input.a.b` is (input, a, b)."""
    return compile(source).members_used()
