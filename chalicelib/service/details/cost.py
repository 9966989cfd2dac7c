"""What a run has cost so far: requests, and money at list prices. Pure.

The requests of a run are counted in its head, or follow from what is:

    writes      the version of the head: each transition is one write of it
    pages       counted by their keys, the first MAX_COUNTED_PAGES of them; the others follow from how many entries
                these hold. Each is one write more
    messages    counted in the head, with the decision that sends them
    reads       one for each message that is received, and one for each write but the first: a delivery that is answered
                in its response needs one read for both, so this is a maximum

`usd` is what DynamoDB and SQS ask for these. Each write and read is priced by the size that the head has now. Index
entries, which change only with the status, values stored beside the head, Lambda and API Gateway are not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.model.run import Run
from chalicelib.service.observability.prices import (
    LIST_PRICES,
    REQUESTS_PER_MESSAGE,
    Prices,
    read_units,
    write_units,
)

MAX_COUNTED_PAGES: Final = 250
"""How many pages of a history are counted by their keys: on DynamoDB that reads the pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of a run so far."""

    writes: int
    reads: int
    messages: int
    pages: int
    steps: int
    """How many steps were entered: what Step Functions would count as state transitions, without retries."""
    bytes: int
    """The size of the head as it is stored."""
    usd: float
    step_functions_usd: float
    """What a standard workflow of Step Functions asks for as many state transitions, without what it calls."""
    prices: str


def page_count(numbers: Sequence[int], first_in_tail: int) -> int:
    """Return how many pages a history has of which the tail begins with entry `first_in_tail`.

    `numbers` are those of the last entries of its first pages, at most MAX_COUNTED_PAGES.
    """
    if not numbers or len(numbers) < MAX_COUNTED_PAGES:
        return len(numbers)
    return max(len(numbers), round(len(numbers) * (first_in_tail - 1) / numbers[-1]))


def cost_of(run: Run, size: int, pages: int, prices: Prices = LIST_PRICES) -> Cost:
    """Return the cost of the run so far. `size` is that of its head as it is stored, in bytes."""
    reads = run.messages + run.version - 1
    usd = (
        run.version * write_units(size) * prices.write_unit
        + pages * prices.write_unit
        + reads * read_units(size) * prices.read_unit
        + run.messages * REQUESTS_PER_MESSAGE * prices.queue_request
    )
    return Cost(
        writes=run.version,
        reads=reads,
        messages=run.messages,
        pages=pages,
        steps=run.steps,
        bytes=size,
        usd=round(usd, 9),
        step_functions_usd=round(run.steps * prices.state_transition, 9),
        prices=prices.name,
    )
