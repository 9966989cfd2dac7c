"""Rules of Choice states, and of Retry and Catch, for the direct interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.conformance.asl.paths import MISSING, RUNTIME, Document, Failure, Scope, Undefined, Unknown, found, value_at


def holds(rule: Mapping[str, Any], document: Document, scope: Scope, context: Mapping[str, Any]) -> bool:
    """Return whether a rule of a Choice is true. Raises Failure."""
    if "And" in rule:
        return all(holds(one, document, scope, context) for one in rule["And"])
    if "Or" in rule:
        return any(holds(one, document, scope, context) for one in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], document, scope, context)
    operator = next(key for key in rule if key not in ("Variable", "Next", "Assign", "Comment"))
    wanted, value = rule[operator], found(rule["Variable"], document, scope, context)
    if operator == "IsPresent":
        return (value is not MISSING) is wanted
    if value is MISSING:
        raise Failure(RUNTIME, rule["Variable"])
    if operator.endswith("Path"):
        operator, wanted = operator.removesuffix("Path"), value_at(wanted, document, scope, context)
    return _compared(operator, value, wanted)


def _compared(operator: str, value: Document, wanted: Any) -> bool:
    match operator:
        case "IsNull":
            return (value is None) is wanted
        case "IsString":
            return isinstance(value, str) is wanted
        case "IsNumeric":
            return _is_number(value) is wanted
        case "IsBoolean":
            return isinstance(value, bool) is wanted
        case "StringEquals":
            return isinstance(value, str) and isinstance(wanted, str) and value == wanted
        case "BooleanEquals":
            return isinstance(value, bool) and value is wanted
        case "NumericEquals" | "NumericLessThan" | "NumericGreaterThanEquals":
            return _is_number(value) and _is_number(wanted) and _numbers(operator, value, wanted)
        case _:
            raise Unknown(operator)


def _is_number(value: Document) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numbers(operator: str, value: float, wanted: float) -> bool:
    match operator:
        case "NumericEquals":
            return value == wanted
        case "NumericLessThan":
            return value < wanted
        case _:
            return value >= wanted


def matches(rule: Mapping[str, Any], failure: Failure) -> bool:
    """Return whether a retrier or catcher is for the failure. Raises Undefined."""
    names = rule["ErrorEquals"]
    if "States.ALL" in names and failure.name == RUNTIME:
        raise Undefined
    return "States.ALL" in names or failure.name in names
