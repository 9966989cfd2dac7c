"""Start a run of a stored flow."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import Invalid, KeyTaken, RunExists
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.ports.values import KeyStore
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.new_run import RunFactory, RunPlan

KEY_TTL_MS: Final = 24 * 60 * 60 * 1000
"""How long an idempotency key returns the same run."""

MAX_DELAY_MS: Final = 3_660 * 24 * 60 * 60 * 1000
"""How far ahead a delayed start can be."""


class StartOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A request to start a run. Without `name` the run gets a generated one; with `key` the request is idempotent."""

    flow: str
    input: Json = msgspec.field(default_factory=dict)
    name: str | None = None
    labels: dict[str, Json] = msgspec.field(default_factory=dict)
    key: str | None = None
    start_at: Instant | None = None
    """When the run begins; None or past: at once. Until then it is pending."""


class Started(msgspec.Struct, frozen=True):
    """The run, and whether this request created it."""

    run: Run
    created: bool


class Starter:
    """Starts runs of stored flows."""

    def __init__(
        self,
        runs: RunStore,
        keys: KeyStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        factory: RunFactory,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._runs = runs
        self._keys = keys
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._factory = factory
        self._clock = clock
        self._ids = ids

    def start(self, namespace: str, order: StartOrder, *, by: str = "", trace: str = "") -> Started:
        """Start a run, or return the one that the idempotency key started before.

        `trace` is the `traceparent` of the request. Raises NotFound (flow), Invalid, InputRefused, RunExists, KeyTaken.
        """
        if order.start_at is not None and order.start_at > self._clock.now() + MAX_DELAY_MS:
            raise Invalid("`start_at` must be at most 3,660 days ahead")
        definition, ref = self._definition_cache.of_flow(namespace, order.flow)
        given = self._factory.input(namespace, definition.flow, order.input)
        name = order.name or f"{order.flow}-{self._ids.nonce()[:12]}"
        if order.key is not None:
            named = {one: given[one] for one in order.input} if definition.flow.input_type is None else given
            name = self._claim(namespace, replace(order, input=named), order.key, name)
        decision = self._factory.decide(
            RunPlan(
                namespace=namespace,
                name=name,
                definition=definition,
                ref=ref,
                input=given,
                by=by,
                labels=order.labels,
                trace=trace,
                start_at=order.start_at,
            )
        )
        try:
            return Started(self._advancer.create(decision), created=True)
        except RunExists:
            run = self._runs.load(namespace, name) if order.key is not None else None
            if run is None:
                raise
            return Started(run, created=False)

    def _claim(self, namespace: str, order: StartOrder, key: str, name: str) -> str:
        """Return the name of the run that the key belongs to. Secret values in `order` are encrypted."""
        what = [order.flow, order.name, order.input, order.labels, *([order.start_at] if order.start_at else [])]
        requested = msgspec.json.encode(what, order="deterministic")
        digest = hashlib.sha256(requested).hexdigest()[:16]
        claimed = self._keys.claim(namespace, f"start/{key}", f"{digest}/{name}", self._clock.now(), KEY_TTL_MS)
        owner, _, run_name = claimed.partition("/")
        if owner != digest:
            raise KeyTaken(key)
        return run_name
