"""Histories of executions, written as `GetExecutionHistory` documents them."""

from __future__ import annotations

import json
from typing import Any


class History:
    """Makes events one after the other: each follows the last one, unless `after` names another."""

    def __init__(self, given: Any, at: str = "2026-11-02T08:00:00Z") -> None:
        self.events: list[dict[str, Any]] = []
        self._at = at
        self.add("ExecutionStarted", "executionStarted", input=given)

    def add(self, kind: str, details: str = "", *, after: int | None = None, **members: Any) -> int:
        """Add an event; members `input`, `output` and `parameters` become JSON texts. Return its id."""
        number = len(self.events) + 1
        texts = ("input", "output", "parameters")
        found = {name: json.dumps(value) if name in texts else value for name, value in members.items()}
        previous = number - 1 if after is None else after
        event = {"timestamp": self._at, "type": kind, "id": number, "previousEventId": previous}
        self.events.append({**event, **({f"{details}EventDetails": found} if details else {})})
        return number

    def entered(self, state: str, kind: str = "Task", *, after: int | None = None) -> int:
        return self.add(f"{kind}StateEntered", "stateEntered", name=state, input={}, after=after)

    def called(self, resource: str, request: Any) -> None:
        """A task calls `service:operation`."""
        service, _, operation = resource.partition(":")
        self.add("TaskScheduled", "taskScheduled", resourceType=service, resource=operation, parameters=request)
        self.add("TaskStarted", "taskStarted", resourceType=service, resource=operation)

    def answered(self, output: Any) -> None:
        self.add("TaskSucceeded", "taskSucceeded", output=output)

    def failed(self, error: str, cause: str = "") -> None:
        self.add("TaskFailed", "taskFailed", error=error, cause=cause)

    def succeeded(self, output: Any) -> dict[str, Any]:
        """End the execution; return the history."""
        self.add("ExecutionSucceeded", "executionSucceeded", output=output)
        return {"events": self.events}

    def ended(self, kind: str, error: str = "", cause: str = "") -> dict[str, Any]:
        """End the execution with an error; return the history."""
        details = kind[0].lower() + kind[1:]
        self.add(kind, details, error=error, cause=cause)
        return {"events": self.events}
