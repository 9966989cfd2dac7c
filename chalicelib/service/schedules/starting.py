"""Start the run of a slot."""

from __future__ import annotations

from chalicelib.engine.effects import Decision
from chalicelib.engine.errors import ExpressionFailed, Refused
from chalicelib.engine.values.evaluation import Draws, Names, resolve, resolve_known
from chalicelib.model.json_values import Json
from chalicelib.model.recurrence.schedule import Overlap, Schedule, run_name, slot_text, start_of
from chalicelib.model.templates import source_of
from chalicelib.model.times import Instant, rfc3339
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import Invalid, LimitReached, NotFound, RunExists, ServiceError, TooLarge
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.new_run import RunFactory, RunPlan


class StartFailed(ServiceError):
    """The run of a slot cannot be started: its input does not fit, its flow is gone, or its name is taken."""

    code = "start-failed"


class OverLimit(StartFailed):
    """The run of a slot is over the limit of its flow, which skips such runs."""


class SlotStarter:
    """Starts the runs of slots."""

    def __init__(
        self,
        runs: RunStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        factory: RunFactory,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._factory = factory
        self._clock = clock

    def prepare(self, namespace: str, schedule: Schedule, slot: Instant, by: str = "") -> Decision:
        """Decide the start of the slot's run. Nothing is written. Raises StartFailed."""
        try:
            definition, ref = self._definition_cache.of_flow(namespace, schedule.flow)
            names = self._names(namespace, schedule, slot)
            is_one_value = source_of(schedule.input) is not None
            given: Json = resolve(schedule.input, names) if is_one_value else resolve_known(schedule.input, names)
            return self._factory.decide(
                RunPlan(
                    namespace=namespace,
                    name=run_name(schedule, slot),
                    definition=definition,
                    ref=ref,
                    input=self._factory.input(namespace, definition.flow, given),
                    by=by or f"schedule {schedule.name}",
                    labels=resolve_known(schedule.labels, names),
                    scheduled=slot_text(schedule, slot),
                    queued_behind=schedule.name if schedule.overlap is Overlap.QUEUE else "",
                )
            )
        except (Refused, ExpressionFailed, NotFound, Invalid, TooLarge) as failure:
            raise StartFailed(str(failure)) from failure

    def create(self, decision: Decision) -> bool:
        """Create the run. Return False if it was created before.

        Raises StartFailed if another run has its name, or OverLimit.
        """
        try:
            self._advancer.create(decision)
        except RunExists as exists:
            found = self._runs.load(decision.run.namespace, decision.run.name)
            if found is not None and found.scheduled != decision.run.scheduled:
                raise StartFailed(str(exists)) from exists
            return False
        except LimitReached as reached:
            raise OverLimit(str(reached)) from reached
        return True

    def _names(self, namespace: str, schedule: Schedule, slot: Instant) -> Names:
        """Return the names that the input and the labels read. Raises NotFound for a config that was deleted."""
        return Names(
            scheduled=slot_text(schedule, slot),
            config=self._definition_cache.config_values(namespace, schedule.configs),
            now=rfc3339(self._clock.now()),
            draws=Draws(start_of(schedule, slot), run_name(schedule, slot)),
        )
