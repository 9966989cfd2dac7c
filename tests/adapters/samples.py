"""Sample runs, definitions and flows for the contracts."""

from __future__ import annotations

from typing import Any

import msgspec

from chalicelib.model.flow import ActionStep, Flow, Route
from chalicelib.model.history import Entries, Entry, Page, Sent
from chalicelib.model.ids import mint_uuid
from chalicelib.model.json_values import encode
from chalicelib.model.run import Activation, DefinitionRef, Run, Token
from chalicelib.model.status import Status
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.deliveries import DeliveryRecord
from chalicelib.service.ports.events import Signal, Subscription
from chalicelib.service.ports.runs import NewRun
from chalicelib.service.ports.schedules import ScheduleState, SlotOutcome, SlotRecord
from chalicelib.service.ports.tasks import Task
from chalicelib.service.ports.waiters import Waiter
from tests.fakes import START

AWKWARD_NAMES = [
    "a",
    "a#b",
    "a%23b",
    "a/b",
    "a\\b",
    "a b",
    "ä",
    "日本",
    "🙂",
    "a\x00b",
    "a~",
    "#",
    "%",
    "##",
    "a\nb",
    "'",
]
"""Names that would collide if a store joined them without escaping."""


def flow(name: str = "deploy", note: str = "") -> Flow:
    steps = (ActionStep(name="build", action="build", routes=(Route(target="done"),), args={"note": note}),)
    return Flow(name=name, steps=steps)


def a_run(name: str = "r1", namespace: str = "ns", at: int = START, **changes: Any) -> Run:
    """Return a run at its first step, with a timer in one minute."""
    run_id = changes.pop("id", f"id-{namespace}-{name}")
    activation = Activation(uuid=mint_uuid(run_id, "build", name, 1), since=at, deadline=at + 60_000)
    run = Run(
        namespace=namespace,
        name=name,
        id=run_id,
        status=Status.RUNNING,
        definition=DefinitionRef(flow="deploy", version=1, actions={"build": 1}),
        created_at=at,
        updated_at=at,
        timer_at=at + 60_000,
        tokens=(Token(step="build", activation=activation),),
        stored_tail=Entries.of((Entry(seq=1, at=at, event="started", target="build"),)),
    )
    return msgspec.structs.replace(run, **changes)


def new(run: Run, own: Flow | None = None) -> NewRun:
    return NewRun(run, own)


def after(run: Run, **changes: Any) -> Run:
    """Return the next version of the run."""
    return msgspec.structs.replace(run, version=run.version + 1, **changes)


def a_page(first: int, last: int) -> Page:
    entries = (Entry(seq=seq, at=START + seq, event="acked", step="build") for seq in range(first, last + 1))
    return Page(stored=Entries.of(entries))


def a_definition(name: str = "deploy", version: int = 1, kind: Kind = Kind.FLOW, note: str = "") -> Definition:
    return Definition(
        kind=kind,
        name=name,
        version=version,
        uuid=f"{name}-{version}",
        text=f"flow {name} {{ {note} }}",
        value=encode(flow(name, note)),
        created_at=START,
    )


def a_delivery(uuid: str, at: int = START, **changes: Any) -> DeliveryRecord:
    sent = Sent(duration=12, status=503, address="http://work.test/")
    return DeliveryRecord(uuid=uuid, at=at, **{"sent": sent, "args": {"order": "ä", "n": [1, None]}, **changes})


def a_signal(number: int = 0, **changes: Any) -> Signal:
    """Return the signal `paid` with the key `k`, published `number` ms after START and kept for a second."""
    at = changes.pop("at", START + number)
    signal = Signal(
        id=f"s{number:03}", name="paid", key="k", data={"n": number}, at=at, until=at + 900, expires_at=at + 1_000
    )
    return msgspec.structs.replace(signal, **changes)


def a_subscription(**changes: Any) -> Subscription:
    subscription = Subscription(name="paid", key="k", run="r1", uuid="u1", until=START + 60_000)
    return msgspec.structs.replace(subscription, **changes)


def a_task(number: int = 0, **changes: Any) -> Task:
    task = Task(run=f"r{number}", uuid=f"u{number:03}", since=START, until=START + 60_000)
    return msgspec.structs.replace(task, **changes)


def a_state(name: str = "nightly", version: int = 1, **changes: Any) -> ScheduleState:
    """Return the state of a schedule that must be looked at now."""
    changes = {"uuid": f"id-{name}", "definition": 1, "done": START, "wake_at": START, **changes}
    return ScheduleState(name=name, version=version, **changes)


def a_slot(outcome: SlotOutcome = SlotOutcome.SKIPPED, **changes: Any) -> SlotRecord:
    return SlotRecord(slot=START, outcome=outcome, decided_at=START + 1, **changes)


def a_waiter(number: int = 0, **changes: Any) -> Waiter:
    waiter = Waiter(at=START, uuid=f"u{number:03}", run=f"r{number}", id=f"id-{number}", concurrent=1)
    return msgspec.structs.replace(waiter, **changes)
