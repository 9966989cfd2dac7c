"""The eight types of states: their fields."""

from __future__ import annotations

import re
from typing import Final

from chalicelib.asl.check.choices import choices
from chalicelib.asl.check.context import Place, short
from chalicelib.asl.check.failures import RESULT_PATH, catch, retry
from chalicelib.asl.check.maps import NUMBER_PATH, NUMBERS, item_batcher, item_list, item_reader, label, result_writer
from chalicelib.asl.check.objects import Check, Shape, anything, kind
from chalicelib.asl.check.queries import error_path, path, reference
from chalicelib.asl.check.templates import assign, static, template
from chalicelib.asl.check.values import MAX_SECONDS, boolean, granted, one_of, or_expression, text, timestamp, whole

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL)
_INTEGRATION: Final = re.compile(
    r"arn:[^:]+:states:[^:]*:[^:]*:((?:aws-sdk:)?[A-Za-z0-9-]+):[A-Za-z0-9]+(?:\.(.*))?", re.DOTALL
)
_PATTERNS: Final = ("sync", "sync:2", "waitForTaskToken")
_NEVER_SYNC: Final = re.compile(r"aws-sdk:.*|lambda|dynamodb|sns|sqs|events|apigateway|http")
"""The services that start no jobs, so that there is nothing to wait for with `.sync`."""

_ACTIVITY: Final = re.compile(r"arn:[^:]+:states:[^:]*:[^:]*:activity:")
_LAMBDA: Final = re.compile(r"arn:[^:]+:lambda:")
_FUNCTION: Final = re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:function:[A-Za-z0-9_-]+(?::(?:\$LATEST|[A-Za-z0-9_-]+))?")


def _resource(place: Place) -> None:
    resource = place.value
    if not isinstance(resource, str):
        text(place)
    elif "${" in resource:
        return
    elif _URI.fullmatch(resource) is None:
        place.error(f"{short(resource)} is no ARN or URI of a resource")
    elif _LAMBDA.match(resource) and _FUNCTION.fullmatch(resource) is None:
        place.error(f"{short(resource)} is no ARN of a Lambda function")
    else:
        _check_integration(place, resource)


def _check_integration(place: Place, resource: str) -> None:
    activity = _ACTIVITY.match(resource) is not None
    found = None if activity else _INTEGRATION.fullmatch(resource)
    service, pattern = found.groups() if found else ("", None)
    if pattern is not None and pattern not in _PATTERNS:
        place.error(
            f"{short('.' + pattern)} is no way to call a service: `.sync`, `.sync:2` and `.waitForTaskToken` are"
        )
    elif pattern is not None and pattern.startswith("sync") and _NEVER_SYNC.fullmatch(service):
        place.error(f"`{service}` starts no jobs, so it does not support `.{pattern}`")
    elif place.scope.express and (pattern or activity):
        what = "activities" if activity else f"`.{pattern}`"
        place.error(f"Express workflows do not support {what}")


def _credentials(place: Place) -> None:
    if not isinstance(place.value, dict):
        place.error(f"an object is expected here, and not {kind(place.value)}")
        return
    template(place)
    roles = [name for name in ("RoleArn", "RoleArn.$") if name in place.value and not (place.jsonata and "$" in name)]
    others = [name for name in place.value if name not in roles]
    if not roles and (place.jsonata or not others):
        place.error("`RoleArn` is missing")
    elif not roles:
        # The specification leaves the fields to the implementation; only AWS has JSONata, and AWS only has this one.
        place.warning("AWS knows no other field here than `RoleArn`, which is missing")
    else:
        for name in others:
            place.at(name).error(f"{short(name)} is no field here: only `RoleArn` is")


def _output(place: Place) -> None:
    granted("result", template)(place)


def _assign(place: Place) -> None:
    granted("result", assign)(place)


_SECONDS: Final = or_expression(whole(1, MAX_SECONDS))
_COMMON: Final[dict[str, Check]] = {
    "Type": anything,
    "Comment": text,
    "QueryLanguage": one_of("JSONPath", "JSONata"),
}
_FLOW: Final[dict[str, Check]] = {**_COMMON, "Next": text, "End": boolean}
_IN_OUT: Final[dict[str, Check]] = {"InputPath": path(nullable=True), "OutputPath": path(nullable=True)}
_RESULT: Final[dict[str, Check]] = {**_IN_OUT, "ResultPath": RESULT_PATH, "Parameters": template}
_CALLED: Final[dict[str, Check]] = {**_RESULT, "ResultSelector": template}
_FAILING: Final[dict[str, Check]] = {**_FLOW, "Assign": _assign, "Retry": retry, "Catch": catch}


def _path_too(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{name}Path") for name in names)


SHAPES: Final[dict[str, Shape]] = {
    "Pass": Shape(
        {**_FLOW, "Assign": assign},
        jsonpath={**_RESULT, "Result": static},
        jsonata={"Output": template},
    ),
    "Task": Shape(
        {
            **_FAILING,
            "Resource": _resource,
            "Credentials": _credentials,
            "TimeoutSeconds": _SECONDS,
            "HeartbeatSeconds": _SECONDS,
        },
        jsonpath={**_CALLED, "TimeoutSecondsPath": reference(), "HeartbeatSecondsPath": reference()},
        jsonata={"Arguments": template, "Output": _output},
        required=("Resource",),
        exclusive=_path_too("TimeoutSeconds", "HeartbeatSeconds"),
    ),
    "Choice": Shape(
        {**_COMMON, "Choices": choices, "Default": text, "Assign": assign},
        jsonpath=_IN_OUT,
        jsonata={"Output": template},
        required=("Choices",),
    ),
    "Wait": Shape(
        {
            **_FLOW,
            "Assign": assign,
            "Seconds": or_expression(whole(0, MAX_SECONDS)),
            "Timestamp": or_expression(timestamp),
        },
        jsonpath={**_IN_OUT, "SecondsPath": reference(), "TimestampPath": reference()},
        jsonata={"Output": template},
        one_of=(("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),),
    ),
    "Succeed": Shape(_COMMON, jsonpath=_IN_OUT, jsonata={"Output": template}),
    "Fail": Shape(
        {**_COMMON, "Error": or_expression(text), "Cause": or_expression(text)},
        jsonpath={"ErrorPath": error_path, "CausePath": error_path},
        exclusive=_path_too("Error", "Cause"),
    ),
    "Parallel": Shape(
        {**_FAILING, "Branches": anything},
        jsonpath=_CALLED,
        jsonata={"Arguments": template, "Output": _output},
        required=("Branches",),
    ),
    "Map": Shape(
        {
            **_FAILING,
            **NUMBERS,
            "ItemProcessor": anything,
            "Iterator": anything,
            "ItemSelector": template,
            "ItemReader": item_reader,
            "ItemBatcher": item_batcher,
            "ResultWriter": result_writer,
            "Label": label,
        },
        jsonpath={**_CALLED, "ItemsPath": reference(), **{f"{name}Path": NUMBER_PATH for name in NUMBERS}},
        jsonata={"Items": item_list, "Output": _output},
        exclusive=(("Parameters", "ItemSelector"), *_path_too(*NUMBERS)),
        one_of=(("ItemProcessor", "Iterator"),),
    ),
}
"""The fields of each type. What is within Branches, ItemProcessor and Iterator is a scope of its own."""

ENDS: Final = ("Succeed", "Fail")
"""The types that end their scope."""


def check_state(place: Place) -> None:
    """Check a state without the scopes within it and without the states that it leads to."""
    state = place.value
    if not isinstance(state, dict):
        place.error(f"a state is an object, and not {kind(state)}")
        return
    found = state.get("Type")
    shape = SHAPES.get(found) if isinstance(found, str) else None
    if shape is None:
        listed = ", ".join(SHAPES)
        (place.at("Type") if "Type" in state else place).error(
            f"{short(found)} is no type of a state: {listed}"
            if isinstance(found, str)
            else f"`Type` must be one of {listed}"
        )
        return
    shape.check(place)
    if "Next" in shape.both:
        _check_way_on(place)
    if found == "Task":
        _check_heartbeat(place)


def _check_way_on(place: Place) -> None:
    state = place.value
    ends = state.get("End") is True
    if "Next" in state and ends:
        place.error("only one of `Next`, `End` may be given")
    elif "Next" not in state and not ends:
        place.error("`Next` or `End` is missing")


def _check_heartbeat(place: Place) -> None:
    beat, most = place.value.get("HeartbeatSeconds"), place.value.get("TimeoutSeconds")
    numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in (beat, most))
    if numbers and beat >= most:
        place.at("HeartbeatSeconds").error("`HeartbeatSeconds` must be smaller than `TimeoutSeconds`")
