"""The events that a run has taken: it takes each event once."""

from __future__ import annotations

from typing import Final

from chalicelib.model.run import Run
from chalicelib.model.times import Instant

REMEMBERED_EVENTS: Final = 16
"""How many events of a name and key a run remembers individually."""


def took(run: Run, name: str, key: str, place: str) -> bool:
    """Return whether the run took the event with this name and key at this place.

    The last places are remembered individually. So the run takes both of two events with the same time, or with
    times of different clocks. All events before the remembered ones count as taken.
    """
    known = run.received.get(subject(name, key), ())
    return place in known or (len(known) == REMEMBERED_EVENTS and place < min(known))


def take(run: Run, name: str, key: str, place: str) -> dict[str, tuple[str, ...]]:
    """Return the run's `received` with this event added."""
    known = (*run.received.get(subject(name, key), ()), place)
    return {**run.received, subject(name, key): known[-REMEMBERED_EVENTS:]}


def taken_until(run: Run, name: str, key: str) -> Instant:
    """Return the moment before which every event with this name and key counts as taken."""
    known = run.received.get(subject(name, key), ())
    return int(min(known).partition("/")[0]) if len(known) == REMEMBERED_EVENTS else 0


def subject(name: str, key: str) -> str:
    """Return the key under which a run remembers events with this name and key."""
    return f"{name}\n{key}"
