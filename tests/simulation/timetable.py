"""Those who define schedules, and pause, continue and change them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from chalicelib.hosting import Services
from chalicelib.model import json_values
from chalicelib.model.recurrence.schedule import Overlap, Schedule
from chalicelib.model.times import rfc3339
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.schedules.starting import StartFailed
from tests.simulation.fates import TIMETABLE_ORDERS
from tests.simulation.flows import CHILD

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

NAMES: Final = ("s1", "s2")
_TIMES: Final = (60_000, 60_000, 300_000, 3_600_000)
_CALM_MS: Final = 130_000
_LATE_MS: Final = 75_000
"""How late a slot is decided when all is calm: a sweep comes every minute."""

_PAUSED_FOR: Final = (20_000, 4_000_000)


class Timetable:
    """The schedules of one namespace."""

    def __init__(self, stage: Stage, namespace: str) -> None:
        self._stage = stage
        self._namespace = namespace
        rng = stage.fates.rng
        self._names = NAMES[: rng.choice((1, 1, 2))] if rng.random() < 0.07 else ()
        for name in self._names:
            schedule = self._draw(name)
            at = stage.loop.now + stage.fates.span("schedule-at", 1, 60_000)
            stage.loop.at(at, partial(self._define, schedule))
        for _ in range(rng.choice((1, 3, 6)) if self._names else 0):
            stage.loop.at(stage.loop.now + stage.fates.span("schedule-order-at", 60_000, 7_200_000), self._order)

    def close(self) -> None:
        """Once all is calm, let some slots pass; then pause the schedules, so that the world comes to rest."""
        loop = self._stage.loop
        for name in self._names:
            self._command("continue-schedule", name)
        if self._names:
            loop.at(loop.now + _CALM_MS, self._pause_all)

    def _pause_all(self) -> None:
        laws, now = self._stage.laws, self._stage.loop.now
        for wrong in laws.slots.undecided(now - _LATE_MS):
            laws.breaks("slots", wrong)
        for name in self._names:
            self._command("pause-schedule", name)

    def _draw(self, name: str) -> Schedule:
        rng, every = self._stage.fates.rng, None
        at, cron = None, rng.choice((None, None, None, "*/2 * * * *", "*/15 * * * *"))
        if cron is None:
            every = rng.choice((None, *_TIMES, *_TIMES))
            at = None if every else rfc3339(self._stage.loop.now + rng.choice((30_000, 900_000)) // 1_000 * 1_000)
        return Schedule(
            name=name,
            flow=CHILD,
            cron=cron,
            every=every,
            at=at,
            overlap=rng.choice(tuple(Overlap)),
            catch_up=rng.choice((0, 0, 3_600_000)),
            jitter=rng.choice((0, 0, 20_000)),
        )

    def _define(self, schedule: Schedule, version: int = 1) -> None:
        stage, namespace = self._stage, self._namespace

        def work(services: Services) -> None:
            newest = services.adapters.store.definitions.latest(namespace, Kind.SCHEDULE, [schedule.name])
            before = newest.get(schedule.name)
            if before is not None and before.version >= version:
                return  # the answer went astray
            definition = Definition(
                kind=Kind.SCHEDULE,
                name=schedule.name,
                version=version,
                uuid=f"schedule-{schedule.name}",
                text="",
                value=json_values.encode(schedule),
                created_at=services.adapters.clock.now(),
            )
            services.scheduler.announce(namespace, definition)
            services.adapters.store.definitions.submit(namespace, [definition], [])

        stage.ask(f"schedule({namespace}/{schedule.name})", namespace, work)

    def _order(self) -> None:
        stage = self._stage
        order = stage.fates.strikes("timetable", TIMETABLE_ORDERS, 0.9, fixed=True)
        if not order:
            return
        stage.note(f"order: {order}")
        name = self._names[stage.fates.below("which-schedule", len(self._names))]
        if order == "redefine-schedule":
            found = stage.store.definitions.latest(self._namespace, Kind.SCHEDULE, [name]).get(name)
            if found is not None:
                self._define(self._draw(name), found.version + 1)
            return
        self._command(order, name)
        if order == "pause-schedule":
            until = stage.loop.now + stage.fates.span("paused-for", *_PAUSED_FOR)
            stage.loop.at(until, lambda: None if stage.fates.calm else self._command("continue-schedule", name))

    def _command(self, order: str, name: str) -> None:
        namespace, laws = self._namespace, self._stage.laws

        def work(services: Services) -> None:
            schedules = services.schedules
            match order:
                case "pause-schedule":
                    schedules.pause(namespace, name)
                case "continue-schedule":
                    schedules.resume(namespace, name)
                case "run-schedule":
                    try:
                        started = schedules.run(namespace, name)
                    except StartFailed:
                        return
                    if (namespace, started.run) not in laws.slots.created:
                        laws.breaks("slots", f"the start of {started.run!r} was acknowledged, and there was none")

        self._stage.ask(f"{order}({namespace}/{name})", namespace, work)
