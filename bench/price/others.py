"""What others ask for a flow of so many steps, without what these call.

Step Functions: its pricing page; an Express workflow has no callbacks, ends within five minutes, and runs a step again
if it fails in between.

Lambda durable functions (announced in December 2025): 8 USD per million operations, 0.25 USD per GB written, 0.15 USD
per GB and month retained. Their pricing page was not read itself: transcripts and articles of 2026 that quote it agree.
That a start, a step and a wait are an operation each is from them, too; that a callback takes two (to make it and to
send it) is assumed, and so are the sizes. Added are the invocations of the function with the memory of ours.
"""

from __future__ import annotations

from typing import Final

from chalicelib.service.details.cost import GB_SECONDS
from chalicelib.service.details.step_functions import express, standard
from chalicelib.service.observability.prices import LIST_PRICES, Prices, Requests

WRITTEN_BYTES: Final = 300
"""What a durable function writes for a step: a result of some fields and its envelope (assumed)."""

RETAINED_MONTHS: Final = 14 / 30
"""By default a history is retained for 14 days."""

_GB: Final = 2**30


def step_functions_standard(steps: int) -> float:
    """Return USD per run of a Standard workflow: a transition for each state."""
    return standard(steps).usd


def step_functions_express(steps: int, reply_ms: int, size: int = 1_000) -> float:
    """Return USD per run of an Express workflow whose tasks take so long one after the other."""
    return express(steps * reply_ms, size).usd


def durable_functions(steps: int, *, has_callbacks: bool, reply_ms: int, prices: Prices = LIST_PRICES) -> float:
    """Return USD per run of a durable function. It waits for responses, but is suspended until a callback comes."""
    operations = 1 + steps * (2 if has_callbacks else 1)
    written = operations * WRITTEN_BYTES / _GB
    invocations = 1 + (steps if has_callbacks else 0)
    waits = 0 if has_callbacks else steps * reply_ms / 1000
    requests = Requests(invocations=invocations, gb_seconds=invocations * GB_SECONDS["api"] + waits * 512 / 1024)
    kept = written * (prices.durable_gb_written + RETAINED_MONTHS * prices.durable_gb_month)
    return operations * prices.durable_operation + kept + requests.usd(prices)
