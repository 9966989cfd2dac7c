"""Decide what to do with a delivery message, by the head of its run.

message ──> not committed yet ──> receive it again, with growing delays
        ├─> not current, ended ──> drop it
        ├─> paused ─────────────> record it in the head; `continue` sends it again
        ├─> its action is paused ─> record it; `continue` of the action sends it again
        ├─> next attempt later ──> receive it again then
        ├─> asked later for its answer ──> send it again then as a new message
        ├─> its circuit is open ─> record it; the limiter's queue sends it again
        ├─> over a limit ───────> in the queue of the limiter, which sends it again when its turn comes
        └─> deliver
"""

from __future__ import annotations

from itertools import count
from typing import Final, TypeAlias

import msgspec

from chalicelib.engine.invocation import awaits_approval, invocation_of, limiter_name
from chalicelib.engine.notices import is_due
from chalicelib.model import status
from chalicelib.model.actions import Limit
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.holds import HeldKind
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.model.waits import NoticeWait
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.holds.book import Pause
from chalicelib.service.holds.gate import HoldGate
from chalicelib.service.limits.breakers import breaker_name
from chalicelib.service.limits.limiter import Admitted, Limiter, Queued
from chalicelib.service.messages import Deliver
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.waiters import Waiter
from chalicelib.service.redelivery import Redelivery, until_committed


class Deliverable(msgspec.Struct, frozen=True):
    """The activation's action is to be called now."""

    run: Run
    token: Token
    activation: Activation
    invocation: Invocation
    slot: Instant = 0
    """When its action may be called; past, unless its deliveries are limited per second."""
    failures: int = 0
    """How many deliveries to its action have failed in a row, if it has a breaker."""


class WhilePaused(msgspec.Struct, frozen=True):
    """The activation's run is paused."""


class ActionPaused(msgspec.Struct, frozen=True):
    """The activation's action is paused. Its run is parked until the action is continued."""

    action: str
    pause: Pause


class ActionContinued(msgspec.Struct, frozen=True):
    """The activation is suspended, and its action is not paused any more."""

    is_unsent: bool
    """Whether nothing was sent because the action was paused: a new message does so."""


class SendAgain(msgspec.Struct, frozen=True):
    """The action is asked for its answer later: a new message is sent, `wait` milliseconds delayed.

    A message that a queue delivers too often would be dead-lettered.
    """

    wait: int


class CircuitOpen(msgspec.Struct, frozen=True):
    """The activation waits in the queue of its action's breaker, which is open."""


DeliveryCheck: TypeAlias = (
    Deliverable | WhilePaused | ActionPaused | ActionContinued | CircuitOpen | SendAgain | Redelivery
)

MAX_EARLY_MS: Final = 2_000
"""How long before its slot a delivery waits for it. An earlier one comes again."""


def is_over(run: Run, token: Token) -> bool:
    """Return whether the token needs no delivery: its run has ended; a notice was taken, or is not due yet."""
    is_notice = token.activation is not None and isinstance(token.activation.wait, NoticeWait)
    return not is_due(run, token) if is_notice else run.status in status.ENDED


class DeliveryChecker:
    """Checks delivery messages against heads."""

    def __init__(self, definition_cache: DefinitionCache, limiter: Limiter, hold_gate: HoldGate, clock: Clock) -> None:
        self._definition_cache = definition_cache
        self._hold_gate = hold_gate
        self._limiter = limiter
        self._clock = clock
        self._places = count()

    def check(self, run: Run | None, message: Deliver) -> DeliveryCheck:
        """Return what the message requires, by the head of its run (None: there is no run)."""
        if message.granted_in and (run is None or run.id != message.id):
            return self._limiter.take_back(message)
        if run is None or not message.is_written(run):
            return until_committed(message.sent_at, self._clock.now())
        token = run.sent_of(message.uuid)
        if token is None or token.activation is None or is_over(run, token):
            return self._limiter.take_back(message)
        if message.is_net and token.activation.is_taken:
            return None
        if run.status is Status.PAUSED:
            again = self._hold(message)
            return WhilePaused() if again is None else again
        invocation = invocation_of(self._definition_cache.of(run), run, token)
        if invocation is None or invocation.is_human or awaits_approval(token):
            return None
        wait = (token.activation.retry_at or 0) - self._clock.now()
        if wait > 0:
            return SendAgain(wait) if token.activation.location else wait
        held = self._check_action(run, token.activation, invocation, message)
        return held or self._admit(run, token, token.activation, invocation, message)

    def _check_action(
        self, run: Run, activation: Activation, invocation: Invocation, message: Deliver
    ) -> ActionPaused | ActionContinued | Redelivery:
        """Park the run, or its notice, if the action is paused. Return None if the delivery can go on."""
        namespace, action = run.namespace, invocation.action.name
        is_suspended = activation.suspended_at is not None
        if not is_suspended and self._hold_gate.pause_of(namespace, HeldKind.ACTION, action) is None:
            return None
        pause = self._hold_gate.stored_pause_of(namespace, HeldKind.ACTION, action)
        if pause is None:
            return ActionContinued(activation.is_unsent) if is_suspended else None
        again = self._hold(message)
        if again is not None:
            return again
        is_notice = isinstance(activation.wait, NoticeWait)
        self._hold_gate.park(HeldKind.ACTION, action, run, activation.uuid if is_notice else "")
        return ActionPaused(action, pause)

    def _hold(self, message: Deliver) -> Redelivery:
        """Hold what a limiter granted: a breaker tries another one, a permit stays with the activation."""
        if not message.granted_in:
            return None
        is_breaker = message.limiter.startswith(breaker_name(""))
        return self._limiter.take_back(message) if is_breaker else self._limiter.keep(message)

    def _admit(
        self, run: Run, token: Token, activation: Activation, invocation: Invocation, message: Deliver
    ) -> DeliveryCheck:
        """Return what the action's breaker and limit allow, in this order."""
        limit, failures = invocation.options.limit, 0
        if invocation.action.breaker:
            name = breaker_name(invocation.action.name)
            circuit = self._limiter.admit(run.namespace, name, self._waiter(run, activation, Limit()), message)
            if isinstance(circuit, Queued):
                return None if activation.circuit_open else CircuitOpen()
            if not isinstance(circuit, Admitted):
                return circuit
            failures = circuit.failures
        if limit is None or (limit.concurrent is None and limit.per_second is None):
            return Deliverable(run, token, activation, invocation, failures=failures)
        waiter = self._waiter(run, activation, limit)
        admission = self._limiter.admit(run.namespace, limiter_name(invocation, activation), waiter, message)
        if not isinstance(admission, Admitted):
            return None if isinstance(admission, Queued) else admission
        early = admission.slot - self._clock.now()
        if early > MAX_EARLY_MS:
            return early
        return Deliverable(run, token, activation, invocation, admission.slot, failures)

    def _waiter(self, run: Run, activation: Activation, limit: Limit) -> Waiter:
        return Waiter(
            at=activation.since if activation.retry_at is None else activation.retry_at,
            place=next(self._places),
            uuid=activation.uuid,
            run=run.name,
            id=run.id,
            attempt=activation.attempt,
            concurrent=limit.concurrent,
            per_second=limit.per_second,
            burst=limit.burst,
        )
