import pytest

from chalicelib.adapters.memory import MemoryQueue, MemoryStore
from tests.adapters.queue_contract import MAX_RECEIVES, VISIBILITY, Bench, QueueContract
from tests.adapters.store_contract import StoreContract
from tests.fakes import FakeClock


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestMemoryQueue(QueueContract):
    @pytest.fixture
    def bench(self) -> Bench:
        clock = FakeClock()
        return Bench(MemoryQueue(clock, VISIBILITY, MAX_RECEIVES), clock.advance, clock.now)
