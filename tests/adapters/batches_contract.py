"""The contract of the store of batches."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.service.errors import Conflict
from chalicelib.service.ports.batches import Batch, BatchOutcome, BatchStatus, Chunk, Result, Target
from chalicelib.service.ports.store import Store
from tests.fakes import START

DAY = 24 * 60 * 60_000


def a_batch(number: int = 1, **changes: Any) -> Batch:
    fields: dict[str, Any] = {
        "id": f"2027{number:04}",
        "command": "retry",
        "rate": 50.0,
        "created_at": START,
        "updated_at": START,
        "expires_at": START + DAY,
    }
    return Batch(**{**fields, **changes})


class BatchesContract:
    def test_a_batch_is_loaded_as_it_was_saved(self, store: Store) -> None:
        batch = a_batch(
            args={"reason": "ä🙂"}, select={"label": ["a:1"]}, counts={BatchOutcome.REFUSED: 3}, cursor="c", by="ann"
        )
        store.batches.save("ns", batch, None)
        assert store.batches.load("ns", batch.id) == batch
        assert store.batches.load("other", batch.id) is None
        assert store.batches.load("ns", "2026") is None

    def test_a_batch_is_written_on_the_condition_of_its_version(self, store: Store) -> None:
        batch = a_batch()
        with pytest.raises(Conflict):
            store.batches.save("ns", batch, 1)
        store.batches.save("ns", batch, None)
        with pytest.raises(Conflict):
            store.batches.save("ns", batch, None)
        later = replace(batch, version=2, status=BatchStatus.RUNNING)
        store.batches.save("ns", later, 1)
        with pytest.raises(Conflict):
            store.batches.save("ns", replace(later, version=2), 1)
        assert store.batches.load("ns", batch.id) == later

    def test_batches_are_listed_newest_first_in_pages(self, store: Store) -> None:
        for number in (2, 1, 3):
            store.batches.save("ns", a_batch(number), None)
        store.batches.save("other", a_batch(4), None)
        first = store.batches.list("ns", START, 2)
        assert [batch.id for batch in first] == ["20270003", "20270002"]
        assert [batch.id for batch in store.batches.list("ns", START, 2, first[-1].id)] == ["20270001"]

    def test_batches_that_have_expired_are_not_listed(self, store: Store) -> None:
        store.batches.save("ns", a_batch(1), None)
        store.batches.save("ns", a_batch(2, created_at=START + DAY, expires_at=START + 2 * DAY), None)
        assert [batch.id for batch in store.batches.list("ns", START + DAY, 10)] == ["20270002"]

    def test_chunks_are_replaced_as_a_whole(self, store: Store) -> None:
        batch = a_batch()
        targets = tuple(Target(f"r-{n}", f"id-{n}", n) for n in range(100))
        store.batches.put_chunk("ns", batch, 0, Chunk(targets=targets))
        store.batches.put_chunk("ns", batch, 0, Chunk(results=(Result("r-1", BatchOutcome.DONE),)))
        results = (Result("r-1", BatchOutcome.DONE), Result("r-2", BatchOutcome.REFUSED, "it has succeeded"))
        store.batches.put_chunk("ns", batch, 0, Chunk(results=results))
        assert store.batches.targets("ns", batch.id, 0) == targets
        assert store.batches.results("ns", batch.id, 0) == results
        assert store.batches.results("ns", batch.id, 1) == ()
        assert store.batches.targets("ns", "other", 0) == ()
        assert store.batches.targets("other", batch.id, 0) == ()
