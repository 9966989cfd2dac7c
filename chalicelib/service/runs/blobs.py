"""Read the blobs of a run: values that are stored separately from its head because they are large."""

from __future__ import annotations

from collections import OrderedDict
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


class BlobCache:
    """The blobs that were read last. A blob never changes, so an entry cannot become stale.

    Keys contain the run's id. Ids are unique within one store only, so each store has a cache of its own.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._blobs: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0

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


def blob_reader(runs: RunStore, run: Run) -> BlobReader:
    """Return a function that reads a blob of the run by its key. It raises BlobMissing if there is none."""

    def read(key: str) -> Json:
        found = runs.blobs(run, [key]).get(key)
        if found is None:
            raise BlobMissing(run.name, key)
        return msgspec.json.decode(found)

    return read
