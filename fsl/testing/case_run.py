"""One test, run: the world that it describes, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event, RunContinued, RunPaused, RunRetried, RunStopped, VarsSet
from chalicelib.engine.invocation import UNDO
from chalicelib.model import status, times
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.times import Instant, Milliseconds
from fsl.testing.cases import Case, Order, OrderName, Signal, TestFile, span
from fsl.testing.cipher import entry_in_the_open, run_in_the_open
from fsl.testing.drive import DAWN, Refusal, World
from fsl.testing.program import Program
from fsl.testing.script import Script

MOVES: Final = 100_000
"""How many things may happen in one test."""

NAME: Final = "test"
"""The name of the tested run where it has none of its own."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a test's run."""

    world: World
    name: str
    began: Instant
    script: Script
    cut: str
    """Why it was cut off; empty if it was not."""

    @property
    def head(self) -> Run:
        return run_in_the_open(self.world.head(self.name))

    @property
    def history(self) -> tuple[Entry, ...]:
        return tuple(map(entry_in_the_open, self.world.history(self.name)))

    @property
    def path(self) -> list[tuple[str, str]]:
        """(step, state) of each step that returned, in that order."""
        return [(entry.step, entry.state) for entry in self.history if is_left(entry)]

    @property
    def undone(self) -> list[str]:
        return [entry.step for entry in self.history if entry.token == UNDO and entry.state and entry.event != REPORT]

    @property
    def stands_at(self) -> list[str]:
        """The steps at which the run waits; of a run that has stopped, where `retry` would take it up."""
        return [token.step for token in self.head.tokens if token.activation or self.head.status in status.STOPPED]

    @property
    def took(self) -> Milliseconds:
        return (self.head.ended_at or self.world.now) - self.began


REPORT: Final = "StepReported"


def is_left(entry: Entry) -> bool:
    """Whether the entry says that a step returned and led somewhere."""
    return bool(entry.target) and bool(entry.step) and not entry.event.startswith("Run")


def begin(program: Program, file: TestFile, case: Case) -> tuple[str, dict[str, object], dict[str, object], str]:
    """The flow that the test runs, its input and labels, and the run's name. Raises LookupError where it names none."""
    run = case.run or (None if case.flow else file.run)
    flow = None if run else case.flow or file.flow
    name = flow or run or program.only()
    if name is None:
        raise LookupError("which flow is meant? say `flow` or `run`")
    order = program.orders.get(name) if flow not in program.definitions else None
    if order is None:
        return name, case.input, case.labels, NAME
    return order.flow or order.name, {**order.input, **case.input}, {**order.labels, **case.labels}, order.name


def run_case(program: Program, file: TestFile, case: Case) -> Ran:
    """The test's run, run to its end or to where the test looks at it. Raises InputRefused."""
    script = Script(file, case)
    start = times.instant(case.start or file.start) or DAWN
    world = World(program.definitions, script, start=start, secrets={**file.secrets, **case.secrets})
    began = world.now
    flow, given, labels, name = begin(program, file, case)
    for order in case.orders:
        world.later(span(order.at), _ordered(world, name, order))
    for signal in case.events:
        world.later(span(signal.at), _published(world, name, signal))
    world.start(flow, given, name=name, labels=labels)
    until = began + span(case.until) if case.until is not None else None
    quiet = world.pass_time(began + span(case.limit) if until is None else until, moves=MOVES)
    return Ran(world, name, began, script, _cut(world, name, case, quiet=quiet))


def _cut(world: World, name: str, case: Case, *, quiet: bool) -> str:
    if not quiet:
        return f"more than {MOVES:,} things happened by {times.rfc3339(world.now)}: it goes round and round"
    if case.until is None and world.head(name).status not in status.ENDED:
        return f"the run has not ended after {case.limit}: it is {world.head(name).status}"
    return ""


def _published(world: World, name: str, signal: Signal) -> Callable[[], None]:
    key = "" if signal.to_run else str(signal.key)
    run = name if signal.to_run else ""
    return lambda: world.publish(signal.name, key=key, data=signal.data, ttl=span(signal.ttl), run=run)


def _ordered(world: World, name: str, order: Order) -> Callable[[], None]:
    def do() -> None:
        try:
            world.apply(name, _event(world, order))
        except Refused as refusal:
            world.refusals.append(Refusal(world.now, name, str(refusal)))

    return do


def _event(world: World, order: Order) -> Event:
    of = world.of("operator")
    match order.order:
        case OrderName.PAUSE:
            return RunPaused(**of)
        case OrderName.CONTINUE:
            return RunContinued(**of)
        case OrderName.STOP:
            return RunStopped(**of, reason=order.reason)
        case OrderName.RETRY:
            return RunRetried(**of, step=order.step)
        case OrderName.VARS:
            return VarsSet(**of, vars=order.vars)
