"""History entries as they are stored: short, and without loss."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.model.history import NO_ENTRIES, Entries, Entry, Page, Sent, decode_page, encode_page
from chalicelib.model.run_error import StepError

UUID_TEXT = "ee1e5da9-3cff-867c-9653-dada5082c537"
ODD_UUIDS = ["", "u-1", UUID_TEXT.upper(), UUID_TEXT.replace("-", "0"), "x" * 36, f" {UUID_TEXT[1:]}", UUID_TEXT * 2]

NAMES = st.sampled_from(["", "A", "Ship", "ü b", "done", "0", "0.goods", "ready", "StepAcked", "action", "timer"])
JSON: st.SearchStrategy[Any] = st.sampled_from(
    [None, False, 0, 7, 1.5, "", "ü", [], [None, {"a": []}], {}, {"id": 4711, "": [1]}]
)
SENT = st.builds(Sent, duration=st.integers(0, 9), status=st.none() | st.integers(0, 599), address=NAMES)
ENTRY = st.builds(
    Entry,
    seq=st.just(0),
    at=st.integers(0, 2_000_000_000_000),
    event=st.sampled_from(["StepAcked", "TimerRang", "RunStarted", "DeliveryFailed"]),
    step=NAMES,
    origin=NAMES,
    target=NAMES,
    state=NAMES,
    data=JSON,
    vars=st.sampled_from([{}, {"a": 1}, {"a": None, "b": [{}]}]),
    removed=st.sampled_from([(), ("a",), ("a", "b")]),
    by=NAMES,
    token=NAMES,
    uuid=st.sampled_from(ODD_UUIDS) | st.uuids().map(str),
    error=NAMES,
    error_name=NAMES,
    rule=st.none() | st.integers(0, 3),
    route=st.integers(0, 3),
    sent=st.none() | SENT,
    returned=st.none() | st.builds(StepError, name=NAMES, cause=NAMES),
    response=st.sampled_from([None, {}, {"status": 200}]),
    nonce=NAMES,
)  # fmt: skip


def numbered(entries: list[Entry], first: int = 1) -> tuple[Entry, ...]:
    return tuple(msgspec.structs.replace(entry, seq=number) for number, entry in enumerate(entries, first))


def stored(entries: Entries) -> Entries:
    """The entries as a store returns them."""
    return decode_page(encode_page(Page(stored=entries))).stored


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ENTRY, min_size=1, max_size=5), st.lists(ENTRY, max_size=3), st.integers(1, 99))
def test_what_is_stored_is_read_again(early: list[Entry], late: list[Entry], first: int) -> None:
    every = numbered([*early, *late], first)
    before, new = every[: len(early)], every[len(early) :]
    whole = Entries.of(every)
    grown = stored(Entries.of(before)).plus(new)
    assert stored(whole).entries == stored(grown).entries == grown.entries == every
    assert stored(whole) == grown == whole
    moves = [(entry.step if entry.is_return else "", entry.state, entry.target) for entry in every]
    assert list(whole.moves()) == list(stored(whole).moves()) == moves
    assert (grown.first, grown.last) == (first, first + len(every) - 1)
    for seq in range(first - 1, first + len(every)):
        later = tuple(entry for entry in every if entry.seq > seq)
        assert grown.since(seq) == grown.packed().since(seq) == stored(grown).since(seq) == later


def test_no_entries() -> None:
    assert (NO_ENTRIES.entries, NO_ENTRIES.last, NO_ENTRIES.since(0), NO_ENTRIES.packed()) == ((), 0, (), NO_ENTRIES)
    assert Entries.of(()) == NO_ENTRIES != Entries.of((Entry(seq=1, at=0, event="RunStarted"),))
    assert NO_ENTRIES != ()


def test_values_are_changed_where_they_are() -> None:
    entries = Entries.of(numbered([
        Entry(seq=0, at=5, event="StepAcked", data={"large": 1}),
        Entry(seq=0, at=6, event="VarsSet", vars={"a": "big", "b": 2}, by="x"),
        Entry(seq=0, at=7, event="RunPaused", error="big"),
    ]))  # fmt: skip
    assert entries.changed(lambda value: value) == entries
    changed = stored(entries.changed(lambda value: "*" if value in ("big", {"large": 1}) else value)).entries
    assert [(one.data, one.vars) for one in changed] == [("*", {}), (None, {"a": "*", "b": 2}), (None, {})]
    assert [(one.at, one.by, one.error) for one in changed] == [(5, "", ""), (6, "x", ""), (7, "", "big")]


ACKED: dict[str, Any] = {"e": "StepAcked", "s": "Pay", "f": "Pay", "g": "Ship", "a": "PAID", "b": "action"}
OLD: list[dict[str, Any]] = [
    {"n": 4, "t": 1_800_000_000_000, **ACKED, "u": UUID_TEXT, "d": {"id": 7}, "h": {"m": 12, "s": 200}},
    {"n": 5, "t": 1_800_000_000_734, **ACKED, "s": "Ship", "f": "Ship", "g": "done", "u": "u", "k": "0.goods"},
    {"n": 6, "t": 1_800_000_000_700, "e": "RunPaused", "b": "ann"},
]


def test_a_page_of_an_earlier_version_is_read_and_stored_shorter() -> None:
    page = decode_page(json.dumps({"entries": OLD}))
    assert page.entries == tuple(msgspec.convert(OLD, list[Entry]))
    assert page.last == 6
    assert json.loads(encode_page(page)) == {
        "f": 2,
        "entries": [4, 1_800_000_000_700, [
            [0, "Ship", "PAID", "7h5dqTz_hnyWU9raUILFNw", {"s": "Pay", "h": [12, 200], "d": {"id": 7}}],
            [734, "done", "PAID", "", {"k": "0.goods", "u": "u"}],
            [-34, "", "", "", {"s": "", "e": "RunPaused", "b": "ann"}],
        ]],
    }  # fmt: skip


@pytest.mark.parametrize("uuid", ODD_UUIDS[1:])
def test_only_a_uuid_as_it_is_spelled_here_is_shortened(uuid: str) -> None:
    (item,) = json.loads(encode_page(Page(stored=Entries.of((Entry(seq=1, at=0, event="X", uuid=uuid),)))))["entries"][
        2
    ]
    assert item[4]["u"] == uuid
    assert UUID(UUID_TEXT)
