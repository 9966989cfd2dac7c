"""Stored data of released versions: the current code reads all of it, and carries every run to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.adapters.memory import MemoryQueue
from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.message_queue import SqliteQueue
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.model.status import Status
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.runs.start import StartOrder
from tests.adapters import released
from tests.adapters.released import Services010
from tests.fakes import FakeClock

SUCCEED = {
    "at-action",
    "calls",
    "calls.Child",
    "ended-with-pages",
    "folded",
    "in-each",
    "in-fork",
    "large-value",
    "naps",
    "not-delivered",
    "other/at-action",
    "own_steps",
    "paused",
    "paused-before-delivery",
    "reporting",
    "retrying",
    "succeeded",
    "to-compensate",
    "took-event",
    "waits-for-approval",
    "waits-for-event",
    "waits-for-person",
    "waits-for-time",
    "with-pages",
    "with-secret-result",
    "with-secrets",
}
FAIL = {"compensating", "failed"}
CANCELED = {"canceled"}


@pytest.fixture(params=["sqlite", "dynamodb"])
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services010]:
    clock = FakeClock(released.MADE_AT)
    if request.param == "sqlite":
        database = Database.open(released.sqlite_file(tmp_path))
        yield Services010(SqliteStore(database), SqliteQueue(database, clock), clock)
        database.close()
        return
    dynamo: DynamoStore = request.getfixturevalue("dynamo")
    for item in released.dynamodb_items():
        dynamo.table.client.put_item(TableName="echoer", Item=item)
    queue = MemoryQueue(clock)
    released.send_messages(queue)
    yield Services010(dynamo, queue, clock)


def _plain(name: str) -> str:
    """Return the name without the random part of a called run's name."""
    return name.rpartition(".")[0] if name.count(".") == 2 else name


def test_every_run_can_be_read_with_its_history(services: Services010) -> None:
    runs = services.runs()
    assert {_plain(name) for name in runs} == SUCCEED | FAIL | CANCELED
    for run in runs.values():
        entries = services.made.reader.history(run.namespace, run.name, 0, 10_000)
        assert [entry.seq for entry in entries] == list(range(1, run.seq + 1))
    assert len(runs["folded"].vars) == 3_501
    assert runs["large-value"].vars["note"] == "large note " * 1_000
    assert runs["at-action"].labels == {"customer": "c-1", "urgent": True}
    assert runs["at-action"].vars["added"] == [1, 2.5, None, {"deep": "ü"}]


def test_every_run_can_be_carried_to_its_end(services: Services010) -> None:
    services.carry_to_the_end()
    ended = {_plain(name): run.status for name, run in services.runs().items()}
    expected = {
        **dict.fromkeys(SUCCEED, Status.SUCCEEDED),
        **dict.fromkeys(FAIL, Status.FAILED),
        **dict.fromkeys(CANCELED, Status.CANCELED),
    }
    assert ended == expected
    output = services.runs()["in-each"].output
    assert output[:2] == [{"text": "large " * 2_000}, {"text": "small"}]
    assert [result["note"] for result in output[2:]] == ["answered"] * 4


def test_secrets_can_be_decrypted(services: Services010) -> None:
    services.made.operator.stop("default", "with-secrets")
    services.made.operator.retry("default", "with-secrets")
    services.pump()
    (call,) = [call for call in services.calls if call.addresses == ("http://bank.example/pay",)]
    body = json.loads(call.body)
    assert (body["card"], body["key"]) == ("4000-1234-5678", "key-of-the-bank")
    assert call.headers["Authorization"] == "Bearer of-the-bank"


def test_definitions_can_be_read_in_every_version(services: Services010) -> None:
    reader = services.made.reader
    defaults = [
        json.loads(reader.definition("default", Kind.ACTION, "work", version).value)["parameters"][0]["default"]
        for version in (1, 2, 3)
    ]
    assert defaults == ["none", "nothing", ""]
    names = {found.name for found in reader.definitions("default", Kind.FLOW, 100, "")}
    assert "plain" in names
    assert "dropped" not in names
    latest = services.made.adapters.store.definitions.latest("default", Kind.FLOW, ["dropped"], deleted=True)
    assert (latest["dropped"].version, latest["dropped"].deleted) == (1, True)


def test_tokens_secrets_keys_tasks_and_events_can_be_read(services: Services010) -> None:
    made = services.made
    assert [(token.name, token.role, token.is_good(services.clock.now())) for token in made.tokens.of("default")] == [
        ("deployer", "author", True),
        ("viewer", "viewer", True),
        ("leaver", "operator", False),
    ]
    assert [secret.name for secret in made.secrets.of("default")] == ["bank.auth", "bank.key"]
    order = StartOrder(flow="plain", name="at-action", labels={"customer": "c-1", "urgent": True}, key="order-1")
    assert not made.starter.start("default", order).created
    assert {task.run for task in made.inbox.open("default", 100)} == {"waits-for-person", "waits-for-approval"}
    events = {(event.name, event.key): event.data for event in made.reader.signals("default", 100)}
    assert events == {
        ("nobody.waits", "k"): {"kept": True},
        ("nobody.waits", "large"): "x" * 40_000,
        ("for.one.run", ""): {"only": "at-action"},
        ("payment.received", "e-1"): {"amount": 7},
        ("payment.received", "e-2"): {"amount": 5},
    }
