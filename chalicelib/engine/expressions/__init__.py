"""JSONata in a box: `${ ... }` computes a value from the names of a run, and does nothing else.

An expression comes from whoever may submit a flow, and runs in the process that decides every run. So it
- sees only the names it is given, and never changes them;
- yields the same value each time: `$now` is the event's time; `$random`, `$shuffle` and `$eval` do not exist;
- ends: `limits` says what it may take. Work is counted, so that it ends alike on every machine.

    syntax      source -> parse tree, or the first problem; which names are bound
    evaluator   parse tree + names -> value; builtins, dates and patterns are the functions
    values      what goes in and out, and how large it is
    messages    the library's errors in words

JSONata is loaded by the first expression, RE2 by the first regular expression: flows without them never load them.
Source: https://docs.jsonata.org; the library: jsonata-python 0.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.model.json_values import Json

if TYPE_CHECKING:
    from chalicelib.engine.expressions.cache import Cache
    from chalicelib.engine.expressions.syntax import Parsed

__all__ = ["evaluate", "problem_in"]


def evaluate(source: str, names: Mapping[str, Json]) -> Json:
    """The value of the expression, plain JSON; None where it yields nothing.

    `names` are without their `$`. Whole numbers are int. Raises ExpressionFailed, which says where and why.
    """
    from chalicelib.engine.expressions.evaluator import Evaluator
    from chalicelib.engine.expressions.messages import reason

    parsed = _parsed()(source)
    if parsed.problem:
        raise ExpressionFailed(_failure(*parsed.problem))
    evaluator = None
    try:
        evaluator = Evaluator(names, parsed)
        return evaluator.value()
    except Exception as exc:
        at, message = reason(exc)
        failed_at = evaluator.failed_at if evaluator else at
        raise ExpressionFailed(_failure(failed_at, message)) from exc


def problem_in(source: str) -> tuple[int, str] | None:
    """Where (counted from 0) and what the first problem of the expression is, as far as reading it tells; or None."""
    return _parsed()(source).problem


@cache
def _parsed() -> Cache[Parsed]:
    from chalicelib.engine.expressions.cache import Cache
    from chalicelib.engine.expressions.syntax import parsed

    return Cache(parsed)


def _failure(at: int | None, message: str) -> str:
    return f"expression fails at character {at + 1}: {message}" if at is not None else f"expression fails: {message}"
