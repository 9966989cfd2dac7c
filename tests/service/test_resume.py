"""`retry` does no work again that is done, however deeply forks and eaches are nested and wherever the run stopped."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, Final

import pytest

from chalicelib.model.status import Status
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from tests.hosts import NS, Host

TELL: Final = """
action tell addr = "http://a.test/"; args = (str step); return = (OK | BAD); action_end
/
"""
MAX_TIMEOUT_MS: Final = 8 * 86_400_000
MAX_RETRIES: Final = 60
FAULTY_RETRIES: Final = 30
"""After so many retries every service works."""


class Drawn:
    """A flow that is drawn from a seed: steps in forks and eaches, in which any branch or item may fail."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311
        self._steps = 0
        self.text = f"{TELL}flow f {self._scope(3)} flow_end"

    def _scope(self, depth: int) -> str:
        first, count = self._steps, self.draw.randint(1, 2)
        self._steps += count
        targets = [*(f"S{first + n}" for n in range(1, count)), "done"]
        return " ".join(self._step(f"S{first + n}", targets[n], depth) for n in range(count))

    def _step(self, name: str, target: str, depth: int) -> str:
        kind = self.draw.choice(["step", "step", "fork", "each"]) if depth else "step"
        fails = self.draw.choice(["", " | FAIL -> stopped"])
        if kind == "step":
            bad = self.draw.choice(["", " | BAD -> stopped"])
            return f'step {name} => (OK -> {target}{bad}) {{ action = tell; args = (step = "{name}"); }};'
        if kind == "fork":
            branches = range(self.draw.randint(1, 3))
            inner = " ".join(f"branch b{n} {{ {self._scope(depth - 1)} }};" for n in branches)
            return f"fork {name} => (DONE -> {target}{fails}) {{ {inner} }};"
        most = self.draw.choice(["", "max = 1;", "max = 2;"])
        return f"each {name} => (DONE -> {target}{fails}) {{ items = [1, 2, 3]; {most} {self._scope(depth - 1)} }};"


class Faulty:
    """A run of a drawn flow, whose services refuse, stay silent, or answer a bad state, until enough was retried."""

    def __init__(self, seed: int) -> None:
        drawn = Drawn(seed)
        self._draw = drawn.draw
        self.done: Counter[tuple[str, str]] = Counter()
        """How often each step was done, by its name and the token at it."""
        self.retries = 0
        self.host = Host(self._reply)
        self.host.submit(drawn.text)
        self.host.start("f")
        self.host.settle()

    def _reply(self, request: dict[str, Any]) -> Reply:
        fault = self._draw.random() if self.retries < FAULTY_RETRIES else 1.0
        if fault < 0.2:
            return Taken({"ackState": "BAD"})
        if fault < 0.3:
            return NotTaken("it is closed", final=True) if fault < 0.25 else Taken()
        token = self.host.run().token_of(request["uuid"])
        assert token is not None
        self.done[request["step"], token.id] += 1
        return Taken({"ackState": "OK"})

    def finish(self) -> None:
        """Stop the run or let its steps time out where it waits, and retry it until it has succeeded."""
        while self.retries < MAX_RETRIES and (status := self.host.run().status) is not Status.SUCCEEDED:
            if status is not Status.RUNNING:
                self.retries += 1
                self.host.services.operator.retry(NS, "r")
            elif self._draw.random() < 0.5:
                self.host.services.operator.stop(NS, "r")
            else:
                self.host.pass_time(MAX_TIMEOUT_MS)
            self.host.settle()


@pytest.mark.parametrize("seed", range(40))
def test_no_step_is_done_twice(seed: int) -> None:
    faulty = Faulty(seed)
    faulty.finish()
    run = faulty.host.run()
    assert (run.status, run.interrupted) == (Status.SUCCEEDED, ())
    assert {step: times for step, times in faulty.done.items() if times > 1} == {}


def test_the_drawn_runs_are_retried_and_deep() -> None:
    many = [Faulty(seed) for seed in range(10)]
    for faulty in many:
        faulty.finish()
    assert sum(faulty.retries for faulty in many) > 15
    assert max(token.count(".") for faulty in many for _, token in faulty.done) == 3
