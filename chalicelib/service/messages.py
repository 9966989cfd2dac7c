"""What lies in the queues: hints to look at a run. The run is the truth; a hint may be late, doubled or void."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from chalicelib.engine.run import Instant


class _Hint(msgspec.Struct, frozen=True, kw_only=True, tag_field="hint"):
    namespace: str = msgspec.field(name="ns")
    run: str
    sent_at: Instant = msgspec.field(name="at")
    version: int = msgspec.field(name="v")
    """The version at which the head speaks of what the hint speaks of. It is sent before that head is written."""


class Deliver(_Hint, frozen=True, kw_only=True, tag="deliver"):
    """An activation is to be delivered."""

    uuid: str


class Wake(_Hint, frozen=True, kw_only=True, tag="wake"):
    """A run's timer may have rung."""


Hint: TypeAlias = Deliver | Wake


def encode(hint: Hint) -> str:
    """The hint as a message's body."""
    return msgspec.json.encode(hint).decode()


def decode(body: str) -> Hint:
    """The hint in a message's body. Raises msgspec.DecodeError if there is none."""
    return msgspec.json.decode(body, type=Deliver | Wake)
