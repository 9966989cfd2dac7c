"""The rules of a Choice."""

from __future__ import annotations

from typing import Final

from chalicelib.asl.check.context import Place
from chalicelib.asl.check.objects import Check, Shape, items
from chalicelib.asl.check.queries import reference
from chalicelib.asl.check.templates import assign, template
from chalicelib.asl.check.values import boolean, number, or_expression, text, timestamp

_ORDER: Final = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
_KINDS: Final[dict[str, Check]] = {
    "String": text,
    "Numeric": number(float("-inf")),
    "Timestamp": timestamp,
}
OPERATORS: Final[dict[str, Check]] = {
    **{kind + order: check for kind, check in _KINDS.items() for order in _ORDER},
    **{kind + order + "Path": reference() for kind in _KINDS for order in _ORDER},
    "BooleanEquals": boolean,
    "BooleanEqualsPath": reference(),
    "StringMatches": text,
    **dict.fromkeys(("IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp"), boolean),
}
"""The comparisons of JSONPath, each with the check of what it compares with."""

_COMBINING: Final = ("And", "Or", "Not")


def _nested(place: Place) -> None:
    _check_rule(place, _NESTED)


def _nested_list(place: Place) -> None:
    items(place, _nested, least=1)


_TESTS: Final[dict[str, Check]] = {
    "And": _nested_list,
    "Or": _nested_list,
    "Not": _nested,
    "Variable": reference(),
    **OPERATORS,
}
_NESTED: Final = Shape({"Comment": text}, jsonpath=_TESTS, one_of=(("And", "Or", "Not", "Variable"),))
_RULE: Final = Shape(
    {"Comment": text, "Next": text, "Assign": assign},
    jsonpath=_TESTS,
    jsonata={"Condition": or_expression(boolean), "Output": template},
    required=("Next",),
    one_of=(("And", "Or", "Not", "Variable", "Condition"),),
)


def choices(place: Place) -> None:
    """Check the rules of a Choice."""
    items(place, lambda rule: _check_rule(rule, _RULE), least=1)


def _check_rule(place: Place, shape: Shape) -> None:
    shape.check(place)
    if place.jsonata or not isinstance(place.value, dict):
        return
    given = [name for name in OPERATORS if name in place.value]
    if "Variable" not in place.value:
        if given and any(name in place.value for name in _COMBINING):
            place.error(f"`{given[0]}` needs a `Variable`")
    elif len(given) != 1:
        counted = f"{len(given)} comparisons" if given else "no comparison"
        place.error(f"`Variable` needs one comparison, and {counted} {'are' if given else 'is'} given")
