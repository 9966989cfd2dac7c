"""The alarms and the dashboard of a stage, described once for both forms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from deploy.stages import CALLBACK, QUEUE_OF, Document, Stage

OVERDUE: Final = "OverdueRuns"
OVERDUE_PATTERN: Final = "{ $.overdue >= 0 }"
"""Sweep logs the number of overdue timers that it found, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm that fires if `statistic` of the metric is at least `threshold` in each of `periods` of `seconds`."""

    name: str
    description: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    threshold: float
    statistic: str = "Sum"
    seconds: int = 60
    periods: int = 1


def alarms(stage: Stage) -> list[Alarm]:
    """Return all alarms of the stage."""
    answers = [_of_function_url(stage)] if stage.has_function_url else []
    return [*_of_queues(stage), *_of_functions(stage), _of_runs(stage), _of_api(stage), *answers, *_of_table(stage)]


def _of_queues(stage: Stage) -> list[Alarm]:
    # A retry may wait for its pause, a timer for SQS's 15 minutes: only older messages are stuck.
    oldest = {"deliveries": 3_600, "wakes": 1_800, "dead": 600}
    ages = [
        Alarm(
            name=f"{queue.capitalize()}Oldest",
            description=f"The oldest message of {queue} is {seconds // 60} minutes old: its handler fails or is slow.",
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            dimensions={"QueueName": stage.queue(queue)},
            statistic="Maximum",
            threshold=seconds,
            seconds=300,
        )
        for queue, seconds in oldest.items()
    ]
    # The handler empties the queue at once, and SQS does not count moved messages as sent: calls are counted.
    dead = Alarm(
        name="DeadLetters",
        description="Messages were dead-lettered: see the log of dead_letter and `last_err` of the runs.",
        namespace="AWS/Lambda",
        metric="Invocations",
        dimensions={"FunctionName": stage.function("dead_letter")},
        threshold=1,
    )
    return [dead, *ages]


def _of_functions(stage: Stage) -> list[Alarm]:
    kinds = {
        "Errors": "failed or timed out",
        "Throttles": "was throttled: the concurrency limit is reached",
    }
    return [
        Alarm(
            name=f"{function.title().replace('_', '')}{metric}",
            description=f"{function} {problem}, five minutes in a row.",
            namespace="AWS/Lambda",
            metric=metric,
            dimensions={"FunctionName": stage.function(function)},
            threshold=1,
            periods=5,
        )
        for function in stage.functions
        for metric, problem in kinds.items()
    ]


def _of_runs(stage: Stage) -> Alarm:
    return Alarm(
        name=OVERDUE,
        description="Timers of runs are overdue, three sweeps in a row: wake messages are lost or late.",
        namespace=stage.metrics,
        metric=OVERDUE,
        dimensions={},
        statistic="Maximum",
        threshold=1,
        periods=3,
    )


def _of_api(stage: Stage) -> Alarm:
    return Alarm(
        name="ApiErrors",
        description="The API answers 5xx, five minutes in a row.",
        namespace="AWS/ApiGateway",
        metric="5XXError",
        dimensions={"ApiName": stage.prefix, "Stage": stage.path},
        threshold=1,
        periods=5,
    )


def _of_function_url(stage: Stage) -> Alarm:
    return Alarm(
        name="CallbackUrlErrors",
        description="The Function URL answers 5xx, five minutes in a row.",
        namespace="AWS/Lambda",
        metric="Url5xxCount",
        dimensions={"FunctionName": stage.function(CALLBACK)},
        threshold=1,
        periods=5,
    )


def _of_table(stage: Stage) -> list[Alarm]:
    return [
        Alarm(
            name=f"Table{metric}",
            description=f"DynamoDB throttles {access} the table or an index, five minutes in a row.",
            namespace="AWS/DynamoDB",
            metric=metric,
            dimensions={"TableName": stage.table},
            threshold=1,
            periods=5,
        )
        for metric, access in {"ReadThrottleEvents": "reads of", "WriteThrottleEvents": "writes to"}.items()
    ]


# ── the dashboard ────────────────────────────────────────────────────────────────────────────────────────────────────


def dashboard(stage: Stage, region: str) -> str:
    """Return the dashboard's body as JSON text. `region` is a name, or a reference in the form's syntax."""
    functions = [(stage.function(name), name) for name in stage.functions]
    queues = [(stage.queue(name), name) for name in QUEUE_OF.values()]
    api = ["ApiName", stage.prefix, "Stage", stage.path]
    url = ["FunctionName", stage.function(CALLBACK)]
    answers = [
        ("Requests to the Function URL", "Sum", _of_lambda(("UrlRequestCount", "Url4xxCount", "Url5xxCount"), url)),
        ("Latency of the Function URL, ms", "p99", _of_lambda(("UrlRequestLatency",), url)),
    ]
    widgets = [
        ("Requests", "Sum", [["AWS/ApiGateway", metric, *api] for metric in ("Count", "4XXError", "5XXError")]),
        ("Latency of the API, ms", "p99", [["AWS/ApiGateway", "Latency", *api]]),
        ("Overdue runs", "Maximum", [[stage.metrics, OVERDUE]]),
        ("Messages waiting", "Maximum", _each("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queues)),
        ("Oldest message, s", "Maximum", _each("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queues)),
        (
            "Dead letters",
            "Sum",
            _each("AWS/Lambda", "Invocations", "FunctionName", [(stage.function("dead_letter"), "dead_letter")]),
        ),
        ("Invocations", "Sum", _each("AWS/Lambda", "Invocations", "FunctionName", functions)),
        ("Duration, ms", "p99", _each("AWS/Lambda", "Duration", "FunctionName", functions)),
        ("Errors", "Sum", _each("AWS/Lambda", "Errors", "FunctionName", functions)),
        ("Throttles", "Sum", _each("AWS/Lambda", "Throttles", "FunctionName", functions)),
        ("Concurrency", "Maximum", _each("AWS/Lambda", "ConcurrentExecutions", "FunctionName", functions)),
        ("Capacity used", "Sum", _capacity(stage)),
        *(answers if stage.has_function_url else []),
        *(_counted(stage) if stage.counts else []),
    ]
    return json.dumps({"widgets": [_widget(number, region, *widget) for number, widget in enumerate(widgets)]})


def _counted(stage: Stage) -> list[tuple[str, str, list[list[Any]]]]:
    """Return the widgets for the functions' own metrics (`chalicelib.adapters.telemetry.metrics`)."""
    shown = {
        "Runs": ("Sum", ("RunsStarted", "RunsSucceeded", "RunsFailed", "RunsCanceled")),
        "Deliveries": ("Sum", ("DeliveriesTaken", "DeliveriesFailed", "DeliveriesFinal", "Retries")),
        "Answers": ("Sum", ("AnswersAdvanced", "AnswersProgress", "AnswersDuplicate", "AnswersRefused")),
        "Age of answers, ms": ("p99", ("AnswerAge",)),
        "Waits overdue, ms": ("Maximum", ("WaitOverdue",)),
        "Transitions, lost writes": ("Sum", ("Transitions", "Conflicts")),
    }
    return [
        (title, statistic, [[stage.metrics, metric] for metric in metrics])
        for title, (statistic, metrics) in shown.items()
    ]


def _each(space: str, metric: str, dimension: str, named: list[tuple[str, str]]) -> list[list[Any]]:
    return [[space, metric, dimension, value, {"label": label}] for value, label in named]


def _of_lambda(metrics: tuple[str, ...], dimension: list[str]) -> list[list[Any]]:
    return [["AWS/Lambda", metric, *dimension] for metric in metrics]


def _capacity(stage: Stage) -> list[list[Any]]:
    metrics = ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")
    return [["AWS/DynamoDB", metric, "TableName", stage.table] for metric in metrics]


def _widget(number: int, region: str, title: str, statistic: str, metrics: list[list[Any]]) -> Document:
    return {
        "type": "metric",
        "x": number % 3 * 8,
        "y": number // 3 * 6,
        "width": 8,
        "height": 6,
        "properties": {"title": title, "region": region, "stat": statistic, "period": 60, "metrics": metrics},
    }
