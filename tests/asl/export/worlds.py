"""Answers drawn for the steps of a flow, in two forms: for the flow itself, and for what became of it by way of ASL.

The same seed answers the n-th visit of a step in both: with one of its states and data, with an
error, or not at all until its time-out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from chalicelib.hosting.responder import Answer, Kind, Reply, Request
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.model.flow import Flow, FlowRun
from chalicelib.model.json_values import Json
from chalicelib.model.run_error import StepError

_DATA: list[Json] = [
    {"id": 1, "number": "n-1", "text": "t", "kilos": 2.5, "reason": "r", "value": 9, "price": 3, "files": ["a", "b"]},
    {"id": "x", "approved": True},
    {"number": None},
    None,
    7,
    "plain",
    [1, [2, 3]],
]
_DAYS: int = 400 * 86_400_000


class World:
    """Answers the requests of one run.

    `states`: the states that the answer to each step can name: those of its action. A step without any starts a run,
    which the flow itself does without asking: it never fails.
    """

    def __init__(self, seed: int, states: Mapping[str, Sequence[str]], *, is_imported: bool) -> None:
        self._seed = seed
        self._states = states
        self._is_imported = is_imported
        self._visits: Counter[str] = Counter()
        self.asked: list[tuple[str, Json]] = []

    def reply(self, request: Request) -> Reply | None:
        """Answer a request."""
        if request.kind is Kind.HOOK:
            return None
        args = request.args.get("value", request.args) if request.args.keys() == {"value"} else request.args
        called = args if self._is_imported and isinstance(args, dict) else {}
        sent = _sent(args, called)
        key = f"{self._seed} {request.step} {json.dumps(sent, sort_keys=True)}"
        self._visits[key] += 1
        self.asked.append((request.step, sent))
        random = Random(f"{key} {self._visits[key]}")  # noqa: S311 - a test
        known = self._states.get(request.step, ())
        state, data = random.choice(known or ("-",)), random.choice(_DATA)
        luck = random.random() if known else 1.0
        is_flow, by_token = request.kind is Kind.FLOW, _is_by_token(called)
        if luck < 0.15:
            failed = "STOPPED" if is_flow else "ERROR"
            return (Answer(state=failed, error=StepError("OutOfStock", "none left")),)
        if luck < 0.2 and (by_token or not (self._is_imported or is_flow or request.direct)):
            return ()
        if not self._is_imported:
            return (Answer(state="DONE" if is_flow else state, data=data),)
        return (Answer(state=request.states[0], data=_answered(called, state, data)),)


def _is_by_token(called: Mapping[str, Any]) -> bool:
    return isinstance(called.get("Payload"), dict) and "ackStates" in called["Payload"]


def _sent(args: Json, called: Mapping[str, Any]) -> Json:
    """Return the args of the action, which the imported flow sends within those of an operation."""
    if _is_by_token(called):
        return called["Payload"]["args"]
    if "StateMachineArn" in called:
        return called["Input"]
    return called["Payload"] if "FunctionName" in called else args


def _answered(called: Mapping[str, Any], state: str, data: Json) -> Json:
    """Return the answer as the operation has it."""
    if _is_by_token(called):
        return {"ackState": state, "data": data}
    if "StateMachineArn" in called:
        return {"Output": data, "ExecutionArn": f"{called['StateMachineArn']}:{called.get('Name')}"}
    return {"Payload": data, "StatusCode": 200} if "FunctionName" in called else data


def run(values: Sequence[Any], flow: Flow, given: Json, world: World) -> tuple[str, Json, str]:
    """Run a flow to its end; return the status, the output and the name of the error."""
    host = ScriptedHost(world.reply)
    host.define(*(value for value in values if not isinstance(value, FlowRun)))
    host.start(flow.name, given)
    host.run_until(host.clock.now() + _DAYS, max_events=5_000)
    head = host.head("run")
    return str(head.status), head.output, head.error.name if head.error else ""


def drawn_input(flow: Flow, random: Random) -> Json:
    """Return an input that fits the flow; the optional ones are given or not."""
    if flow.input_type is not None:
        return {"id": "i-1", "amount": random.choice([5, 500, 5_000]), "items": [1, 2], "vip": random.random() < 0.5}
    drawn: dict[str, Json] = {
        "str": random.choice(["a", "b"]),
        "int": random.choice([1, 7, 2_000]),
        "float": random.choice([1.5, 2_000.5]),
        "bool": random.random() < 0.5,
        "list": ["x", "y"],
        "map": {"k": 1},
        "any": "text",
    }
    return {one.name: drawn[one.type] for one in flow.input if one.required or random.random() < 0.5}
