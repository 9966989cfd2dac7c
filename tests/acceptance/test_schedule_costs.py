"""What schedules cost: what is due, not what exists (docs/architecture.md, 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.memory import MemoryQueue, MemoryStore
from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.adapters.virtual import ScriptedCaller, SequentialIds
from chalicelib.config import Backend, Settings
from chalicelib.hosting import Adapters, Services, assemble
from chalicelib.model.json_values import encode
from chalicelib.model.recurrence.schedule import Overlap, Schedule
from chalicelib.service import messages
from chalicelib.service.messages import Tick
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.schedules import SlotOutcome
from fsl.local.aws import MotoStack
from tests.fakes import START, Counting, FakeClock
from tests.hosts import NS, accept

FLOW = "flow job  wait Rest => (DONE -> done) { for = 1h; };  flow_end"
HOUR = 3_600_000
READS = ("GetItem", "BatchGetItem")


class Calls:
    """All stores, with the calls of them counted by port and method."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.counts: Counter[str] = Counter()

    def __getattr__(self, port: str) -> Any:
        inner, counts = getattr(self._store, port), self.counts

        class Port:
            def __getattr__(self, method: str) -> Any:
                if method != "together":  # it is no request of its own
                    counts[f"{port}.{method}"] += 1
                return getattr(inner, method)

        return Port()


class Container:
    """Services on a store, a queue in memory and a clock that does not move."""

    def __init__(self, store: Any) -> None:
        self.clock = FakeClock()
        self.queue = MemoryQueue(self.clock)
        self.services: Services = assemble(
            Settings(backend=Backend.AWS, definition_max_age=1_000 * HOUR),
            Adapters(
                store=store, queue=self.queue, caller=ScriptedCaller(accept), clock=self.clock, ids=SequentialIds()
            ),
        )
        self.store = self.services.adapters.store
        self.services.submitter.submit(NS, FLOW)
        self.services.definition_cache.of_flow(NS, "job")

    def define(self, *schedules: Schedule) -> None:
        made = [
            Definition(
                kind=Kind.SCHEDULE,
                name=schedule.name,
                version=1,
                uuid=f"id-{schedule.name}",
                text="",
                value=encode(schedule),
                created_at=self.clock.now(),
            )
            for schedule in schedules
        ]
        for start in range(0, len(made), 100):
            self.store.definitions.submit(NS, made[start : start + 100], [])
        for one in made:
            self.services.scheduler.look(NS, one)

    def tick(self, name: str) -> None:
        self.services.scheduler.tick(Tick(namespace=NS, schedule=name, sent_at=0, version=0))

    def take(self, queue: QueueName = QueueName.WAKES) -> list[messages.Message]:
        """Take all messages that are due."""
        found: list[messages.Message] = []
        while received := self.queue.receive(queue, 10, 0):
            found += [messages.decode(one.body) for one in received]
            self.queue.delete(queue, [one.receipt for one in received])
        return found


@pytest.fixture(scope="module")
def on_aws() -> Iterator[Container]:
    with MotoStack() as stack:
        yield Container(stack.store)


def operations(container: Container, name: str) -> list[tuple[str, bool]]:
    """Return the requests to DynamoDB that a look at a schedule makes, and whether each is conditional."""
    client = container.services.adapters.store.runs._table.client  # type: ignore[attr-defined]
    with Counting(client) as counted:
        container.tick(name)
    assert all(one.write_units <= 1 for one in counted.operations)
    return [(one.name, one.conditional) for one in counted.operations]


READ_DEFINITION, READ_STATE = ("BatchGetItem", False), ("GetItem", False)
DECIDE, START_RUN, RECORD = ("PutItem", True), ("PutItem", True), ("PutItem", True)
READ_PAUSES, READ_HOOKS = ("GetItem", False), ("Query", False)
"""Each at most once in ten seconds in each container, independent of what happens in the namespace."""


def test_a_slot_costs_two_reads_and_three_writes(on_aws: Container) -> None:
    """The definition and the state are read; the decision, the run and its start are written."""
    on_aws.define(Schedule(name="allow", flow="job", every=HOUR, overlap=Overlap.ALLOW))
    on_aws.clock.advance_to(START + HOUR)
    assert operations(on_aws, "allow") == [
        READ_DEFINITION,
        READ_STATE,
        DECIDE,
        READ_PAUSES,
        READ_HOOKS,
        START_RUN,
        RECORD,
    ]
    assert operations(on_aws, "allow") == [READ_DEFINITION, READ_STATE]  # a second message, a second sweeper


def test_the_overlap_rule_costs_a_read_of_the_previous_run(on_aws: Container) -> None:
    on_aws.define(Schedule(name="skip", flow="job", every=30 * 60_000))
    on_aws.clock.advance(30 * 60_000)
    assert operations(on_aws, "skip") == [
        READ_DEFINITION,
        READ_STATE,
        DECIDE,
        READ_PAUSES,
        READ_HOOKS,
        START_RUN,
        RECORD,
    ]
    on_aws.clock.advance(30 * 60_000)
    assert operations(on_aws, "skip") == [READ_DEFINITION, READ_STATE, ("GetItem", False), DECIDE]


def test_a_sweep_on_aws_reads_the_index_whatever_exists(on_aws: Container) -> None:
    client = on_aws.services.adapters.store.runs._table.client  # type: ignore[attr-defined]
    names = []
    for count in (5, 60):
        on_aws.define(
            *(
                Schedule(name=f"far{count}-{number}", flow="job", at=f"2028-01-01T00:00:{number:02}Z")
                for number in range(count)
            )
        )
        on_aws.take()
        with Counting(client) as counted:
            on_aws.services.timers.sweep()
        names.append(counted.names)
    assert names[0] == names[1] == {"Query": 8}


def test_ten_thousand_schedules_cost_what_is_due() -> None:
    calls = Calls(MemoryStore())
    container = Container(calls)
    far = [
        Schedule(name=f"far{number}", flow="job", cron="0 3 1 1 *", zone="Europe/Berlin") for number in range(10_000)
    ]
    due = [Schedule(name=f"due{number}", flow="job", every=HOUR) for number in range(20)]
    container.define(*far, *due)
    container.clock.advance(HOUR)
    container.take()
    calls.counts.clear()
    assert container.services.timers.sweep().sent == 20
    assert calls.counts == {"runs.due": 1, "schedules.due": 1}
    ticks = container.take()
    assert sorted(one.subject for one in ticks) == sorted(one.name for one in due)
    calls.counts.clear()
    container.services.waker.wake(ticks)
    assert calls.counts == {
        "definitions.latest": 20,
        "schedules.load": 20,
        "schedules.save": 40,
        "definitions.list": 1,  # the hooks of the namespace
        "versioned_values.read": 1,  # its paused flows
        "runs.create": 20,
    }


def test_many_schedules_of_one_moment_are_sent_together() -> None:
    container = Container(MemoryStore())
    container.define(*(Schedule(name=f"s{number}", flow="job", every=HOUR) for number in range(6_000)))
    container.clock.advance(HOUR - 1_000)
    container.take()
    container.services.timers.sweep()
    container.clock.advance(1_000)
    assert len(container.take()) == 6_000


@pytest.mark.parametrize("overlap", [Overlap.ALLOW, Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL])
def test_many_that_look_at_the_same_time_start_one_run_per_slot(tmp_path: Path, overlap: Overlap) -> None:
    database = Database.open(tmp_path / "echoer.db")
    container = Container(SqliteStore(database))
    container.define(Schedule(name="busy", flow="job", every=HOUR, overlap=overlap))
    with ThreadPoolExecutor(8) as pool:
        for _ in range(12):
            container.clock.advance(HOUR)
            list(pool.map(container.tick, ["busy"] * 8))
    state = container.store.schedules.load(NS, ["busy"])["busy"]
    runs = container.store.runs.list(NS, RunQuery(limit=100)).runs
    database.close()
    started = state.counts[SlotOutcome.STARTED]
    assert len(runs) == started
    assert len({run.scheduled for run in runs}) == started
    assert sum(state.counts.values()) == 12 + (state.counts.get(SlotOutcome.QUEUED, 0) - len(state.queue))
    assert started == (1 if overlap in (Overlap.SKIP, Overlap.QUEUE) else 12)
