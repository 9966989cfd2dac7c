"""What a run has cost so far on AWS: requests, and money at list prices. Pure.

The requests of a run are counted in its head and its history, or follow from what is:

    writes      the version of the head: each transition is one write of it
    pages       counted by their keys, the first MAX_COUNTED_PAGES of them; the others follow from how many entries
                these hold. Each is one write more
    messages    counted in the head, with the decision that sends them. Each is sent, received and deleted, and handled
                in an invocation that reads the head
    answers     answers by callback, counted in the entries that are at hand; older ones follow from their share. Each
                is a request through the REST API or the Function URL, an invocation, and a read
    timers      counted in the same way: each moves an entry of an index, and a sweep sends a message for one that is
                farther than a message can be delayed
    index writes  those, and those of a start and of an end. Those of pauses are not counted

Each write and read is priced by the size that the head has now. Values stored beside the head, events, and how long
actions take to respond while the function waits are not in it. `tests/bench` compares the result with what the
handlers really ask for (`bench/price`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from chalicelib.model.compression import MAX_PLAIN_BYTES, compressed
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.service.observability.prices import (
    LIST_PRICES,
    REQUESTS_PER_MESSAGE,
    Prices,
    Requests,
    read_units,
    write_units,
)
from chalicelib.service.ports.queues import MAX_DELAY_MS

MAX_COUNTED_PAGES: Final = 250
"""How many pages of a history are counted by their keys: on DynamoDB that reads the pages."""


KEY_BYTES: Final = 160
"""About what the keys of a head and of its index entries have, beside what its JSON says."""

START_INDEX_WRITES: Final = 4
"""Entries that a new run puts: it is listed, by its flow too, its status has changed, and it has a timer."""

END_INDEX_WRITES: Final = 7
"""Each of these moves; that of the timer is deleted."""

MOVED: Final = 2
"""An entry that moves is deleted and put."""

_TIMER: Final = "timer"
"""The author of an entry that a timer made."""

_AWS_MS: Final = 5
"""Assumed time of a request to AWS."""

_MB_PER_CPU: Final = 1_769
"""With so much memory a function has one CPU, and with less a part of it."""

CPU_MS: Final = {"api": 0.6, "callback": 0.5, "deliveries": 0.4, "wakes": 0.2, "dead": 0.4, "sweep": 0.4}
"""Milliseconds of a whole CPU that an invocation takes, by function or queue: a start of a run, an answer, a delivery
that is taken, a timer, a sweep that finds nothing. Measured by `make bench PARTS=bill` (`bench/RESULTS.md`) on
2026-11-27 and rounded up; that of dead letters is taken to be that of deliveries."""

ANSWERED_CPU_MS: Final = 0.5
"""What each answer in a response takes more: to read and commit it, and to deliver the next action in the same
invocation, if there is one. Measured and rounded up as CPU_MS."""

SEND_CPU_MS: Final = 0.6
"""What it takes to send a request to AWS over TLS and to receive its response. Measured and rounded up as CPU_MS."""


def _gb_seconds(memory: int, cpu_ms: float, requests: int) -> float:
    """Return what an invocation takes that makes so many requests to AWS, one after the other."""
    busy = (cpu_ms + SEND_CPU_MS * requests) * _MB_PER_CPU / memory
    return memory / 1024 * (busy + _AWS_MS * requests) / 1000


MEMORY_MB: Final = {"api": 512, "callback": 256, "deliveries": 512, "wakes": 512, "dead": 512, "sweep": 256}
"""The memory of each function, by the function or its queue: that of `.chalice/config.json`."""

REQUESTS: Final = {"api": 2, "callback": 3, "deliveries": 1, "wakes": 1, "dead": 1, "sweep": 8}
"""Requests to AWS of an invocation, one after the other."""

GB_SECONDS: Final = {name: _gb_seconds(MEMORY_MB[name], CPU_MS[name], count) for name, count in REQUESTS.items()}
"""GB-seconds of an invocation, by function or queue, without what an action takes to respond."""

ANSWERED_GB_SECONDS: Final = _gb_seconds(MEMORY_MB["deliveries"], ANSWERED_CPU_MS, 1)
"""What each answer in a response takes more: a write."""

SENT_GB_SECONDS: Final = _gb_seconds(MEMORY_MB["deliveries"], 0, 1)
"""What it takes to send a message, where the invocation does not always send one."""

SWEEP: Final = Requests(read_units=4, invocations=1, gb_seconds=GB_SECONDS["sweep"])
"""What a sweep asks for that finds nothing: it looks into four shards of the timers of runs, and of schedules."""

SWEEPS: Final = 30 * 24 * 60
"""In a month of 30 days: one each minute."""

EMPTY_RECEIVES: Final = 3 * 5 * 30 * 86_400 // 20
"""In a month without messages: of three queues, by five pollers, each for 20 s. AWS describes five pollers ("Using
Lambda with Amazon SQS") and does not promise it; 20 s is the longest that SQS lets a receive wait."""

IDLE_MONTH: Final = {"sweeps": SWEEP * SWEEPS, "empty receives": Requests(queue_requests=EMPTY_RECEIVES)}
"""What a stage with four shards asks for in a month in which nothing happens."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a run so far."""

    writes: int
    reads: int
    messages: int
    pages: int
    steps: int
    """How many steps were entered: what Step Functions would count as state transitions, without retries."""
    answers: int
    """Answers by callback."""
    bytes: int
    """The size of the head in bytes of JSON. DynamoDB stores large ones compressed."""
    usd: float
    usd_by_service: dict[str, float]
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


def cost_of(
    run: Run,
    body: bytes,
    pages: int,
    entries: Sequence[Entry],
    prices: Prices = LIST_PRICES,
    *,
    by_rest: bool = False,
) -> Cost:
    """Return the cost of the run so far.

    `body` is the JSON of its head as it is stored; `entries` are those of its history that are at hand. `by_rest`:
    whether actions answer through the REST API, and not through the Function URL.
    """
    answers, timers, far_timers = _found_in(run, entries)
    messages = run.messages + far_timers
    reads = messages + answers
    size = KEY_BYTES + (len(body) if len(body) <= MAX_PLAIN_BYTES else len(compressed(body)))
    is_asked_for = run.parent is None and not run.scheduled
    requests = Requests(
        write_units=run.version * write_units(size) + pages + len(run.labels),
        index_writes=START_INDEX_WRITES + MOVED * timers + (END_INDEX_WRITES if run.ended_at is not None else 0),
        read_units=reads * read_units(size),
        queue_requests=messages * REQUESTS_PER_MESSAGE,
        invocations=messages + answers + is_asked_for,
        gb_seconds=messages * GB_SECONDS["deliveries"]
        + (run.version - 1 - answers) * ANSWERED_GB_SECONDS
        + max(run.messages - is_asked_for - answers, 0) * SENT_GB_SECONDS
        + answers * GB_SECONDS["callback"]
        + is_asked_for * GB_SECONDS["api"],
        rest_requests=is_asked_for + (answers if by_rest else 0),
    )
    return Cost(
        writes=run.version,
        reads=reads,
        messages=messages,
        pages=pages,
        steps=run.steps,
        answers=answers,
        bytes=len(body),
        usd=round(requests.usd(prices), 9),
        usd_by_service={name: round(usd, 9) for name, usd in requests.by_service(prices).items()},
        step_functions_usd=round(run.steps * prices.state_transition, 9),
        prices=prices.name,
    )


def _found_in(run: Run, entries: Sequence[Entry]) -> tuple[int, int, int]:
    """Return how many answers came by callback (no delivery recorded them), how many timers fired, and how many of
    these were too far for a delayed message."""
    if not entries:
        return 0, 0, 0
    answers = sum(entry.event == "StepAcked" and entry.sent is None for entry in entries)
    gaps = [later.at - earlier.at for earlier, later in pairwise(entries) if later.by == _TIMER]
    far = sum(gap > MAX_DELAY_MS for gap in gaps)
    share = run.seq / len(entries)
    return round(answers * share), round(len(gaps) * share), round(far * share)
