"""Bugs put in on purpose into limits, breakers, and direct calls."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from chalicelib.engine import invocation
from chalicelib.service.deliveries import delivery_check, direct_client
from chalicelib.service.deliveries.direct_client import DirectClient
from chalicelib.service.limits.limiter import Limiter
from chalicelib.service.limits.permits import Permits
from chalicelib.service.limits.rounds import Round


def _key_ignored(_: Any) -> Any:
    return lambda invocation, activation: f"limit/{invocation.action.name}"


def _holder_forgotten(right: Any) -> Any:
    """A permit is taken back as soon as its limit is looked at."""
    return lambda self, uuids, now: right(self, dict.fromkeys(self.holders), now)


def _wakes_nobody(right: Any) -> Any:
    """A permit that is returned is given to nobody."""

    def serve(self: Any, namespace: str, name: str, returned: Any = None, **more: Any) -> Any:
        permits, version = self._read(namespace, name)
        if returned and self._write(namespace, name, permits.without(returned, self._clock.now()), version, 0):
            return None
        return right(self, namespace, name, returned, **more)

    return serve


def _newest_first(right: Any) -> Any:
    """Those that came last are granted first."""

    def grant(self: Any, namespace: str, name: str, round_: Any, now: int) -> None:
        first, waiters = self._waiters.first, self._waiters

        class Reversed:
            def first(self, *place: Any) -> Any:
                return list(reversed(first(*place)))

        self._waiters = Reversed()
        try:
            right(self, namespace, name, round_, now)
        finally:
            self._waiters = waiters

    return grant


def _overtakes(_: Any) -> Any:
    """A newcomer takes what is free, whoever waits."""
    return lambda self, namespace, name, permits, waiter, slot, now: slot <= now


def _half_open_for_all(right: Any) -> Any:
    """When the pause of a breaker is over, all are let through."""

    def slot(self: Any, waiter: Any, now: int) -> Any:
        return max(now, self.open_until) if self.open_until else right(self, waiter, now)

    return slot


def _never_opens(right: Any) -> Any:
    """A breaker that is open delivers nevertheless."""
    return lambda self, waiter, now: now if self.open_until else right(self, waiter, now)


def _ended_waiters_served(_: Any) -> Any:
    """A waiter keeps its permit though its activation has ended."""

    def take(self: Any, waiter: Any, state: Any, slot: int, now: int) -> None:
        self.done.append(waiter)
        self.permits = self.permits.granted(waiter, now)
        (self.with_permit if self.permits.admits(waiter) else self.without_permit).append((waiter, slot))

    return take


def _location_forgotten(right: Any) -> Any:
    """An activation that was told where its answer will be is sent again."""

    def send(self: Any, definition: Any, run: Any, token: Any, activation: Any, *more: Any) -> Any:
        return right(self, definition, run, token, replace(activation, location=""), *more)

    return send


def _other_location(right: Any) -> Any:
    """The answer is looked for at the address of the action."""

    def ask(self: Any, call: Any, action: Any, location: str, request: Any) -> Any:
        return right(self, call, action, f"{location}/more", request)

    return ask


def _args_anew(right: Any) -> Any:
    def args_of(definition: Any, run: Any, token: Any, *more: Any) -> Any:
        if token.activation is not None:
            token = replace(token, activation=replace(token.activation, args=None))
        return right(definition, run, token, *more)

    return args_of


LIMIT_BUGS: Final = (
    ("key of a limit ignored", delivery_check, "limiter_name", _key_ignored),
    ("key of a limit ignored when its permit is returned", invocation, "limiter_name", _key_ignored),
    ("permits taken back from those that hold them", Permits, "without", _holder_forgotten),
    ("returned permit given to nobody", Limiter, "serve", _wakes_nobody),
    ("those that came last are served first", Limiter, "_grant", _newest_first),
    ("newcomer overtakes those that wait", Limiter, "_may_pass", _overtakes),
    ("permit granted to an ended waiter", Round, "take", _ended_waiters_served),
    ("half-open breaker lets all through", Permits, "slot", _half_open_for_all),
    ("open breaker delivers", Permits, "slot", _never_opens),
    ("location of a 202 forgotten", DirectClient, "send", _location_forgotten),
    ("answer looked for elsewhere", DirectClient, "_ask", _other_location),
    ("args of a direct call evaluated anew", direct_client, "direct_args", _args_anew),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
