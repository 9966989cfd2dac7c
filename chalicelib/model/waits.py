"""What a token waits for at its step: one class per kind of wait that must remember something.

A wait is stored without a tag. Its fields show its kind, as in version 0.1.0 when waits were plain maps: so each
version reads the heads of the other. An action that was sent, a timer and a condition remember nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from chalicelib.model.json_values import FrozenValue, Json, ready
from chalicelib.model.run_error import StepError
from chalicelib.model.times import Milliseconds

REFERENCE_KEY: Final = "\0spilled"
"""The only key of a reference to a blob."""

CHUNK_ITEMS: Final = 100
"""How many items of an each are stored in one blob."""

CHUNK_FAILURES: Final = 250
"""How many indexes of failed items are stored in one blob."""


class Wait:
    """The base of all kinds of waits, which are those in this module."""

    __slots__ = ()


class ApprovalWait(Wait, FrozenValue, frozen=True, tag_field="approval", tag="open"):
    """A person must approve before the action is sent."""

    heartbeat: Milliseconds | None = msgspec.field(name="h", default=None)
    """The heartbeat from then on, if the step computed it."""


class ChildWait(Wait, FrozenValue, frozen=True, kw_only=True):
    """A `call` waits for the end of another run."""

    child: str
    """The name of that run."""
    input: Json
    missing: tuple[str, ...] = msgspec.field(name="none", default=())
    """The entries of the input that yielded nothing: the called flow must have defaults for them."""


class EventWait(Wait, FrozenValue, frozen=True, kw_only=True):
    """A `wait` for an event with this key."""

    key: str
    leave: dict[str, Json] | None = msgspec.field(name="lv", default=None)
    """The args of its `on_leave`, as they were when the wait began; None if it has none, or if it was sent."""
    leave_key: str = msgspec.field(name="lk", default="")
    """The value of the key of the limit of its `on_leave`."""


class NoticeKind(StrEnum):
    """What a notice is about."""

    ENTER = "enter"
    LEAVE = "leave"
    CANCEL = "cancel"
    """An activation of the step was abandoned."""
    CANCEL_UNDO = "cancel_undo"
    """The undo of the step was abandoned."""


class NoticeWait(Wait, FrozenValue, frozen=True, kw_only=True):
    """A notice waits until its action has taken it."""

    kind: NoticeKind = msgspec.field(name="notice")
    of: str = ""
    """The activation that returns ERROR if the notice fails; empty if none does."""
    is_taken: bool = msgspec.field(name="tk", default=False)
    """Whether its action has taken it. Then only an answer that it has failed is of interest."""


class EmitWait(Wait, FrozenValue, frozen=True, kw_only=True):
    """An `emit` waits until its event is stored."""

    event: str = msgspec.field(name="ev")
    """The name of the event."""
    key: str = msgspec.field(name="k", default="")
    data: Json = msgspec.field(name="d", default=None)
    to: str | None = None
    """The name of the only run that receives it; None: every run that waits for its name and key."""
    ttl: Milliseconds | None = msgspec.field(name="l", default=None)
    """How long runs that begin to wait later receive it too; None: the default."""


class StartWait(Wait, FrozenValue, frozen=True, kw_only=True):
    """A `start` waits until its run is stored."""

    run: str = msgspec.field(name="start")
    """The name of the run that it starts."""
    input: Json = msgspec.field(name="i", default=None)
    labels: dict[str, Json] = msgspec.field(name="b", default_factory=dict)


class RepeatWait(Wait, FrozenValue, frozen=True, kw_only=True):
    """A step is done again when the delay of a rule of its `repeat` is over."""

    rule: int = msgspec.field(name="repeats")
    """The index of the rule."""
    state: str = msgspec.field(name="t")
    """The state that the step returned."""


class Decided(FrozenValue, frozen=True, kw_only=True):
    """What a fork or an each returns once the work that it abandoned has been undone."""

    state: str = msgspec.field(name="t")
    error: StepError | None = msgspec.field(name="x", default=None)


class ForkWait(Wait, FrozenValue, frozen=True, kw_only=True):
    """A fork waits for its branches."""

    results: dict[str, Json] = msgspec.field(name="out")
    """What each finished branch returned."""
    failed: tuple[str, ...] = msgspec.field(name="bad")
    """The names of the branches that failed."""
    decided: Decided | None = msgspec.field(name="end", default=None)
    """What it returns, when its branches have ended and it waits for the undo of lost ones."""


def item_key(items: str, index: int) -> str:
    """Return the key of the blob that holds the item. `items` is the `id` of the each's wait."""
    return f"{items}/items/{index // CHUNK_ITEMS}"


class EachWait(Wait, FrozenValue, frozen=True, kw_only=True):
    """An each waits for its items. Items and results are stored as blobs, in chunks; the head holds what is in flight.

    Results and failures are stored once a write has committed them: so a chunk holds the same, whichever process
    writes it. Chunks of failures are numbered over all retries: of those before `failed_from` the items start again.
    """

    id: str
    """The prefix of the keys of its blobs."""
    count: int = msgspec.field(name="n")
    """How many items there are; batches, if it works on several items together."""
    next: int
    """The index of the first item that has not started."""
    again: tuple[int, ...] = msgspec.field(name="more")
    """Items to start again, after a retry."""
    finished: int = msgspec.field(name="ok")
    """How many items finished."""
    failed: tuple[int, ...] = msgspec.field(name="bad")
    """The indexes of the items that failed, and are not stored yet."""
    results: tuple[tuple[int, Json], ...] = msgspec.field(name="buf")
    """Results (index, output) that are not stored yet."""
    stored_chunks: int = msgspec.field(name="put")
    """How many chunks of results are stored."""
    decided: Decided | None = msgspec.field(name="end", default=None)
    """What it returns, when its items have ended and it waits for the undo of failed ones."""
    remaining: Milliseconds | None = msgspec.field(name="left", default=None)
    """How much of its timeout is left, when the activation's deadline is the moment to start deferred items."""
    max: int | None = msgspec.field(name="mx", default=None)
    """How many items run concurrently, if the step computed it."""
    tolerated: int | None = msgspec.field(name="tl", default=None)
    """How many items may fail, if the step computed it."""
    batch: int | None = msgspec.field(name="by", default=None)
    """How many items are in a batch; the last one may have fewer. None: there are no batches."""
    items: int = msgspec.field(name="of", default=0)
    """How many items there are in all batches."""
    again_from: int = msgspec.field(name="mf", default=0)
    """The first stored chunk of failures whose items are to start again, after a retry."""
    failed_from: int = msgspec.field(name="bf", default=0)
    """The first stored chunk of failures that count."""
    failed_to: int = msgspec.field(name="bt", default=0)
    """The number of the next chunk of failures."""
    short_failed: bool = msgspec.field(name="bs", default=False)
    """Whether the last batch is in a stored chunk of failures that counts."""

    @property
    def failures(self) -> int:
        """How many items failed; batches, if it works on several items together."""
        return len(self.failed) + CHUNK_FAILURES * (self.failed_to - self.failed_from)

    @property
    def total(self) -> int:
        """How many items there are, in batches or not."""
        return self.count if self.batch is None else self.items

    @property
    def failed_items(self) -> int:
        """How many items failed: all those of a batch that failed."""
        if self.batch is None:
            return self.failures
        missing = self.batch * self.count - self.items  # in the last batch
        is_last = self.short_failed or self.count - 1 in self.failed
        return self.batch * self.failures - (missing if is_last else 0)

    def item_key(self, index: int) -> str:
        """Return the key of the blob that holds the item."""
        return item_key(self.id, index)

    def results_key(self, chunk: int) -> str:
        """Return the key of a chunk of results."""
        return f"{self.id}/out/{chunk}"

    def failures_key(self, chunk: int) -> str:
        """Return the key of a chunk of failures."""
        return f"{self.id}/bad/{chunk}"


class OffloadedWait(Wait, dict[str, str]):
    """A reference to the blob in which a large wait is stored: only heads as they are stored hold one."""

    __slots__ = ()


_KINDS: Final[dict[str, type[Wait]]] = {
    "approval": ApprovalWait,
    "child": ChildWait,
    "key": EventWait,
    "ev": EmitWait,
    "start": StartWait,
    "notice": NoticeWait,
    "repeats": RepeatWait,
    "out": ForkWait,
    "n": EachWait,
}
"""The field by which each kind is recognized: no other kind has it."""


def wait_from_json(value: Json) -> Wait:
    """Return the wait that has this JSON. Raises msgspec.ValidationError if it is none."""
    if isinstance(value, dict):
        if value.keys() == {REFERENCE_KEY}:
            return OffloadedWait(value)
        for field, kind in _KINDS.items():
            if field in value:
                return msgspec.convert(value, kind)
    raise msgspec.ValidationError(f"not the JSON of a wait: {value!r:.100}")


def wait_to_json(wait: Wait) -> Json:
    """Return the wait's JSON, as it is stored in a head."""
    return msgspec.to_builtins(wait)


def decode_hook(kind: Any, value: Json) -> Wait:
    """Decode a field of type `Wait`. msgspec's decoders turn the TypeError into a ValidationError with the path."""
    if kind is not Wait:
        raise TypeError(f"cannot decode a value of type {kind}: only Wait has a decoder")
    return wait_from_json(value)


ready(Decided, *_KINDS.values())
