"""What grows, and the operations whose cost must not grow with it."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from bench.growth.counts import Counts, count, cpu_ms
from bench.growth.host import NS, GrowthHost
from chalicelib.service.ports.runs import NewRun, RunQuery

ROUNDS: Final = 3
"""Of so many measurements of CPU time the least one counts."""

_WORK: Final = """
action work addr = "http://127.0.0.1:1/"; args = (int i); return = (OK | BAD); action_end
"""
LOOP: Final = f"""{_WORK}/
flow loop max_steps = 1000000; step A => (OK -> A | BAD -> stopped) {{ action = work; args = (i = 1); }}; flow_end
/
action saga addr = "http://127.0.0.1:1/"; args = (int i); return = (OK | BAD); undo = work (i = 1) on OK; action_end
/
flow saga max_steps = 1000000; step A => (OK -> A | BAD -> stopped) {{ action = saga; args = (i = 1); }}; flow_end
/
flow one step A => (OK -> done | BAD -> stopped) {{ action = work; args = (i = 1); timeout = 30d; }}; flow_end
"""
ITEMS: Final = f"""{_WORK}/
flow many
    input = (list items, int most);
    each All => (DONE -> done | FAIL -> stopped) {{
        items    = ${{ $input.items }};
        max      = ${{ $input.most }};
        tolerate = "100%";
        step One => (OK -> done | BAD -> stopped) {{ action = work; args = (i = ${{ $item }}); }};
    }};
flow_end
"""
WAITERS: Final = """
flow waiter
    input = (str key = "");
    wait Paid => (PAID -> done | TIMEOUT -> stopped) {
        events = (PAID = "paid"); key = ${ $input.key }; timeout = 30d;
    };
flow_end
"""
_SCHEDULES_AT_ONCE: Final = 100
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True)
class Operation:
    """What is measured before the next one is asked for, while there are `size` of what grows."""

    name: str
    size: int
    on: GrowthHost
    work: Callable[[GrowthHost], object]
    times: int = 1
    """How many operations `work` does."""
    timed_on: Callable[[], GrowthHost] | None = None
    """Returns another host for the time, where the work can be done once only."""

    def counts(self) -> Counts:
        """Return what one operation counts."""
        return count(self.on.database, lambda: self.work(self.on)).per(self.times)

    def cpu_ms(self) -> float:
        """Return the CPU time of one operation in ms."""
        if self.timed_on is None:
            return min(cpu_ms(lambda: self.work(self.on)) for _ in range(ROUNDS)) / self.times
        other = self.timed_on()
        return cpu_ms(lambda: self.work(other)) / self.times


@contextmanager
def host(text: str) -> Iterator[GrowthHost]:
    """Yield a host with a database of its own and the definitions in the text."""
    with tempfile.TemporaryDirectory() as folder:
        made = GrowthHost(Path(folder))
        try:
            made.submit(text)
            yield made
        finally:
            made.close()


def transitions(sizes: Sequence[int], flow: str = "loop", times: int = 60) -> Iterator[Operation]:
    """Transitions of one run that has made so many already; those of flow `saga` register an undo each."""
    with host(LOOP) as on:
        on.start(flow, "r")
        for size in sizes:
            on.handle(max(0, size - on.handled))
            yield Operation(f"transition of {flow}", size, on, lambda on: on.handle(times), times)


def undoing(sizes: Sequence[int], times: int = 60) -> Iterator[Operation]:
    """Undos of a run that was stopped, with so many that are left at the end."""
    for size in sizes:
        with host(LOOP) as on:
            on.start("saga", "r")
            on.handle(size + (ROUNDS + 1) * times)
            on.services.operator.stop(NS, "r")
            on.handle(1)
            yield Operation("undo of saga", size, on, partial(GrowthHost.handle, times=times), times)


def stored_runs(sizes: Sequence[int], times: int = 60) -> Iterator[Operation]:
    """Operations in a store with so many live runs, each of which has a timer."""
    with host(LOOP) as on:
        stored = 0
        for size in sizes:
            add_live_runs(on, stored, size)
            stored = size
            on.start("loop", f"loop-{size}")
            on.handle(6)
            yield Operation("transition", size, on, lambda on: on.handle(times), times)
            on.caller.is_silent = True
            on.handle_all()
            yield Operation("start of a run", size, on, lambda on: on.start_some("one", times), times)
            yield Operation("sweep", size, on, lambda on: on.services.timers.sweep())
            yield Operation("first page of a list", size, on, list_page)
            on.handle_all()
            on.caller.is_silent = False


def add_live_runs(on: GrowthHost, first: int, end: int) -> None:
    """Store the runs `live-FIRST` to `live-END`, which wait for an answer, as copies of one that does."""
    on.caller.is_silent = True
    name = f"model-{first}"
    on.start("one", name)
    on.handle_all()
    on.caller.is_silent = False
    model = on.store.runs.load(NS, name)
    assert model is not None  # noqa: S101 - it was started
    with on.store.runs.together():
        for number in range(first, end):
            run = replace(model, name=f"live-{number}", id=f"live-{number}", created_at=model.created_at + number)
            on.store.runs.create(NewRun(run))


def list_page(on: GrowthHost) -> object:
    """Read the first page of all runs."""
    return on.store.runs.list(NS, RunQuery(limit=50))


def items(sizes: Sequence[int], most: int, *, fail: bool = False, times: int = 60) -> Iterator[Operation]:
    """An item of an each over so many items, of which `most` are in flight: half of them have ended, or failed."""
    for size in sizes:
        with host(ITEMS) as on:
            on.caller.state = "BAD" if fail else "OK"
            on.start("many", "r", items=list(range(size)), most=most)
            some = max(1, min(times, size // 10))
            on.handle(size // 2 - some)
            name = f"item{' that fails' if fail else ''}, {most} in flight"
            yield Operation(name, size, on, partial(GrowthHost.handle, times=some), some)


def schedules(sizes: Sequence[int]) -> Iterator[Operation]:
    """Operations in a namespace with so many schedules, of which one is due."""
    for size in sizes:
        with host(LOOP) as on:
            for first in range(0, size, _SCHEDULES_AT_ONCE):
                names = range(first, min(size, first + _SCHEDULES_AT_ONCE))
                on.submit("\n/\n".join(f"schedule s{name} flow = one; every = 1d; schedule_end" for name in names))
            on.submit("schedule due flow = one; every = 1h; schedule_end")
            on.handle_all()
            yield Operation("sweep, none due", size, on, lambda on: on.services.timers.sweep())
            yield Operation("slot: sweep, look, start", size, on, _next_hour)


def _next_hour(on: GrowthHost) -> None:
    on.clock.advance(_HOUR_MS - on.clock.now() % _HOUR_MS)
    on.services.timers.sweep()
    on.handle_all()


def waiters(sizes: Sequence[int]) -> Iterator[Operation]:
    """What an event costs that so many runs wait for, per run; and one with another key, in all."""
    for size in sizes:
        with _waiting(size) as on, ExitStack() as stack:
            other = cache(lambda: stack.enter_context(_waiting(size)))  # noqa: B023 - called within the iteration
            yield Operation(
                "event with another key", size, on, lambda on: on.services.signaler.publish(NS, "paid", key="none")
            )
            publish, take = lambda on: on.services.signaler.publish(NS, "paid"), lambda on: on.handle_all()
            yield Operation("event, per waiter", size, on, publish, size, other)
            yield Operation("waiter takes it", size, on, take, size, other)


@contextmanager
def _waiting(size: int) -> Iterator[GrowthHost]:
    with host(WAITERS) as on:
        on.start_some("waiter", size)
        on.start("waiter", "other", key="other")
        on.handle_all()
        yield on
