"""Small machines for tests."""

from __future__ import annotations

from typing import Any

from chalicelib.asl.check import check
from chalicelib.asl.problems import Level

State = dict[str, Any]
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:f"
TASK: State = {"Type": "Task", "Resource": LAMBDA, "End": True}


def machine(state: Any, **more: Any) -> dict[str, Any]:
    """Return a machine of one state `A`, with other fields and states."""
    states = more.pop("states", {})
    return {"StartAt": "A", "States": {"A": state, **states}, **more}


def reported(value: Any, *levels: Level, express: bool = False) -> list[str]:
    """Return the problems of these levels, errors where none are named, each as `pointer: message`."""
    wanted = levels or (Level.ERROR,)
    found = check(value, express=express)
    return [f"{problem.pointer}: {problem.message}" for problem in found if problem.level in wanted]
