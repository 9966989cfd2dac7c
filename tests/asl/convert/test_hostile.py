"""Hostile machines: any names, any values, any size and depth. There is always a text, and it is always valid FSL."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.asl.convert import convert
from chalicelib.asl.convert.flow.scopes import Way
from chalicelib.asl.problems import Level
from chalicelib.expressions import problem_in
from chalicelib.expressions.compiled import allow_frames
from chalicelib.language import KnownNames, format_text, read
from chalicelib.language.limits import MAX_STEPS
from tests.asl.convert.flows import chain, output_of, task
from tests.asl.test_check import BROKEN, VALID

allow_frames()  # Hypothesis warns of a limit that changes within a test.

NAMES = [
    "done", "STOPPED", "when", "else", "flow_end", "step", "branch", "data", "$input", "${x}", "a b", "a-b", "a  b",
    "A B", "1st", "x" * 80, "é", "処理", "処 理", 'quote"s', "back`tick", 'both`"', "line\nbreak", "tab\t", "\x00",
    "\u202e", "\ud800", "'", "# comment", "/* c */", "}", ")", ";", "a.b", "and", "null", "input", "vars", " ", "",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_names_a_state_a_member_and_a_variable(name: str) -> None:
    states = chain(
        {"Type": "Pass", "Result": 1, "ResultPath": f"$[{json.dumps(name)}]"},
        task(Parameters={name: {name + ".$": f"$[{json.dumps(name)}]"}}, ResultPath="$.r"),
        {"Type": "Pass", "OutputPath": "$.r"},
    )
    text = json.dumps(states).replace('"B"', json.dumps(name))
    if "'" in name or "\\" in json.dumps(name) or name == "":
        for state in (states := json.loads(text))["States"].values():
            state.pop("ResultPath", None)
            state.pop("OutputPath", None)
            state.pop("Parameters", None)
        assert valid(states) == []
        return
    assert output_of(json.loads(text)) == {name: {name: 1}}


def test_names_that_become_the_same_word_stay_apart() -> None:
    states = {
        "Get it": {"Type": "Pass", "Next": "get it"},
        "get it": {"Type": "Pass", "Next": "Get-it"},
        "Get-it": {"Type": "Pass", "Next": "GetIt"},
        "GetIt": {"Type": "Pass", "End": True},
    }
    text = convert({"StartAt": "Get it", "States": states}, "m").text
    assert [line.split()[1] for line in text.splitlines() if " => " in line] == ["GetIt", "GetIt2", "GetIt3", "GetIt4"]


VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 1e300, 10**30, -(10**19), 1e-7, "", 'a"b', "a`b", "a\"`b", "\x00\x1b[31m", "\u2028",
    "\ud800", "${ $input }", "#", "\\", "\\\\", "line\r\nbreak", {"${}": 1}, {"${secret}": "x"}, {"": 1}, {'"`': 2},
    [[[]]], [{}], {"a": [1, {"b": "\""}]},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_value_is_written_as_it_is(value: Any) -> None:
    if value == "\ud800":
        assert valid(chain({"Type": "Pass", "Result": value})) == []
        return
    assert output_of(chain({"Type": "Pass", "Result": {"v": value}}, {"Type": "Pass"})) == {"v": value}
    assert output_of(chain(task(Parameters={"v": value}))) == {"v": value}


def valid(machine: Any) -> list[str]:
    """Return the errors that the checker finds in the text of a machine, beside the problems of the conversion."""
    found = []
    for way in (None, Way.PARTS, Way.WHOLE):
        made = convert(machine, "machine", way=way)
        reported = any(one.level is Level.ERROR for one in made.problems)
        checked = read(made.text, KnownNames(), expression_problem=problem_in)
        found += [one.message for one in checked.diagnostics if one.severity == "error" and not reported]
        if not reported:
            assert format_text(made.text) == made.text
    return found


@pytest.mark.parametrize("machine", [value for _, value in VALID], ids=[str(name) for name, _ in VALID])
def test_valid_machines_become_valid_flows(machine: Any) -> None:
    assert valid(machine) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["$.a", "{% 1 %}", "A", "$", "", "States.ALL"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "A", "Next", "Type"]), inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip
SOME = [value for _, value in VALID] + [value for value, _ in BROKEN]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SOME), st.randoms(use_true_random=False), JSON)
def test_anything_anywhere_is_only_told(machine: Any, random: Any, value: Any) -> None:
    machine = copy.deepcopy(machine)
    places: list[tuple[Any, Any]] = []
    waiting = [machine]
    while waiting:
        here = waiting.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else []
        places += [(here, key) for key in keys]
        waiting += [here[key] for key in keys]
    if places:
        holder, key = random.choice(places)
        holder[key] = value
    made = convert(machine, "machine")
    assert made.text.endswith("flow_end\n")
    assert valid(machine) == []


# ── size and depth ───────────────────────────────────────────────────────────────────────────────────────────────────


def nested(depth: int) -> dict[str, Any]:
    state: dict[str, Any] = {"Type": "Pass", "End": True}
    for number in range(depth):
        state = {
            "Type": "Map",
            "ItemProcessor": {"StartAt": f"N{number}", "States": {f"N{number}": state}},
            "End": True,
        }
    return {"StartAt": "Top", "States": {"Top": state}}


@pytest.mark.parametrize("depth", [1, 7, 8, 9, 20, 300])
def test_deep_nesting_is_told(depth: int) -> None:
    problems = convert(nested(depth), "machine").problems
    assert bool(problems) is (depth > 8)
    assert valid(nested(depth)) == []


def test_deep_values_are_expressions() -> None:
    value: Any = "deep"
    for _ in range(40):
        value = {"a": [value]}
    assert output_of(chain({"Type": "Pass", "Result": value}, {"Type": "Pass"})) == value
    for _ in range(300):
        value = [value]
    assert convert(chain({"Type": "Pass", "Result": value}), "machine").problems


def test_a_large_machine_takes_time_in_proportion() -> None:
    states = {
        f"S{number}": task(
            Parameters={"all.$": "$", "n": number}, ResultPath=f"$.r{number}", Next=f"S{number + 1}",
            Catch=[{"ErrorEquals": ["States.ALL"], "Next": "S0"}],
        )
        for number in range(1500)
    }  # fmt: skip
    states["S1500"] = {"Type": "Succeed"}
    calls = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event == "call"

    counts = []
    for size in (375, 750, 1500):
        some = {f"S{number}": states[f"S{number}"] for number in range(size)} | {f"S{size}": {"Type": "Succeed"}}
        calls = 0
        sys.setprofile(count)
        try:
            convert({"StartAt": "S0", "States": some}, "machine", way=Way.WHOLE)
        finally:
            sys.setprofile(None)
        counts.append(calls)
    assert counts[2] < 4.5 * counts[0]


def many(count: int, more: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """Return a machine of so many Pass states, one after the other."""
    states = {f"S{number}": {"Type": "Pass", "Next": f"S{number + 1}", **more(number)} for number in range(count)}
    return {"StartAt": "S0", "States": {**states, f"S{count}": {"Type": "Pass", "End": True}}}


def test_a_document_that_doubles_with_each_state_is_kept_in_a_variable() -> None:
    """Followed in parts, the document of the last state would have 2^300 members."""

    def doubled(number: int) -> dict[str, Any]:
        return {"Parameters": {"v.$": "$"}, "ResultPath": f"$.r{number}"}

    assert valid(many(300, doubled)) == []
    expected: Any = {"a": 1}
    for number in range(6):
        expected = {**expected, f"r{number}": {"v": expected}}
    assert output_of(many(6, doubled), {"a": 1}) == expected


def test_a_flow_that_is_refused_for_its_steps_is_not_tidied() -> None:
    """Its variables would take time in proportion to the steps times the variables."""

    def kept(number: int) -> dict[str, Any]:
        return {"Result": number, "ResultPath": f"$.never{number}"}

    made = convert(many(MAX_STEPS, kept), "machine")
    assert [one.message for one in made.problems] == [
        f"the flow is refused: too many steps in flow 'machine': {MAX_STEPS + 1}; the limit is {MAX_STEPS}"
    ]
    assert made.text.count("    set ") == MAX_STEPS + 1
