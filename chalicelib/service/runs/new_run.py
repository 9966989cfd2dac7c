"""The first decision of a run, the same for a start by name, by a document and by a calling run."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chalicelib.engine.effects import Decision
from chalicelib.engine.events import RunStarted
from chalicelib.engine.machine import decide
from chalicelib.engine.values.inputs import complete
from chalicelib.engine.values.secret_values import reencrypted
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Flow
from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef, Parent
from chalicelib.model.times import Instant
from chalicelib.service.errors import Invalid
from chalicelib.service.holds.gate import HoldGate
from chalicelib.service.names import refuse_reserved, refuse_unsafe
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.security.secrets import Secrets


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is to be started. `input` is complete, and encrypted for no run yet (`RunFactory.input`)."""

    namespace: str
    name: str
    definition: Definition
    ref: DefinitionRef
    input: Json
    by: str
    labels: dict[str, Json] = msgspec.field(default_factory=dict)
    parent: Parent | None = None
    trace: str = ""
    """The `traceparent` under which the run is started; empty: none."""
    generation: int = 0
    """How many runs started one another in a row before it."""
    scheduled: str = ""
    """The slot of the schedule that starts it; empty for other runs."""
    queued_behind: str = ""
    """The schedule that is notified of its end; empty: none."""
    start_at: Instant | None = None
    """When it begins; None or past: at once."""


class RunFactory:
    """Makes the first decision of runs."""

    def __init__(self, secrets: Secrets, hold_gate: HoldGate, clock: Clock, ids: IdSource) -> None:
        self._secrets = secrets
        self._hold_gate = hold_gate
        self._clock = clock
        self._ids = ids

    def input(self, namespace: str, flow: Flow, given: Json, source: str = "") -> Json:
        """Return the input with defaults filled in and secret values encrypted. Raises InputRefused.

        `source` is the id of the run that gives it; empty: it comes from a request or a document.
        """
        cipher = self._secrets.cipher_of_input(namespace)
        if source:
            given = reencrypted(given, self._secrets.cipher(namespace, source), cipher)
        return complete(flow, dict(given) if isinstance(given, Mapping) else given, cipher)

    def decide(self, plan: RunPlan) -> Decision:
        """Return the first head of the run, and its effects. Nothing is written or sent. Raises Invalid, TooLarge."""
        if plan.parent is None:  # the name of a child begins with that of its parent, which exists
            refuse_unsafe("the name of a run", plan.name)
            refuse_reserved(plan.name)
        for name in plan.labels:
            refuse_unsafe("the name of a label", name)
            if ":" in name:
                raise Invalid(f"the name of a label must not contain a colon: {name!r:.80}")
        at, nonce, run_id = self._clock.now(), self._ids.nonce(), new_uuid(self._ids)
        cipher = self._secrets.cipher(plan.namespace, run_id)
        event = RunStarted(
            at=at,
            nonce=nonce,
            by=plan.by,
            namespace=plan.namespace,
            name=plan.name,
            id=run_id,
            ref=plan.ref,
            input=reencrypted(plan.input, self._secrets.cipher_of_input(plan.namespace), cipher),
            labels=plan.labels,
            parent=plan.parent,
            trace=plan.trace,
            generation=plan.generation,
            scheduled=plan.scheduled,
            queued_behind=plan.queued_behind,
            start_at=plan.start_at,
            held=self._hold_gate.holds_flow(plan.namespace, plan.ref.flow),
        )
        return decide(plan.definition, None, event, cipher=cipher)


def new_uuid(ids: IdSource) -> str:
    """Return a random uuid (RFC 9562, version 4)."""
    digits = ids.nonce()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
