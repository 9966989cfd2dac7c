"""The services on stored data of a released version (`tests/fixtures/`)."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any, Final

from chalicelib.adapters.encryption import LibsodiumEncryption
from chalicelib.adapters.virtual import SequentialIds
from chalicelib.config import Settings
from chalicelib.engine.invocation import APPROVED
from chalicelib.hosting import Adapters, QueueAndSource, Services, assemble, consumers
from chalicelib.model.flow import ActionStep, EventStep
from chalicelib.model.run import Run, Token
from chalicelib.model.status import ENDED, LIVE, Status
from chalicelib.service import messages
from chalicelib.service.ports.actions import Call, Reply, Taken
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.answer import Answer
from tests.fakes import FakeClock

FIXTURE: Final = Path(__file__).parents[1] / "fixtures" / "0.1.0"
KEY: Final = "a-test-key-that-encrypts-secrets-of-the-fixture"
MADE_AT: Final = 1_800_000_258_000
"""The time at which the fixture's program ended."""

HOUR_MS: Final = 3_600_000
PAUSES_MS: Final = (HOUR_MS, HOUR_MS, *[192 * HOUR_MS] * 5)


def read_lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress((FIXTURE / name).read_bytes()).decode().splitlines()]


def sqlite_file(folder: Path) -> Path:
    """Copy the fixture's SQLite file."""
    path = folder / "echoer.db"
    path.write_bytes(gzip.decompress((FIXTURE / "echoer.db.gz").read_bytes()))
    return path


def dynamodb_items() -> list[dict[str, dict[str, Any]]]:
    """Return the fixture's items in botocore's format."""
    items = read_lines("dynamodb.jsonl.gz")
    for item in items:
        for value in item.values():
            if "B" in value:
                value["B"] = base64.b64decode(value["B"])
    return items


def send_messages(queue: QueueAndSource) -> None:
    for sent in read_lines("messages.jsonl.gz"):
        queue.send(QueueName(sent["queue"]), [sent["body"]], sent["delay_ms"])


class Services010:
    """The services on a store and a queue that contain the fixture. Every action answers OK in its HTTP response."""

    def __init__(self, store: Store, queue: QueueAndSource, clock: FakeClock) -> None:
        self.clock, self.queue, self.calls = clock, queue, list[Call]()
        self.made: Services = assemble(
            Settings(),
            Adapters(
                store=store,
                queue=queue,
                caller=self,
                clock=clock,
                ids=SequentialIds("after 0.1.0"),
                encryption=LibsodiumEncryption(lambda: KEY),
            ),
        )

    def post(self, call: Call) -> Reply:
        self.calls.append(call)
        return Taken({"ackState": "OK", "data": {"note": "answered"}})

    def runs(self, *, live: bool = False) -> dict[str, Run]:
        """Return all runs, or those that have not ended. Keys of runs in other namespaces start with the namespace."""
        query = RunQuery(statuses=LIVE if live else None, limit=100)
        found = [run for namespace in ("default", "other") for run in self.made.runs.list(namespace, query).runs]
        return {run.name if run.namespace == "default" else f"{run.namespace}/{run.name}": run for run in found}

    def carry_to_the_end(self) -> None:
        """Answer everything that runs wait for, and advance the clock if they wait only for time."""
        for pause in PAUSES_MS:
            self.pump()
            while self._answer_all():
                self.pump()
            if not self.runs(live=True):
                return
            self.clock.advance(pause)
            self.made.timers.sweep()
        raise AssertionError(f"these runs do not end: {self.runs(live=True)}")

    def pump(self) -> None:
        """Handle every message that is due."""
        while any([self._pump(QueueName.DELIVERIES), self._pump(QueueName.WAKES)]):
            pass

    def _pump(self, queue: QueueName) -> bool:
        received = self.queue.receive(queue, 10, 0)
        for one in received:
            (again,) = consumers.handle(self.made, queue, [messages.decode(one.body)])
            if again is None:
                self.queue.delete(queue, [one.receipt])
            else:
                self.queue.defer(queue, one.receipt, again)
        return bool(received)

    def _answer_all(self) -> bool:
        """Return whether a run advanced."""
        before = {name: run.version for name, run in self.runs().items()}
        for run in self.runs(live=True).values():
            if run.status is Status.PAUSED:
                self.made.operator.resume(run.namespace, run.name)
        tasks = {task.uuid: task.states[0] for task in self.made.inbox.open("default", 100)}
        for listed in self.runs(live=True).values():
            for token in listed.tokens:
                self._answer(listed, token, tasks)
        return before != {name: run.version for name, run in self.runs().items()}

    def _answer(self, run: Run, token: Token, tasks: dict[str, str]) -> None:
        activation, step = token.activation, self.made.definition_cache.of(run).step(token.step)
        current = self.made.runs.load(run.namespace, run.name)
        if activation is None or current is None or current.status in ENDED or not current.token_of(activation.uuid):
            return
        if isinstance(step, EventStep):
            self.made.signaler.publish(run.namespace, step.events["OK"], key="e-1", data={"amount": 9})
        elif step is None or isinstance(step, ActionStep):
            state = tasks.get(activation.uuid, "OK")
            assert state in (APPROVED, "OK")
            answer = Answer(
                run=run.name,
                step=token.step,
                uuid=activation.uuid,
                state=state,
                done=True,
                data={"n": 1, "note": "answered"},
            )
            self.made.answerer.answer(run.namespace, answer)
