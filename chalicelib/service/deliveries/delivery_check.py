"""Decide what to do with a delivery message, by the head of its run.

message ──> not committed yet ──> receive it again, with growing delays
        ├─> not current, ended ──> drop it
        ├─> paused ─────────────> record it in the head; `continue` sends it again
        ├─> next attempt later ──> receive it again then
        ├─> over a limit ───────> send it again as a new message
        └─> deliver
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.engine.invocation import awaits_approval, invocation_of
from chalicelib.engine.notices import is_due
from chalicelib.model import status
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import Status
from chalicelib.model.waits import NoticeWait
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.deliveries.permits import Limiter
from chalicelib.service.messages import Deliver
from chalicelib.service.ports.clock import Clock
from chalicelib.service.redelivery import Redelivery, until_committed


@dataclass(frozen=True, slots=True)
class Deliverable:
    """The activation's action is to be called now."""

    run: Run
    token: Token
    activation: Activation
    invocation: Invocation


@dataclass(frozen=True, slots=True)
class WhilePaused:
    """The activation's run is paused."""


@dataclass(frozen=True, slots=True)
class OverLimit:
    """The activation's action is at its limit; it may ask again after `wait` milliseconds."""

    wait: int


DeliveryCheck: TypeAlias = Deliverable | WhilePaused | OverLimit | Redelivery


def is_over(run: Run, token: Token) -> bool:
    """Return whether the token needs no delivery: its run has ended; a notice was taken, or is not due yet."""
    is_notice = token.activation is not None and isinstance(token.activation.wait, NoticeWait)
    return not is_due(run, token) if is_notice else run.status in status.ENDED


class DeliveryChecker:
    """Checks delivery messages against heads."""

    def __init__(self, definition_cache: DefinitionCache, limiter: Limiter, clock: Clock) -> None:
        self._definition_cache = definition_cache
        self._limiter = limiter
        self._clock = clock

    def check(self, run: Run | None, message: Deliver) -> DeliveryCheck:
        """Return what the message requires, by the head of its run (None: there is no run)."""
        if run is None or not message.is_written(run):
            return until_committed(message.sent_at, self._clock.now())
        token = run.sent_of(message.uuid)
        if token is None or token.activation is None or is_over(run, token):
            return None
        if run.status is Status.PAUSED:
            return WhilePaused()
        invocation = invocation_of(self._definition_cache.of(run), run, token)
        if invocation is None or invocation.is_human or awaits_approval(token):
            return None
        wait = (token.activation.retry_at or 0) - self._clock.now()
        if wait > 0:
            return wait
        over_limit = self._limiter.admit(run, token.activation, invocation)
        return OverLimit(over_limit) if over_limit else Deliverable(run, token, token.activation, invocation)
