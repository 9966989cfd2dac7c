"""What Step Functions asks: counted state transitions, durations and memory, and the ways of a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib.authoring.analyze import analyze_all, source_file
from chalicelib.model.flow import Flow
from chalicelib.service.details.step_functions import Transitions, express, standard, transitions_of
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from tests.hosts import NS, Host

ACTION = 'action work addr = "http://work.test/"; return = (OK | FAIL); retry = (max = 3, delay = 1s); action_end /'
PROGRAMS = sorted((Path(__file__).parents[2] / "fsl" / "programs").glob("*.fsl"))


def flow_of(steps: str) -> Flow:
    (_, checked), *_ = analyze_all([source_file("test", f"{ACTION} flow f {steps} flow_end")])
    assert checked.statements, checked.diagnostics
    return next(one.value for one in checked.statements if isinstance(one.value, Flow))


def ways(steps: str, items: int = 1) -> Transitions:
    return transitions_of(flow_of(steps).steps, items)


def test_standard_workflows_cost_by_the_transition() -> None:
    assert standard(40_000).usd == 1.0


@pytest.mark.parametrize(
    ("duration", "size", "billed", "memory", "gb_seconds"),
    [
        (0, 0, 100, 64, 0.00625),
        (101, 1_000, 200, 64, 0.0125),
        (1_000, 14 * 2**20, 1_000, 64, 0.0625),
        (1_000, 14 * 2**20 + 1, 1_000, 128, 0.125),
    ],
)
def test_express_workflows_cost_by_duration_and_memory(
    duration: int, size: int, billed: int, memory: int, gb_seconds: float
) -> None:
    found = express(duration, size)
    assert (found.requests, found.duration_ms, found.memory_mb, found.gb_seconds) == (1, billed, memory, gb_seconds)
    assert found.usd == round(0.000001 + gb_seconds * 0.00001667, 9)


def test_an_express_workflow_may_take_five_minutes() -> None:
    assert express(300_000, 0).fits
    assert not express(300_001, 0).fits


def test_the_shortest_and_the_longest_way() -> None:
    found = ways(
        """step A => (OK -> B | FAIL -> C) { action = work; };
        set B => (DONE -> D);
        set C => (DONE -> done);
        set D => (DONE -> done);"""
    )
    assert found == Transitions(least=2, most=3, loops=False, eaches=())


def test_loops_repeats_and_retries() -> None:
    found = ways(
        """step A => (OK -> done | FAIL -> Pause) {
            action = work; retry = (max = 4, delay = 1s); repeat = (FAIL -> (max = 2, delay = 1s));
        };
        wait Pause => (DONE -> A) { for = 1m; };"""
    )
    assert found == Transitions(least=1, most=7, loops=True, eaches=())


def test_branches_and_items() -> None:
    found = ways(
        """fork F => (DONE -> E) {
            branch a { set A => (DONE -> done); };
            branch b { set B => (DONE -> C); set C => (DONE -> done); };
        };
        each E => (DONE -> done) { items = [1, 2, 3]; set D => (DONE -> G); set G => (DONE -> done); };""",
        items=10,
    )
    assert found == Transitions(least=25, most=25, loops=False, eaches=("E",))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_ways_of_every_program(program: Path) -> None:
    (_, checked), *_ = analyze_all([source_file(program.name, program.read_text(encoding="utf-8"))])
    for statement in checked.statements:
        if isinstance(statement.value, Flow):
            found = transitions_of(statement.value.steps)
            assert 1 <= found.least <= found.most


def test_a_run_is_counted_with_its_items_repeats_and_retried_deliveries(host: Host) -> None:
    failures = iter([True, True, False])

    def script(_request: dict[str, Any]) -> Reply:
        return NotTaken("refused the connection", final=False) if next(failures) else Taken({"ackState": "OK"})

    host.actions.script = script
    host.submit(
        f"""{ACTION} flow f
        each E => (DONE -> A) {{ items = [1, 2]; set D => (DONE -> done); }};
        step A => (OK -> done | FAIL -> stopped) {{ action = work; }};
        flow_end"""
    )
    host.start("f")
    host.settle()
    host.pass_time(60_000)
    view = host.services.reader.path(NS, "r")
    _, found = host.services.run_details.compared(view.run, view.entries, host.clock.now())
    assert found.standard.transitions == 6
    assert found.standard.complete
    assert found.express.duration_ms > 100
    _, partly = host.services.run_details.compared(view.run, view.entries[-1:], host.clock.now())
    assert (partly.standard.transitions, partly.standard.complete) == (4, False)


def test_a_loop_of_an_item_is_a_loop() -> None:
    found = ways(
        """each E => (DONE -> done) {
            items = [1]; step D => (OK -> done | FAIL -> D) { action = work; };
        };"""
    )
    assert found == Transitions(least=2, most=2, loops=True, eaches=("E",))
