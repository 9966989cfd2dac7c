"""How the processes of one server share an SQLite file: what each has that one process alone does not need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.service.ports.changes import Changes
from chalicelib.service.security.rate_limits import CallTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """One process among others."""

    process: int
    """Its number, from 0."""
    turns: int
    """The descriptor of a file of which a lock says which process may write."""
    changes: Changes
    """Wakes those that wait in any of the processes."""
    call_times: CallTimes
    caches_changed: Callable[[], None]
    """Has the other processes read again what they keep in memory of definitions, pauses, tokens and secrets."""
    collect_statistics: Callable[[], None]
    """Has the other processes store what they have counted of deliveries."""
