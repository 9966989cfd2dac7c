"""What is priced: the requests of runs of flows that differ in how many of one thing they have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bench.price.account import Account
from chalicelib.service.observability.prices import Requests

ACTIONS: Final = """action work addr = "https://work.example/do"; args = (str order_id); return = (OK | FAIL);
action_end
/
action get addr = "https://work.example/orders"; callback = none; return = (OK); action_end
"""
INPUT: Final = {"order_id": "2027-000123", "amount": 99.5}
ANSWER: Final = {"id": 481_516, "at": "2027-01-15T08:00:00Z"}
MINUTE_MS: Final = 60_000
BATCH: Final = 10
"""The most messages of which an invocation gets."""


@dataclass(frozen=True)
class Counted:
    """Requests, and of how many received messages."""

    requests: Requests
    received: float

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.requests + other.requests, self.received + other.received)

    def __mul__(self, times: float) -> Counted:
        return Counted(self.requests * times, self.received * times)

    def __sub__(self, other: Counted) -> Counted:
        return self + other * -1

    @property
    def in_batches(self) -> Requests:
        """The same if SQS hands over ten messages at once: one request receives them, one deletes them."""
        spared = self.received * (1 - 1 / BATCH)
        return self.requests + Requests(queue_requests=-2 * spared, invocations=-spared)


def flow(name: str, steps: str) -> str:
    """Return a document with a flow of that name."""
    return f"flow {name} input = (str order_id, float amount); {steps} flow_end"


def chain(kind: str, count: int) -> str:
    """Return the steps of a flow of so many of them. `kind` is what stands before and in the braces of each."""
    word, body, state = {
        "work": ("step", "action = work;", "OK"),
        "get": ("step", "action = get;", "OK"),
        "wait": ("wait", "for = 5m;", "DONE"),
        "long wait": ("wait", "for = 2d;", "DONE"),
        "set": ("set", "", "DONE"),
    }[kind]
    names = [*(f"Step{number:02}" for number in range(count)), "done"]
    return " ".join(f"{word} {name} => ({state} -> {after}) {{ {body} }};" for name, after in pairwise(names))


def fork(count: int) -> str:
    """Return a fork with so many branches of one step each."""
    branches = (f"branch b{n} {{ step Step{n:02} => (OK -> done) {{ action = work; }}; }};" for n in range(count))
    return f"fork Both => (DONE -> done) {{ {' '.join(branches)} }};"


def each(count: int) -> str:
    """Return an each with so many items of one step each."""
    items = ", ".join(map(str, range(count)))
    return (
        f"each All => (DONE -> done) {{ items = ${{ [{items}] }}; step Step00 => (OK -> done) {{ action = work; }}; }};"
    )


class Paths:
    """Counts paths in an account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._runs = 0
        self.account.submit(ACTIONS)

    @property
    def last(self) -> str:
        """The name of the last run."""
        return f"order-2027-{self._runs:06}"

    def start(self, steps: str, *, is_answered: bool = False) -> tuple[str, Counted]:
        """Start a run of a flow with these steps, which the container knows. `is_answered`: its actions answer in their
        response."""
        self._runs += 1
        name, flow_name, account = self.last, f"order_process_{self._runs}", self.account
        account.submit(flow(flow_name, steps))
        account.start(flow_name, f"before-{name}", **INPUT)
        account.stop(f"before-{name}")
        account.answers = {f"Step{number:02}": ANSWER for number in range(100)} if is_answered else {}
        account.reset()
        account.start(flow_name, name, **INPUT)
        return name, self._counted()

    def run(self, steps: str, *, is_answered: bool = False, has_callbacks: bool = False) -> Counted:
        """Let a run of a flow with these steps come to its end. Return its requests."""
        name, _ = self.start(steps, is_answered=is_answered)
        account = self.account
        for _ in range(10_000):
            account.work()
            run = account.run(name)
            if run.ended_at is not None:
                account.work(account.clock.now() + 60 * MINUTE_MS)  # messages that come to nothing
                return self._counted()
            if has_callbacks:
                account.answer(name, data=ANSWER)
            elif (due := account.queue.next_due()) is not None:
                account.work(due[0])
            else:
                account.sweep_at(run.timer_at or 0)
        raise AssertionError(f"run {name} does not end")

    def each_of(self, steps: Callable[[int], str], few: int, many: int, **how: bool) -> Counted:
        """Return the requests of one of what `steps` makes so many of: starts and ends cancel out."""
        return (self.run(steps(many), **how) - self.run(steps(few), **how)) * (1 / (many - few))

    def start_only(self, steps: str) -> Counted:
        """Return the requests of a start. The run is stopped then."""
        name, found = self.start(steps)
        self.account.stop(name)
        return found

    def end(self) -> Counted:
        """Return what the last answer of a run takes more than others."""
        name, _ = self.start(chain("work", 2))
        found = []
        for _ in range(2):
            self.account.work()
            self.account.reset()
            self.account.answer(name, data=ANSWER)
            self.account.work()
            found.append(self._counted())
        return found[1] - found[0]

    def _counted(self) -> Counted:
        return Counted(self.account.requests * 1, self.account.received)


STEPS: Final = 24
"""How many steps a longer run has more than a shorter one: pages come at every so many of them (12, or 8 with data)."""


def counted(paths: Paths) -> dict[str, Counted]:
    """Return the requests of each path by its name."""

    def steps(kind: str) -> Callable[[int], str]:
        return lambda count: chain(kind, count)

    found = {
        "step, by callback": paths.each_of(steps("work"), STEPS, 2 * STEPS, has_callbacks=True),
        "step, answered in the response": paths.each_of(steps("work"), STEPS, 2 * STEPS, is_answered=True),
        "step, plain REST": paths.each_of(steps("get"), STEPS, 2 * STEPS),
        "wait of 5 minutes": paths.each_of(steps("wait"), STEPS, 2 * STEPS),
        "wait of 2 days": paths.each_of(steps("long wait"), 4, 8),
        "set": paths.each_of(steps("set"), STEPS, 2 * STEPS),
        "branch of one answered step": paths.each_of(fork, 4, 8, is_answered=True),
        "item of one answered step": paths.each_of(each, STEPS, 2 * STEPS, is_answered=True),
    }
    found["start of a run"] = paths.start_only(chain("work", STEPS))
    found["end of a run"] = paths.end()
    return found
