"""Flows that become machines and flows again behave the same: same requests, same end, on drawn answers."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from chalicelib.asl.check import check
from chalicelib.asl.convert import convert
from chalicelib.asl.export import export
from chalicelib.asl.problems import has_errors
from chalicelib.authoring.analyze import analyze_all, source_file
from chalicelib.model.actions import Action
from chalicelib.model.flow import ActionStep, CallStep, EachStep, Flow, ForkStep, walk
from tests.asl.export.drawn_flows import drawn_flow
from tests.asl.export.flows import ACTIONS
from tests.asl.export.worlds import World, drawn_input, run

PROGRAMS = sorted((Path(__file__).parents[3] / "fsl" / "programs").glob("*.fsl"))
SEEDS = range(12)

NAMES = {"NotRouted": "NoMatch"}
"""A state without a route is a Choice without a rule on the way back."""

FLOWS = {
    "results pass through decisions": """flow f input = any; vars = (n = 0);
        step A => (OK -> Size | ERROR -> Sorry (why = ${ $error.name })) {
            action = charge; args = ${ { "id": $input.id } }; save = (n = ${ $vars.n + 1 }, last = ${ $result.id });
        };
        deci Size => (when ${ $input.amount > 1000 } -> B | when ${ $result.approved } -> done (output = ${ $result })
            | else -> Again);
        set Again => (DONE when ${ $vars.n < 3 } -> A | DONE -> done (output = ${ [$vars.n, $vars.x] })) {
            save = (x.y = ${ $result });
        };
        step B => (OK -> done) { action = charge; args = ${ { "got": $result, "of": $vars.last } }; };
        set Sorry => (DONE -> stopped (error = ${ $vars.why }));
        flow_end""",
    "errors by name, repeats and members": """flow f input = any; vars = (data = ${ $input });
        step A => (OK -> B | ERROR when ${ $error.name = "Other" } -> stopped (error = "No")
            | ERROR when ${ $contains($error.cause, "left") } -> B (data.error = ${ $error.name })
            | ERROR -> stopped) {
            action = charge; args = ${ $vars.data }; save = (data.result = ${ $result.id });
            repeat = (ERROR when ${ $error.name = "OutOfStock" } -> (max = 1, delay = 5s));
        };
        step B => (BUILT -> done (output = ${ $vars.data }) | BROKEN -> B2 (data.tries = 1) | TIMEOUT -> B2) {
            action = build; args = (project = ${ $input.id }); timeout = 1h;
        };
        step B2 => (BUILT -> done (output = ${ $result })
            | BROKEN -> stopped (error = "Broken", cause = ${ $result.reason })
            | ERROR, TIMEOUT -> done (output = ${ $error.name & $state })) {
            action = build; args = (project = "second");
        };
        flow_end""",
    "branches and items": """flow f input = any; vars = (all = null);
        fork Both => (DONE -> Items (left = ${ $result.l }, all = ${ $result })
            | FAIL -> done (output = ${ "failed: " & $error.name })) {
            branch l { vars = (n = 0); step L => (OK -> L2) { action = charge; args = ${ { "l": $input.id } };
                save = (n = ${ $vars.n + 1 }); };
                set L2 => (DONE -> done (output = ${ $vars.n })); };
            branch r { step R => (BUILT -> done | BROKEN -> stopped (error = "BrokenRight")) { action = build;
                args = (project = "r"); }; };
        };
        each Items => (DONE -> done (output = ${ { "items": $result, "left": $vars.left } }) | FAIL -> done) {
            items = ${ $input.items }; max = 1; vars = (seen = []);
            step One => (OK -> Two) { action = charge; args = ${ { "item": $item, "index": $index } };
                save = (seen = ${ $append($vars.seen, $item) }); };
            deci Two => (when ${ $index = 0 } -> done (output = ${ $vars.seen }) | else -> Three);
            step Three => (OK -> done) { action = charge; args = ${ [$item, $result] }; };
        };
        flow_end""",
    "functions of FSL": """flow f input = any;
        set A => (DONE -> B) { save = (
            need = ${ $need($input.id) }, none = ${ $as($input.id, "number") },
            some = ${ $as($input.amount, "number") },
            at = ${ $at("2026-01-02T03:04:05Z") }, no = ${ $at($input.id) }, like = ${ $like($input.id, "i-*") },
            unlike = ${ $like($input.amount, "*") }, list = ${ $list($input.items, $input.missing, [$input.items], 1) },
            text = ${ "a" & $input.missing & "b" }, nested = { "a": ${ $input.missing }, "b": [${ $input.items }] }
        ); };
        wait B => (DONE -> C) { for = ${ $input.amount & "s" }; };
        deci C => (when ${ $vars.like and $input.vip } -> done (output = ${ { "list": $vars.list, "at": $vars.at } })
            | else -> done (output = ${
                [$vars.need, $vars.some, $vars.none, $vars.no, $vars.unlike, $vars.text, $vars.nested]
            }));
        flow_end""",
}


def both_ways(values: list[Any], flow: Flow) -> tuple[list[Any], Flow] | None:
    """Return the flow by way of a machine, with its actions; None if the machine cannot have it."""
    actions = {value.name: value for value in values if isinstance(value, Action)}
    found = export(flow, actions)
    if has_errors(found.problems) or any("FAIL: $result" in one.message for one in found.problems):
        return None
    assert not has_errors(check(found.machine))
    converted = convert(found.machine, flow.name)
    assert not has_errors(converted.problems), converted.problems
    [(_, checked)] = analyze_all([source_file("back", converted.text)])
    assert checked.statements, (checked.diagnostics, converted.text)
    statements = [one.value for one in checked.statements]
    return statements, next(one for one in statements if isinstance(one, Flow))


def compare(values: list[Any], flow: Flow, seeds: range = SEEDS) -> int:
    """Run the flow and what it became on drawn answers, and compare; return how many runs were compared."""
    back = both_ways(values, flow)
    if back is None:
        return 0
    actions = {value.name: value for value in values if isinstance(value, Action)}
    states = {step.name: actions[step.action].returns for step in walk(flow.steps) if isinstance(step, ActionStep)}
    states |= {step.name: ("DONE",) for step in walk(flow.steps) if isinstance(step, CallStep)}
    has_branches = any(isinstance(step, (ForkStep, EachStep)) for step in walk(flow.steps))
    for seed in seeds:
        given = drawn_input(flow, Random(seed))  # noqa: S311 - a test
        here, there = (World(seed, states, is_imported=is_imported) for is_imported in (False, True))
        expected = run(values, flow, given, here)
        if expected[2] == "ExpressionFailed" and flow.name != "f":
            continue  # an arg of a wrong type, which Step Functions sends
        found = run(*back, given, there)
        if has_branches and found[0] == expected[0] == "failed":
            continue  # several may fail, and which one does so first is not the same
        assert (*found[:2], NAMES.get(found[2], found[2])) == (*expected[:2], NAMES.get(expected[2], expected[2])), seed
        if not has_branches:  # which branch fails first decides what the others still send
            assert there.asked == here.asked, seed
    return len(seeds)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_comes_back_the_same(name: str) -> None:
    [(_, checked)] = analyze_all([source_file(name, ACTIONS + FLOWS[name])])
    assert checked.statements, checked.diagnostics
    values = [one.value for one in checked.statements]
    assert compare(values, next(one for one in values if isinstance(one, Flow)))


@pytest.mark.parametrize("seed", range(60))
def test_drawn_flows_come_back_the_same(seed: int) -> None:
    [(_, checked)] = analyze_all([source_file("drawn", ACTIONS + drawn_flow(seed))])
    assert checked.statements, checked.diagnostics
    values = [one.value for one in checked.statements]
    compare(values, next(one for one in values if isinstance(one, Flow)), range(4))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_programs_come_back_the_same(program: Path) -> None:
    [(_, checked)] = analyze_all([source_file(program.name, program.read_text(encoding="utf-8"))])
    values = [one.value for one in checked.statements]
    for value in values:
        if isinstance(value, Flow):
            compare(values, value)
