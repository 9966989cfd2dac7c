"""Time, ids and actions for hosts with virtual time: the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, TypeAlias

import msgspec

from chalicelib.model.times import Instant, Milliseconds
from chalicelib.service.ports.actions import Call, Reply

START: Final[Instant] = 1_800_000_000_000
"""Where a virtual clock starts by default: 2027-01-15T08:00:00Z."""


class VirtualClock:
    """A clock that moves only when it is advanced; sleeping advances it."""

    def __init__(self, start: Instant = START) -> None:
        self._now = start

    def now(self) -> Instant:
        return self._now

    def sleep(self, milliseconds: Milliseconds) -> None:
        self._now += milliseconds

    def advance(self, milliseconds: Milliseconds) -> None:
        self._now += milliseconds

    def advance_to(self, at: Instant) -> None:
        """Move to that moment, but never back."""
        self._now = max(self._now, at)


class SequentialIds:
    """Nonces that look random and are the same in every run. Another `seed` gives others."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._count = 0

    def nonce(self) -> str:
        self._count += 1
        return sha256(f"{self._seed}/{self._count}".encode()).hexdigest()[:32]


Script: TypeAlias = Callable[[dict[str, Any]], Reply]
"""Replies to the body of a request; for a direct call to what `_request_in` makes of it."""


@dataclass
class ScriptedCaller:
    """Implements `ports.actions.Caller`: `script` replies to each request, and every call is recorded."""

    script: Script
    calls: list[Call] = field(default_factory=list)

    def post(self, call: Call) -> Reply:
        self.calls.append(call)
        return self.script(_request_in(call))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all calls."""
        return [_request_in(call) for call in self.calls]


def _request_in(call: Call) -> dict[str, Any]:
    if call.direct:
        return {
            "verb": call.verb.value,
            "address": call.addresses[0],
            "headers": call.headers,
            "content_type": call.content_type,
            "body": call.body,
        }
    return msgspec.json.decode(call.body, type=dict[str, Any])
