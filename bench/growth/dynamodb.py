"""Transitions on DynamoDB (moto): the requests that are made, and the units that DynamoDB bills for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.growth.host import StoreHost
from bench.growth.subjects import LOOP
from bench.scale.recording import Recorder
from chalicelib.adapters.memory import MemoryQueue
from chalicelib.adapters.virtual import VirtualClock
from fsl.local.aws import MotoStack

_PERIOD: Final = 60
"""So many transitions have a whole number of history pages."""


@dataclass(frozen=True)
class Billed:
    """What a transition costs on average, of a run that has made `size` already."""

    size: int
    requests: float
    read_units: float
    write_units: float


def transitions(sizes: Sequence[int], flow: str = "loop") -> Iterator[Billed]:
    """Measure transitions by actions that answer in the HTTP response; messages are in memory.

    Those of flow `saga` register an undo each.
    """
    with MotoStack() as stack:
        clock, recorder = VirtualClock(), Recorder(stack.store.table.client)
        host = StoreHost(stack.store, MemoryQueue(clock), clock, delivery_log=False)
        host.submit(LOOP)
        host.start(flow, "r")
        for size in sizes:
            host.handle(max(0, size - host.handled))
            with recorder.recorded() as requests:
                host.handle(_PERIOD)
            reads = sum(request.reads for request in requests)
            writes = sum(request.writes for request in requests)
            yield Billed(size, len(requests) / _PERIOD, reads / _PERIOD, writes / _PERIOD)
