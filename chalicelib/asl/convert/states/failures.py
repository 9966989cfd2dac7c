"""Retry and Catch: which errors of AWS are which states and names of FSL, and how often a step is done again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.asl.convert.flow.steps import Rule
from chalicelib.asl.convert.jsonata.durations import MAX_SECONDS, seconds
from chalicelib.asl.convert.jsonata.expressions import ERROR, Array, Expr, Func, Get, Literal, Op, joined
from chalicelib.language.limits import MAX_DELIVERIES, MAX_REPEATS, MAX_RETRY_PAUSE_MS
from chalicelib.model.flow import DEFAULT_CAP_MS, FAIL, TIMEOUT
from chalicelib.model.flow import ERROR as ERROR_STATE
from chalicelib.model.run_error import ErrorName

ALL: Final = "States.ALL"
TASK_FAILED: Final = "States.TaskFailed"

_TIMEOUTS: Final = {"States.Timeout": ErrorName.TIMEOUT, "States.HeartbeatTimeout": ErrorName.HEARTBEAT_TIMEOUT}
_NAMES: Final[Mapping[str, str]] = {
    **_TIMEOUTS,
    **dict.fromkeys(
        (
            "States.Runtime", "States.ParameterPathFailure", "States.IntrinsicFailure", "States.ResultPathMatchFailure",
            "States.QueryEvaluationError",
        ),
        ErrorName.EXPRESSION_FAILED,
    ),
    "States.NoChoiceMatched": ErrorName.NO_MATCH,
    "States.ExceedToleratedFailureThreshold": ErrorName.ITEMS_FAILED,
    "States.BranchFailed": ErrorName.BRANCHES_FAILED,
    "States.DataLimitExceeded": ErrorName.TOO_LARGE,
    "States.Permissions": ErrorName.FORBIDDEN,
}  # fmt: skip
_STATUS: Final = re.compile(r"States\.Http\.StatusCode\.(\d{3})")
_TRANSPORT: Final = re.compile(
    r"Lambda\.(?:ServiceException|AWSLambdaException|SdkClientException|TooManyRequestsException"
    r"|ClientExecutionTimeoutException)"
    r"|(?:\w+\.)?(?:ProvisionedThroughputExceededException|ThrottlingException|RequestLimitExceeded)"
)


@dataclass(frozen=True, slots=True)
class Failures:
    """Which states a step returns where it fails.

    Attributes:
        nested: It is a fork or an each: it returns FAIL with the error of a branch or an item.
        timed: It says a time after which it returns TIMEOUT.
        evaluates: What it computes itself may be caught too (JSONata).
        own: The state of a failure of what it called, beside ERROR.
    """

    nested: bool = False
    timed: bool = False
    evaluates: bool = False
    own: str = ""

    def matching(
        self, names: Sequence[str], excepted: Sequence[str] = ()
    ) -> Iterator[tuple[tuple[str, ...], Expr | None]]:
        """Yield the states in which one of the errors comes, and the condition under which it is one of them."""
        but = _among(excepted, negated=True) if excepted else None
        if ALL in names or TASK_FAILED in names:
            yield self._any(names), but
            return
        if self.nested:
            yield (FAIL,), _both(_among(names), but)
            return
        timeouts = [name for name in names if name in _TIMEOUTS]
        others = [name for name in names if name not in _TIMEOUTS]
        if others:
            yield self._failed, _both(_among(others), but)
        if timeouts:
            yield (TIMEOUT,), None if "States.Timeout" in timeouts else _among(timeouts)

    def _any(self, names: Sequence[str]) -> tuple[str, ...]:
        if self.nested:
            return (FAIL, ERROR_STATE) if self.evaluates and ALL in names else (FAIL,)
        is_timed = (ALL in names and self.timed) or any(name in _TIMEOUTS for name in names)
        return (*self._failed, TIMEOUT) if is_timed else self._failed

    @property
    def _failed(self) -> tuple[str, ...]:
        return (self.own, ERROR_STATE) if self.own else (ERROR_STATE,)


def _both(first: Expr | None, second: Expr | None) -> Expr | None:
    found = [one for one in (first, second) if one is not None]
    return joined("and", found) if found else None


def _among(names: Sequence[str], *, negated: bool = False) -> Expr:
    """Return the condition that the error is, or is not, one of those."""
    statuses = [int(found[1]) for found in map(_STATUS.fullmatch, names) if found]
    mapped = list(dict.fromkeys(str(_NAMES.get(name, name)) for name in names if not _STATUS.fullmatch(name)))
    parts: list[Expr] = []
    for subject, values in ((Get(ERROR, "name"), mapped), (Get(ERROR, "status"), statuses)):
        literals = tuple(Literal(value) for value in values)
        if len(literals) == 1:
            parts.append(Op("=", (subject, literals[0])))
        elif literals:
            parts.append(Op("in", (subject, Array(literals))))
    either = joined("or", parts)
    return Func("$not", (either,)) if negated else either


# ── Retry ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Repeats:
    """How a step is done again: rules of `repeat`, and what is `retry` of its delivery."""

    rules: tuple[Rule, ...]
    delivery: dict[str, str] | None


def read_retry(retriers: Any, failures: Failures, *, delivered: bool) -> Repeats:
    """Return the rules of the retriers. `delivered`: the step sends something, and the delivery can be retried."""
    rules: list[Rule] = []
    delivery: dict[str, str] | None = None
    never: list[str] = []
    used: set[str] = set()
    for retrier in retriers if isinstance(retriers, list) else ():
        names = error_names(retrier)
        attempts = _number(retrier, "MaxAttempts", 3)
        if not names:
            continue
        if attempts < 1:
            never += names
            if ALL in names:
                break
            continue
        if delivered and delivery is None and all(_TRANSPORT.fullmatch(name) for name in names):
            delivery = _delivery(retrier, attempts)
            continue
        settings = _settings(retrier, attempts)
        for states, when in failures.matching(names, [name for name in never if name not in names]):
            left = tuple(state for state in states if state not in used)
            if left:
                rules.append(Rule(left, when, settings))
                used.update(left if when is None else ())
    return Repeats(tuple(rules), delivery)


def error_names(catcher: Any) -> list[str]:
    """Return the names in ErrorEquals."""
    names = catcher.get("ErrorEquals") if isinstance(catcher, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _settings(retrier: Mapping[str, Any], attempts: float) -> dict[str, str]:
    attempts = min(int(attempts), MAX_REPEATS)
    interval, rate = _number(retrier, "IntervalSeconds", 1), max(_number(retrier, "BackoffRate", 2.0), 1.0)
    found = {"max": str(attempts), "delay": seconds(interval) or "1s", "rate": repr(float(rate))}
    longest = _number(retrier, "MaxDelaySeconds", 0)
    if longest:
        found["cap"] = seconds(max(longest, 0.001)) or "5m"
    elif attempts > 1:
        last = _last_delay(interval, rate, attempts)
        if last * 1000 > max(DEFAULT_CAP_MS, interval * 1000):
            found["cap"] = seconds(last) or "5m"
    if retrier.get("JitterStrategy") == "FULL":
        found["jitter"] = "full"
    return found


def _last_delay(interval: float, rate: float, attempts: int) -> float:
    try:
        return min(interval * rate ** (attempts - 1), MAX_SECONDS)
    except OverflowError:
        return MAX_SECONDS


def _delivery(retrier: Mapping[str, Any], attempts: float) -> dict[str, str]:
    found = _settings(retrier, attempts)
    found.pop("jitter", None)
    found["max"] = str(min(int(attempts) + 1, MAX_DELIVERIES))
    longest = MAX_RETRY_PAUSE_MS // 1000
    for name in ("delay", "cap"):
        if name in found:
            written = _number(retrier, {"delay": "IntervalSeconds", "cap": "MaxDelaySeconds"}[name], 0)
            if written > longest or (name == "cap" and not written):
                found[name] = seconds(longest) or found[name]
    return found


def _number(source: Mapping[str, Any], name: str, otherwise: float) -> float:
    value = source.get(name) if isinstance(source, dict) else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else otherwise
