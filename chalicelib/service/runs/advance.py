"""Advance a run: read its head, decide, send the messages of the decision, write the head. In this order.

                 read           decide        send           write (version = seen)
    ─────────────●──────────────●─────────────●──────────────●────────────────────────> time
    crash here:  nothing        nothing       messages       committed, and the
                 happened       happened      have no effect messages exist

A message has an effect only once the head agrees with it, so a message has no effect if its write never happened. The
caller (a queue or a client) tries again. If another writer commits first, the run is read again and decided again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from chalicelib.engine.announcements import announcements
from chalicelib.engine.effects import Decision, Effect, OpenTask, Outcome, StoreBlob
from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event
from chalicelib.engine.machine import decide
from chalicelib.engine.paging import turn_page
from chalicelib.model.flow import Flow
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import Busy, Conflict, LimitReached, NotFound, RunExists
from chalicelib.service.hooks.book import HookBook
from chalicelib.service.messages import Wanted
from chalicelib.service.observability.observer import NULL_OBSERVER, Observer
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.runs import NewRun, RunStore
from chalicelib.service.runs.blobs import blob_reader
from chalicelib.service.runs.effect_executor import EffectExecutor
from chalicelib.service.security.secrets import Secrets

MAX_ATTEMPTS: Final = 20
"""How often a transition is decided again after other writers committed first, before the caller receives Busy."""

MAX_PAUSE_MS: Final = 250
"""The longest pause between two attempts."""

EventFactory: TypeAlias = Callable[[Instant, str], Sequence[Event]]


class Advanced(msgspec.Struct, frozen=True):
    """The head after the transition, and the result of each event."""

    run: Run
    results: tuple[Outcome | Refused, ...]

    def sole(self) -> Outcome:
        """Return the outcome of the only event. Raises the refusal if it was refused."""
        (result,) = self.results
        if isinstance(result, Refused):
            raise result
        return result


class Keeper(Protocol):
    """Delivers one activation of a decision itself, once that is committed."""

    def keep(self, before: Run, decision: Decision) -> Decision:
        """Return the decision as it is to be carried out on the head `before`: without the message that this replaces.

        It is called for each decision that is tried, of which only the last one may be committed.
        """
        ...


class RunAdvancer:
    """Decides events and carries the decisions out."""

    def __init__(
        self,
        runs: RunStore,
        effect_executor: EffectExecutor,
        definition_cache: DefinitionCache,
        secrets: Secrets,
        clock: Clock,
        ids: IdSource,
        check_room: Callable[[Run], None],
        observer: Observer = NULL_OBSERVER,
        hook_book: HookBook | None = None,
    ) -> None:
        self._check_room = check_room
        self.observer = observer
        self._hook_book = hook_book
        self._runs = runs
        self._secrets = secrets
        self._effect_executor = effect_executor
        self._definition_cache = definition_cache
        self._clock = clock
        self._ids = ids

    def advance(
        self,
        namespace: str,
        name: str,
        make_events: EventFactory,
        *,
        seen: Run | None = None,
        trace: str = "",
        keeper: Keeper | None = None,
    ) -> Advanced:
        """Decide the events that `make_events(at, nonce)` returns, in one write, and carry the decision out.

        `seen` is the head if it was read already, `trace` the `traceparent` of the request that causes the events.
        `keeper` may keep a message that the decision asks for.
        Raises NotFound, or Busy if other writers committed first MAX_ATTEMPTS times.
        """
        lost: tuple[Run, Advanced] | None = None
        events: Sequence[Event] = ()
        for attempt in range(MAX_ATTEMPTS):
            run = seen or self._runs.load(namespace, name)
            seen = None
            if run is None:
                raise NotFound("flow_run", name)
            if lost is not None and run == lost[1].run:  # our write was committed; only its response was lost
                return self._observed(*lost, events, trace)
            events = make_events(self._clock.now(), self._ids.nonce())
            decision, results = self._decide(run, events)
            if keeper is not None:
                decision = keeper.keep(run, decision)
            try:
                return self._observed(run, Advanced(self._commit(run, decision), results), events, trace)
            except Conflict:
                self.observer.conflicted()
                lost = run, Advanced(turn_page(run, decision.run)[0], results)
                self._clock.sleep(self._jitter(attempt))
        raise Busy(f"run {name!r} is being changed by too many requests at once; try again")

    def rehearse(self, run: Run, make_events: EventFactory) -> Advanced:
        """Decide the events, and carry nothing out."""
        decision, results = self._decide(run, make_events(self._clock.now(), self._ids.nonce()))
        return Advanced(decision.run, results)

    def prepare(self, decision: Decision) -> None:
        """Carry out the effects of a run's first decision. The caller must create the run afterwards."""
        wanted = self._wanted(None, decision.run, decision.effects)
        self._effect_executor.execute(decision.effects, decision.run, wanted)

    def create(self, decision: Decision, own: Flow | None = None) -> Run:
        """Create the run of a first decision. `own` is the flow that belongs to this run alone.

        Raises RunExists, or LimitReached if its flow does not start runs over its limit.
        """
        if decision.run.status is Status.PENDING:
            self._check(decision.run)
        with self._runs.together():
            self.prepare(decision)
            self._runs.create(NewRun(decision.run, own))
        self.observer.began(decision.run)
        return decision.run

    def _check(self, run: Run) -> None:
        try:
            self._check_room(run)
        except LimitReached:
            if self._runs.load(run.namespace, run.name) is not None:
                raise RunExists(run.name) from None
            raise

    def _observed(self, before: Run, advanced: Advanced, events: Sequence[Event], trace: str) -> Advanced:
        self.observer.advanced(before, advanced.run, events, advanced.results, trace)
        return advanced

    def _decide(self, run: Run, events: Sequence[Event]) -> tuple[Decision, tuple[Outcome | Refused, ...]]:
        cipher = self._secrets.cipher(run.namespace, run.id)
        read_blob = blob_reader(self._runs, run)
        new_blobs: dict[str, Json] = {}

        def read(key: str) -> Json:
            return new_blobs[key] if key in new_blobs else read_blob(key)

        head, effects, results = run, list[Effect](), list[Outcome | Refused]()
        for event in events:
            definition = self._definition_cache.of(head)  # an event may move the run to another version
            try:
                decision = decide(definition, head, event, read, cipher=cipher, written=run)
            except Refused as refusal:
                results.append(refusal)
            else:
                head = decision.run
                effects.extend(decision.effects)
                new_blobs.update({one.key: one.value for one in decision.effects if isinstance(one, StoreBlob)})
                results.append(decision.outcome)
        outcome = Outcome.IGNORED if head is run else Outcome.ADVANCED
        return Decision(head, outcome, tuple(effects)), tuple(results)

    def _commit(self, before: Run, decision: Decision) -> Run:
        if decision.run is before:
            self._effect_executor.execute(decision.effects, before)
            return before
        after, page = turn_page(before, decision.run)
        wanted: tuple[Wanted, ...] = ()
        if (  # most transitions announce nothing: that costs no call
            after.status is not before.status
            or after.failed_undos != before.failed_undos
            or OpenTask in map(type, decision.effects)
        ):
            wanted = self._wanted(before, after, decision.effects)
        with self._runs.together():
            if page is not None:
                self._runs.put_page(before, page)
            self._effect_executor.execute(decision.effects, after, wanted)
            if after.labels == before.labels:
                self._runs.save(after, before.version)
            else:
                self._runs.save_relabeled(after, before)
        return after

    def _wanted(self, before: Run | None, after: Run, effects: Sequence[Effect]) -> tuple[Wanted, ...]:
        """Return the events of the transition of which hooks are to be notified."""
        if self._hook_book is None:
            return ()
        return self._hook_book.wanted(after, announcements(before, after, effects))

    def _jitter(self, attempt: int) -> int:
        """Return a random pause in milliseconds, longer with each attempt."""
        return int(self._ids.nonce()[:8], 16) % min(4 << attempt, MAX_PAUSE_MS)


class TrialAdvancer(RunAdvancer):
    """Decides events, and carries nothing out: it finds out what would be refused."""

    def _commit(self, before: Run, decision: Decision) -> Run:  # noqa: ARG002 - no write
        return decision.run

    def _observed(self, before: Run, advanced: Advanced, events: Sequence[Event], trace: str) -> Advanced:  # noqa: ARG002
        return advanced
