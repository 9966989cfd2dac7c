"""Which events a run has already taken."""

from __future__ import annotations

from typing import Final

from chalicelib.model.run import Run
from chalicelib.model.times import Instant

REMEMBERED_EVENTS: Final = 16
"""How many events of a name and key a run remembers to have taken."""


def took(run: Run, name: str, key: str, place: str) -> bool:
    """Whether the run took the event with that name and key at that place.

    The last places are known one by one: of two events that came at once, or by clocks that differ, both are taken.
    What lies before all of them counts as taken.
    """
    known = run.received.get(subject(name, key), ())
    return place in known or (len(known) == REMEMBERED_EVENTS and place < min(known))


def take(run: Run, name: str, key: str, place: str) -> dict[str, tuple[str, ...]]:
    """`heard`, once the run has taken that event."""
    known = (*run.received.get(subject(name, key), ()), place)
    return {**run.received, subject(name, key): known[-REMEMBERED_EVENTS:]}


def taken_until(run: Run, name: str, key: str) -> Instant:
    """The moment before which every event with that name and key counts as taken."""
    known = run.received.get(subject(name, key), ())
    return int(min(known).partition("/")[0]) if len(known) == REMEMBERED_EVENTS else 0


def subject(name: str, key: str) -> str:
    """What events with that name and key are about: one of them is taken after the other."""
    return f"{name}\n{key}"
