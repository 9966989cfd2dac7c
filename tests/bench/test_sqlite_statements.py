"""What a step costs on one machine: the statements of SQLite, and the indexes that they write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib import hosting
from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.message_queue import SqliteQueue
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.adapters.system import SystemClock, SystemIds
from chalicelib.adapters.virtual import ScriptedCaller
from chalicelib.config import Settings
from chalicelib.entrypoints import workers
from chalicelib.hosting import Adapters, assemble
from chalicelib.service.ports.actions import Taken
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.runs.start import StartOrder
from fsl.local.shapes import queue_event

STEPS = "".join(f"step S{n} => (OK -> {f'S{n + 1}' if n < 4 else 'done'}) {{ action = work; }}; " for n in range(5))
FLOWS = f"""
action work addr = "http://work.test/"; return = (OK); action_end
/
flow five {STEPS} flow_end
"""


class Machine:
    """One machine, whose statements are recorded."""

    def __init__(self, path: Path) -> None:
        self.database, clock = Database.open(path), SystemClock()
        self.queue = SqliteQueue(self.database, clock)
        adapters = Adapters(
            store=SqliteStore(self.database),
            queue=self.queue,
            caller=ScriptedCaller(lambda _: Taken({"ackState": "OK"})),
            clock=clock,
            ids=SystemIds(),
        )
        self.services = assemble(Settings(inline_delivery=True, delivery_log=True), adapters)
        hosting.use(self.services)
        self.services.submitter.submit("default", FLOWS)
        self.statements: list[str] = []
        self.run("warm")
        self.database.flush()
        self.database.writer.set_trace_callback(self.statements.append)

    def run(self, name: str) -> None:
        """Start a run, and deliver all its steps."""
        self.services.starter.start("default", StartOrder(flow="five", name=name))
        self.statements.clear()
        while received := self.queue.receive(QueueName.DELIVERIES, 1, 0):
            workers.deliver(queue_event(QueueName.DELIVERIES, received))
            self.queue.delete(QueueName.DELIVERIES, [message.receipt for message in received])

    @property
    def transactions(self) -> list[list[str]]:
        """The statements of each transaction: what they do, and to which table."""
        found: list[list[str]] = []
        for text in self.statements:
            words = re.match(r"(\w+)(?: (?:OR \w+ )?(?:INTO |FROM )?(\w+))?", text)
            assert words
            if words[1] == "BEGIN":
                found.append([])
            elif found and words[1] != "COMMIT":
                found[-1].append(f"{words[1]} {words[2]}")
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "echoer.db")
    yield machine
    machine.database.close()
    hosting.forget()


def test_an_inline_step_is_one_transaction_that_writes_the_head_and_the_log_of_deliveries(machine: Machine) -> None:
    machine.run("r")
    step = ["INSERT deliveries", "UPDATE runs"]
    pages = [one for transaction in machine.transactions for one in transaction if one == "INSERT pages"]
    plain = [[one for one in transaction if one != "INSERT pages"] for transaction in machine.transactions]
    assert len(pages) <= 2
    assert plain[:4] == [step] * 4
    assert len(plain) <= 6


def test_a_step_writes_no_index(machine: Machine) -> None:
    """SQLite writes each index of a column that is set, whether its value changes or not."""
    machine.run("r")
    heads = [text for text in machine.statements if text.startswith("UPDATE runs")]
    assert [re.findall(r"(\w+) = ", text.partition(" WHERE ")[0]) for text in heads[:4]] == [["version", "body"]] * 4
