"""Pages: the tail of a run's history becomes a page when it is full."""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.model.flow import ENDS
from chalicelib.model.history import Entries, Entry, Page
from chalicelib.model.run import Run

MAX_TAIL_ENTRIES: Final = 12

MAX_TAIL_BYTES: Final = 768
"""Bytes of JSON. With it the head of a plain run stays below 1 KB on DynamoDB, which bills writes by the kilobyte, and
a page too. An entry has about 45 of them, and its data."""

MAX_PAGED_STEPS: Final = 100
"""Different steps whose last states the head keeps. Beyond that they are read from the pages."""


def turn_page(before: Run | None, after: Run) -> tuple[Run, Page | None]:
    """Return `after` with room in its tail, and the page to write first if the committed tail of `before` was full.

    A tail is never empty: the next entry's number follows that of its last entry.
    """
    new = after.stored_tail.since(before.seq if before is not None else 0)
    if before is None or not new or not _is_full(before.stored_tail):
        return _without_returned(after, new), None
    after = msgspec.structs.replace(after, stored_tail=Entries.of(new), paged_steps=_paged_steps(before))
    return _without_returned(after, new), Page(stored=before.stored_tail)


def _without_returned(run: Run, new: tuple[Entry, ...]) -> Run:
    """Return the run without the paged states of steps that returned in a new entry: the head stays small."""
    if not run.paged_steps:
        return run
    returned = {entry.step for entry in new if entry.is_return}
    kept = {name: state for name, state in run.paged_steps.items() if name not in returned}
    return run if len(kept) == len(run.paged_steps) else msgspec.structs.replace(run, paged_steps=kept)


def _paged_steps(before: Run) -> dict[str, str | None] | None:
    """Return `paged_steps` of a run whose tail becomes a page. None if there are too many steps."""
    if before.paged_steps is None and before.stored_tail.first > 1:
        return None
    steps = dict(before.paged_steps or {})
    for returned, state, target in before.stored_tail.moves():
        if target not in ("", *ENDS):
            steps.setdefault(target, None)
        if returned:
            steps[returned] = state
    return steps if len(steps) <= MAX_PAGED_STEPS else None


def _is_full(tail: Entries) -> bool:
    """Return whether the committed tail becomes a page.

    Two that decide from the same head turn the same page, whether they have read the head or just written it.
    """
    return len(tail.items) >= MAX_TAIL_ENTRIES or len(msgspec.json.encode(tail.packed())) > MAX_TAIL_BYTES
