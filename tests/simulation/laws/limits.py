"""Invariant 6 for limits and breakers: how many activations are out, who waits, and who is let through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from chalicelib.adapters.memory import MemoryStore
from chalicelib.engine.invocation import invocation_of
from chalicelib.model import status
from chalicelib.model.actions import Action
from chalicelib.model.definition import Definition
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.run_error import ErrorName
from chalicelib.model.times import Instant
from chalicelib.service.limits.breakers import breaker_name
from chalicelib.service.limits.permits import decode
from chalicelib.service.ports.waiters import Waiter
from tests.simulation.loop import Loop

OLD_MS: Final = 62_000
"""What was there so long ago, every handler knows: none lives longer, and clocks differ by two seconds at most."""

Place = tuple[str, str, str]
"""Namespace, action, and the value of the key."""


class Limits:
    """What is known of limits, in addition to the heads."""

    def __init__(self, heads: Mapping[tuple[str, str], Run], store: MemoryStore, loop: Loop) -> None:
        self._heads = heads
        self._store = store
        self._loop = loop
        self._attempts: dict[str, tuple[int, Instant]] = {}
        """The attempt of each activation that needs a permit, and since when the head says so."""
        self._posted: dict[Place, dict[str, tuple[str, int]]] = defaultdict(dict)
        """The run of each activation that was sent, and for which attempt."""
        self._sharing: dict[Place, set[str]] = defaultdict(set)
        """Every activation that ever needed a permit there."""
        self._places: dict[str, Place] = {}
        self._queued_at: dict[tuple[str, str, str], Instant] = {}
        """Since when an activation is in a queue, by namespace, queue and uuid."""
        self._sent: set[str] = set()
        self._holders: dict[tuple[str, str], frozenset[str]] = {}

    def commit(self, before: Run | None, after: Run, added: Sequence[Entry], definition: Definition) -> Iterator[str]:
        """Note which activations need permits.

        Yield which limit of its flow does not allow the run to begin, and which step ended because its service did not
        report, though it was sent nothing yet.
        """
        for entry in added:
            if entry.error_name == ErrorName.HEARTBEAT_TIMEOUT and entry.uuid in self._places.keys() - self._sent:
                yield f"no report of {entry.step!r} came in time, and it waited for its limit"
        limit = definition.flow.limit
        if after.limiter and limit and _is_begun(after) and not (before and _is_begun(before)):
            begun = [run.name for (namespace, _), run in self._heads.items() if namespace == after.namespace
                     and run.limiter == after.limiter and _is_begun(run)]  # fmt: skip
            if len(begun) > limit.concurrent:
                yield f"runs {begun} of flow {definition.flow.name!r} are in progress at once"
        for token in after.tokens if definition.has_permits else ():
            activation = token.activation
            if activation and self._attempts.get(activation.uuid, (-1, 0))[0] != activation.attempt:
                self._attempts[activation.uuid] = activation.attempt, self._loop.now
            if activation and activation.uuid not in self._places:
                invocation = invocation_of(definition, after, token)
                if invocation and invocation.options.limit:
                    place = after.namespace, invocation.action.name, activation.permit_key
                    self._places[activation.uuid] = place
                    self._sharing[place].add(activation.uuid)

    def posted(self, head: Run, uuid: str, definition: Definition, now: Instant) -> Iterator[str]:
        """An activation of the live run was sent; yield which limit does not allow that."""
        token = head.sent_of(uuid)
        invocation = invocation_of(definition, head, token) if token else None
        if token is None or token.activation is None or invocation is None:
            return
        limit = invocation.options.limit
        self._sent.add(uuid)
        if limit and limit.concurrent is not None and not self._is_of_an_earlier_attempt(uuid):
            place = head.namespace, invocation.action.name, token.activation.permit_key
            posted = self._posted[place]
            posted[uuid] = head.name, token.activation.attempt
            out = sum(self._is_out(head.namespace, *known, other) for other, known in posted.items())
            if out > limit.concurrent:
                yield f"{out} activations of action {place[1]!r} are out at once (key {place[2]!r})"
        if invocation.action.breaker:
            yield from self._through(head.namespace, invocation.action, uuid, now)

    def _is_of_an_earlier_attempt(self, uuid: str) -> bool:
        """Return whether the handler may have read the head before that attempt failed, and was slow since then."""
        handler, (attempt, since) = self._loop.current, self._attempts.get(uuid, (0, 0))
        return attempt > 0 and handler is not None and handler.began < since

    def queued(self, namespace: str, queue: str, waiter: Waiter, now: Instant) -> Iterator[str]:
        """A waiter was put in a queue; yield why it need not wait."""
        self._queued_at.setdefault((namespace, queue, waiter.uuid), now)
        place = self._places.get(waiter.uuid)
        is_permit = waiter.per_second is None and not queue.startswith((breaker_name(""), "hold/"))
        if place is not None and is_permit and self._sharing[place] == {waiter.uuid}:
            yield f"{waiter.uuid} waits for a permit of {place[1]!r}, key {place[2]!r}, which no other ever needed"

    def granted(self, namespace: str, name: str, value: bytes, now: Instant) -> Iterator[str]:
        """The value of a limiter was written, or counts of deliveries; yield who is wronged."""
        if name.startswith("deliveries/"):
            return
        permits = decode(value)
        holders = frozenset(permits.holders)
        held = self._holders.get((namespace, name), frozenset())
        new = holders - held
        self._holders[namespace, name] = holders
        if not name.startswith(breaker_name("")):
            yield from self._lost(namespace, name, held - holders)
        is_known = bool(new) and permits.waiting  # else the queue is empty, or its waiters are not known yet
        waiters = self._store.waiters.first(namespace, name, 1_000) if is_known else ()
        known: dict[str, Waiter] = {}
        for waiter in waiters:
            known.setdefault(waiter.uuid, waiter)  # a message that came twice may have queued twice
        for uuid in new:
            for waiter in waiters:
                is_first = uuid not in known or (waiter.at, waiter.place) < (known[uuid].at, known[uuid].place)
                if waiter.uuid not in holders and is_first and self._is_due(namespace, name, waiter, now):
                    yield f"{uuid} was granted a permit of {name!r} before {waiter.uuid}, which waits longer"

    def _lost(self, namespace: str, name: str, uuids: frozenset[str]) -> Iterator[str]:
        """Yield which activations returned their permits while they are in progress."""
        for uuid in sorted(uuids):
            sent = self._posted[self._places[uuid]].get(uuid) if uuid in self._places else None
            if sent is not None and self._is_out(namespace, *sent, uuid):
                yield f"{uuid} lost its permit of {name!r}, and is in progress"

    def removed(self, namespace: str, queue: str, waiters: Sequence[Waiter]) -> None:
        """Waiters left the queue."""
        for waiter in waiters:
            self._queued_at.pop((namespace, queue, waiter.uuid), None)

    def _is_due(self, namespace: str, queue: str, waiter: Waiter, now: Instant) -> bool:
        """Whether the waiter has waited so long that every handler knows it, and still waits."""
        since = self._queued_at.get((namespace, queue, waiter.uuid), now)
        run = self._heads.get((namespace, waiter.run))
        token = run.sent_of(waiter.uuid) if run and run.id == waiter.id and run.status in status.MOVING else None
        attempt = token.activation.attempt if token and token.activation else None
        return since < now - OLD_MS and attempt == waiter.attempt

    def _through(self, namespace: str, action: Action, uuid: str, now: Instant) -> Iterator[str]:
        """Yield what is wrong with a delivery if the breaker of its action is open."""
        permits = decode(self._store.versioned_values.read(namespace, breaker_name(action.name))[0])
        pause = action.breaker.pause if action.breaker else 0
        is_old = permits.open_until and now > permits.open_until - pause + OLD_MS
        if is_old and (now < permits.open_until - 2_000 or uuid not in permits.holders):
            yield f"{uuid} was delivered to {action.name!r}, though its breaker is open"

    def _is_out(self, namespace: str, name: str, attempt: int, uuid: str) -> bool:
        """Whether the activation may be in progress: it is current, and the delivery of that attempt has not failed."""
        head = self._heads.get((namespace, name))
        token = head.token_of(uuid) if head and head.status in status.LIVE else None
        return token is not None and token.activation is not None and token.activation.attempt == attempt


def _is_begun(run: Run) -> bool:
    """Whether the run is in progress: it has entered a step, and has not ended."""
    return run.status in status.LIVE and run.steps > 0
