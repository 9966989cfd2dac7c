"""What lies in the queues: hints to look at a run. The run is the truth; a hint may be late, doubled or void."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from chalicelib.model import formats
from chalicelib.model.json_values import ready
from chalicelib.model.run import Run
from chalicelib.model.times import Instant


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="hint"):
    namespace: str = msgspec.field(name="ns")
    run: str
    sent_at: Instant = msgspec.field(name="at")
    version: int = msgspec.field(name="v")
    """The version at which the head speaks of what the hint speaks of. It is sent before that head is written."""
    id: str = ""
    """Which run of that name is meant, by its id; empty: whichever there is."""

    def is_written(self, run: Run | None) -> bool:
        """Whether the head (None: there is none) is one that speaks of what the hint speaks of, or a later one."""
        return run is not None and run.version >= self.version and self.id in ("", run.id)


class Deliver(_Message, frozen=True, kw_only=True, tag="deliver"):
    """An activation is to be delivered."""

    uuid: str


class Wake(_Message, frozen=True, kw_only=True, tag="wake"):
    """A run's timer may have rung."""


class Listen(_Message, frozen=True, kw_only=True, tag="listen"):
    """An activation waits for events; one of them may have come."""

    uuid: str


class StartChild(_Message, frozen=True, kw_only=True, tag="start"):
    """An activation waits for a run that is to be started."""

    uuid: str


class StopChild(_Message, frozen=True, kw_only=True, tag="stop"):
    """The run no longer waits for `child`."""

    child: str


class TellParent(_Message, frozen=True, kw_only=True, tag="tell"):
    """The run has ended, and another waits for its end."""


Message: TypeAlias = Deliver | Wake | Listen | StartChild | StopChild | TellParent


def encode(message: Message) -> str:
    """Return the message's body, in the current format."""
    return formats.MESSAGE.encode(message).decode()


def decode(body: str) -> Message:
    """Return the message in a body. Raises msgspec.DecodeError if it holds none, or one of a newer format."""
    try:
        message: Message = formats.MESSAGE.decode(body, Message)  # type: ignore[arg-type]  # a union of types
    except formats.NewerFormat as error:
        raise msgspec.DecodeError(str(error)) from error
    return message


ready(Message)
