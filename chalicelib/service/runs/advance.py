"""How a run is moved: read its head, decide, send what the decision orders, write the head. In that order.

                 read           decide        send           write (version = seen)
    ─────────────●──────────────●─────────────●──────────────●────────────────────────> time
    crash here:  nothing        nothing       hints that     done: the hints exist
                 happened       happened      nobody obeys

A hint is obeyed only once the head says the same, so one that was sent for a write that never came moves nothing; and
whoever caused the move (a queue, a client) tries again. Whoever loses the write reads and decides again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from chalicelib.engine.effects import Decision, Effect, Outcome, StoreBlob
from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event
from chalicelib.engine.machine import decide
from chalicelib.engine.paging import turn_page
from chalicelib.model.flow import Flow
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import Busy, Conflict, NotFound
from chalicelib.service.observability.observer import NO_OBSERVER, Observer
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.runs import NewRun, RunStore
from chalicelib.service.runs.blobs import blob_reader
from chalicelib.service.runs.effect_executor import EffectExecutor
from chalicelib.service.security.secrets import Secrets

TRIES: Final = 20
"""How often a move is decided again after losing the write, before the caller is told that the run is busy."""

EventFactory: TypeAlias = Callable[[Instant, str], Sequence[Event]]


@dataclass(frozen=True, slots=True)
class Advanced:
    """The head after the move, and what became of each event."""

    run: Run
    results: tuple[Outcome | Refused, ...]

    def sole(self) -> Outcome:
        """What became of the only event. Raises the refusal if it was refused."""
        (result,) = self.results
        if isinstance(result, Refused):
            raise result
        return result


class RunAdvancer:
    """Carries decisions out."""

    def __init__(
        self,
        runs: RunStore,
        effect_executor: EffectExecutor,
        definition_cache: DefinitionCache,
        secrets: Secrets,
        clock: Clock,
        ids: IdSource,
        observer: Observer = NO_OBSERVER,
    ) -> None:
        self.observer = observer
        self._runs = runs
        self._secrets = secrets
        self._effect_executor = effect_executor
        self._definition_cache = definition_cache
        self._clock = clock
        self._ids = ids

    def advance(self, namespace: str, name: str, make_events: EventFactory, *, seen: Run | None = None) -> Advanced:
        """The events that `draw(at, nonce)` makes are decided, folded into one write, and carried out.

        `seen` is the head if it was read already. Raises NotFound, or Busy where others kept writing first.
        """
        lost: tuple[Run, Advanced] | None = None
        events: Sequence[Event] = ()
        for attempt in range(TRIES):
            run = seen or self._runs.load(namespace, name)
            seen = None
            if run is None:
                raise NotFound("flow_run", name)
            if lost is not None and run == lost[1].run:
                return self._told(*lost, events)  # the write that seemed lost was ours: its first answer went astray
            events = make_events(self._clock.now(), self._ids.nonce())
            decision, results = self._decide(run, events)
            try:
                return self._told(run, Advanced(self._commit(run, decision), results), events)
            except Conflict:
                self.observer.conflicted()
                lost = run, Advanced(turn_page(run, decision.run)[0], results)
                self._clock.sleep(self._jitter(attempt))
        raise Busy(f"run {name!r} is being written by many at once; try again")

    def prepare(self, decision: Decision) -> None:
        """Sends what a run's first decision orders. Whoever prepares must then create the run."""
        self._effect_executor.execute(decision.effects, decision.run)

    def create(self, decision: Decision, own: Flow | None = None) -> Run:
        """The run exists and is under way. Raises RunExists."""
        self.prepare(decision)
        self._runs.create(NewRun(decision.run, own))
        self.observer.began(decision.run)
        return decision.run

    def _told(self, before: Run, advanced: Advanced, events: Sequence[Event]) -> Advanced:
        self.observer.advanced(before, advanced.run, events, advanced.results)
        return advanced

    def _decide(self, run: Run, events: Sequence[Event]) -> tuple[Decision, tuple[Outcome | Refused, ...]]:
        definition, read_blob, cipher = (
            self._definition_cache.of(run),
            blob_reader(self._runs, run),
            self._secrets.cipher(run.namespace),
        )
        kept: dict[str, Json] = {}

        def read(key: str) -> Json:
            return kept[key] if key in kept else read_blob(key)

        head, effects, results = run, list[Effect](), list[Outcome | Refused]()
        for event in events:
            try:
                decision = decide(definition, head, event, read, cipher=cipher, written=run)
            except Refused as refusal:
                results.append(refusal)
            else:
                head = decision.run
                effects.extend(decision.effects)
                kept.update({order.key: order.value for order in decision.effects if isinstance(order, StoreBlob)})
                results.append(decision.outcome)
        outcome = Outcome.IGNORED if head is run else Outcome.ADVANCED
        return Decision(head, outcome, tuple(effects)), tuple(results)

    def _commit(self, before: Run, decision: Decision) -> Run:
        if decision.run is before:
            self._effect_executor.execute(decision.effects, before)
            return before
        after, page = turn_page(before, decision.run)
        if page is not None:
            self._runs.put_page(before, page)
        self._effect_executor.execute(decision.effects, after)
        self._runs.save(after, before.version)
        return after

    def _jitter(self, attempt: int) -> int:
        longest = min(4 << attempt, 250)
        return int(self._ids.nonce()[:8], 16) % longest
