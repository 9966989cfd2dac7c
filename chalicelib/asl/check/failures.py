"""Retry and Catch."""

from __future__ import annotations

from typing import Final

from chalicelib.asl.check.context import Place, short
from chalicelib.asl.check.objects import Shape, items
from chalicelib.asl.check.queries import reference
from chalicelib.asl.check.templates import assign, template
from chalicelib.asl.check.values import MAX_SECONDS, granted, number, one_of, text, whole
from chalicelib.asl.path_tree import Root

ALL: Final = "States.ALL"
PREDEFINED: Final = frozenset(
    "States." + name
    for name in (
        *(
            "ALL",
            "BranchFailed",
            "DataLimitExceeded",
            "ExceedToleratedFailureThreshold",
            "HeartbeatTimeout",
            "Http.Socket",
        ),
        *("IntrinsicFailure", "ItemReaderFailed", "NoChoiceMatched", "ParameterPathFailure", "Permissions"),
        *("QueryEvaluationError", "ResultPathMatchFailure", "ResultWriterFailed", "Runtime", "TaskFailed", "Timeout"),
    )
)
"""The errors that Step Functions names itself."""

_MAX_DELAY: Final = 31_622_399

RESULT_PATH: Final = reference(nullable=True, roots=(Root.INPUT,))
"""The check of a ResultPath."""


def _is_known(name: str) -> bool:
    """Return whether Step Functions names an error so; those of HTTP tasks end in a status."""
    return name in PREDEFINED or name.startswith("States.Http.StatusCode.")


def _errors(place: Place) -> None:
    items(place, _error, least=1)


def _error(place: Place) -> None:
    text(place)
    if place.value == "":
        place.error("the name of an error must not be empty")
    elif isinstance(place.value, str) and place.value.startswith("States.") and not _is_known(place.value):
        place.warning(f"{short(place.value)} is no error of Step Functions: it never happens")


_RETRIER: Final = Shape(
    {
        "Comment": text,
        "ErrorEquals": _errors,
        "IntervalSeconds": whole(1, MAX_SECONDS),
        "MaxAttempts": whole(0, MAX_SECONDS),
        "BackoffRate": number(1),
        "MaxDelaySeconds": whole(1, _MAX_DELAY),
        "JitterStrategy": one_of("FULL", "NONE"),
    },
    required=("ErrorEquals",),
)
_CATCHER: Final = Shape(
    {"Comment": text, "ErrorEquals": _errors, "Next": text, "Assign": granted("errorOutput", assign)},
    jsonpath={"ResultPath": RESULT_PATH},
    jsonata={"Output": granted("errorOutput", template)},
    required=("ErrorEquals", "Next"),
)


def retry(place: Place) -> None:
    """Check the retriers of a state."""
    items(place, _RETRIER.check)
    _check_order(place)


def catch(place: Place) -> None:
    """Check the catchers of a state."""
    items(place, _CATCHER.check)
    _check_order(place)


def _check_order(place: Place) -> None:
    """Report a States.ALL that is not alone in the last rule."""
    if not isinstance(place.value, list):
        return
    for index, rule in enumerate(place.value):
        names = rule.get("ErrorEquals") if isinstance(rule, dict) else None
        if not isinstance(names, list) or ALL not in names:
            continue
        if len(names) > 1:
            place.at(index).at("ErrorEquals").error(f"`{ALL}` must be the only one")
        if index < len(place.value) - 1:
            place.at(index).at("ErrorEquals").error(f"`{ALL}` must be in the last rule")
