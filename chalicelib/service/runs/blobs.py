"""Read the blobs of a run: values that are stored separately from its head because they are large."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

import msgspec

from chalicelib.engine.transition import BlobReader
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.errors import BlobMissing
from chalicelib.service.ports.runs import RunStore

MAX_CACHED_BYTES: Final = 16 * 1024 * 1024
"""How many bytes of blobs one cache holds."""


MAX_DECODED_BYTES: Final = 4 * 1024 * 1024
"""How many bytes of JSON the values have that one cache holds decoded; in memory they take several times as much."""


class BlobCache:
    """The blobs that were read last, and the values in them. A blob never changes, so an entry cannot become stale.

    Keys contain the run's id. Ids are unique within one store only, so each store has a cache of its own. A value is
    given to many readers, and its identity shows that it came from a blob: nobody changes values.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._blobs: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0
        self._values: OrderedDict[tuple[str, str], tuple[Json, int]] = OrderedDict()
        """Values with their bytes of JSON."""
        self._keys: dict[int, tuple[str, str]] = {}
        """Their keys by identity; `_values` keeps the objects alive."""
        self._decoded_bytes = 0
        self._decoded_of: Counter[str] = Counter()
        """How many values of each run there are."""

    def get(self, run_id: str, key: str) -> bytes | None:
        with self._lock:
            return self._blobs.get((run_id, key))

    def put(self, run_id: str, key: str, value: bytes) -> None:
        with self._lock:
            if (run_id, key) in self._blobs:
                return
            self._blobs[run_id, key] = value
            self._bytes += len(value)
            while self._bytes > MAX_CACHED_BYTES:
                self._bytes -= len(self._blobs.popitem(last=False)[1])

    def value(self, run_id: str, key: str, blob: bytes) -> Json:
        """Return the value in a blob: the same object each time, while there is room for it."""
        place = run_id, key
        with self._lock:
            if place in self._values:
                self._values.move_to_end(place)
                return self._values[place][0]
        value = msgspec.json.decode(blob)
        if len(blob) <= MAX_DECODED_BYTES and type(value) in (dict, list, str):
            with self._lock:
                if place in self._values:
                    return self._values[place][0]
                self._add(place, value, len(blob))
        return value

    def key_of(self, run_id: str) -> Callable[[Json], str | None] | None:
        """Return a function that returns the key of the blob from which a value of the run was read, if it is known.

        None if that is known of no value.
        """
        if not self._decoded_of[run_id]:
            return None

        def key(value: Json) -> str | None:
            with self._lock:
                place = self._keys.get(id(value))
                return place[1] if place and place[0] == run_id and self._values[place][0] is value else None

        return key

    def _add(self, place: tuple[str, str], value: Json, size: int) -> None:
        self._values[place], self._keys[id(value)] = (value, size), place
        self._decoded_bytes += size
        self._decoded_of[place[0]] += 1
        while self._decoded_bytes > MAX_DECODED_BYTES:
            (run_id, _), (oldest, bytes_of_it) = self._values.popitem(last=False)
            self._decoded_bytes -= bytes_of_it
            del self._keys[id(oldest)]
            self._decoded_of[run_id] -= 1
            if not self._decoded_of[run_id]:
                del self._decoded_of[run_id]


def blob_reader(runs: RunStore, run: Run) -> BlobReader:
    """Return a function that reads a blob of the run by its key. It raises BlobMissing if there is none."""

    def read(key: str) -> Json:
        found = runs.blobs(run, [key]).get(key)
        if found is None:
            raise BlobMissing(run.name, key)
        return msgspec.json.decode(found)

    return read
