"""Read the blobs of a run: values that are stored beside its head because they are large."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

import msgspec

from chalicelib.engine.transition import BlobReader
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.runs import RunStore

MAX_CACHED_BYTES: Final = 16 * 1024 * 1024
"""How many bytes of blobs one container caches."""


class _BlobCache:
    """The blobs that were read last. Blobs never change, so the cache needs no invalidation."""

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

    def clear(self) -> None:
        with self._lock:
            self._blobs.clear()
            self._bytes = 0


BLOB_CACHE: Final = _BlobCache()
"""The blobs that this container has read, by the id of the run, which is never used again, and the key."""


def blob_reader(runs: RunStore, run: Run) -> BlobReader:
    """Return a function that reads a blob of the run by its key, from the cache if possible."""

    def read(key: str) -> Json:
        found = BLOB_CACHE.get(run.id, key)
        if found is None:
            found = runs.blobs(run, [key]).get(key)
            if found is None:
                raise ServiceError(f"blob {key!r} of run {run.name!r} is missing")
            BLOB_CACHE.put(run.id, key, found)
        return msgspec.json.decode(found)

    return read
