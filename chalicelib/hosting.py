"""From settings to use cases: the one place where technologies are chosen and put together.

Built on first use and kept for as long as the container lives; tests build their own from fakes. What a backend does
not need is not imported: a cold start pays for every module.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, Protocol

from chalicelib import config
from chalicelib.config import Backend, EgressScope, Metrics, Settings
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.definitions.delete import DefinitionDeleter
from chalicelib.service.deliveries.deliver import Deliverer
from chalicelib.service.deliveries.delivery_check import DeliveryChecker
from chalicelib.service.deliveries.permits import Limiter
from chalicelib.service.deliveries.webhook_client import WebhookClient
from chalicelib.service.doctor.examine import Doctor
from chalicelib.service.events.publish import Signaler
from chalicelib.service.inbox import Inbox
from chalicelib.service.observability.observer import NULL_OBSERVER, Observer, Several
from chalicelib.service.ports.actions import Caller
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.encryption import Encryption
from chalicelib.service.ports.queues import Queue, Source
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.answer import Answerer
from chalicelib.service.runs.children import ChildRuns
from chalicelib.service.runs.commands import Operator
from chalicelib.service.runs.effect_executor import EffectExecutor
from chalicelib.service.runs.new_run import RunFactory
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.read import Reader
from chalicelib.service.runs.start import Starter
from chalicelib.service.security.rate_limits import Rates
from chalicelib.service.security.secrets import NoEncryption, Secrets
from chalicelib.service.security.tokens import Tokens
from chalicelib.service.security.webhooks import SignatureVerifier
from chalicelib.service.timers.run_timers import RunTimers
from chalicelib.service.wakeups import Waker

if TYPE_CHECKING:
    from chalicelib.adapters.actions.egress import EgressPolicy
    from chalicelib.service.documents.submit import Submitter


_PASSING_KEY: Final = os.urandom(32).hex()
"""Seals what ends with this process."""


class QueueAndSource(Queue, Source, Protocol):
    """A queue that both sends and receives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The adapters that stand behind the ports."""

    store: Store
    queue: QueueAndSource
    caller: Caller
    clock: Clock
    ids: IdSource
    observer: Observer = NULL_OBSERVER
    encryption: Encryption = field(default_factory=NoEncryption)
    close: Callable[[], None] = lambda: None


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
    deliverer: Deliverer
    waker: Waker
    timers: RunTimers
    operator: Operator
    definition_deleter: DefinitionDeleter
    doctor: Doctor
    reader: Reader
    signaler: Signaler
    inbox: Inbox
    tokens: Tokens
    secrets: Secrets
    rates: Rates

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
            self.secrets,
            adapters.clock,
            adapters.ids,
        )


def assemble(settings: Settings, adapters: Adapters) -> Services:
    """The use cases on these adapters."""
    store, queue, clock, ids = adapters.store, adapters.queue, adapters.clock, adapters.ids
    runs = OffloadingRunStore(store.runs)
    definition_cache = DefinitionCache(store, clock, settings.defaults, settings.definition_max_age, settings.max_steps)
    effect_executor = EffectExecutor(store, runs, queue, clock)
    secrets = Secrets(adapters.encryption, store.versioned_values, clock)
    advancer = RunAdvancer(runs, effect_executor, definition_cache, secrets, clock, ids, adapters.observer)
    signaler = Signaler(runs, store.signals, queue, definition_cache, advancer, clock, ids)
    factory = RunFactory(secrets, clock, ids)
    child_runs = ChildRuns(runs, definition_cache, advancer, factory)
    timers = RunTimers(runs, queue, advancer, clock)
    checker = DeliveryChecker(definition_cache, Limiter(store, clock, ids), clock)
    webhook_key = partial(webhook_key_of, settings)
    webhook_client = WebhookClient(
        adapters.caller, clock, secrets, settings.callback_url, webhook_key, settings.namespace
    )
    return Services(
        settings=settings,
        adapters=adapters,
        definition_cache=definition_cache,
        advancer=advancer,
        runs=runs,
        factory=factory,
        starter=Starter(runs, store.keys, definition_cache, advancer, factory, clock, ids),
        answerer=Answerer(advancer, SignatureVerifier(webhook_key, clock)),
        deliverer=Deliverer(runs, definition_cache, advancer, checker, webhook_client, queue, clock),
        waker=Waker(runs, timers, signaler, child_runs, clock),
        timers=timers,
        operator=Operator(runs, advancer),
        definition_deleter=DefinitionDeleter(store, runs, definition_cache),
        doctor=Doctor(runs, store.tasks, queue, queue, definition_cache, clock),
        reader=Reader(store, runs, definition_cache, clock),
        signaler=signaler,
        inbox=Inbox(runs, store.tasks, definition_cache, clock),
        tokens=Tokens(store.versioned_values, clock, ids, settings.namespace, settings.admin_token_sha256),
        secrets=secrets,
        rates=Rates(clock),
    )


def adapters_for(settings: Settings) -> Adapters:
    """The adapters that the settings ask for."""
    match settings.backend:
        case Backend.SQLITE:
            return _embedded(settings)
        case Backend.AWS:
            return _on_aws(settings)
        case Backend.MEMORY:
            return _in_memory(settings)


def _embedded(settings: Settings) -> Adapters:
    from chalicelib.adapters.actions.dispatch import Dispatcher
    from chalicelib.adapters.encryption import key_in_file
    from chalicelib.adapters.sqlite.database import Database
    from chalicelib.adapters.sqlite.message_queue import SqliteQueue
    from chalicelib.adapters.sqlite.store import SqliteStore
    from chalicelib.adapters.system import SystemClock, SystemIds

    database, clock = Database.open(settings.db), SystemClock()

    def key() -> str:
        return _PASSING_KEY if isinstance(settings.db, str) else key_in_file(settings.db.with_suffix(".key"))

    return Adapters(
        store=SqliteStore(database),
        queue=SqliteQueue(database, clock),
        caller=Dispatcher(clock.now, sqs_endpoint=settings.sqs_url, egress=_egress_policy(settings)),
        clock=clock,
        ids=SystemIds(),
        observer=observer(settings, clock),
        encryption=_encryption(settings, key),
        close=database.close,
    )


def _on_aws(settings: Settings) -> Adapters:
    from chalicelib.adapters import sqs
    from chalicelib.adapters.actions.dispatch import Dispatcher
    from chalicelib.adapters.dynamodb.items import TableLocation
    from chalicelib.adapters.dynamodb.store import DynamoStore
    from chalicelib.adapters.system import SystemClock, SystemIds

    clock = SystemClock()
    urls = sqs.find_queues(sqs.connect(endpoint=settings.sqs_url), settings.queue_prefix)
    return Adapters(
        store=DynamoStore(TableLocation(table=settings.table, endpoint=settings.dynamodb_url)),
        queue=sqs.SqsQueue(urls, endpoint=settings.sqs_url),
        caller=Dispatcher(clock.now, sqs_endpoint=settings.sqs_url, egress=_egress_policy(settings)),
        clock=clock,
        ids=SystemIds(),
        observer=observer(settings, clock),
        encryption=_encryption(settings, lambda: None),
    )


def _in_memory(settings: Settings) -> Adapters:
    from chalicelib.adapters.actions.dispatch import Dispatcher
    from chalicelib.adapters.memory import MemoryQueue, MemoryStore
    from chalicelib.adapters.system import SystemClock, SystemIds

    clock = SystemClock()
    return Adapters(
        store=MemoryStore(),
        queue=MemoryQueue(clock),
        caller=Dispatcher(clock.now, egress=_egress_policy(settings)),
        clock=clock,
        ids=SystemIds(),
        observer=observer(settings, clock),
        encryption=_encryption(settings, lambda: _PASSING_KEY),
    )


def observer(settings: Settings, clock: Clock) -> Observer:
    """Whoever watches. What nobody asked for is not imported."""
    made: list[Observer] = []
    if settings.metrics is Metrics.EMF:
        from chalicelib.adapters.telemetry.metrics import EmfMetrics

        made.append(EmfMetrics(clock, settings.metrics_namespace))
    if settings.otlp_endpoint:
        from chalicelib.adapters.telemetry.traces import Traces, otlp

        made.append(Traces(otlp(settings.otlp_endpoint, clock), at_once=settings.on_lambda))
    return Several(made) if made else NULL_OBSERVER


def _egress_policy(settings: Settings) -> EgressPolicy:
    from chalicelib.adapters.actions.egress import EgressPolicy

    return EgressPolicy(public=settings.outbound is EgressScope.PUBLIC, allow=settings.outbound_allow)


def _encryption(settings: Settings, at_home: Callable[[], str | None]) -> Encryption:
    """What seals secrets: by the key that is set, or referred to, or else by the one that is found at home."""
    from chalicelib.adapters.encryption import LibsodiumEncryption

    def key() -> str | None:
        if settings.secrets_key_ref is None:
            return settings.secrets_key or at_home()
        from chalicelib.adapters import secret_references

        return secret_references.read(settings.secrets_key_ref)

    return LibsodiumEncryption(key)


def webhook_key_of(settings: Settings) -> bytes:
    """The webhook key: where the settings only refer to it, it is read when it is needed."""
    if settings.webhook_key_ref is None:
        return settings.webhook_key.encode()
    from chalicelib.adapters import secret_references

    return secret_references.read(settings.webhook_key_ref).encode()


_made: list[Services] = []


def services() -> Services:
    """The container's use cases, built from the environment when they are first asked for."""
    if not _made:
        settings = config.from_environment(os.environ)
        if settings.notice:
            logging.getLogger("echoer").warning(settings.notice)
        _made.append(assemble(settings, adapters_for(settings)))
    return _made[0]


def flush() -> None:
    """Whoever watches has said what there was to say. Does nothing where nothing was built yet."""
    if _made:
        _made[0].adapters.observer.flush()


_tokens: list[Tokens] = []


def tokens() -> Tokens:
    """The tokens alone, for a function that may read nothing else."""
    if _made:
        return _made[0].tokens
    if not _tokens:
        _tokens.append(_tokens_on_aws(config.from_environment(os.environ)))
    return _tokens[0]


def _tokens_on_aws(settings: Settings) -> Tokens:
    from chalicelib.adapters.dynamodb.items import TableLocation
    from chalicelib.adapters.dynamodb.store import DynamoStore
    from chalicelib.adapters.system import SystemClock, SystemIds

    versioned_values = DynamoStore(TableLocation(table=settings.table, endpoint=settings.dynamodb_url)).versioned_values
    return Tokens(versioned_values, SystemClock(), SystemIds(), settings.namespace, settings.admin_token_sha256)


def use(made: Services) -> None:
    """From now on these are the use cases: for whoever builds their own, as the local server and tests do."""
    _made[:] = [made]
