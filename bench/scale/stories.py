"""What is recorded: the real handlers on the real adapters, with DynamoDB emulated by moto and a queue in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from bench.scale.recording import Recorder, Request
from chalicelib import hosting
from chalicelib.config import Backend, Settings
from chalicelib.model.json_values import Json
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.queues import QueueName, Received
from fsl.local.aws import MotoStack
from tests.entrypoints.gateway import Context, call, sqs_event
from tests.entrypoints.gateway import Reply as Answer
from tests.hosts import HANDLERS, Host, accept

STALE_MS: Final = 2_500
"""A little more than the default of ECHOER_DEFINITION_MAX_AGE."""

RUN: Final = "run-0000000000"
"""The name of the run that is recorded; `playing` puts others in its place."""

HOP_MS: Final = 20
"""How long a message is on its way: an assumption. It counts only where time does."""

ANSWER_MS: Final = 100
"""How long an action takes to answer by callback, and a waiting run waits for its event."""

STEPS: Final = 5
ITEMS: Final = 20

_PATH: Final = " ".join(
    f"step S{n} => (OK -> {f'S{n + 1}' if n < STEPS else 'done'} | FAIL -> stopped) {{ action = work; }};"
    for n in range(1, STEPS + 1)
)
DOCUMENT: Final = f"""
action work addr = "http://work.test/"; return = (OK | FAIL); action_end
/
action few addr = "http://few.test/"; return = (OK); limit = (concurrent = 20); action_end
/
action paced addr = "http://paced.test/"; return = (OK); limit = (per_second = 100); action_end
/
flow five {_PATH} flow_end
/
flow waits wait W => (GO -> done) {{ events = (GO = "paid"); }}; flow_end
/
flow items
    input = (list items);
    each E => (DONE -> done | FAIL -> stopped) {{
        items = ${{ $input.items }};
        step One => (OK -> done | FAIL -> stopped) {{ action = work; }};
    }};
flow_end
/
flow scarce step A => (OK -> done) {{ action = few; }}; flow_end
/
flow slow step A => (OK -> done) {{ action = paced; }}; flow_end
/
schedule hourly flow = one; every = 1h; overlap = allow; schedule_end
/
flow one step A => (OK -> done | FAIL -> stopped) {{ action = work; }}; flow_end
/
flow single limit = (concurrent = 1000); step A => (OK -> done | FAIL -> stopped) {{ action = work; }}; flow_end
"""


class Unsent:
    """The queue in memory, with the requests that SQS would need for what is sent."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self.sends = 0
        self.messages = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def send(self, queue: QueueName, bodies: Any, delay: int = 0, *, early: bool = False) -> None:
        self.sends += -(-len(bodies) // 10)
        self.messages += len(bodies)
        self._queue.send(queue, bodies, delay, early=early)


@dataclass(frozen=True)
class Call:
    """One call of a handler: of a client (`http`) or with a message; `pause_ms` passes before it."""

    name: str
    requests: tuple[Request, ...]
    http: bool
    sends: int
    pause_ms: int = 0


@dataclass
class Story:
    """The calls of one run or event, in order."""

    title: str
    calls: list[Call] = field(default_factory=list)

    @property
    def http(self) -> int:
        return sum(call.http for call in self.calls)

    @property
    def messages(self) -> int:
        return sum(not call.http for call in self.calls)

    @property
    def sends(self) -> int:
        return sum(call.sends for call in self.calls)

    def requests(self) -> Iterator[Request]:
        return (request for call in self.calls for request in call.requests)


class Studio:
    """A warm container on AWS, in which stories are recorded."""

    def __init__(self, stack: MotoStack) -> None:
        self.recorder = Recorder(stack.store.table.client)
        self.host = Host(accept)
        self.queue = Unsent(self.host.queue)
        settings = Settings(backend=Backend.AWS, definition_max_age=3_600_000, delivery_log=False)
        self.host.rebuild(settings, store=stack.store, queue=self.queue)
        hosting.use(self.host.services)
        self._runs = 0

    def submit(self, text: str) -> None:
        answer = call("POST", "/fsl", text)
        _check(answer)

    @contextmanager
    def calling(self, story: Story, name: str, *, http: bool, pause_ms: int = 0) -> Iterator[None]:
        """Add one call to the story: what is requested within the block."""
        sends = self.queue.sends
        with self.recorder.recorded() as found:
            yield
        story.calls.append(Call(name, tuple(found), http, self.queue.sends - sends, pause_ms))

    def post(self, story: Story, name: str, url: str, body: Json, pause_ms: int = 0) -> Any:
        self.host.clock.advance(pause_ms)
        with self.calling(story, name, http=True, pause_ms=pause_ms):
            answer = call("POST", url, body)
        _check(answer)
        return answer.json

    def give(self, story: Story, queue: QueueName, message: Received) -> None:
        """Hand a message that was received to its handler."""
        with self.calling(story, "deliver" if queue is QueueName.DELIVERIES else "wake", http=False):
            self._handle(queue, message)

    def receive(self, story: Story, name: str, queue: QueueName) -> None:
        """Hand one message to its handler."""
        self.host.clock.advance(HOP_MS)
        (message,) = self.host.queue.receive(queue, 1, 0)
        with self.calling(story, name, http=False):
            self._handle(queue, message)

    def drain_deliveries(self) -> None:
        """Handle the deliveries that are due, and record nothing of them."""
        for message in self.host.queue.receive(QueueName.DELIVERIES, 10, 0):
            self._handle(QueueName.DELIVERIES, message)

    def drain(self) -> None:
        """Handle what is due, and record nothing of it."""
        for queue in (QueueName.WAKES, QueueName.DELIVERIES):
            for message in self.host.queue.receive(queue, 10, 0):
                self._handle(queue, message)

    def _handle(self, queue: QueueName, message: Received) -> None:
        answer = HANDLERS[queue](sqs_event(queue, [message]), Context())
        if not answer["batchItemFailures"]:
            self.host.queue.delete(queue, [message.receipt])

    def renew(self) -> None:
        """Replace the container by a cold one."""
        self.host.rebuild()
        hosting.use(self.host.services)

    def uuid(self, run: str) -> str:
        """Return the uuid of the activation in which the first token of the run waits."""
        return next(token.activation.uuid for token in self.host.run(run).tokens if token.activation)

    def answer(self, story: Story, run: str, uuid: str, pause_ms: int = ANSWER_MS) -> None:
        body = {"flowId": run, "stepName": "", "uuid": uuid, "ackState": "OK", "done": True}
        self.post(story, "answer", "/step", body, pause_ms)


def _check(answer: Answer) -> None:
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise RuntimeError(f"{answer.status}: {answer.text}")


def record() -> dict[str, Story]:
    """Record every story, by its name."""
    with MotoStack() as stack:
        studio = Studio(stack)
        try:
            studio.submit(DOCUMENT)
            _callback(studio, Story("warm"), "warm")
            studio.drain()
            return {name: make(studio) for name, make in _STORIES.items()}
        finally:
            hosting.forget()


def _callback(studio: Studio, story: Story, run: str, flow: str = "five", **more: Json) -> Story:
    studio.post(story, "start", f"/flow/{flow}/runs", {"name": run, **more})
    for _ in range(STEPS if flow == "five" else 1):
        studio.receive(story, "deliver", QueueName.DELIVERIES)
        studio.answer(story, run, studio.uuid(run))
    return story


def _inline(studio: Studio) -> Story:
    story = Story("five steps, answered in the HTTP response")
    studio.host.actions.script = lambda _: Taken({"ackState": "OK"})
    studio.post(story, "start", "/flow/five/runs", {"name": RUN.replace("run", "inl")})
    for _ in range(STEPS):
        studio.receive(story, "deliver", QueueName.DELIVERIES)
    studio.host.actions.script = accept
    return story


def _waits(studio: Studio) -> Story:
    """Start a run that waits for an event, and publish it."""
    story, run = Story("a wait for an event that nothing else waits for"), RUN.replace("run", "wai")
    studio.post(story, "start", "/flow/waits/runs", {"name": run})
    studio.receive(story, "listen", QueueName.WAKES)
    studio.post(story, "publish", "/event", {"name": "paid", "data": {"amount": 7}}, ANSWER_MS)
    studio.receive(story, "take", QueueName.WAKES)
    return story


def _publish(studio: Studio) -> Story:
    story = Story("an event for which nothing waits")
    studio.post(story, "publish", "/event", {"name": "shipped", "data": {"amount": 7}})
    return story


def _stale(studio: Studio) -> Story:
    """Start a run in a container that knows the flow, but not whether it is the newest version any more."""
    story = Story("a start in a container that looks for newer versions")
    studio.host.rebuild(Settings(backend=Backend.AWS))
    hosting.use(studio.host.services)
    studio.post(Story("before"), "start", "/flow/five/runs", {"name": "before"})
    studio.post(story, "start", "/flow/five/runs", {"name": RUN.replace("run", "stl")}, STALE_MS)
    return story


def _schedule(studio: Studio) -> Story:
    """Let the slot of a schedule start its run."""
    story = Story("a slot of a schedule")
    studio.drain()
    studio.host.clock.advance(3_540_000)
    studio.host.sweep()
    studio.host.clock.advance(60_000)
    studio.receive(story, "tick", QueueName.WAKES)
    studio.drain_deliveries()
    return story


def _items(studio: Studio) -> Story:
    """Start a run with items, and answer for each."""
    story, run = Story(f"each of {ITEMS} items, by callback"), RUN.replace("run", "itm")
    studio.post(story, "start", "/flow/items/runs", {"name": run, "input": {"items": list(range(ITEMS))}})
    for _ in range(ITEMS):
        studio.receive(story, "deliver", QueueName.DELIVERIES)
    uuids = [token.activation.uuid for token in studio.host.run(run).tokens if token.activation and token.step == "One"]
    for uuid in uuids:
        studio.answer(story, run, uuid)
    return story


def _limited(flow: str, name: str, title: str) -> Callable[[Studio], Story]:
    """Record a run that a limit lets pass, and the return of its permit."""

    def make(studio: Studio) -> Story:
        story, run = Story(title), RUN.replace("run", name)
        studio.post(story, "start", f"/flow/{flow}/runs", {"name": run})
        for queue in (QueueName.WAKES, QueueName.DELIVERIES):
            for message in studio.host.queue.receive(queue, 10, 0):
                studio.give(story, queue, message)
        studio.answer(story, run, studio.uuid(run))
        for message in studio.host.queue.receive(QueueName.WAKES, 10, 0):
            studio.give(story, QueueName.WAKES, message)
        return story

    return make


def _list(studio: Studio) -> Story:
    story = Story("a list of runs")
    with studio.calling(story, "list", http=True):
        _check(call("GET", "/flowrun?limit=20"))
    return story


def _sweep(studio: Studio) -> Story:
    story = Story("a sweep")
    with studio.calling(story, "sweep", http=False):
        studio.host.sweep()
    return story


def _cold(studio: Studio) -> Story:
    """Let a new container start a run, and another one deliver it."""
    story, run = Story("the first start and the first delivery of new containers"), RUN.replace("run", "cld")
    studio.renew()
    studio.post(story, "start", "/flow/five/runs", {"name": run})
    studio.renew()
    studio.receive(story, "deliver", QueueName.DELIVERIES)
    return story


_STORIES: Final[dict[str, Callable[[Studio], Story]]] = {
    "callback": lambda studio: _callback(studio, Story("five steps by callback"), RUN),
    "inline": _inline,
    "labelled": lambda studio: _callback(
        studio, Story("one step by callback, with a label"), RUN.replace("run", "lab"), "one", labels={"env": "live"}
    ),
    "waits": _waits,
    "items": _items,
    "scarce": _limited("scarce", "few", "one step with `limit = (concurrent = 20)`"),
    "paced": _limited("slow", "slo", "one step with `limit = (per_second = 100)`"),
    "single": _limited("single", "sin", "a run of a flow with `limit = (concurrent = 1000)`"),
    "list": _list,
    "sweep": _sweep,
    "publish": _publish,
    "cold": _cold,
    "stale": _stale,
    "schedule": _schedule,
}
