"""How much of a run one request reads and shows (LIMITS.md)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.model.history import Entries, Entry, Page, Sent
from chalicelib.model.ids import mint_uuid
from chalicelib.service.deliveries.recorder import MAX_ARGS_BYTES
from chalicelib.service.details.activations import MAX_DELIVERIES
from chalicelib.service.details.activity import MAX_COUNTED_RUNS
from chalicelib.service.details.run_details import MAX_CHILDREN, children_of
from chalicelib.service.ports.deliveries import DeliveryRecord
from chalicelib.service.runs.entries import MAX_READ_ENTRIES
from chalicelib.service.runs.start import StartOrder
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import defined
from tests.hosts import NS, Host


def passed(seq: int, **more: Any) -> Entry:
    fields = {"event": "StepAcked", "step": "A", "origin": "A", "target": "A", "state": "FAIL", **more}
    return Entry(seq=seq, at=seq, **fields)


def test_so_many_entries_are_read_and_no_more(host: Host) -> None:
    """A graph counts the newest ones; an older activation is found by an entry of it."""
    defined(WORK, TWO)
    run = host.start("two", order="o")
    old, last = mint_uuid(run.id, "A", "0" * 32, 7), MAX_READ_ENTRIES + 5_000
    for first in range(1, last, 1_000):
        entries = [passed(seq, uuid=old if seq == 1_500 else "") for seq in range(first, first + 1_000)]
        host.store.runs.put_page(run, Page(stored=Entries.of(entries)))
    host.store.runs.save(replace(run, version=2, stored_tail=Entries.of((passed(last + 1),))), seen=1)
    graph = call("GET", "/flowrun/r/graph").json
    assert graph["partial"] == {"from": last + 2 - MAX_READ_ENTRIES}
    assert next(node["visits"] for node in graph["nodes"] if node["name"] == "A") == MAX_READ_ENTRIES
    reply = call("GET", f"/flowrun/r/activation/{old}")
    assert reply.status == 404
    assert f"from {last + 2 - MAX_READ_ENTRIES} on" in reply.json["message"]
    found = call("GET", f"/flowrun/r/activation/{old}?seq=1500").json
    assert (found["step"], found["state"], found["answer"]["seq"]) == ("A", "FAIL", 1_500)
    assert "partial" not in found
    assert call("GET", "/flowrun/r/cost").json["pages"] == (last + 1) // 1_000


def test_so_many_deliveries_are_shown(host: Host) -> None:
    defined(WORK, TWO)
    run = host.start("two", order="o")
    uuid = host.uuid("A")
    for number in range(MAX_DELIVERIES + 1):
        host.store.deliveries.put(run, DeliveryRecord(uuid=uuid, at=number, sent=Sent(duration=1)))
    assert len(call("GET", f"/flowrun/r/activation/{uuid}").json["deliveries"]) == MAX_DELIVERIES


def test_large_args_are_not_recorded(host: Host) -> None:
    host.rebuild(replace(host.services.settings, delivery_log=True))
    hosting.use(host.services)
    defined(WORK, TWO)
    for name, size in (("small", MAX_ARGS_BYTES - 100), ("large", MAX_ARGS_BYTES)):
        run = host.start("two", name, order="o" * size)
        host.settle()
        (record,) = host.store.deliveries.of(run, host.uuid("A", name), 9)
        assert (record.args is None) is (name == "large")


def test_so_many_children_are_shown(host: Host) -> None:
    host.submit(
        "flow child set S => (DONE -> done); flow_end\n/\nflow top call C => (DONE -> done) { flow = child; }; flow_end"
    )
    host.start("top")
    run = host.run()
    entries = tuple(
        Entry(seq=seq, at=seq, event="ChildEnded", step="C", origin="C", state="DONE", uuid=f"u{seq}")
        for seq in range(1, MAX_CHILDREN + 50)
    )
    found = children_of(run, host.services.definition_cache.of(run), entries)
    assert len(found) == MAX_CHILDREN
    assert [(one.state, one.uuid) for one in found[:2]] == [("", host.uuid("C")), ("DONE", f"u{MAX_CHILDREN + 49}")]


def test_so_many_runs_are_looked_at(host: Host) -> None:
    defined(WORK, TWO)
    for number in range(MAX_COUNTED_RUNS):
        host.services.starter.start(NS, _order(f"r{number}"))
    status = call("GET", "/action/work").json["status"]
    assert (status["in_flight"], status["counted_runs"], status["complete"]) == (
        MAX_COUNTED_RUNS,
        MAX_COUNTED_RUNS,
        True,
    )
    host.services.starter.start(NS, _order("one more"))
    status = call("GET", "/action/work").json["status"]
    assert (status["in_flight"], status["counted_runs"], status["complete"]) == (
        MAX_COUNTED_RUNS,
        MAX_COUNTED_RUNS,
        False,
    )


def _order(name: str) -> StartOrder:
    return StartOrder(flow="two", name=name, input={"order": "o"})


def test_so_many_versions_are_expected(host: Host) -> None:
    query = "&".join(f"expect=flow:f{number}@0" for number in range(100))
    assert call("POST", f"/fsl?{query}", WORK).status == 200
    assert call("POST", f"/fsl?{query}&expect=flow:x@0", WORK).code == "malformed"
