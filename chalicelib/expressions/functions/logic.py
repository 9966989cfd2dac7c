"""Functions on truth, existence, types and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.values import NOTHING, TYPE_NAMES, kind

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


def boolean(m: Machine, value: Any = NOTHING) -> Any:
    """Return the boolean that a value counts as."""
    return NOTHING if value is NOTHING else m.truth(value)


def negation(m: Machine, value: Any = NOTHING) -> Any:
    """Return the opposite of the boolean that a value counts as."""
    return NOTHING if value is NOTHING else not m.truth(value)


def exists(_m: Machine, value: Any = NOTHING) -> bool:
    """Whether there is a value."""
    return value is not NOTHING


def type_name(_m: Machine, value: Any = NOTHING) -> Any:
    """Return the name of the type of a value."""
    return NOTHING if value is NOTHING else TYPE_NAMES[kind(value)]


def error(_m: Machine, message: Any = NOTHING) -> Any:
    """Fail with a message."""
    raise Failure("D3137", value=message if message is not NOTHING and message else "$error() function evaluated")


def assertion(_m: Machine, condition: Any = NOTHING, message: Any = NOTHING) -> Any:
    """Fail with a message unless the condition is true."""
    if condition is not True:
        raise Failure("D3141", value=message if message is not NOTHING and message else "$assert() statement failed")
    return NOTHING
