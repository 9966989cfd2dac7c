"""One request to the store or a queue is throttled, at every point of a run in turn: nothing is lost or done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from chalicelib import hosting
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Busy
from chalicelib.service.ports.actions import Reply, Taken
from chalicelib.service.ports.queues import QueueName
from tests.entrypoints.gateway import Context, call, sqs_event
from tests.entrypoints.gateway import Reply as Response
from tests.hosts import HANDLERS, Host

FLOW: Final = """
action work addr = "http://work.test/"; args = (str what); return = (OK | FAIL); action_end
/
flow child step C => (OK -> done | FAIL -> stopped) { action = work; args = (what = "child"); }; flow_end
/
flow all
    step A => (OK -> W | FAIL -> stopped) { action = work; args = (what = "first"); };
    wait W => (GO -> E) { events = (GO = "paid"); key = "k"; };
    each E => (DONE -> K | FAIL -> stopped) {
        items = [1, 2];
        step I => (OK -> done | FAIL -> stopped) { action = work; args = (what = "item"); };
    };
    call K => (DONE -> L | STOPPED -> stopped) { flow = child; };
    step L => (OK -> done | FAIL -> stopped) { action = work; args = (what = "last"); limit = (concurrent = 1); };
flow_end
"""
BY_CALLBACK: Final = "first"
ROUNDS: Final = 8
ROUND_MS: Final = 2_500
"""How often the queues are looked at, and how far apart: longer than a message that failed once stays away."""


class Point:
    """Throttles one call of a port, the one with that number; 0: none."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.calls = 0
        self.struck = ""

    def pass_by(self, name: str) -> None:
        self.calls += 1
        if self.calls == self._number:
            self.struck = name
            raise Busy(f"{name} is throttled")


class Port:
    """A port of which the calls pass by the point, and so do the stores of a store."""

    def __init__(self, target: Any, point: Point, name: str = "") -> None:
        self._target, self._point, self._name = target, point, name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name == "together":
            return found
        if not callable(found):
            return Port(found, self._point, name)

        def passed(*args: Any, **kwargs: Any) -> Any:
            self._point.pass_by(f"{self._name}.{name}")
            return found(*args, **kwargs)

        return passed


class Story:
    """One run from its start to its end: a client and event sources that try again, as they do on AWS."""

    def __init__(self, point: Point) -> None:
        self.host = Host(self._reply)
        self.host.submit(FLOW)
        self.refused: list[Response] = []
        self.delivered: list[tuple[str, str]] = []
        self.dead = 0
        self.host.rebuild(store=Port(self.host.store, point), queue=Port(self.host.queue, point, "queue"))
        hosting.use(self.host.services)

    def play(self) -> None:
        self._ask("POST", "/flow/all/runs", {"name": "r"}, headers={"Idempotency-Key": "one"})
        self._work(until=lambda: "first" in {what for what, _ in self.delivered})
        (uuid,) = {uuid for what, uuid in self.delivered if what == BY_CALLBACK}
        answer = {"flowId": "r", "stepName": "A", "uuid": uuid, "ackState": "OK", "done": True}
        self._ask("POST", "/step", answer)
        self._work()
        self._ask("POST", "/event", {"name": "paid", "key": "k", "id": "e1"})
        self._work()

    def _reply(self, request: dict[str, Any]) -> Reply:
        what = request["what"]
        self.delivered.append((what, request["uuid"]))
        return Taken() if what == BY_CALLBACK else Taken({"ackState": "OK"})

    def _ask(self, method: str, url: str, body: Json, **more: Any) -> None:
        """Send the request as long as the server is busy."""
        for _ in range(3):
            response = call(method, url, body, **more)
            if response.status != 503:
                assert response.status in (200, 201), response.text
                return
            self.refused.append(response)
            self.host.clock.advance(1_000 * int(response.headers["Retry-After"]))
        raise AssertionError("the server stays busy")

    def _work(self, until: Callable[[], bool] = lambda: False) -> None:
        """Hand messages to the Lambda functions, one at a time, for so long that one that failed has come again."""
        for _ in range(ROUNDS):
            for queue in QueueName:
                while not until() and (received := self.host.queue.receive(queue, 1, 0)):
                    self.dead += queue is QueueName.DEAD
                    answer = HANDLERS[queue](sqs_event(queue, received), Context())
                    if not answer["batchItemFailures"]:
                        self.host.queue.delete(queue, [received[0].receipt])
            self.host.clock.advance(ROUND_MS)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    hosting.forget()


def test_a_run_meets_no_fault() -> None:
    story = Story(Point(0))
    story.play()
    assert story.host.run().status == "succeeded"
    assert sorted(what for what, _ in story.delivered) == ["child", "first", "item", "item", "last"]


def test_one_throttled_call_delays_a_run_and_changes_nothing_else() -> None:
    struck = list[str]()
    while True:
        point = Point(len(struck) + 1)
        story = Story(point)
        story.play()
        if not point.struck:
            break
        struck.append(point.struck)
        check(story, f"call {len(struck)}, {point.struck}")
    assert len(struck) > 40
    assert {"runs.create", "runs.load", "runs.save", "signals.subscribe", "signals.stored", "queue.send"} <= set(struck)


def check(story: Story, where: str) -> None:
    """The run has ended, and each of its steps was entered once (items have no entry for it) and had one activation."""
    assert story.host.run().status == "succeeded", where
    assert all(one.code == "busy" for one in story.refused), where
    assert sorted(what for what, _ in set(story.delivered)) == ["child", "first", "item", "item", "last"], where
    history = story.host.services.reader.history("default", "r", 0, 1_000)
    entered = sorted(entry.target for entry in history if entry.target and entry.target != "done")
    assert entered == ["A", "E", "K", "L", "W"], where
    assert not story.dead, where
