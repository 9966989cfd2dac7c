"""Timers that are due: of runs and of schedules, from the index of timers."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.details.waits import Deadline, deadlines
from chalicelib.service.errors import Malformed, NotFound
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.ports.schedules import ScheduleStore
from chalicelib.service.runs.offloading import OffloadingRunStore

MAX_READ_TIMERS: Final = 2_000
"""How many timers one request reads at most: the index holds those of all namespaces."""


class _Place(NamedTuple):
    """The place of a timer in the list."""

    at: Instant
    is_schedule: bool
    name: str


@dataclass(frozen=True, slots=True)
class ShownTimer:
    """A timer of a run, with what ends when it fires; or of a schedule, without."""

    at: Instant
    name: str
    is_schedule: bool
    deadline: Deadline | None = None


class Timers:
    """Lists timers."""

    def __init__(self, runs: RunStore, schedules: ScheduleStore, definition_cache: DefinitionCache) -> None:
        self._index = runs
        self._heads = OffloadingRunStore(runs)
        self._schedules = schedules
        self._definition_cache = definition_cache

    def due(
        self, namespace: str, until: Instant, limit: int, cursor: str | None
    ) -> tuple[Sequence[ShownTimer], str | None]:
        """Return the namespace's timers that are set for `until` or before, earliest first, and the next cursor.

        A page may be shorter than `limit`, or empty, and yet have a cursor. Raises Malformed for a wrong cursor.
        """
        after = _place_in(cursor) if cursor else None
        places, horizon = self._places(namespace, until, after)
        more = _Place(horizon, is_schedule=False, name="") if horizon is not None else None
        if len(places) > limit:
            more = places[limit - 1]
        shown = (self._shown(namespace, one) for one in places[:limit])
        found = sorted((one for one in shown if one is not None and one.at <= until), key=lambda one: one.at)
        return found, _cursor_of(more) if more else None

    def _places(self, namespace: str, until: Instant, after: _Place | None) -> tuple[list[_Place], Instant | None]:
        """Return the places behind `after` that one request reads, in order, and from when on others were not read."""
        since, limit = after.at if after else 0, MAX_READ_TIMERS
        while True:
            runs = self._index.due(until, limit, since)
            schedules = self._schedules.due(until, limit, since)
            horizon = min((found[-1].at for found in (runs, schedules) if len(found) == limit), default=None)
            if horizon is None or horizon > since:
                break
            limit *= 2  # that many timers have the same moment
        found = [_Place(one.at, is_schedule=False, name=one.run) for one in runs if one.namespace == namespace]
        found += [_Place(one.at, is_schedule=True, name=one.name) for one in schedules if one.namespace == namespace]
        behind = (one for one in found if after is None or one > after)
        return sorted(one for one in behind if horizon is None or one.at < horizon), horizon

    def _shown(self, namespace: str, place: _Place) -> ShownTimer | None:
        """Return the timer with what it is about; None if its run has gone on since the index was read."""
        if place.is_schedule:
            return ShownTimer(place.at, place.name, is_schedule=True)
        run = self._heads.head(namespace, place.name)
        if run is None or run.timer_at is None:
            return None
        try:
            found = deadlines(self._definition_cache.of(run), run)
        except NotFound:
            found = []
        first = found[0] if found else None
        return ShownTimer(first.at if first else run.timer_at, run.name, is_schedule=False, deadline=first)


def _cursor_of(place: _Place) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _place_in(cursor: str) -> _Place:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        return _Place(*msgspec.json.decode(raw, type=tuple[Instant, bool, str]))
    except (ValueError, msgspec.DecodeError):
        raise Malformed("the cursor is not one that a list of timers returned") from None
