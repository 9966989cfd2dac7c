"""The use cases that start and move runs: calls, deliveries, events, timers, schedules and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.config import Access, Backend
from chalicelib.hosting.core import Core
from chalicelib.hosting.on_first_use import on_first_use

if TYPE_CHECKING:
    from chalicelib.service.batches.collect import Collector
    from chalicelib.service.batches.worker import BatchWorker
    from chalicelib.service.deliveries.deliver import Deliverer
    from chalicelib.service.deliveries.statistics import DeliveryStatistics
    from chalicelib.service.doctor.stuck import StuckWatch
    from chalicelib.service.events.publish import Signaler
    from chalicelib.service.limits.admissions import Admissions
    from chalicelib.service.limits.breakers import Breakers
    from chalicelib.service.runs.answer import Answerer
    from chalicelib.service.runs.children import ChildRuns
    from chalicelib.service.runs.commands import Operator
    from chalicelib.service.runs.read import Reader
    from chalicelib.service.runs.start import Starter
    from chalicelib.service.runs.token_answers import TokenAnswerer
    from chalicelib.service.schedules.scheduler import Scheduler
    from chalicelib.service.schedules.starting import SlotStarter
    from chalicelib.service.step_execution import StepExecutor
    from chalicelib.service.timers.run_timers import RunTimers
    from chalicelib.service.wakeups import Waker


class Running(Core):
    """The use cases that start and move runs."""

    @on_first_use
    def starter(self) -> Starter:
        """The use case that starts runs."""
        from chalicelib.service.runs.start import Starter

        adapters = self.adapters
        return Starter(
            self.runs,
            adapters.store.keys,
            self.definition_cache,
            self.advancer,
            self.factory,
            adapters.clock,
            adapters.ids,
        )

    @on_first_use
    def answerer(self) -> Answerer:
        """The use case that takes answers to steps."""
        from chalicelib.service.runs.answer import Answerer
        from chalicelib.service.security.webhooks import SignatureVerifier

        adapters = self.adapters
        return Answerer(self.advancer, SignatureVerifier(self.webhook_key, adapters.clock))

    @on_first_use
    def token_answerer(self) -> TokenAnswerer:
        """The use case that takes answers with the token of a step."""
        from chalicelib.service.runs.token_answers import TokenAnswerer

        return TokenAnswerer(self.runs, self.definition_cache, self.answerer)

    @on_first_use
    def breakers(self) -> Breakers:
        """The circuit breakers of actions."""
        from chalicelib.service.limits.breakers import Breakers

        adapters = self.adapters
        return Breakers(
            adapters.store.versioned_values, self.definition_cache, self.limiter, self.announcer, adapters.clock
        )

    @on_first_use
    def statistics(self) -> DeliveryStatistics:
        """What is counted of deliveries."""
        from chalicelib.service.deliveries.statistics import DeliveryStatistics

        settings, adapters = self.settings, self.adapters
        return DeliveryStatistics(
            adapters.store.versioned_values,
            adapters.clock,
            is_on=settings.delivery_log,
            collect=adapters.collect_statistics,
        )

    @on_first_use
    def deliverer(self) -> Deliverer:
        """The use case that delivers activations to action services."""
        from chalicelib.service.deliveries.deliver import Deliverer
        from chalicelib.service.deliveries.delivery_check import DeliveryChecker
        from chalicelib.service.deliveries.direct_client import DirectClient
        from chalicelib.service.deliveries.inline import MAX_CHAIN_MS, MAX_TURN_MS, InlineDelivery
        from chalicelib.service.deliveries.recorder import DeliveryRecorder
        from chalicelib.service.deliveries.webhook_client import WebhookClient

        settings, adapters = self.settings, self.adapters
        chains_last = MAX_CHAIN_MS if settings.backend is Backend.AWS else MAX_TURN_MS
        return Deliverer(
            self.runs,
            self.definition_cache,
            self.advancer,
            DeliveryChecker(self.definition_cache, self.limiter, self.hold_gate, adapters.clock),
            WebhookClient(
                adapters.caller,
                adapters.clock,
                self.secrets,
                settings.callback_url,
                self.webhook_key,
                settings.namespace,
            ),
            DirectClient(adapters.caller, adapters.clock, self.secrets),
            self.breakers,
            self.hold_gate,
            DeliveryRecorder(adapters.store.deliveries, self.statistics, is_on=settings.delivery_log),
            InlineDelivery(self.definition_cache, adapters.clock, chains_last if settings.inline_delivery else None),
            adapters.queue,
            adapters.clock,
        )

    @on_first_use
    def signaler(self) -> Signaler:
        """The use case that publishes events and signals runs."""
        from chalicelib.service.events.event_types import EventTypes
        from chalicelib.service.events.publish import Signaler

        adapters = self.adapters
        return Signaler(
            self.runs,
            adapters.store.signals,
            adapters.store.keys,
            adapters.queue,
            self.definition_cache,
            EventTypes(self.definition_cache),
            self.advancer,
            adapters.clock,
            adapters.ids,
        )

    @on_first_use
    def operator(self) -> Operator:
        """The use case that executes commands on runs."""
        from chalicelib.service.runs.commands import Operator

        return Operator(self.runs, self.definition_cache, self.advancer, self.announcer, self.hold_gate)

    @on_first_use
    def timers(self) -> RunTimers:
        """The use case that wakes what is due."""
        from chalicelib.service.timers.run_timers import RunTimers

        adapters = self.adapters
        return RunTimers(
            self.runs,
            adapters.store.schedules,
            adapters.queue,
            self.advancer,
            lambda: self.operator,
            self.hold_gate,
            adapters.clock,
        )

    @on_first_use
    def slot_starter(self) -> SlotStarter:
        """Starts the runs of schedules."""
        from chalicelib.service.schedules.starting import SlotStarter

        adapters = self.adapters
        return SlotStarter(self.runs, self.definition_cache, self.advancer, self.factory, adapters.clock)

    @on_first_use
    def scheduler(self) -> Scheduler:
        """The use case that takes the slots of schedules."""
        from chalicelib.service.schedules.scheduler import Scheduler

        adapters = self.adapters
        return Scheduler(
            adapters.store, adapters.store.runs, adapters.queue, self.advancer, self.slot_starter, adapters.clock
        )

    @on_first_use
    def child_runs(self) -> ChildRuns:
        """The use case that starts, stops and reports child runs."""
        from chalicelib.service.runs.children import ChildRuns

        adapters = self.adapters
        return ChildRuns(
            self.runs,
            self.definition_cache,
            self.advancer,
            self.factory,
            self.secrets,
            adapters.queue,
            adapters.clock,
        )

    @on_first_use
    def step_executor(self) -> StepExecutor:
        """The use case that publishes events and starts runs for steps."""
        from chalicelib.service.step_execution import StepExecutor

        return StepExecutor(self.runs, self.definition_cache, self.advancer, self.factory, self.signaler, self.secrets)

    @on_first_use
    def admissions(self) -> Admissions:
        """The use case that begins pending runs."""
        from chalicelib.service.limits.admissions import Admissions

        return Admissions(
            self.runs, self.definition_cache, self.advancer, self.limiter, self.hold_gate, self.adapters.clock
        )

    @on_first_use
    def waker(self) -> Waker:
        """The use case that handles the messages of the wake queue."""
        from chalicelib.service.wakeups import Waker

        return Waker(self.runs, self, self.adapters.clock)

    @on_first_use
    def stuck_watch(self) -> StuckWatch:
        """Finds runs that do not go on, for hooks."""
        from chalicelib.service.doctor.run_checks import RunChecks
        from chalicelib.service.doctor.stuck import StuckWatch

        adapters = self.adapters
        return StuckWatch(
            adapters.store,
            self.runs,
            RunChecks(self.runs, self.definition_cache, adapters.clock),
            self.hook_book,
            self.announcer,
            adapters.queue,
            adapters.clock,
        )

    @on_first_use
    def reader(self) -> Reader:
        """The use case that reads runs and definitions."""
        from chalicelib.service.runs.read import Reader

        adapters = self.adapters
        return Reader(adapters.store, self.runs, self.definition_cache, self.changes, adapters.clock)

    @on_first_use
    def collector(self) -> Collector:
        """Collects the runs of batches."""
        from chalicelib.service.batches.collect import Collector

        adapters = self.adapters
        return Collector(self.reader.listing, adapters.store.batches, adapters.clock)

    @on_first_use
    def batch_worker(self) -> BatchWorker:
        """Works through batches."""
        from chalicelib.service.batches.audit import BatchAudit
        from chalicelib.service.batches.commands import RunCommands
        from chalicelib.service.batches.worker import BatchWorker
        from chalicelib.service.runs.commands import Operator

        settings, adapters = self.settings, self.adapters
        return BatchWorker(
            adapters.store.batches,
            self.collector,
            RunCommands(
                self.runs,
                self.operator,
                Operator(self.runs, self.definition_cache, self.trial_advancer, self.announcer, self.hold_gate),
                self.signaler,
                self.secrets,
            ),
            BatchAudit(is_open=settings.auth is Access.OPEN),
            adapters.queue,
            adapters.clock,
            adapters.ids,
        )
