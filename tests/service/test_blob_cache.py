"""Values that were read from blobs: decoded once, known by their identity, and forgotten when there is no room."""

from __future__ import annotations

from collections.abc import Mapping
from threading import RLock
from typing import Any

import msgspec
from msgspec.structs import replace

from chalicelib.adapters.memory.runs import MemoryRuns
from chalicelib.model.run import Run, encode
from chalicelib.service.ports.runs import NewRun
from chalicelib.service.runs.blobs import MAX_DECODED_BYTES, BlobCache
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.references import MAX_INLINE_BYTES, offload_head
from tests.adapters.samples import a_run


class RecordedRuns(MemoryRuns):
    """Records the keys of blobs that are written."""

    def __init__(self) -> None:
        super().__init__(RLock())
        self.written: list[str] = []

    def put_blobs(self, run: Run, values: Mapping[str, bytes]) -> None:
        self.written += values
        super().put_blobs(run, values)


def a_blob(size: int) -> bytes:
    return msgspec.json.encode(["x" * size])


def test_a_value_is_the_same_object_each_time_and_known_in_its_run() -> None:
    cache = BlobCache()
    assert cache.key_of("r") is None
    value = cache.value("r", "value/a", a_blob(10))
    assert cache.value("r", "value/a", a_blob(10)) is value
    known = cache.key_of("r")
    assert known
    assert known(value) == "value/a"
    assert known(["x" * 10]) is None
    cache.value("other", "value/b", a_blob(20))
    of_other = cache.key_of("other")
    assert of_other
    assert of_other(value) is None


def test_the_values_used_longest_ago_are_forgotten() -> None:
    cache, third = BlobCache(), MAX_DECODED_BYTES // 3
    first, second = (cache.value("r", key, a_blob(third)) for key in ("value/1", "value/2"))
    cache.value("r", "value/1", a_blob(third))
    cache.value("other", "value/3", a_blob(third))
    known = cache.key_of("r")
    assert known
    assert (known(first), known(second)) == ("value/1", None)
    cache.value("other", "value/4", a_blob(third))
    cache.value("other", "value/5", a_blob(third))
    assert cache.key_of("r") is None
    assert known(first) is None


def test_values_that_are_too_large_are_decoded_each_time() -> None:
    cache, blob = BlobCache(), a_blob(MAX_DECODED_BYTES)
    assert cache.value("r", "value/a", blob) == cache.value("r", "value/a", blob)
    assert cache.key_of("r") is None


def test_a_large_value_that_stays_is_not_written_again_by_another_process() -> None:
    runs = RecordedRuns()
    large = {"rows": ["x" * 100] * 500}
    first = replace(a_run(), input=large, vars={"kept": large["rows"], "n": 1})
    OffloadingRunStore(runs).create(NewRun(first))
    written = len(runs.written)
    store = OffloadingRunStore(runs)
    read = store.load(first.namespace, first.name)
    assert read == first
    changed = replace(read, version=read.version + 1, vars={**read.vars, "n": 2})
    store.save(changed, read.version)
    assert len(runs.written) == written
    assert OffloadingRunStore(runs).load(first.namespace, first.name) == changed
    replaced = replace(changed, version=changed.version + 1, vars={"kept": [*large["rows"], "y"]})
    store.save(replaced, changed.version)
    assert len(runs.written) > written
    assert OffloadingRunStore(runs).load(first.namespace, first.name) == replaced


def test_a_known_value_becomes_its_reference_whatever_it_holds() -> None:
    """The value itself is not encoded: it may even be one that cannot be."""
    value: Any = {"unknown": object()}
    head = offload_head(replace(a_run(), output=value), known=lambda found: "value/k" if found is value else None)
    assert b"value/k" in head.body
    assert len(head.body) < MAX_INLINE_BYTES
    assert head.body == encode(head.run)
    assert not head.blobs
