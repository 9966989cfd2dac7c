"""Pages: the tail of a run's history becomes a page when it is full."""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.model.flow import ENDS
from chalicelib.model.history import Entry, Page
from chalicelib.model.run import Run

MAX_TAIL_ENTRIES: Final = 8

MAX_TAIL_BYTES: Final = 384
"""Bytes of JSON."""

MAX_PAGED_STEPS: Final = 100
"""Different steps whose last states the head keeps. Beyond that they are read from the pages."""


def turn_page(before: Run | None, after: Run) -> tuple[Run, Page | None]:
    """Return `after` with room in its tail, and the page to write first if the committed tail of `before` was full.

    A tail is never empty: the next entry's number follows that of its last entry.
    """
    new = after.tail[len(before.tail) :] if before is not None and _full(before.tail) else ()
    if before is None or not new:
        return _without_tail(after), None
    after = msgspec.structs.replace(after, tail=new, paged_steps=_paged_steps(before))
    return _without_tail(after), Page(entries=before.tail)


def _without_tail(run: Run) -> Run:
    """Return the run without the paged states of steps whose later return is in the tail: the head stays small."""
    if not run.paged_steps:
        return run
    returned = {entry.step for entry in run.tail if entry.is_return}
    kept = {name: state for name, state in run.paged_steps.items() if name not in returned}
    return run if len(kept) == len(run.paged_steps) else msgspec.structs.replace(run, paged_steps=kept)


def _paged_steps(before: Run) -> dict[str, str | None] | None:
    """Return `paged_steps` of a run whose tail becomes a page. None if there are too many steps."""
    if before.paged_steps is None and before.tail[0].seq > 1:
        return None
    steps = dict(before.paged_steps or {})
    for entry in before.tail:
        if entry.target not in ("", *ENDS):
            steps.setdefault(entry.target, None)
        if entry.is_return:
            steps[entry.step] = entry.state
    return steps if len(steps) <= MAX_PAGED_STEPS else None


def _full(tail: tuple[Entry, ...]) -> bool:
    return len(tail) >= MAX_TAIL_ENTRIES or len(msgspec.json.encode(tail)) > MAX_TAIL_BYTES
