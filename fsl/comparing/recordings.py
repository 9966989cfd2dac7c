"""Executions as `aws stepfunctions` prints them.

`get-execution-history` has all that a comparison needs: the input, the end, and for each task what it was sent and what
it answered. `describe-execution` has only input and end, which is enough for machines without tasks.
(https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from chalicelib.model import times
from chalicelib.model.errors import EchoerError
from chalicelib.model.json_values import Json
from chalicelib.model.times import Instant

Event: TypeAlias = Mapping[str, Any]

_ENDS: Final = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionAborted": "ABORTED",
}
_SCHEDULED: Final = frozenset({"TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled"})
_ANSWERED: Final = frozenset({"TaskSucceeded", "LambdaFunctionSucceeded", "ActivitySucceeded"})
_FAILED: Final = frozenset(
    {
        "TaskFailed",
        "TaskStartFailed",
        "TaskSubmitFailed",
        "LambdaFunctionFailed",
        "LambdaFunctionScheduleFailed",
        "LambdaFunctionStartFailed",
        "ActivityFailed",
        "ActivityScheduleFailed",
    }
)
_TIMED_OUT: Final = frozenset({"TaskTimedOut", "LambdaFunctionTimedOut", "ActivityTimedOut"})


class NoRecording(EchoerError):
    """The file holds no execution; the message says why."""


@dataclass(slots=True)
class RecordedTask:
    """One call of a task state.

    Attributes:
        state: The name of the state.
        items: The index of each item that it belongs to, the outermost first.
        service: What was called, such as `lambda:invoke` or `dynamodb:putItem.waitForTaskToken`.
        request: What it was sent.
        output: What it answered.
        error, cause: Why it failed; an empty error where none was named.
        outcome: `answered`, `failed`, `timed out`, or empty if the execution ended before.
    """

    state: str
    items: tuple[int, ...]
    service: str
    request: Json
    output: Json = None
    error: str = ""
    cause: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An execution. `tasks` is None if only its end is known."""

    name: str
    input: Json
    status: str
    output: Json = None
    error: str = ""
    cause: str = ""
    started: Instant | None = None
    tasks: list[RecordedTask] | None = field(default=None)


def recordings_in(name: str, data: bytes) -> list[Recording]:
    """Return the executions in a JSON file: one, or a list of them. Raises NoRecording."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise NoRecording(f"it is not JSON: {exc}") from exc
    if isinstance(found, list):
        return [_recording(f"{name}[{number}]", one) for number, one in enumerate(found)]
    return [_recording(name, found)]


def _recording(name: str, found: Any) -> Recording:
    if not isinstance(found, Mapping):
        raise NoRecording("an execution is a JSON object, or a list of them")
    if isinstance(found.get("events"), list):
        if found.get("nextToken"):
            raise NoRecording("the history is only a part (`nextToken`): export all pages")
        return _from_history(name, found)
    if "executions" in found:
        raise NoRecording("a list of executions has no inputs: export the history of each (get-execution-history)")
    if "status" in found and "executionArn" in found:
        return _from_description(name, found)
    raise NoRecording("it is neither the output of get-execution-history nor that of describe-execution")


def _from_description(name: str, found: Mapping[str, Any]) -> Recording:
    return Recording(
        name=str(found.get("name") or name),
        input=_given(found, "input", "the input"),
        status=str(found["status"]),
        output=_given(found, "output", "the output") if found.get("output") is not None else None,
        error=str(found.get("error") or ""),
        cause=str(found.get("cause") or ""),
        started=_moment(found.get("startDate")),
    )


def _from_history(name: str, found: Mapping[str, Any]) -> Recording:
    events = [one for one in found["events"] if isinstance(one, Mapping)]
    events.sort(key=lambda one: int(one.get("id", 0)))
    start = next((one for one in events if one.get("type") == "ExecutionStarted"), None)
    if start is None:
        raise NoRecording("the history has no event ExecutionStarted")
    end = next((one for one in reversed(events) if one.get("type") in _ENDS), None)
    details = _details(end) if end else {}
    return Recording(
        name=str(found.get("name") or name),
        input=_given(_details(start), "input", "the input"),
        status=_ENDS[str(end["type"])] if end else "RUNNING",
        output=_given(details, "output", "the output") if "output" in details else None,
        error=str(details.get("error") or ""),
        cause=str(details.get("cause") or ""),
        started=_moment(start.get("timestamp")),
        tasks=_tasks(events),
    )


def _tasks(events: Sequence[Event]) -> list[RecordedTask]:
    """Return the calls of tasks in the order in which they were scheduled."""
    by_id = {int(one.get("id", 0)): one for one in events}
    found: dict[int, RecordedTask] = {}
    for event in events:
        kind, number = event.get("type"), int(event.get("id", 0))
        if kind == "MapRunStarted":
            state, _ = _place_of(event, by_id)
            raise NoRecording(f"state {state} is a distributed Map: its items are executions of their own")
        if kind in _SCHEDULED:
            state, items = _place_of(event, by_id)
            found[number] = RecordedTask(state, items, _service_of(event), _request_of(event))
        elif kind in _ANSWERED | _FAILED | _TIMED_OUT:
            task = _scheduled_by(event, by_id, found)
            if task is not None:
                _end(task, str(kind), _details(event))
    return list(found.values())


def _end(task: RecordedTask, kind: str, details: Mapping[str, Any]) -> None:
    task.error, task.cause = str(details.get("error") or ""), str(details.get("cause") or "")
    if kind in _ANSWERED:
        task.outcome, task.output = "answered", _given(details, "output", f"the output of {task.state}")
    else:
        task.outcome = "timed out" if kind in _TIMED_OUT else "failed"


def _before(event: Event, by_id: Mapping[int, Event]) -> Event | None:
    number = int(event.get("previousEventId") or 0)
    return by_id.get(number) if number != int(event.get("id", 0)) else None


def _scheduled_by(event: Event, by_id: Mapping[int, Event], found: Mapping[int, RecordedTask]) -> RecordedTask | None:
    """Return the call that the event ends."""
    at: Event | None = event
    for _ in range(len(by_id)):
        if at is None or int(at.get("id", 0)) in found:
            break
        at = _before(at, by_id)
    return found.get(int(at.get("id", 0))) if at else None


def _place_of(event: Event, by_id: Mapping[int, Event]) -> tuple[str, tuple[int, ...]]:
    """Return the state of a call, and the items that it belongs to, the outermost first."""
    state, items, depth = "", list[int](), 0
    at: Event | None = event
    for _ in range(len(by_id)):
        if at is None:
            break
        kind = str(at.get("type", ""))
        if not state and kind.endswith("StateEntered"):
            state = str(_details(at).get("name", ""))
        elif kind in ("MapIterationSucceeded", "MapIterationFailed", "MapIterationAborted"):
            depth += 1
        elif kind == "MapIterationStarted":
            if depth:
                depth -= 1
            else:
                items.insert(0, int(_details(at).get("index", 0)))
        at = _before(at, by_id)
    return state, tuple(items)


def _service_of(event: Event) -> str:
    details = _details(event)
    if event["type"] == "LambdaFunctionScheduled":
        return "lambda"
    if event["type"] == "ActivityScheduled":
        return "activity"
    return f"{details.get('resourceType', '')}:{details.get('resource', '')}"


def _request_of(event: Event) -> Json:
    details = _details(event)
    return _given(details, "parameters" if "parameters" in details else "input", "the request of a task")


def _details(event: Event) -> Mapping[str, Any]:
    """Return the details of an event, which are in a member with a name of their own."""
    return next((value for name, value in event.items() if name.endswith("Details") and isinstance(value, Mapping)), {})


def _given(details: Mapping[str, Any], member: str, what: str) -> Json:
    """Return the value of the JSON text of an input or output. Raises NoRecording."""
    text, about = details.get(member), details.get(f"{member}Details")
    if isinstance(about, Mapping) and about.get("truncated"):
        raise NoRecording(f"{what} is cut off")
    if not isinstance(text, str):
        raise NoRecording(f"{what} is not in it: export with the execution data (--include-execution-data)")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise NoRecording(f"{what} is not JSON: {exc}") from exc


def _moment(value: Any) -> Instant | None:
    """Return a time, which is seconds since 1970 or text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value * 1000)
    if not isinstance(value, str):
        return None
    found = times.instant(value)
    if found is not None:
        return found
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
