"""Reading what a run keeps beside its head."""

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

KEPT_BYTES: Final = 16 * 1024 * 1024
"""How much a container remembers of what it has read."""


class _Memory:
    """The newest values that were read. They never change, so remembering them needs no care."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, run_id: str, key: str) -> bytes | None:
        with self._lock:
            return self._held.get((run_id, key))

    def put(self, run_id: str, key: str, value: bytes) -> None:
        with self._lock:
            if (run_id, key) in self._held:
                return
            self._held[run_id, key] = value
            self._bytes += len(value)
            while self._bytes > KEPT_BYTES:
                self._bytes -= len(self._held.popitem(last=False)[1])


MEMORY: Final = _Memory()
"""What this container has read. Values are immutable and keyed by a run's id, which is never used again."""


def blob_reader(runs: RunStore, run: Run) -> BlobReader:
    """Reads a value by its key, at most once per container."""

    def read(key: str) -> Json:
        found = MEMORY.get(run.id, key)
        if found is None:
            found = runs.blobs(run, [key]).get(key)
            if found is None:
                raise ServiceError(f"run {run.name!r} has lost what it kept under {key!r}")
            MEMORY.put(run.id, key, found)
        return msgspec.json.decode(found)

    return read
