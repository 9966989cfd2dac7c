"""Convert machines for tests, and run their flows on the virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from chalicelib.asl.convert import Conversion, convert
from chalicelib.asl.convert.flow.scopes import Way
from chalicelib.asl.problems import Level
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.language import format_text
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import Call, Raised, Reply, Returned
from chalicelib.service.runs.start import StartOrder

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"
Answer = Callable[[str, Any, int], Any]
"""What a function returns, by its name, what it is sent, and how often it was called before. Raises Broken."""


class Broken(Exception):
    """The function fails with an error of this name."""

    def __init__(self, name: str, cause: str = "why") -> None:
        super().__init__(name)
        self.name, self.cause = name, cause


def converted(machine: dict[str, Any], way: Way | None = None) -> Conversion:
    """Return the flow of a machine, which must be valid and laid out."""
    made = convert(machine, "machine", way=way)
    assert format_text(made.text) == made.text
    return made


def text_of(machine: dict[str, Any]) -> str:
    """Return the text of a machine that FSL can say."""
    made = converted(machine)
    assert [one for one in made.problems if one.level is Level.ERROR] == []
    return made.text


class World:
    """Runs flows that have functions as actions."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent: list[tuple[str, Any]] = []
        self.host = VirtualHost(self)

    def post(self, call: Call) -> Reply:
        """Implements `ports.actions.Caller`."""
        name = call.addresses[0].rpartition(":")[2]
        payload = msgspec.json.decode(call.body)
        before = sum(known == name for known, _ in self.sent)
        self.sent.append((name, payload))
        try:
            return Returned(self.answer(name, payload, before))
        except Broken as broken:
            return Raised(broken.name, broken.cause)

    def run(self, text: str, given: Any) -> Run:
        """Submit the text, run its flow, and return how the run ended."""
        host = self.host
        host.services.submitter.submit(host.namespace, text)
        host.services.starter.start(host.namespace, StartOrder(flow="machine", name="run", input=given))
        host.run_until(max_events=2_000)
        return host.services.reader.run(host.namespace, "run")


def echo(_name: str, payload: Any, _before: int) -> Any:
    """Answer with what was sent."""
    return payload


def output_of(machine: dict[str, Any], given: Any = None, answer: Answer = echo) -> Any:
    """Convert and run a machine in both ways. Return its output, or `name: cause` of its error."""
    ends = []
    for way in (None, Way.PARTS, Way.WHOLE):
        run = World(answer).run(converted(machine, way).text, {} if given is None else given)
        assert run.status in (Status.SUCCEEDED, Status.FAILED), run.status
        ends.append(run.output if run.status is Status.SUCCEEDED else f"failed: {run.error.name if run.error else ''}")
    assert ends[0] == ends[1] == ends[2]
    return ends[0]


def chain(*states: dict[str, Any]) -> dict[str, Any]:
    """Return a machine of states `A`, `B`, ... one after the other."""
    names = [chr(ord("A") + number) for number in range(len(states))]
    found = {}
    for number, (name, state) in enumerate(zip(names, states, strict=True)):
        onward = {"Next": names[number + 1]} if number + 1 < len(states) else {"End": True}
        found[name] = {**onward, **state} if state["Type"] not in ("Choice", "Fail", "Succeed") else state
    return {"StartAt": "A", "States": found}


def task(name: str = "work", **more: Any) -> dict[str, Any]:
    """Return a Task that invokes a function."""
    return {"Type": "Task", "Resource": f"{FUNCTION}{name}", **more}
