"""Waiting for changes: woken in one process, polling elsewhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic

from chalicelib.adapters.changes import LocalChanges, PolledChanges
from tests.fakes import FakeClock


def test_a_change_wakes_those_that_watch_that_run() -> None:
    changes, watching = LocalChanges(FakeClock()), Event()

    def wait(run: str, milliseconds: int) -> float:
        began = monotonic()
        with changes.watch("ns", run) as watch:
            watching.set()
            watch.wait(milliseconds)
        return monotonic() - began

    with ThreadPoolExecutor(1) as pool:
        woken = pool.submit(wait, "a", 20_000)
        assert watching.wait(5)
        changes.notify("ns", "b", is_over=False)
        changes.notify("other", "a", is_over=False)
        assert not woken.done()
        changes.notify("ns", "a", is_over=False)
        assert woken.result(5) < 5


def test_a_change_between_reading_and_waiting_is_not_missed() -> None:
    changes, began = LocalChanges(FakeClock()), monotonic()
    with changes.watch("ns", "a") as watch:
        changes.notify("ns", "a", is_over=False)
        watch.wait(20_000)
        assert monotonic() - began < 5
        watch.wait(1)
    changes.notify("ns", "a", is_over=False)


def test_a_poll_waits_longer_and_longer_but_not_beyond_its_time() -> None:
    clock = FakeClock()
    with PolledChanges(clock).watch("ns", "a") as watch:
        pauses = []
        for _ in range(60):
            before = clock.now()
            watch.wait(10_000)
            pauses.append(clock.now() - before)
        assert pauses[:7] == [10, 20, 40, 80, 160, 320, 320]
        assert pauses == sorted(pauses)
        assert pauses[-1] == 1_000
        before = clock.now()
        watch.wait(5)
        assert clock.now() == before + 5
