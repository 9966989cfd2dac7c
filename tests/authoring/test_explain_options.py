"""What `explain` and graphs show of options that are computed, of time limits of joins, and of waits until a match."""

from __future__ import annotations

from chalicelib.authoring.explain import Setting, explain
from chalicelib.diagrams.flow_graph import describe_step
from chalicelib.language import KnownNames, read
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow

TEXT = """action a addr = "http://a"; return = (OK); action_end
/
flow f
    input = (int m, str zone);
    step A => (OK -> B) {
        action = a; timeout = ${ $input.m
            & "m" }; heartbeat = 90s;
        repeat = (max = ${ $input.m }, delay = ${ "10s" }, rate = ${ 3 });
    };
    fork B => (DONE -> C | TIMEOUT -> C) { timeout = 1h30m; branch x { set S => (); }; };
    each C => (DONE -> D) { items = [1]; max = ${ $input.m }; batch = 2; timeout = ${ "1h" }; set T => (); };
    wait D => (DONE -> E) { next = "0 9 * * MON-FRI"; zone = ${ $input.zone }; };
    wait E => () { next = ${ "@daily" }; };
flow_end"""


def flow_and_actions() -> tuple[Flow, dict[str, Action]]:
    values = [one.value for one in read(TEXT, KnownNames()).statements]
    return (
        next(one for one in values if isinstance(one, Flow)),
        {one.name: one for one in values if isinstance(one, Action)},
    )


def test_options_that_are_expressions_are_shown_as_they_are_written() -> None:
    rows = {row.step: row for row in explain(*flow_and_actions())}
    assert rows["A"].timeout == Setting('${ $input.m & "m" }', "step")
    assert rows["A"].heartbeat == Setting("90s", "step")
    assert rows["A"].repeat is not None
    assert "${ $input.m }" in rows["A"].repeat
    assert '${ "10s" }' in rows["A"].repeat


def test_the_time_limits_of_joins_are_shown() -> None:
    rows = {row.step: row for row in explain(*flow_and_actions())}
    assert (rows["B"].timeout, rows["B"].on_timeout) == (Setting("90m", "step"), "-> C")
    assert (rows["C"].timeout, rows["C"].on_timeout) == (Setting('${ "1h" }', "step"), "stops the run")


def test_a_graph_describes_waits_until_a_match() -> None:
    flow, _ = flow_and_actions()
    described = [describe_step(step) for step in flow.steps]
    assert described[2:] == [
        "each of 1 items, $input.m at once",
        "next 0 9 * * MON-FRI in $input.zone",
        'next "@daily"',
    ]


def test_a_choice_that_fails_takes_only_routes_of_error() -> None:
    text = """flow f
        deci Routed => (when ${ $now = "" } -> done | ERROR -> stopped (cause = "c") | else -> Unrouted);
        deci Unrouted => (when ${ $now = "" } -> done | else -> stopped);
    flow_end"""
    (flow,) = [one.value for one in read(text, KnownNames()).statements if isinstance(one.value, Flow)]
    routed, unrouted = explain(flow, {})
    assert (routed.on_error, unrouted.on_error) == ("-> stopped (cause)", "stops the run")
    assert routed.conditions == "one that fails returns ERROR: -> stopped (cause)"
