"""Machines drawn at random, executed by the direct interpreter and by conversion and engine.

A machine is a chain of states with jumps forward, so it ends. Its documents mostly have the members of `BASE`, so most
paths lead to something. A difference is shown with the machine, made as small as it can be while it still differs.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from chalicelib.asl.convert import convert
from chalicelib.asl.problems import Level
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.errors import EchoerError
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import Call, Raised, Reply, Returned
from chalicelib.service.runs.start import StartOrder
from tests.conformance.asl.compare import CORRESPONDING, difference, same_error
from tests.conformance.asl.drawing import BASE, Drawing
from tests.conformance.asl.interpreter import Interpreter
from tests.conformance.asl.jsonata_drawing import JsonataDrawing
from tests.conformance.asl.jsonata_interpreter import JsonataInterpreter
from tests.conformance.asl.paths import Document, Failure, Undefined, Unknown

Machine: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[[Machine], Machine]

MAX_EVENTS: Final = 5_000
MAX_SHRINKS: Final = 300


@dataclass(frozen=True, slots=True)
class End:
    """How an execution ended: its output, or the name of its error; and how often functions were called."""

    output: Document = None
    failed: bool = False
    error: str | None = None
    calls: int | None = None
    """None: they cannot be counted."""


def work(payload: Document) -> Document:
    """What the function of drawn machines does: it fails if its payload says so, or else returns a document."""
    if isinstance(payload, dict) and isinstance(payload.get("fail"), str):
        raise Failure(payload["fail"], "the payload says so")
    return {**BASE, "b": "worked", "echo": payload}


def interpreted(machine: Machine, given: Document) -> End:
    """Execute a machine by the direct interpreter. Raises Undefined."""
    kind = JsonataInterpreter if machine.get("QueryLanguage") == "JSONata" else Interpreter
    interpreter = kind(machine, work, given)
    output, failed, error = None, False, None
    try:
        output = interpreter.run()
    except Failure as failure:
        failed, error = True, failure.name
    return End(output, failed, error, interpreter.calls.total() if interpreter.is_exact else None)


class _Functions:
    """Implements `ports.actions.Caller`."""

    def __init__(self) -> None:
        self.calls = 0

    def post(self, call: Call) -> Reply:
        self.calls += 1
        try:
            return Returned(work(msgspec.json.decode(call.body)))
        except Failure as failure:
            return Raised(failure.name or "", failure.cause)


def converted(machine: Machine, given: Document) -> tuple[End | str, str]:
    """Convert a machine and run its flow. Return how it ended, or why it did not run, and the text."""
    conversion = convert(machine, "machine", {})
    errors = [f"{one.pointer}: {one.message}" for one in conversion.problems if one.level is Level.ERROR]
    if errors:
        return f"not converted: {errors[0]}", conversion.text
    functions = _Functions()
    host = VirtualHost(functions)
    try:
        host.services.submitter.submit(host.namespace, conversion.text)
        host.services.starter.start(host.namespace, StartOrder(flow=conversion.name, name="run", input=given))
    except EchoerError as exc:
        return f"refused: {exc}", conversion.text
    host.run_until(max_events=MAX_EVENTS)
    run = host.services.reader.run(host.namespace, "run")
    if run.status is Status.SUCCEEDED:
        return End(run.output, calls=functions.calls), conversion.text
    if run.status is Status.FAILED:
        return End(failed=True, error=run.error.name if run.error else None, calls=functions.calls), conversion.text
    return f"it has not ended: {run.status.value}", conversion.text


def compared(machine: Machine, given: Document, change: Change = lambda machine: machine) -> tuple[str, str]:
    """Return how the two executions of a machine differ, and the text; empty if they do not, or cannot be compared.

    `change` makes the machine that is converted.
    """
    try:
        expected = interpreted(machine, given)
    except (Undefined, Unknown):
        return "", ""
    actual, text = converted(change(machine), given)
    if isinstance(actual, str):
        is_told = expected.failed and actual.startswith("not converted")  # what must fail may be refused before
        return "" if is_told else actual, text
    if actual.failed != expected.failed:
        return f"{actual} is not {expected}", text
    is_kept = expected.error is None  # a bare Fail behind a Catch keeps the error that was caught
    if actual.failed and not is_kept and not same_error(actual.error, expected.error):
        return f"error {actual.error} is not {expected.error}", text
    if expected.calls not in (None, actual.calls):
        return f"{actual.calls} calls are not {expected.calls}", text
    return difference(_with_names(actual.output), expected.output, _forgotten(expected.output, "")), text


def _forgotten(output: Document, place: str) -> dict[str, str]:
    """Return wildcards for saved errors: the causes of Echoer's own, and names that a bare Fail forgets on AWS."""
    children = output.items() if isinstance(output, dict) else enumerate(output) if isinstance(output, list) else ()
    found = {at: "*" for key, one in children for at in _forgotten(one, f"{place}/{key}")}
    if isinstance(output, dict) and output.keys() == {"Error", "Cause"}:
        name = output["Error"]
        found |= {f"{place}/Error": "*"} if name is None else {}
        found |= {f"{place}/Cause": "*"} if name is None or name.startswith("States.") else {}
    return found


def _with_names(output: Document) -> Document:
    """Return the output with AWS's names of the errors that were saved in it. The causes of these are Echoer's own."""
    if isinstance(output, list):
        return [_with_names(one) for one in output]
    if not isinstance(output, dict):
        return output
    found = {key: _with_names(one) for key, one in output.items()}
    names = CORRESPONDING.get(found["Error"], ()) if isinstance(found.get("Error"), str) else ()
    return {**found, "Error": next(iter(names)), "Cause": ""} if len(names) == 1 else found


def machine_of(seed: int) -> tuple[Machine, Document]:
    """Return the machine of a seed, and its input: every third one is in JSONata."""
    kind = JsonataDrawing if seed % 3 == 2 else Drawing
    return kind(random.Random(seed)).machine()  # noqa: S311 - the same machines for the same seeds


def differences(seed: int, count: int) -> list[str]:
    """Draw machines with these seeds. Return how those differ that do, each with the smallest machine that does."""
    found = []
    for number in range(seed, seed + count):
        machine, given = machine_of(number)
        reason, _ = compared(machine, given)
        if reason:
            machine = smallest(machine, given)
            reason, text = compared(machine, given)
            shown = f"seed {number}: {reason}\n{json.dumps(machine)}\ninput {json.dumps(given)}\n{text}"
            found.append(shown)
    return found


# ── smaller machines ─────────────────────────────────────────────────────────────────────────────────────────────────


def smallest(machine: Machine, given: Document, change: Change = lambda machine: machine) -> Machine:
    """Return a machine that differs too, of which nothing can be removed."""
    tries, kind = 0, _kind(compared(machine, given, change)[0])
    while True:
        for smaller in _smaller(machine):
            tries += 1
            if tries > MAX_SHRINKS:
                return machine
            try:
                reason = compared(smaller, given, change)[0]
            except (KeyError, Unknown):
                continue
            if reason and _kind(reason) == kind:
                machine = smaller
                break
        else:
            return machine


def _kind(reason: str) -> str:
    """Return what kind of difference it is: machines that are no valid ASL are none of those that are looked for."""
    return next((kind for kind in ("not converted", "refused", "it has not ended") if reason.startswith(kind)), "")


def _smaller(machine: Machine) -> Iterator[Machine]:
    """Yield machines of which one state is left out, or one field of a state."""
    for place in machines_in(machine):
        for name, state in place["States"].items():
            if state.get("Next") and state["Type"] != "Choice":
                yield _changed(machine, place, lambda one, name=name: _left_out(one, name))
            yield from (
                _changed(machine, place, lambda one, name=name, key=key: one["States"][name].pop(key))
                for key in state
                if key not in ("Type", "Next", "End", "Choices", "ItemProcessor", "Branches", "Resource", "Default")
            )
            if state.get("Next"):
                yield _changed(machine, place, lambda one, name=name: _ended(one, name))


def machines_in(machine: Machine) -> Iterator[Machine]:
    yield machine
    for state in machine["States"].values():
        for inner in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            yield from machines_in(inner)


def _changed(machine: Machine, place: Machine, change: Any) -> Machine:
    """Return a copy in which the machine at `place` is changed, without the states that nothing leads to."""
    number = next(n for n, one in enumerate(machines_in(machine)) if one is place)
    made = copy.deepcopy(machine)
    inner = next(one for n, one in enumerate(machines_in(made)) if n == number)
    change(inner)
    reached = _reached(inner)
    inner["States"] = {name: state for name, state in inner["States"].items() if name in reached}
    return made


def _left_out(machine: Machine, name: str) -> None:
    following = machine["States"].pop(name)["Next"]
    if machine["StartAt"] == name:
        machine["StartAt"] = following
    for state in machine["States"].values():
        for target in (state, *state.get("Choices", ()), *state.get("Catch", ())):
            for key in ("Next", "Default"):
                if target.get(key) == name:
                    target[key] = following


def _ended(machine: Machine, name: str) -> None:
    state = machine["States"][name]
    del state["Next"]
    state["End"] = True


def _reached(machine: Machine) -> set[str]:
    found, left = set[str](), [machine["StartAt"]]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        state = machine["States"][name]
        targets = (state, *state.get("Choices", ()), *state.get("Catch", ()))
        left += [one[key] for one in targets for key in ("Next", "Default") if key in one]
    return found
