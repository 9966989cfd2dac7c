"""What a head remembers of history pages."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chalicelib.engine.paging import MAX_PAGED_STEPS, MAX_TAIL_ENTRIES, turn_page
from chalicelib.model.history import Entries, Entry
from chalicelib.model.run import DefinitionRef, Run, decode_run, encode

BEGUN = Entry(seq=1, at=0, event="RunStarted", origin="ready", target="A")


def head(*entries: Entry, paged: dict[str, str | None] | None = None) -> Run:
    return Run(
        namespace="n", name="r", id="i", definition=DefinitionRef(), created_at=0, updated_at=0,
        stored_tail=Entries.of(entries), paged_steps=paged,
    )  # fmt: skip


def returned(step: str, state: str, target: str) -> Entry:
    return Entry(seq=1, at=0, event="StepAcked", step=step, origin=step, target=target, state=state)


def numbered(*entries: Entry, first: int = 1) -> tuple[Entry, ...]:
    """The entries, and so many reports behind them that they fill a tail."""
    report = Entry(seq=1, at=0, event="StepReported", step="A", origin="A", state="OK")
    full = [*entries, *[report] * (MAX_TAIL_ENTRIES - len(entries))]
    return tuple(replace(entry, seq=first + number) for number, entry in enumerate(full))


def paged(before: Run) -> dict[str, str | None] | None:
    """What the head remembers once its tail became a page."""
    after, page = turn_page(
        before, replace(before, stored_tail=before.stored_tail.plus((replace(BEGUN, seq=before.seq + 1),)))
    )
    assert page is not None
    assert page.entries == before.tail
    return after.paged_steps


def test_states_of_paged_steps_stay_in_the_head() -> None:
    moves = (
        BEGUN,
        returned("A", "OK", "B"),
        returned("B", "", "C"),
        Entry(seq=1, at=0, event="RunFailed", step="C", origin="C", target="stopped"),
        Entry(seq=1, at=0, event="RunRetried", step="C", origin="stopped", target="C"),
    )
    assert paged(head(*numbered(*moves))) == {"A": "OK", "B": "", "C": None}


def test_a_later_page_adds_to_earlier_ones() -> None:
    earlier: dict[str, str | None] = {"A": "OK", "B": None, "C": "LATE"}
    entries = numbered(returned("B", "DONE", "C"), returned("C", "AGAIN", "C"), first=9)
    assert paged(head(*entries, paged=earlier)) == {"A": "OK", "B": "DONE", "C": "AGAIN"}
    assert earlier["B"] is None


def test_pages_that_an_earlier_version_wrote_leave_it_unknown() -> None:
    assert paged(head(*numbered(returned("B", "DONE", "C"), first=9))) is None


@pytest.mark.parametrize("more", [0, 1])
def test_so_many_steps_are_remembered_and_no_more(more: int) -> None:
    earlier: dict[str, str | None] = {f"S{number}": "OK" for number in range(MAX_PAGED_STEPS - 1 + more)}
    found = paged(head(*numbered(returned("B", "OK", "done"), first=9), paged=earlier))
    assert (found is None) is bool(more)


def test_a_tail_with_room_is_no_page() -> None:
    before = head(BEGUN)
    after = replace(before, stored_tail=Entries.of((BEGUN, replace(BEGUN, seq=2))))
    assert turn_page(before, after) == (after, None)


@pytest.mark.parametrize("count", range(1, MAX_TAIL_ENTRIES + 1))
def test_a_head_that_was_just_written_turns_the_same_page_as_one_that_was_read(count: int) -> None:
    """Otherwise two that decide at the same time write pages that overlap, whichever of them commits."""
    uuid = "8101479c-1baa-84f3-ba2a-d9fd91884373"
    answers = [
        replace(returned("A", "OK", "A"), seq=seq, at=seq, uuid=uuid, data={"v": seq}, nonce="0ee07c99d7d2ea9f" * 2)
        for seq in range(1, count + 1)
    ]
    written = head(*answers)
    read = decode_run(encode(written))
    made = replace(answers[0], seq=count + 1)
    assert turn_page(written, replace(written, stored_tail=written.stored_tail.plus((made,)))) == turn_page(
        read, replace(read, stored_tail=read.stored_tail.plus((made,)))
    )
