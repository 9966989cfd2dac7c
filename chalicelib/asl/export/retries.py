"""Retriers: `repeat` of a step, and `retry` of its deliveries."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.asl.export.catches import ALL, TASK_FAILED, Failures, error_names, named_in
from chalicelib.asl.export.scope import Scope
from chalicelib.asl.export.values.names import Inexpressible
from chalicelib.asl.export.values.shapes import excluded_names
from chalicelib.asl.problems import Level, pointer
from chalicelib.model.actions import Action, Method, Retry
from chalicelib.model.flow import (
    DEFAULT_CAP_MS,
    ERROR,
    FAIL,
    TIMEOUT,
    ActionStep,
    ChoiceStep,
    Jitter,
    RepeatRule,
    SetStep,
    Step,
)
from chalicelib.model.json_values import Json
from chalicelib.model.times import Milliseconds, format_duration

_TRANSPORT = {
    Method.LAMBDA: (
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    ),
    Method.HTTPS: (
        "States.Http.StatusCode.408",
        "States.Http.StatusCode.425",
        "States.Http.StatusCode.429",
        "States.Http.StatusCode.500",
        "States.Http.StatusCode.502",
        "States.Http.StatusCode.503",
        "States.Http.StatusCode.504",
        "States.Http.Socket",
    ),
}
"""The errors after which a delivery is tried again, by the method of the action."""


def of_repeat(scope: Scope, step: Step, place: str, failures: Failures) -> list[dict[str, Json]]:
    """Return the retriers of `repeat`. What cannot be expressed is a problem of the scope."""
    if isinstance(step, (ChoiceStep, SetStep)):
        return []
    found: list[dict[str, Json]] = []
    for index, rule in enumerate(step.repeat):
        at = pointer(place, "repeat", index)
        try:
            excepted = _excepted(rule, is_last=index == len(step.repeat) - 1)
            if excepted:
                found.append({"ErrorEquals": excepted, "MaxAttempts": 0})
                rule = replace(rule, when=None)
            names = _errors_of(rule, failures)
            found.append({"ErrorEquals": names, **_numbers(scope, step, at, rule)})
        except Inexpressible as reason:
            scope.problem(at, f"step {step.name}: repeat: {reason}")
    if found and found[-1]["ErrorEquals"] == [TASK_FAILED] and not failures.timeouts:
        found[-1]["ErrorEquals"] = [ALL]
    return found


def of_deliveries(scope: Scope, step: ActionStep, place: str, action: Action) -> list[dict[str, Json]]:
    """Return the retriers of `retry`, if it is stated and Step Functions has errors for it."""
    retry = step.options.retry or action.options.retry
    if retry is None:
        return []
    names = _TRANSPORT.get(action.method)
    if names is None or not action.is_called:
        if not action.is_operation:
            names = _TRANSPORT[Method.LAMBDA]  # what calls the service is a function
        else:
            service = action.addresses[0].removeprefix("aws-sdk:").partition(":")[0]
            names = _TRANSPORT[Method.LAMBDA] if service == "lambda" else (f"{_title(service)}.SdkClientException",)
    if retry.max < 2:
        return []
    return [{"ErrorEquals": list(names), **_of_retry(scope, step, place, retry)}]


def _title(service: str) -> str:
    known = {"dynamodb": "DynamoDB", "sqs": "Sqs", "sns": "Sns"}
    return known.get(service, service[:1].upper() + service[1:])


def _excepted(rule: RepeatRule, *, is_last: bool) -> list[str]:
    """Return the errors after which the last rule does not repeat the step: a retrier of its own says so."""
    if rule.when is None or not is_last:
        return []
    return list(error_names(excluded_names(rule.when)) or ())


def _errors_of(rule: RepeatRule, failures: Failures) -> list[str]:
    """Return the errors after which the rule does the step again. Raises Inexpressible."""
    if rule.state == TIMEOUT:
        names: tuple[str, ...] = failures.timeouts or ("States.Timeout",)
    elif rule.state in (ERROR, FAIL, *failures.states):
        names = (TASK_FAILED,)
    elif rule.state is None:
        raise Inexpressible("a rule without a state: Step Functions retries errors only, by their names")
    else:
        raise Inexpressible(f"after {rule.state}: Step Functions retries errors only")
    if rule.when is None:
        return list(names)
    named = named_in(rule.when)
    if named is None:
        raise Inexpressible(f"when ${{{rule.when}}}: Step Functions retries by the name of the error only")
    return list(named)


def _numbers(scope: Scope, step: Step, at: str, rule: RepeatRule) -> dict[str, Json]:
    for name in ("max", "delay", "rate", "cap"):
        if isinstance(getattr(rule, name), dict):
            raise Inexpressible(f"{name} is computed: the numbers of a retrier are fixed")
    cap = max(DEFAULT_CAP_MS, int(rule.delay)) if rule.cap is None else int(rule.cap)  # type: ignore[arg-type]
    found = _backoff(scope, step, at, int(rule.delay), float(rule.rate), cap, int(rule.max))  # type: ignore[arg-type]
    return {**found, "JitterStrategy": "FULL"} if rule.jitter is Jitter.FULL else found


def _of_retry(scope: Scope, step: Step, at: str, retry: Retry) -> dict[str, Json]:
    return _backoff(scope, step, at, retry.delay, retry.rate, retry.cap, retry.max - 1)


def _backoff(
    scope: Scope, step: Step, at: str, delay: Milliseconds, rate: float, cap: Milliseconds, most: int
) -> dict[str, Json]:
    """Return the numbers of a retrier, in whole seconds."""
    seconds = max(1, -(-delay // 1_000))
    if seconds * 1_000 != delay:
        text = f"step {step.name}: a delay of {format_duration(delay)} becomes {seconds}s: retriers wait whole seconds"
        scope.problem(at, text, Level.WARNING)
    found: dict[str, Json] = {"IntervalSeconds": seconds, "MaxAttempts": most}
    longest = cap // 1_000
    if longest <= seconds:
        return {**found, "BackoffRate": 1.0}
    found["BackoffRate"] = rate
    try:
        is_capped = seconds * rate ** (most - 1) > longest
    except OverflowError:
        is_capped = True
    return {**found, "MaxDelaySeconds": longest} if is_capped else found
