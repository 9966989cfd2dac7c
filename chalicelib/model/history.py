"""History entries, consecutive ones as they are stored, and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec

from chalicelib.model import formats
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import FrozenValue, Json, ready
from chalicelib.model.packing import BY_ACTION, Packed, moves_in, packed, shortened, trimmed, unpacked
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


class Entries(FrozenValue, frozen=True, array_like=True, dict=True, eq=False, gc=True):
    """Consecutive entries as they are stored: packed (`model.packing`), and unpacked when they are first read.

    The last ones may be no more than added (`plus`): they are packed when they are encoded.
    """

    first: int = 0
    """The number of the first entry."""
    at: Instant = 0
    """The time of the last entry that is packed."""
    items: list[Packed | Entry] = []

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Entries:
        """Return these entries."""
        added = tuple(entries)
        return cls(added[0].seq, 0, list(added)) if added else NO_ENTRIES

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries."""
        added = [item for item in self.items if isinstance(item, Entry)]
        fields = list(unpacked(self.first, self.at, self.items[: len(self.items) - len(added)]))  # type: ignore[arg-type]
        return (*msgspec.convert(fields, tuple[Entry, ...]), *added)

    def moves(self) -> Iterator[tuple[str, str, str]]:
        """Yield of each entry: its step if it returned, else an empty text; its state; its target."""
        for event, step, origin, target, state in moves_in(self.packed().items):  # type: ignore[arg-type]
            is_return = bool(step and target) and origin == step and event not in _NO_RETURNS
            yield step if is_return else "", state, target

    @property
    def last(self) -> int:
        """The number of the last entry; 0 if there is none."""
        return self.first + len(self.items) - 1 if self.items else 0

    def plus(self, added: Sequence[Entry]) -> Entries:
        """Return these entries and the next ones."""
        known: Entries = self.__dict__.get(
            "in_packed_form", self
        )  # what was encoded already need not be packed once more
        return Entries(known.first, known.at, [*known.items, *added]) if known.items else Entries.of(added)

    def since(self, seq: int) -> tuple[Entry, ...]:
        """Return the entries with higher numbers. Those that were only added need not be unpacked."""
        count = self.last - seq
        if count <= 0:
            return ()
        added = self._added()
        return (added if count <= len(added) else self.entries)[-count:]

    def packed(self) -> Entries:
        """Return the entries with all of them packed."""
        if not self.items or not isinstance(self.items[-1], Entry):
            return self
        known: Entries | None = self.__dict__.get("in_packed_form")
        if known is not None:
            return known
        added = self._added()
        items: list[Any] = self.items[: -len(added)]
        at = self.at if items else added[0].at
        target = items[-1][1] if items and len(items[-1]) > 1 else ""
        for entry in added:
            items.append(_packed(entry, at, target))
            at, target = entry.at, entry.target
        made = Entries(self.first, at, items)
        made.__dict__["added"] = added
        self.__dict__["in_packed_form"] = made
        return made

    def changed(self, change: Callable[[Json], Json]) -> Entries:
        """Return the entries with their data and the values of variables changed."""
        kept = self.packed()
        items: list[Any] = [_changed(item, change) if len(item) == _ITEM else item for item in kept.items]  # type: ignore[arg-type]
        return self if items == kept.items else Entries(kept.first, kept.at, items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entries):
            return NotImplemented
        one, another = self.packed(), other.packed()
        return (one.first, one.at, one.items) == (another.first, another.at, another.items)

    __hash__ = None  # type: ignore[assignment]  # its lists have none

    def _added(self) -> tuple[Entry, ...]:
        """Return the last entries that are known unpacked."""
        known: tuple[Entry, ...] = self.__dict__.get("added", ())
        if not known:
            for item in reversed(self.items):
                if not isinstance(item, Entry):
                    break
                known = (item, *known)
        return known


NO_ENTRIES: Final = Entries()


def _packed(entry: Entry, at: Instant, target: str) -> Packed:
    """Return how the entry is stored; the one before was `at`, with `target`. What most entries lack takes no time."""
    short = shortened(entry.uuid)
    if (
        entry.event != "StepAcked"
        or not (short or not entry.uuid)
        or (entry.token != ROOT or entry.removed or entry.error or entry.error_name or entry.route or entry.nonce)
        or not (entry.rule is None and entry.returned is None and entry.response is None)
    ):
        return packed(_fields(entry), at, target)
    more: dict[str, Any] = {}
    if entry.vars:
        more["v"] = entry.vars
    if entry.sent is not None:
        more["h"] = trimmed([entry.sent.duration, entry.sent.status, entry.sent.address])
    if entry.data is not None:
        more["d"] = entry.data
    if entry.step != target:
        more["s"] = entry.step
    if entry.origin != entry.step:
        more["f"] = entry.origin
    if entry.by != BY_ACTION:
        more["b"] = entry.by
    return trimmed([entry.at - at, entry.target, entry.state, short, more])


def _fields(entry: Entry) -> dict[str, Any]:
    """Return the fields of an entry by short name. Its data, which may be large, is not copied."""
    fields: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(entry, data=None))
    if entry.removed:
        fields["r"] = list(entry.removed)  # as JSON has it
    if entry.data is not None:
        fields["d"] = entry.data
    return fields


def _changed(item: Packed, change: Callable[[Json], Json]) -> Packed:
    more = item[-1]
    values = {"d": change(more["d"])} if "d" in more else {}
    if "v" in more:
        values["v"] = {name: change(value) for name, value in more["v"].items()}
    return item if all(more[name] == value for name, value in values.items()) else [*item[:-1], {**more, **values}]


_ITEM: Final = 5
"""The members of an item that has any of everything else."""


class Page(FrozenValue, frozen=True, kw_only=True):
    """A full part of a run's history. It holds only committed entries, so every process writes the same page."""

    stored: Entries = msgspec.field(name="entries")

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Its entries, of which there is one at least."""
        return self.stored.entries

    @property
    def last(self) -> int:
        """The number of its last entry, which is its key."""
        return self.stored.last


def encode_page(page: Page) -> bytes:
    """Return the page as JSON text in the current format."""
    return formats.PAGE.encode(Page(stored=page.stored.packed()))


def decode_page(data: bytes | str) -> Page:
    """Return the page that `encode_page` of this or an earlier version wrote. Raises NewerFormat."""
    return formats.PAGE.decode(data, Page)


ready(Page, tuple[Entry, ...])
