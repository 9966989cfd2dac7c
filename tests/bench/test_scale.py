"""What a run requests, what a simulated table makes of it, and what the service does in a storm of throttling."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from bench.scale import report
from bench.scale.cases import MANY, STORMS, Case, Stories
from bench.scale.contention import OF_RUN, contend
from bench.scale.partitions import MAX_READS, MAX_WRITES, SPLIT_AFTER_S, Partitions, Point
from bench.scale.recording import TABLE
from bench.scale.stories import record
from bench.scale.table import Capacity, Table, Use
from bench.scale.traffic import Outcome, pauses_of
from chalicelib.adapters.dynamodb.items import TableLocation
from chalicelib.model import status
from tests.simulation.fates import Fates
from tests.simulation.loop import START
from tests.simulation.people import People
from tests.simulation.quiet import single_threaded
from tests.simulation.schedule import drain
from tests.simulation.stage import Stage


@pytest.fixture(scope="module")
def stories() -> Stories:
    return record()


# ── counted ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_indexes_are_written_only_when_a_run_starts_or_ends(stories: Stories) -> None:
    written = [
        sum(access.writes for request in call.requests for access in request.accesses if access.resource != TABLE)
        for call in stories["callback"].calls
    ]
    assert written == [4, *[0] * (len(written) - 2), 7]


def test_a_run_shares_no_partition_of_the_table_with_others(stories: Stories) -> None:
    for name in ("callback", "inline", "items"):
        accesses = (access for request in stories[name].requests() for access in request.accesses)
        found = {access.partition[:2] for access in accesses if access.resource == TABLE}
        assert found <= {"H#", "R#"}, name


def test_the_page_has_what_is_counted(stories: Stories) -> None:
    """If a path costs more or less than before: `make scale`, or in some seconds `python -m bench.scale --counted`."""
    page = report.PAGE.read_text()
    for name, body in report.counted(stories).items():
        found = re.search(f"<!-- table: {name} -->\n(.*?)<!-- end: {name} -->", page, re.DOTALL)
        assert found, name
        assert found[1] == body


def test_a_table_needs_its_place_in_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table: one -->\nold\n<!-- end: one -->\nb\n")
    report.write({"one": "new\n"}, page)
    assert page.read_text() == "a\n<!-- table: one -->\nnew\n<!-- end: one -->\nb\n"
    with pytest.raises(LookupError, match="no place for the table 'two'"):
        report.write({"two": ""}, page)


# ── partitions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def write_for(seconds: float, per_second: float, table: Partitions, points: Iterator[Point]) -> tuple[int, int]:
    """Write at regular intervals. Return how many writes were served in the first second and in the last."""
    served: dict[int, int] = {}
    for number in range(int(seconds * per_second)):
        now, point = number / per_second, next(points)
        part = table.of(point)
        if table.has_write(part, 1, now):
            table.write(part, point, 1)
            served[int(now)] = served.get(int(now), 0) + 1
        else:
            table.throttle(part, now)
    return served[0], served[int(seconds) - 1]


def spread(seed: int = 1) -> Iterator[Point]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    while True:
        yield rng.random(), 0.0


def of_one_key(seed: int = 1) -> Iterator[Point]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    while True:
        yield 0.3, rng.random()


def at_the_end() -> Iterator[Point]:
    number = 0
    while True:
        number += 1
        yield 0.3, number / 1e9


def of_one_item() -> Iterator[Point]:
    while True:
        yield 0.3, 0.5


def partitions(*, adaptive: bool = True, rested: bool = True, count: int = 10) -> Partitions:
    return Partitions("t", 10_000, 30_000, count, adaptive=adaptive, rested=rested)


def test_spread_keys_use_the_whole_table() -> None:
    first, last = write_for(3, 8_000, partitions(), spread())
    assert first == last == 8_000


SECONDS: Final = 3 * SPLIT_AFTER_S


@pytest.mark.parametrize(
    ("points", "kept_up"),
    [(of_one_key(), 2 * MAX_WRITES), (at_the_end(), MAX_WRITES), (of_one_item(), MAX_WRITES)],
    ids=["divisible", "added at the end", "one item"],
)
def test_a_hot_key_is_split_where_its_traffic_divides(points: Iterator[Point], kept_up: float) -> None:
    _, last = write_for(SECONDS, 2_000, partitions(), points)
    assert last == pytest.approx(kept_up, rel=0.15)


def test_without_adaptive_capacity_a_partition_has_its_share_and_what_it_saved() -> None:
    _, rested = write_for(10, 900, partitions(adaptive=False, count=20), of_one_key())
    _, spent = write_for(10, 900, partitions(adaptive=False, count=20, rested=False), of_one_key())
    assert rested == 900
    assert spent == pytest.approx(500, rel=0.02)


def test_an_index_that_is_full_refuses_the_write_and_nothing_is_used() -> None:
    table = Table(Capacity.of(40_000, 40_000))
    hot = Use("changed", "one shard", (0.1, 0.0), 0, 1)
    served = sum(table.request([Use(TABLE, "own items", (n / 5_000, 0.0), 0, 1), hot], 0.0) for n in range(5_000))
    assert served == MAX_WRITES
    assert table.throttled == {("changed", "one shard"): 5_000 - served}
    assert sum(part.used for part in table._resources[TABLE].parts) == served


def test_reads_have_a_limit_of_their_own() -> None:
    table = Table(Capacity.of(40_000, 40_000))
    reads = sum(table.request([Use(TABLE, "k", (0.1, 0.0), 1, 0)], 0.0) for _ in range(5_000))
    writes = sum(table.request([Use(TABLE, "k", (0.1, 0.0), 0, 1)], 0.0) for _ in range(5_000))
    assert (reads, writes) == (MAX_READS, MAX_WRITES)


# ── traffic ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sdk_attempts_a_request_as_often_as_the_table_says() -> None:
    assert len(pauses_of("PutItem")) == TableLocation().retries
    assert sum(pauses_of("PutItem")) <= 4


def play(stories: Stories, case: Case) -> Outcome:
    return replace(case, seconds=min(case.seconds, 6)).play(stories)


def test_more_shards_let_more_runs_pass(stories: Stories) -> None:
    few = play(stories, Case("one flow", "inline", 2_000))
    many = play(stories, Case("one flow", "inline", 2_000, shards=MANY))
    assert {resource for resource, _ in few.throttled} == {"changed"}
    assert few.rate < 1_800
    assert not many.throttled
    assert many.rate == pytest.approx(2_000, rel=0.01)


def test_a_play_is_the_same_each_time(stories: Stories) -> None:
    case = Case("one flow", "inline", 1_600)
    assert play(stories, case) == play(stories, case)


@pytest.mark.parametrize("case", STORMS[:2], ids=lambda case: case.story)
def test_half_of_all_requests_refused_for_a_minute_needs_little_more_than_twice_as_many(
    stories: Stories, case: Case
) -> None:
    found = case.play(stories)
    assert found.done == found.started == 6_000
    assert found.dead == 0
    assert found.amplification <= 2.15
    assert found.last_done - case.seconds <= 60


def test_changes_of_one_item_are_made_up_to_a_rate() -> None:
    assert contend(60).rate == pytest.approx(60, rel=0.05)
    crowded = contend(1_000, OF_RUN)
    assert 40 <= crowded.rate <= 150
    assert crowded.writes <= MAX_WRITES * (crowded.seconds + 1)


# ── the real handlers ────────────────────────────────────────────────────────────────────────────────────────────────

STORM_MS: Final = 60_000


class Throttling(Fates):
    """The only fault: half of all calls of stores and queues are throttled for a minute, all attempts of the SDK."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.stage: Stage
        self._chance = random.Random(seed)  # noqa: S311 - no secret

    def strikes(self, place: str, kinds: tuple[str, ...], rate: float, *, fixed: bool = False) -> str:
        return ""

    def strikes_at(self, call: str, kinds: tuple[str, ...], rate: float) -> str:
        throttled = [kind for kind in kinds if kind in ("read-throttled", "write-throttled", "send-failed")]
        if not throttled or self.stage.loop.now >= START + STORM_MS or self._chance.random() < 0.5:
            return ""
        self.counts[throttled[0]] += 1
        return throttled[0]


@pytest.mark.parametrize("seed", range(12))
def test_in_a_storm_nothing_is_lost_or_done_twice(seed: int) -> None:
    """Runs of random flows, under the laws of the simulator; none of their messages becomes a dead letter."""
    fates = Throttling(seed)
    stage = Stage(fates, tell=True)
    fates.stage = stage
    with single_threaded(stage.laws):
        people = People(stage)
        while stage.laws.broken is None and stage.loop.now < START + STORM_MS and stage.loop.turn():
            pass
        people.settle()
        drain(stage, people.resume_all)
        for fiber in tuple(stage.loop.fibers):
            stage.loop.kill(fiber)
    assert stage.laws.broken is None
    assert fates.counts["read-throttled"] + fates.counts["write-throttled"] > 0
    assert all(run.status in status.ENDED for run in stage.laws.heads.values())
    assert not any(" dead(" in line for line in stage.story or ())
