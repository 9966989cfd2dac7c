"""Settings and adapters become the use cases of the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from chalicelib.adapters.changes import PolledChanges
from chalicelib.adapters.operations import ALL_OPERATIONS, OperationsOf
from chalicelib.config import Access, Settings
from chalicelib.service.batches.audit import BatchAudit
from chalicelib.service.batches.collect import Collector
from chalicelib.service.batches.commands import RunCommands
from chalicelib.service.batches.operator import BatchOperator
from chalicelib.service.batches.worker import BatchWorker
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.definitions.delete import DefinitionDeleter
from chalicelib.service.deliveries.deliver import Deliverer
from chalicelib.service.deliveries.delivery_check import DeliveryChecker
from chalicelib.service.deliveries.direct_client import DirectClient
from chalicelib.service.deliveries.recorder import DeliveryRecorder
from chalicelib.service.deliveries.statistics import DeliveryStatistics
from chalicelib.service.deliveries.webhook_client import WebhookClient
from chalicelib.service.doctor.examine import Doctor
from chalicelib.service.doctor.hold_checks import HoldChecks
from chalicelib.service.doctor.run_checks import RunChecks
from chalicelib.service.doctor.schedule_checks import ScheduleChecks
from chalicelib.service.doctor.stuck import StuckWatch
from chalicelib.service.events.event_types import EventTypes
from chalicelib.service.events.publish import Signaler
from chalicelib.service.holds.book import HoldBook
from chalicelib.service.holds.commands import HoldOperator
from chalicelib.service.holds.gate import HoldGate
from chalicelib.service.hooks.announce import HookAnnouncer
from chalicelib.service.hooks.book import HookBook
from chalicelib.service.hooks.delivery_log import DeliveryLog
from chalicelib.service.hooks.notify import HookNotifier
from chalicelib.service.inbox import Inbox
from chalicelib.service.limits.admissions import Admissions, RoomCheck
from chalicelib.service.limits.breakers import Breakers
from chalicelib.service.limits.limiter import Limiter
from chalicelib.service.observability.observer import NULL_OBSERVER, Observer
from chalicelib.service.ports.actions import Caller
from chalicelib.service.ports.changes import Changes
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.encryption import Encryption
from chalicelib.service.ports.queues import Queue, Source
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.advance import RunAdvancer, TrialAdvancer
from chalicelib.service.runs.answer import Answerer
from chalicelib.service.runs.children import ChildRuns
from chalicelib.service.runs.commands import Operator
from chalicelib.service.runs.effect_executor import EffectExecutor
from chalicelib.service.runs.new_run import RunFactory
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.read import Reader
from chalicelib.service.runs.start import Starter
from chalicelib.service.runs.token_answers import TokenAnswerer
from chalicelib.service.schedules.commands import ScheduleOperator
from chalicelib.service.schedules.scheduler import Scheduler
from chalicelib.service.schedules.starting import SlotStarter
from chalicelib.service.security.rate_limits import Rates
from chalicelib.service.security.secrets import NoEncryption, Secrets
from chalicelib.service.security.task_links import TaskLinks
from chalicelib.service.security.tokens import Tokens
from chalicelib.service.security.webhooks import SignatureVerifier
from chalicelib.service.step_execution import StepExecutor
from chalicelib.service.timers.run_timers import RunTimers
from chalicelib.service.wakeups import Waker

if TYPE_CHECKING:
    from chalicelib.service.details.activations import Activations
    from chalicelib.service.details.activity import ActivityReader
    from chalicelib.service.details.definitions import DefinitionDetails
    from chalicelib.service.details.items import Items
    from chalicelib.service.details.run_details import RunDetailReader
    from chalicelib.service.details.timers import Timers
    from chalicelib.service.documents.submit import Submitter


class QueueAndSource(Queue, Source, Protocol):
    """A queue that both sends and receives."""


class Adapters(msgspec.Struct, frozen=True, kw_only=True):
    """The adapters that implement the ports."""

    store: Store
    queue: QueueAndSource
    caller: Caller
    clock: Clock
    ids: IdSource
    observer: Observer = NULL_OBSERVER
    encryption: Encryption = msgspec.field(default_factory=NoEncryption)
    operations: OperationsOf = ALL_OPERATIONS
    """What documents of a namespace may call with `method = aws`."""
    changes: Changes | None = None
    """Notifies requests that wait for changes; None: they poll."""
    close: Callable[[], None] = lambda: None
    check_store: Callable[[], None] = lambda: None
    """Raises Busy, which says what fails, if nothing can be stored. Where that costs too much, nothing is checked."""
    address_problem: Callable[[str], str | None] = lambda _: None
    """Returns why nothing may be sent to an address, or None."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The use cases, ready to be called."""

    settings: Settings
    adapters: Adapters
    runs: OffloadingRunStore
    definition_cache: DefinitionCache
    advancer: RunAdvancer
    factory: RunFactory
    starter: Starter
    answerer: Answerer
    token_answerer: TokenAnswerer
    breakers: Breakers
    deliverer: Deliverer
    waker: Waker
    timers: RunTimers
    operator: Operator
    scheduler: Scheduler
    schedules: ScheduleOperator
    definition_deleter: DefinitionDeleter
    doctor: Doctor
    reader: Reader
    signaler: Signaler
    inbox: Inbox
    tokens: Tokens
    task_links: TaskLinks
    secrets: Secrets
    rates: Rates
    batches: BatchOperator
    hold_book: HoldBook
    holds: HoldOperator
    hook_book: HookBook
    hook_log: DeliveryLog
    hook_notifier: HookNotifier
    stuck_watch: StuckWatch
    statistics: DeliveryStatistics
    limiter: Limiter

    # What few requests need is imported when it is first needed: cold starts do without.

    @cached_property
    def activations(self) -> Activations:
        """The use case that shows what was sent and what came back."""
        from chalicelib.service.details.activations import Activations

        return Activations(self.runs, self.adapters.store.deliveries, self.definition_cache)

    @cached_property
    def items(self) -> Items:
        """The use case that lists the items of eaches."""
        from chalicelib.service.details.items import Items

        return Items(self.runs, self.definition_cache)

    @cached_property
    def run_details(self) -> RunDetailReader:
        """The use case that shows what one run waits for, its children and its cost."""
        from chalicelib.service.details.run_details import RunDetailReader

        return RunDetailReader(self.adapters.store.runs, self.limiter)

    @cached_property
    def activity(self) -> ActivityReader:
        """The use case that counts activations of actions."""
        from chalicelib.service.details.activity import ActivityReader

        return ActivityReader(self.runs, self.definition_cache, self.limiter)

    @cached_property
    def definition_details(self) -> DefinitionDetails:
        """The use case that shows versions of definitions."""
        from chalicelib.service.details.definitions import DefinitionDetails

        return DefinitionDetails(self.adapters.store.definitions)

    @cached_property
    def timer_list(self) -> Timers:
        """The use case that lists timers."""
        from chalicelib.service.details.timers import Timers

        store = self.adapters.store
        return Timers(store.runs, store.schedules, self.definition_cache)

    @cached_property
    def submitter(self) -> Submitter:
        """The use case that submits FSL. Its parser is imported when it is first needed: cold starts do without."""
        from chalicelib.service.documents.submit import Submitter

        adapters = self.adapters
        return Submitter(
            adapters.store,
            self.runs,
            self.definition_cache,
            self.advancer,
            self.factory,
            self.scheduler,
            self.secrets,
            self.hook_book,
            self.stuck_watch,
            adapters.clock,
            adapters.ids,
            adapters.operations,
            adapters.address_problem,
        )


def assemble(settings: Settings, adapters: Adapters) -> Services:
    """Return the use cases on these adapters."""
    store, queue, clock, ids = adapters.store, adapters.queue, adapters.clock, adapters.ids
    changes = adapters.changes or PolledChanges(clock)
    runs = OffloadingRunStore(store.runs, adapters.changes)
    definition_cache = DefinitionCache(
        store, clock, settings.defaults, settings.definition_max_age, settings.max_steps, settings.keep
    )
    effect_executor = EffectExecutor(store, runs, queue, clock)
    secrets = Secrets(adapters.encryption, store.versioned_values, clock)
    limiter = Limiter(store, queue, clock, ids)
    hold_book = HoldBook(store.versioned_values, clock)
    hold_gate = HoldGate(hold_book, store.waiters, queue, definition_cache, clock)
    check_room = RoomCheck(definition_cache, limiter)
    hook_book, hook_log = HookBook(store.definitions, clock), DeliveryLog(store.versioned_values)
    announcer = HookAnnouncer(runs, hook_book, queue, clock)
    advancer = RunAdvancer(
        runs, effect_executor, definition_cache, secrets, clock, ids, check_room, adapters.observer, hook_book
    )
    admissions = Admissions(runs, definition_cache, advancer, limiter, hold_gate, clock)
    signaler = Signaler(
        runs, store.signals, store.keys, queue, definition_cache, EventTypes(definition_cache), advancer, clock, ids
    )
    factory = RunFactory(secrets, hold_gate, clock, ids)
    child_runs = ChildRuns(runs, definition_cache, advancer, factory, secrets, queue, clock)
    step_executor = StepExecutor(runs, definition_cache, advancer, factory, signaler, secrets)
    operator = Operator(runs, definition_cache, advancer, announcer)
    timers = RunTimers(runs, store.schedules, queue, advancer, operator, hold_gate, clock)
    slot_starter = SlotStarter(runs, definition_cache, advancer, factory, clock)
    scheduler = Scheduler(store, store.runs, queue, advancer, slot_starter, clock)
    breakers = Breakers(store.versioned_values, definition_cache, limiter, announcer, clock)
    statistics = DeliveryStatistics(store.versioned_values, clock, is_on=settings.delivery_log)
    checker = DeliveryChecker(definition_cache, limiter, hold_gate, clock)
    webhook_key = partial(webhook_key_of, settings)
    answerer = Answerer(advancer, SignatureVerifier(webhook_key, clock))
    webhook_client = WebhookClient(
        adapters.caller, clock, secrets, settings.callback_url, webhook_key, settings.namespace
    )
    direct_client = DirectClient(adapters.caller, clock, secrets)
    run_checks = RunChecks(runs, definition_cache, clock)
    stuck_watch = StuckWatch(store, runs, run_checks, hook_book, announcer, queue, clock)
    trial = TrialAdvancer(runs, effect_executor, definition_cache, secrets, clock, ids, check_room)
    reader = Reader(store, runs, definition_cache, changes, clock)
    collector = Collector(reader.listing, store.batches, clock)
    run_commands = RunCommands(runs, operator, Operator(runs, definition_cache, trial, announcer), signaler, secrets)
    audit = BatchAudit(is_open=settings.auth is Access.OPEN)
    batch_worker = BatchWorker(store.batches, collector, run_commands, audit, queue, clock, ids)
    return Services(
        settings=settings,
        adapters=adapters,
        definition_cache=definition_cache,
        advancer=advancer,
        runs=runs,
        factory=factory,
        starter=Starter(runs, store.keys, definition_cache, advancer, factory, clock, ids),
        answerer=answerer,
        token_answerer=TokenAnswerer(runs, definition_cache, answerer),
        breakers=breakers,
        deliverer=Deliverer(
            runs,
            definition_cache,
            advancer,
            checker,
            webhook_client,
            direct_client,
            breakers,
            hold_gate,
            DeliveryRecorder(store.deliveries, statistics, is_on=settings.delivery_log),
            queue,
            clock,
        ),
        waker=Waker(
            runs,
            timers,
            signaler,
            child_runs,
            step_executor,
            scheduler,
            limiter,
            hold_gate,
            batch_worker,
            admissions,
            announcer,
            stuck_watch,
            clock,
        ),
        timers=timers,
        operator=operator,
        scheduler=scheduler,
        schedules=ScheduleOperator(store, scheduler, slot_starter, clock),
        definition_deleter=DefinitionDeleter(store, runs, definition_cache, scheduler.forget, hook_book),
        doctor=Doctor(
            runs,
            store.tasks,
            queue,
            queue,
            definition_cache,
            ScheduleChecks(store, clock),
            HoldChecks(hold_book, store.batches, clock),
            hook_book,
            hook_log,
            clock,
        ),
        reader=reader,
        signaler=signaler,
        inbox=Inbox(runs, store.tasks, definition_cache, clock),
        tokens=Tokens(store.versioned_values, clock, ids, settings.namespace, settings.admin_token_sha256),
        task_links=TaskLinks(store.versioned_values, webhook_key, clock, ids),
        secrets=secrets,
        rates=Rates(clock),
        batches=BatchOperator(store.batches, collector, batch_worker, secrets, queue, clock, ids),
        hold_book=hold_book,
        holds=HoldOperator(hold_book, store.definitions, queue, clock),
        hook_book=hook_book,
        hook_log=hook_log,
        hook_notifier=HookNotifier(hook_book, adapters.caller, hook_log, webhook_key, clock, ids),
        stuck_watch=stuck_watch,
        statistics=statistics,
        limiter=limiter,
    )


def webhook_key_of(settings: Settings) -> bytes:
    """Return the webhook key. Where the settings only refer to it, each call reads it."""
    if settings.webhook_key_ref is None:
        return settings.webhook_key.encode()
    from chalicelib.adapters import secret_references

    return secret_references.read(settings.webhook_key_ref).encode()
