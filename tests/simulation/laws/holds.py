"""Paused actions and flows hold what they must, and a batch commands each run once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from chalicelib.adapters.memory import MemoryStore
from chalicelib.engine.invocation import invocation_of
from chalicelib.engine.suspensions import action_of
from chalicelib.model.definition import Definition
from chalicelib.model.history import Entry
from chalicelib.model.holds import HeldKind
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.holds.book import MAX_AGE_MS, Holds
from chalicelib.service.holds.gate import queue_of
from chalicelib.service.messages import ReleaseHeld, Wake
from tests.simulation.messages import Messages

KNOWN_MS: Final = 64_000 + MAX_AGE_MS
"""What was paused so long ago, every handler knows: none lives longer than a minute, and clocks differ a little."""

_COMMANDS: Final = frozenset({"RunRetried", "RunPaused", "RunContinued", "RunStopped"})


class HoldLaws:
    """What is known of pauses and batches, in addition to the heads."""

    def __init__(self, store: MemoryStore, messages: Messages) -> None:
        self._store = store
        self._messages = messages
        self._commanded: Counter[tuple[str, str]] = Counter()
        """How often a batch commanded a run, by the batch's name in the history and the run's id."""

    def holds(self, namespace: str) -> Holds:
        """Return what is paused."""
        value, _ = self._store.versioned_values.read(namespace, "holds")
        return msgspec.json.decode(value, type=Holds) if value else Holds()

    def posted(self, head: Run, uuid: str, definition: Definition, now: Instant) -> Iterator[str]:
        """An activation was sent; yield if its action is paused."""
        token = head.sent_of(uuid)
        invocation = invocation_of(definition, head, token) if token else None
        pause = self.holds(head.namespace).actions.get(invocation.action.name) if invocation else None
        if pause is not None and pause.at < now - KNOWN_MS:
            yield f"{uuid} was sent, and its action has been paused since {pause.at}"

    def commit(
        self, before: Run | None, after: Run, added: Sequence[Entry], definition: Definition, now: Instant
    ) -> Iterator[str]:
        """Yield what the transition did though something is paused, or what a batch did twice."""
        holds = self.holds(after.namespace)
        begins = (before is None or before.status is Status.PENDING) and after.status is Status.RUNNING
        pause = holds.flows.get(after.definition.flow)
        is_retried = any(entry.event == "RunRetried" for entry in added)
        if begins and pause is not None and pause.at < now - KNOWN_MS and not is_retried:
            yield f"run {after.name!r} began, and its flow has been paused since {pause.at}"
        if before is not None:
            yield from self._timed_out(before, added, holds, definition, now)
        for entry in added:
            if entry.by.startswith("batch ") and entry.event in _COMMANDS and entry.token == "0":
                self._commanded[entry.by, after.id] += 1
                if self._commanded[entry.by, after.id] > 1:
                    yield f"{entry.by} commanded run {after.name!r} twice"

    def _timed_out(
        self, before: Run, added: Sequence[Entry], holds: Holds, definition: Definition, now: Instant
    ) -> Iterator[str]:
        for entry in added:
            token = before.token_of(entry.uuid) if entry.event == "StepTimedOut" else None
            pause = holds.actions.get(action_of(definition, before, token)) if token else None
            is_held = pause is not None and pause.at < now - KNOWN_MS
            if token and token.activation and pause and is_held and token.activation.due > pause.at:
                yield f"step {entry.step!r} timed out, and its action has been paused since {pause.at}"

    def is_parked(self, namespace: str, kind: HeldKind, name: str, uuid: str) -> bool:
        """Return whether the run, or its notice, waits for the action or flow, and will be sent on."""
        queue = queue_of(kind, name)
        waits = any(waiter.uuid == uuid for waiter in self._store.waiters.first(namespace, queue, 10_000))
        is_released = any(
            isinstance(queued.message, ReleaseHeld)
            and (queued.message.namespace, queued.message.kind, queued.message.name) == (namespace, kind, name)
            for queued in self._messages.known
        )
        return waits and (name in self.holds(namespace).of(kind) or is_released)

    def will_look(self, run: Run) -> bool:
        """Return whether a message lets the suspended run look at its actions."""
        return self._messages.waits(Wake, run.namespace, run.name)

    def rest(self) -> Iterator[str]:
        """Nothing happens any more: yield which batches have not ended."""
        for namespace in ("alpha", "beta"):
            for batch in self._store.batches.list(namespace, 0, 1_000):
                if not batch.is_ended:
                    yield f"batch {batch.id!r} is {batch.status}: {batch.recorded} of {batch.matched} runs"
                elif batch.recorded != batch.matched:
                    yield f"batch {batch.id!r} is done, and has {batch.recorded} results for {batch.matched} runs"
                elif batch.recorded != sum(batch.counts.values()):
                    yield f"batch {batch.id!r} has {batch.recorded} results, and counts {batch.counts}"
