"""How many activations of an action are in flight, and how many wait to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chalicelib.engine.invocation import invocation_of, limiter_name
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import LIVE
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.details.kinds import WaitKind
from chalicelib.service.details.waits import wait_of
from chalicelib.service.errors import NotFound
from chalicelib.service.limits.limiter import Limiter
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.offloading import OffloadingRunStore

MAX_COUNTED_RUNS: Final = 500
"""How many of the newest runs that have not ended are looked at."""

MAX_LIMITERS: Final = 20
"""Of how many values of the key of a limit the queues are read."""

_IN_FLIGHT: Final = frozenset({WaitKind.ACTION, WaitKind.PERSON})
_WAITING: Final = frozenset({WaitKind.LIMIT, WaitKind.BREAKER, WaitKind.RETRY, WaitKind.PAUSED, WaitKind.APPROVAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Activations of an action, among those of `runs` live runs; of all of them if `is_complete`."""

    in_flight: int
    waiting: int
    runs: int
    is_complete: bool


class ActivityReader:
    """Counts activations of actions."""

    def __init__(self, runs: OffloadingRunStore, definition_cache: DefinitionCache, limiter: Limiter) -> None:
        self._runs = runs
        self._definition_cache = definition_cache
        self._limiter = limiter

    def of(self, namespace: str, action: str) -> Activity:
        """Return how many activations of the action are in flight, and how many wait to be sent."""
        listing = self._runs.stored(namespace, RunQuery(statuses=LIVE, limit=MAX_COUNTED_RUNS))
        holders: dict[str, frozenset[str]] = {}
        in_flight = waiting = 0
        for stored in listing.runs:
            run = self._runs.whole(stored)
            for token, activation, invocation in self._sent(run, action):
                kind = self._kind(run, token, activation, invocation, holders)
                in_flight += kind in _IN_FLIGHT
                waiting += kind in _WAITING
        return Activity(
            in_flight=in_flight, waiting=waiting, runs=len(listing.runs), is_complete=listing.cursor is None
        )

    def _sent(self, run: Run, action: str) -> Iterator[tuple[Token, Activation, Invocation]]:
        """Yield the tokens that wait for the action."""
        try:
            definition = self._definition_cache.of(run)
        except NotFound:
            return
        if action not in definition.actions:
            return
        for token in run.tokens:
            invocation = invocation_of(definition, run, token) if token.activation else None
            if token.activation and invocation and invocation.action.name == action:
                yield token, token.activation, invocation

    def _kind(
        self,
        run: Run,
        token: Token,
        activation: Activation,
        invocation: Invocation,
        holders: dict[str, frozenset[str]],
    ) -> WaitKind | None:
        limit, is_queued = invocation.options.limit, False
        if limit is not None and limit.concurrent is not None:
            name = limiter_name(invocation, activation)
            if name not in holders and len(holders) < MAX_LIMITERS:
                holders[name] = frozenset(self._limiter.crowd(run.namespace, name, 1)[0])
            is_queued = name in holders and activation.uuid not in holders[name]
        found = wait_of(self._definition_cache.of(run), run, token, is_queued=is_queued)
        return found.kind if found else None
