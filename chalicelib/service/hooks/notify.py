"""Deliver notifications to hooks: signed, and again with growing delays for as long as a hook does not accept them.

A notification that fails holds nothing up: it returns to the queue by visibility timeout. While a hook fails, a
container attempts only one notification of it at a time, so that a hook that does not answer costs little.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

import msgspec

from chalicelib.model.hooks import Hook
from chalicelib.model.times import Instant
from chalicelib.service import parallel
from chalicelib.service.hooks.book import HookBook
from chalicelib.service.hooks.cloud_events import CONTENT_TYPE
from chalicelib.service.hooks.delivery_log import MAX_ERROR_CHARACTERS, DeliveryLog, HookDelivery
from chalicelib.service.messages import Notify
from chalicelib.service.ports.actions import Call, Caller, NotTaken
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.redelivery import Redelivery
from chalicelib.service.security.webhooks import signed_headers

LOG = logging.getLogger("echoer.hooks")

MAX_AGE_MS: Final = 24 * 60 * 60 * 1000
"""How long a notification is attempted."""

MIN_DELAY_MS: Final = 5_000

MAX_DELAY_MS: Final = 60 * 60 * 1000

PROBE_AFTER_MS: Final = 15_000
"""How long a container sends nothing else to a hook after a failure."""


class _Type(msgspec.Struct, frozen=True):
    """What the log shows of a CloudEvent."""

    type: str = ""


msgspec.json.Decoder(_Type)  # see json_values.ready


class _Attempt(msgspec.Struct, frozen=True):
    error: str
    status: int | None
    retry_after: int


class HookNotifier:
    """Handles notifications. `webhook_key` returns the keys that sign requests to actions, too."""

    def __init__(
        self,
        book: HookBook,
        caller: Caller,
        log: DeliveryLog,
        webhook_key: Callable[[], bytes],
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._book = book
        self._caller = caller
        self._log = log
        self._webhook_key = webhook_key
        self._clock = clock
        self._ids = ids
        self._lock = Lock()
        self._quiet_until: dict[tuple[str, str], Instant] = {}
        """When hooks that failed may be tried again."""

    def notify(self, batch: Sequence[Notify]) -> list[Redelivery]:
        """Handle every notification, side by side. Return when each must be received again."""
        return list(parallel.side_by_side(self._handle, list(batch)))

    def drop(self, message: Notify, reason: str) -> None:
        """Record a notification that is attempted no more."""
        self._record(message, self._clock.now(), _Attempt(reason, None, 0), None)

    def _handle(self, message: Notify) -> Redelivery:
        hook = self._book.named(message.namespace, message.hook)
        if hook is None:
            LOG.info("a notification is dropped: its hook was deleted", extra={"hook": message.hook})
            return None
        now = self._clock.now()
        wait = self._wait(message, now)
        if wait:  # also not more often than it would be attempted: the queue counts how often it is received
            return max(wait, self._delay(now - message.sent_at))
        attempt = self._attempt(hook, message)
        self._set_quiet(message, failed=attempt is not None)
        if attempt is None:
            self._record(message, now, None, None)
            return None
        age = self._clock.now() - message.sent_at
        again = None if age >= MAX_AGE_MS else max(self._delay(age), attempt.retry_after)
        self._record(message, now, attempt, again)
        return again

    def _attempt(self, hook: Hook, message: Notify) -> _Attempt | None:
        """Deliver once. Return None if the hook accepts it."""
        body = message.body.encode()
        headers = signed_headers(self._webhook_key(), message.namespace, message.event, self._clock.now(), body)
        call = Call(hook.addresses, body, headers, method=hook.method, content_type=CONTENT_TYPE)
        reply = self._caller.post(call)
        return _Attempt(reply.error, reply.status, reply.retry_after) if isinstance(reply, NotTaken) else None

    def _record(self, message: Notify, at: Instant, attempt: _Attempt | None, again: int | None) -> None:
        now = self._clock.now()
        delivery = HookDelivery(
            id=message.event,
            event=msgspec.json.decode(message.body, type=_Type).type.removeprefix("echoer."),
            run=message.run,
            at=at,
            duration=now - at,
            status=attempt.status if attempt else None,
            error=attempt.error[:MAX_ERROR_CHARACTERS] if attempt else "",
            next_at=None if again is None else now + again,
        )
        self._log.record(message.namespace, message.hook, delivery)

    def _delay(self, age: int) -> int:
        """Return a delay that grows with the age of the notification; half of it is random."""
        longest = min(max(age, MIN_DELAY_MS), MAX_DELAY_MS)
        return longest // 2 + int(self._ids.nonce()[:8], 16) % (longest // 2)

    # ── hooks that fail ──────────────────────────────────────────────────────────────────────────────────────────────

    def _wait(self, message: Notify, now: Instant) -> int:
        """Return for how many milliseconds nothing is sent to the hook; 0: it is tried now, and by nothing else."""
        key = (message.namespace, message.hook)
        with self._lock:
            until = self._quiet_until.get(key)
            if until is None:
                return 0
            if until > now:
                return until - now + 1
            self._quiet_until[key] = now + PROBE_AFTER_MS
            return 0

    def _set_quiet(self, message: Notify, *, failed: bool) -> None:
        key = (message.namespace, message.hook)
        with self._lock:
            if failed:
                self._quiet_until[key] = self._clock.now() + PROBE_AFTER_MS
            else:
                self._quiet_until.pop(key, None)
