"""Metrics in CloudWatch's Embedded Metric Format: lines of JSON on standard output, from which CloudWatch Logs makes
metrics. No request is sent, so nothing waits.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

There is one line for each batch or request with something to count, and it has only the metrics that are not zero: an
idle engine writes nothing and costs nothing. There are no dimensions: the metrics' namespace names the stage
(`ECHOER_METRICS_NAMESPACE`), and each value of a dimension, such as a namespace or a flow, would make another metric.
CloudWatch charges 0.30 USD per metric and month (the first 10,000, us-east-1, for the hours in which it has a value).
A stage that uses all of them pays at most 0.30 USD times `len(UNITS)` per month. The work context (request, function,
run) is added as properties, which can be searched and cost only their bytes. The line of an answered step has about 430
bytes, at 0.50 USD per GB of logs.

| metric | counts |
|---|---|
| RunsStarted, RunsSucceeded, RunsFailed, RunsCanceled | runs, when they begin and end |
| Transitions | history entries by which a token moved |
| DeliveriesTaken, DeliveriesFailed, DeliveriesFinal | deliveries by result; final ones are not retried |
| Retries | deliveries that failed and are retried |
| Conflicts | writes of a head that another write preceded, so that the decision was repeated |
| AnswersAdvanced, AnswersProgress, AnswersDuplicate, AnswersRefused | answers to steps by result |
| AnswerAge | from the start of an activation to the answer that advanced it |
| WaitOverdue | by how much a timer fired late, or was overdue when a sweep found it |
| SweepSent | timers for which a sweep sent messages |
| DeadLetters | messages that were received too often |
"""

from __future__ import annotations

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, TextIO

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event, StepAcked, TimerFired
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED, Status
from chalicelib.model.times import Milliseconds
from chalicelib.service.observability.observer import Observer, news
from chalicelib.service.observability.work_context import known
from chalicelib.service.ports.actions import NotTaken, Reply
from chalicelib.service.ports.clock import Clock

MAX_VALUES: Final = 100
"""The most values of one metric in one line (a limit of the format)."""

_RUNS: Final = {Status.SUCCEEDED: "RunsSucceeded", Status.FAILED: "RunsFailed", Status.CANCELED: "RunsCanceled"}
_ANSWERS: Final = {
    Outcome.ADVANCED: "AnswersAdvanced",
    Outcome.PROGRESS: "AnswersProgress",
    Outcome.DUPLICATE: "AnswersDuplicate",
    Outcome.LATE: "AnswersDuplicate",
}
_COUNTS: Final = (
    *("RunsStarted", *_RUNS.values(), "Transitions", "DeliveriesTaken", "DeliveriesFailed", "DeliveriesFinal"),
    *("Retries", "Conflicts", *_ANSWERS.values(), "AnswersRefused", "SweepSent", "DeadLetters"),
)
UNITS: Final = {**dict.fromkeys(_COUNTS, "Count"), "AnswerAge": "Milliseconds", "WaitOverdue": "Milliseconds"}
"""Every metric, with its unit."""


class EmfMetrics(Observer):
    """`namespace` is CloudWatch's."""

    def __init__(self, clock: Clock, namespace: str, stream: TextIO | None = None) -> None:
        self._clock = clock
        self._namespace = namespace
        self._stream = stream
        self._lock = threading.Lock()
        self._counts: dict[str, int] = defaultdict(int)
        self._values: dict[str, list[int]] = defaultdict(list)

    def began(self, run: Run) -> None:
        with self._lock:
            self._counts["RunsStarted"] += 1
            self._history(None, run)

    def advanced(
        self,
        before: Run,
        after: Run,
        events: Sequence[Event],
        results: Sequence[Outcome | Refused],
        _trace: str = "",
    ) -> None:
        with self._lock:
            for event, result in zip(events, results, strict=True):
                if isinstance(event, StepAcked):
                    self._answered(before, event, result)
                elif isinstance(event, TimerFired) and result is not Outcome.IGNORED and before.timer_at is not None:
                    self._values["WaitOverdue"].append(max(0, event.at - before.timer_at))
            if after is not before:
                self._history(before, after)

    def conflicted(self) -> None:
        with self._lock:
            self._counts["Conflicts"] += 1

    def delivered(self, reply: Reply) -> None:
        final = isinstance(reply, NotTaken) and reply.final
        name = "DeliveriesFinal" if final else "DeliveriesFailed" if isinstance(reply, NotTaken) else "DeliveriesTaken"
        with self._lock:
            self._counts[name] += 1

    def swept(self, sent: int, late: Sequence[Milliseconds]) -> None:
        with self._lock:
            self._counts["SweepSent"] += sent
            self._values["WaitOverdue"] += late

    def dead_lettered(self, messages: int) -> None:
        with self._lock:
            self._counts["DeadLetters"] += messages

    def flush(self) -> None:
        """Write the counts to the stream and reset them."""
        with self._lock:
            found: dict[str, Any] = {name: count for name, count in self._counts.items() if count}
            rest = {name: values for name, values in self._values.items() if values}
            self._counts.clear()
            self._values.clear()
            while found or rest:
                found.update({name: values[:MAX_VALUES] for name, values in rest.items()})
                self._write(found)
                rest = {name: values[MAX_VALUES:] for name, values in rest.items() if values[MAX_VALUES:]}
                found = {}

    def _answered(self, before: Run, event: StepAcked, result: Outcome | Refused) -> None:
        self._counts["AnswersRefused" if isinstance(result, Refused) else _ANSWERS.get(result, "AnswersDuplicate")] += 1
        token = before.token_of(event.uuid)
        if result is Outcome.ADVANCED and token and token.activation:
            self._values["AnswerAge"].append(max(0, event.at - token.activation.since))

    def _history(self, before: Run | None, after: Run) -> None:
        for entry in after.tail if before is None else news(before, after):
            if entry.target:
                self._counts["Transitions"] += 1
            elif entry.event == "DeliveryFailed":
                self._counts["Retries"] += 1
        if after.status in ENDED and (before is None or before.status not in ENDED):
            self._counts[_RUNS[after.status]] += 1

    def _write(self, found: dict[str, Any]) -> None:
        directive = {"Namespace": self._namespace, "Dimensions": [[]], "Metrics": list(_named(found))}
        meta = {"Timestamp": self._clock.now(), "CloudWatchMetrics": [directive]}
        line = json.dumps({**known(), **found, "_aws": meta}, separators=(",", ":"))
        (self._stream or sys.stdout).write(line + "\n")
        (self._stream or sys.stdout).flush()


def _named(found: dict[str, Any]) -> Iterator[dict[str, str]]:
    for name in found:
        yield {"Name": name, "Unit": UNITS[name]}
