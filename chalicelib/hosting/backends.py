"""The adapters that settings ask for.

A module of a technology is imported where it is chosen: a cold start pays for every module.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chalicelib.adapters.operations import models, operations_of
from chalicelib.config import Backend, Durability, EgressScope, Metrics, Settings
from chalicelib.hosting.adapters import Adapters
from chalicelib.service.observability.observer import NULL_OBSERVER, Observer, Several
from chalicelib.service.ports.actions import Caller
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.encryption import Encryption

if TYPE_CHECKING:
    from chalicelib.adapters.actions.egress import EgressPolicy
    from chalicelib.adapters.sharing import Sharing

PROCESS_KEY: Final = os.urandom(32).hex()
"""Encrypts the secrets of stores that end with this process."""


def adapters_for(settings: Settings, sharing: Sharing | None = None) -> Adapters:
    """Return the adapters of the settings' backend.

    `sharing`: how this process shares an SQLite file with others of one server; None: it has the file alone.
    """
    match settings.backend:
        case Backend.SQLITE:
            return _embedded(settings, sharing)
        case Backend.AWS:
            return _on_aws(settings)
        case Backend.MEMORY:
            return _in_memory(settings)


def _embedded(settings: Settings, sharing: Sharing | None) -> Adapters:
    from chalicelib.adapters.changes import LocalChanges
    from chalicelib.adapters.encryption import key_in_file
    from chalicelib.adapters.sqlite.database import Database
    from chalicelib.adapters.sqlite.message_queue import SqliteQueue
    from chalicelib.adapters.sqlite.store import SqliteStore
    from chalicelib.adapters.system import SystemClock, SystemIds

    full_sync, clock = settings.durability is Durability.POWER, SystemClock()
    database = Database.open(settings.db, full_sync=full_sync, turns=sharing.turns if sharing else None)
    if sharing is None:
        store, queue = SqliteStore(database), SqliteQueue(database, clock)
        queue.gather(1)
    else:
        store = SqliteStore(database, sharing.caches_changed)
        queue = SqliteQueue(database, clock, process=sharing.process)

    def key() -> str:
        return PROCESS_KEY if isinstance(settings.db, str) else key_in_file(_key_path(settings.db))

    return Adapters(
        store=store,
        queue=queue,
        caller=_caller(settings, clock),
        clock=clock,
        ids=SystemIds(),
        observer=observer(settings, clock),
        encryption=encryption_for(settings, key),
        operations=operations_of(settings.aws_calls),
        changes=sharing.changes if sharing else LocalChanges(clock),
        call_times=sharing.call_times if sharing else None,
        collect_statistics=sharing.collect_statistics if sharing else lambda: None,
        close=database.close,
        check_store=database.check,
        address_problem=_egress_policy(settings).refuses_url,
    )


def _key_path(database: Path) -> Path:
    """Return the path of the key beside the file, or beside the link to it if earlier versions put the key there."""
    beside_file, beside_link = database.resolve().with_suffix(".key"), database.with_suffix(".key")
    return beside_link if beside_link.exists() and not beside_file.exists() else beside_file


def _on_aws(settings: Settings) -> Adapters:
    from chalicelib.adapters import sqs
    from chalicelib.adapters.aws_clients.clients import Clients
    from chalicelib.adapters.dynamodb.items import TableLocation
    from chalicelib.adapters.dynamodb.store import DynamoStore
    from chalicelib.adapters.system import SystemClock, SystemIds

    clock, clients = SystemClock(), Clients()
    location = TableLocation(table=settings.table, endpoint=settings.dynamodb_url, shards=settings.shards)
    store = DynamoStore(location, clients)
    queue = sqs.SqsQueue(settings.queue_prefix, endpoint=settings.sqs_url, clients=clients)

    def connect() -> None:
        store.connect()
        queue.connect()

    return Adapters(
        store=store,
        queue=queue,
        connect=connect,
        caller=_caller(settings, clock),
        clock=clock,
        ids=SystemIds(),
        observer=observer(settings, clock),
        encryption=encryption_for(settings, lambda: None),
        operations=operations_of(settings.aws_calls),
        address_problem=_egress_policy(settings).refuses_url,
    )


def _in_memory(settings: Settings) -> Adapters:
    from chalicelib.adapters.memory import MemoryQueue, MemoryStore
    from chalicelib.adapters.system import SystemClock, SystemIds

    clock = SystemClock()
    return Adapters(
        store=MemoryStore(),
        queue=MemoryQueue(clock),
        caller=_caller(settings, clock),
        clock=clock,
        ids=SystemIds(),
        observer=observer(settings, clock),
        encryption=encryption_for(settings),
        operations=operations_of(settings.aws_calls),
        address_problem=_egress_policy(settings).refuses_url,
    )


def observer(settings: Settings, clock: Clock) -> Observer:
    """Return the observer for metrics and traces, as far as the settings ask for them."""
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


def _caller(settings: Settings, clock: Clock) -> Caller:
    from chalicelib.adapters.actions.dispatch import Dispatcher

    return Dispatcher(
        clock.now,
        sqs_endpoint=settings.sqs_url,
        egress=_egress_policy(settings),
        operations=_operations(settings, clock),
    )


def _operations(settings: Settings, clock: Clock) -> Callable[[], Caller]:
    """Return a function that makes the caller of operations of AWS, with what Echoer itself stores out of its reach."""

    def make() -> Caller:
        from chalicelib.adapters.aws_operations.allowed import AllowedCalls, OwnResources
        from chalicelib.adapters.aws_operations.caller import OperationCaller
        from chalicelib.adapters.aws_operations.clients import Clients

        is_on_aws = settings.backend is Backend.AWS
        references = filter(None, (settings.webhook_key_ref, settings.secrets_key_ref))
        keys = [reference.partition(":")[2].partition("#")[0] for reference in references]
        own = OwnResources(settings.table if is_on_aws else "", settings.queue_prefix if is_on_aws else "", keys)
        endpoints = {"dynamodb": settings.dynamodb_url, "sqs": settings.sqs_url}
        return OperationCaller(models(), Clients(clock.now, endpoints), AllowedCalls(settings.aws_calls), own)

    return make


def encryption_for(settings: Settings, default_key: Callable[[], str | None] = lambda: PROCESS_KEY) -> Encryption:
    """Return the encryption of secrets, by the key that is set or referred to, or else by `default_key`."""
    from chalicelib.adapters.encryption import LibsodiumEncryption

    def key() -> str | None:
        if settings.secrets_key_ref is None:
            return settings.secrets_key or default_key()
        from chalicelib.adapters import secret_references

        return secret_references.read(settings.secrets_key_ref)

    return LibsodiumEncryption(key)
