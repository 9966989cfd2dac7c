"""Large values of a run as responses show them: a reference, the size and a preview in the place of the value.

A value above MAX_SHOWN_BYTES stays a reference to its blob; smaller ones are read. So what a response needs of a run
has a bound, however large the run is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from chalicelib.model.history import NO_ENTRIES, Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.waits import REFERENCE_KEY, OffloadedWait
from chalicelib.service.errors import BlobMissing
from chalicelib.service.runs.references import MAX_SHOWN_BYTES, References, key_of, preview_key, preview_of, size_in
from chalicelib.service.runs.value_places import in_entry, in_run, key_in

MAX_READ_BYTES: Final = 5 * 1024 * 1024
"""How many bytes of small values are read to show one run, or one page of a history."""


class Large(NamedTuple):
    """The size of a value in bytes of JSON, and the beginning of its text."""

    bytes: int
    preview: str


class Blobs(Protocol):
    """Reads blobs of a run; missing ones are left out."""

    def blobs(self, run: Run, keys: Iterable[str]) -> dict[str, bytes]: ...


class Shown(msgspec.Struct, frozen=True):
    """A run and entries of its history with their small values. `large` describes the values that are references."""

    run: Run
    entries: tuple[Entry, ...]
    large: Mapping[str, Large]


def small_values(store: Blobs, run: Run, entries: Iterable[Entry], *, with_waits: bool = False) -> Shown | None:
    """Return a run and entries in which large single values are references, with the small ones read.

    With `with_waits` what its tokens wait for is read, of any size. Returns None, and reads nothing, if the small
    values have more than MAX_READ_BYTES in all.
    """
    references, entries = References(), tuple(entries)
    in_run(replace(run, stored_tail=NO_ENTRIES), references)
    for entry in entries:
        in_entry(entry, references)
    waits = _waits(run) if with_waits else set()
    small = {key for key in references.keys if key in waits or (size_in(key) or 0) <= MAX_SHOWN_BYTES}
    if sum(size_in(key) or 0 for key in small - waits) > MAX_READ_BYTES:
        return None
    found = store.blobs(run, small)
    values: dict[str, Json] = {}
    large = _previews(store, run, references.keys - small)
    for key in small:
        if key not in found:
            raise BlobMissing(run.name, key)
        if len(found[key]) > MAX_SHOWN_BYTES and key not in waits:  # stored by a version that put no size into the key
            large[key] = Large(len(found[key]), preview_of(found[key]))
        else:
            values[key] = msgspec.json.decode(found[key])

    def restore(value: Json) -> Json:
        key = key_in(value)
        return value if key is None else values.get(key, value)

    return Shown(in_run(run, restore), tuple(in_entry(entry, restore) for entry in entries), large)


def references_only(store: Blobs, run: Run, entries: Iterable[Entry]) -> Shown:
    """Return a run and entries in which every value that is a reference stays one. Only previews are read."""
    references, entries = References(), tuple(entries)
    in_run(replace(run, stored_tail=NO_ENTRIES), references)
    for entry in entries:
        in_entry(entry, references)
    return Shown(run, entries, _previews(store, run, references.keys))


def without_large_values(run: Run) -> Shown:
    """Return a run that has all its values with references in the place of large ones. No blob is read."""
    large: dict[str, Large] = {}

    def cut(value: Json) -> Json:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        encoded = msgspec.json.encode(value)
        if len(encoded) <= MAX_SHOWN_BYTES:
            return value
        key = key_of(encoded)
        large[key] = Large(len(encoded), preview_of(encoded))
        return {REFERENCE_KEY: key}

    shown = in_run(run, cut)
    return Shown(shown, shown.tail, large)


def _previews(store: Blobs, run: Run, keys: Iterable[str]) -> dict[str, Large]:
    wanted = {preview_key(key): key for key in keys}
    found = store.blobs(run, wanted)
    previews = {wanted[at]: msgspec.json.decode(text, type=str) for at, text in found.items()}
    return {key: Large(size_in(key) or 0, previews.get(key, "")) for key in wanted.values()}


def _waits(run: Run) -> set[str]:
    """Return the keys of the blobs that hold what the run's tokens wait for."""
    waits = (token.activation.wait for token in run.tokens if token.activation)
    return {wait[REFERENCE_KEY] for wait in waits if isinstance(wait, OffloadedWait)}
