"""Starting a run of a flow that is defined already."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from chalicelib.engine.events import RunStarted
from chalicelib.engine.inputs import complete
from chalicelib.engine.machine import decide
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import KeyTaken, RunExists
from chalicelib.service.observability.traceparent import accepted
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.ports.values import KeyStore
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.security.secrets import Secrets

KEY_TTL: Final = 24 * 60 * 60 * 1000
"""How long an idempotency key gives the same run back, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOrder:
    """A run that somebody asks for. Without a name it gets one of its own; `key` makes asking again harmless."""

    flow: str
    input: dict[str, Json] = field(default_factory=dict)
    name: str | None = None
    labels: dict[str, Json] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The run, and whether it was this request that started it."""

    run: Run
    created: bool


class Starter:
    def __init__(
        self,
        runs: RunStore,
        keys: KeyStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        secrets: Secrets,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._secrets = secrets
        self._runs = runs
        self._keys = keys
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._clock = clock
        self._ids = ids

    def start(self, namespace: str, order: StartOrder, *, by: str = "") -> Started:
        """The run is under way. Raises NotFound (flow), InputRefused, RunExists, KeyTaken."""
        definition, ref = self._definition_cache.of_flow(namespace, order.flow)
        cipher = self._secrets.cipher(namespace)
        given = complete(definition.flow, order.input, cipher)
        name = order.name or f"{order.flow}-{self._ids.nonce()[:12]}"
        if order.key is not None:
            as_kept = replace(order, input={one: given[one] for one in order.input})
            name = self._claim(namespace, as_kept, order.key, name)
        decision = decide(
            definition,
            None,
            RunStarted(
                at=self._clock.now(),
                nonce=self._ids.nonce(),
                by=by,
                namespace=namespace,
                name=name,
                id=new_uuid(self._ids),
                ref=ref,
                input=given,
                labels=order.labels,
                trace=accepted(),
            ),
            cipher=cipher,
        )
        try:
            return Started(self._advancer.create(decision), created=True)
        except RunExists:
            run = self._runs.load(namespace, name) if order.key is not None else None
            if run is None:
                raise
            return Started(run, created=False)

    def _claim(self, namespace: str, order: StartOrder, key: str, name: str) -> str:
        """The name of the run that the key stands for. What is secret in the order is sealed: its hash is kept."""
        asked = msgspec.json.encode([order.flow, order.name, order.input, order.labels], order="deterministic")
        digest = hashlib.sha256(asked).hexdigest()[:16]
        held = self._keys.claim(namespace, f"start/{key}", f"{digest}/{name}", self._clock.now(), KEY_TTL)
        owner, _, holder = held.partition("/")
        if owner != digest:
            raise KeyTaken(key)
        return holder


def new_uuid(ids: IdSource) -> str:
    """A random uuid (RFC 9562, version 4)."""
    digits = ids.nonce()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
