"""Paused actions and flows hold what they must, and a batch commands each run once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from chalicelib.adapters.memory import MemoryStore
from chalicelib.engine.invocation import UNDO, invocation_of
from chalicelib.engine.suspensions import action_of
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.history import Entry
from chalicelib.model.holds import HeldKind
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.holds.book import MAX_AGE_MS, Holds
from chalicelib.service.holds.gate import queue_of
from chalicelib.service.messages import ReleaseHeld, Wake
from tests.simulation.loop import Loop
from tests.simulation.messages import Messages

SKEW_MS: Final = 4_000
"""How much the clocks of two containers may differ."""

_NEVER: Final[Instant] = 1 << 60

_COMMANDS: Final = frozenset({"RunRetried", "RunPaused", "RunContinued", "RunStopped"})


class HoldLaws:
    """What is known of pauses and batches, in addition to the heads."""

    def __init__(self, store: MemoryStore, messages: Messages, loop: Loop) -> None:
        self._store = store
        self._messages = messages
        self._loop = loop
        self._since: dict[tuple[str, HeldKind, str], Instant] = {}
        """When the pauses that there are were written."""
        self._commanded: Counter[tuple[str, str]] = Counter()
        """How often a batch commanded a run, by the batch's name in the history and the run's id."""

    def holds(self, namespace: str) -> Holds:
        """Return what is paused."""
        value, _ = self._store.versioned_values.read(namespace, "holds")
        return msgspec.json.decode(value, type=Holds) if value else Holds()

    def written(self, namespace: str, name: str) -> None:
        """A value of that name was written."""
        if name != "holds":
            return
        holds = self.holds(namespace)
        for kind in HeldKind:
            for one in {known[2] for known in self._since if known[:2] == (namespace, kind)} - holds.of(kind).keys():
                del self._since[namespace, kind, one]
            for one in holds.of(kind):
                self._since.setdefault((namespace, kind, one), self._loop.now)

    def _known(self, namespace: str, kind: HeldKind, name: str) -> Instant | None:
        """Return since when it is paused, if the handler that runs knows that; None if not."""
        since = self._since.get((namespace, kind, name))
        return since if since is not None and self._is_known(since) else None

    def _is_known(self, since: Instant) -> bool:
        """Return whether the handler that runs began so much later that it knows what was written then."""
        handler = self._loop.current
        return handler is not None and since < handler.began - MAX_AGE_MS - SKEW_MS

    def posted(self, head: Run, uuid: str, definition: Definition) -> Iterator[str]:
        """An activation was sent; yield if its action is paused."""
        token = head.sent_of(uuid)
        invocation = invocation_of(definition, head, token) if token else None
        since = self._known(head.namespace, HeldKind.ACTION, invocation.action.name) if invocation else None
        if since is not None:
            yield f"{uuid} was sent, and its action has been paused since {since}"

    def commit(self, before: Run | None, after: Run, added: Sequence[Entry], definition: Definition) -> Iterator[str]:
        """Yield what the transition did though something is paused, or what a batch did twice."""
        was_at_rest = before is None or before.status in (Status.PENDING, *status.ENDED)
        begins = was_at_rest and after.status is Status.RUNNING
        since = self._known(after.namespace, HeldKind.FLOW, after.definition.flow)
        if begins and since is not None:
            yield f"run {after.name!r} began, and its flow has been paused since {since}"
        if before is not None:
            yield from self._timed_out(before, added, definition)
        for entry in added:
            if entry.by.startswith("batch ") and entry.event in _COMMANDS and entry.token == "0":
                self._commanded[entry.by, after.id] += 1
                if self._commanded[entry.by, after.id] > 1:
                    yield f"{entry.by} commanded run {after.name!r} twice"

    def _timed_out(self, before: Run, added: Sequence[Entry], definition: Definition) -> Iterator[str]:
        """Yield what timed out though its action is paused, or that of a step inside it."""
        held = self._held(before, definition)
        since = min(held.values(), default=_NEVER)
        for entry in added:
            token = before.token_of(entry.uuid) if entry.event == "StepTimedOut" else None
            activation = token.activation if token else None
            if token and activation and token.id in held and activation.due > held[token.id]:
                yield f"step {entry.step!r} timed out, and its action has been paused since {held[token.id]}"
            if activation and activation.is_join and activation.due > since:
                yield f"step {entry.step!r} timed out, and actions of the run have been paused since {since}"
            if entry.event == "RunTimedOut" and before.deadline is not None and before.deadline > since:
                yield f"the run timed out, and actions of it have been paused since {since}"

    def _held(self, run: Run, definition: Definition) -> dict[str, Instant]:
        """Return since when each token waits for a paused action, if the handler that runs knows that."""
        found: dict[str, Instant] = {}
        for token in run.tokens:
            if token.activation is None or (run.ending is not None and token.id != UNDO):
                continue
            since = self._known(run.namespace, HeldKind.ACTION, action_of(definition, run, token))
            if since is not None and self._is_known(token.activation.since):
                found[token.id] = max(since, token.activation.since)
        return found

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
