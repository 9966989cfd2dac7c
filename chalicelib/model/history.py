"""History entries and pages."""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.model import formats
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import FrozenValue, Json, ready
from chalicelib.model.run_error import StepError
from chalicelib.model.times import Instant, Milliseconds


class Sent(FrozenValue, frozen=True, kw_only=True):
    """How a delivery went."""

    duration: Milliseconds = msgspec.field(name="m", default=0)
    """How long the request took."""
    status: int | None = msgspec.field(name="s", default=None)
    """The HTTP status; None if there was none. An entry that says the status otherwise does not repeat it."""
    address: str = msgspec.field(name="a", default="")
    """Where it was sent; empty: the first address of its action, in the version with which the run began."""


_NO_RETURNS: Final = frozenset({"RunFailed", "TokenMoved"})
"""Events with a step and a target of which the step returned nothing."""


class Entry(FrozenValue, frozen=True, kw_only=True):
    """One entry of a run's history. The entries of a run are numbered from 1 without gaps."""

    seq: int = msgspec.field(name="n")
    at: Instant = msgspec.field(name="t")
    event: str = msgspec.field(name="e")
    step: str = msgspec.field(name="s", default="")
    origin: str = msgspec.field(name="f", default="")
    """The step from which the token moved (`from` in the API); `ready` when a run starts."""
    target: str = msgspec.field(name="g", default="")
    state: str = msgspec.field(name="a", default="")
    data: Json = msgspec.field(name="d", default=None)
    vars: dict[str, Json] = msgspec.field(name="v", default_factory=dict)
    """The variables that this entry changed."""
    removed: tuple[str, ...] = msgspec.field(name="r", default=())
    """The variables that this entry removed."""
    by: str = msgspec.field(name="b", default="")
    token: str = msgspec.field(name="k", default=ROOT)
    uuid: str = msgspec.field(name="u", default="")
    """The activation that this entry ended, or is about."""
    error: str = msgspec.field(name="x", default="")
    error_name: str = msgspec.field(name="y", default="")
    """The name of the error, such as Timeout or CardExpired."""
    rule: int | None = msgspec.field(name="w", default=None)
    """The rule of the step's `repeat`, counted from 1, by which the step is done again."""
    route: int = msgspec.field(name="o", default=0)
    """Which of the step's routes with this state and target was taken, counted from 0."""
    sent: Sent | None = msgspec.field(name="h", default=None)
    """The delivery that this entry records; None if it records none."""
    returned: StepError | None = msgspec.field(name="j", default=None)
    """The error that the step returned, where the entry does not say all of it and its flow reads it: its route gave
    another one, or it has a status or data."""
    response: dict[str, Json] | None = msgspec.field(name="p", default=None)
    """What an action without callback answered with (`$response`), if its flow reads that."""
    nonce: str = msgspec.field(name="z", default="")
    """That of the decision which begins with this entry, if the definition draws random values: a replay draws the same
    ones. Otherwise it is not kept."""

    @property
    def is_return(self) -> bool:
        """Whether its step returned and the token moved on. `state` is empty if it is a choice by conditions."""
        return bool(self.step and self.target) and self.origin == self.step and self.event not in _NO_RETURNS


class Page(FrozenValue, frozen=True, kw_only=True):
    """A full part of a run's history. It holds only committed entries, so every process writes the same page."""

    entries: tuple[Entry, ...]

    @property
    def last(self) -> int:
        """The number of its last entry, which is its key."""
        return self.entries[-1].seq


def encode_page(page: Page) -> bytes:
    """Return the page as JSON text in the current format."""
    return formats.PAGE.encode(page)


def decode_page(data: bytes | str) -> Page:
    """Return the page that `encode_page` of this or an earlier version wrote. Raises NewerFormat."""
    return formats.PAGE.decode(data, Page)


ready(Page)
