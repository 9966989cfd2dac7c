"""Bugs put in on purpose into limits, breakers, and direct calls."""

from __future__ import annotations

from copy import copy
from types import SimpleNamespace
from typing import Any, Final

from msgspec.structs import replace

from chalicelib.model.compiled_step import Invocation
from chalicelib.service.deliveries import delivery_check
from chalicelib.service.deliveries.direct_client import DirectClient
from chalicelib.service.limits.limiter import Limiter
from chalicelib.service.limits.permits import Permits


def _key_ignored(_: Any) -> Any:
    return lambda invocation, activation: f"limit/{invocation.action.name}"


def _holder_forgotten(right: Any) -> Any:
    """A permit is taken back as soon as its limit is looked at."""
    return lambda self, uuids, now: right(self, dict.fromkeys(self.holders), now)


def _newest_first(right: Any) -> Any:
    """Those that came last are granted first."""

    def grant(self: Any, namespace: str, name: str, round_: Any, now: int) -> None:
        reading = copy(self)
        reading._waiters = SimpleNamespace(first=lambda *place: list(reversed(self._waiters.first(*place))))
        right(reading, namespace, name, round_, now)

    return grant


def _half_open_for_all(right: Any) -> Any:
    """When the pause of a breaker is over, all are let through."""

    def slot(self: Any, waiter: Any, now: int) -> Any:
        return max(now, self.open_until) if self.open_until else right(self, waiter, now)

    return slot


def _never_opens(right: Any) -> Any:
    """A breaker that is open delivers nevertheless."""
    return lambda self, waiter, now: now if self.open_until else right(self, waiter, now)


def _location_forgotten(right: Any) -> Any:
    """An activation is sent again though it knows where its answer will be."""

    def send(self: Any, definition: Any, run: Any, token: Any, activation: Any, *more: Any) -> Any:
        return right(self, definition, run, token, replace(activation, location=""), *more)

    return send


def _other_location(right: Any) -> Any:
    """The answer is looked for at the address of the action."""

    def ask(self: Any, call: Any, action: Any, location: str, request: Any) -> Any:
        return right(self, call, action, f"{location}/more", request)

    return ask


LIMIT_BUGS: Final = (
    ("heartbeat counts while a delivery waits", Invocation, "may_be_held_back", lambda _: False),
    ("key of a limit ignored", delivery_check, "limiter_name", _key_ignored),
    ("permits taken back from those that hold them", Permits, "without", _holder_forgotten),
    ("those that came last are served first", Limiter, "_grant", _newest_first),
    ("half-open breaker lets all through", Permits, "slot", _half_open_for_all),
    ("open breaker delivers", Permits, "slot", _never_opens),
    ("location of a 202 forgotten", DirectClient, "send", _location_forgotten),
    ("answer looked for elsewhere", DirectClient, "_ask", _other_location),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
