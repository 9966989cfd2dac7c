"""Hostile machines: any JSON anywhere, the largest ones, deep ones. The checker only ever reports."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.asl.check import check
from chalicelib.asl.check.context import MAX_PROBLEMS
from chalicelib.asl.check.states import SHAPES
from chalicelib.asl.imported import import_machine
from chalicelib.asl.intrinsics import parse_value
from chalicelib.asl.path_tree import NotReadable
from chalicelib.asl.paths import parse_path
from chalicelib.asl.problems import has_errors
from chalicelib.asl.read import MAX_BYTES, read_json, reading_of
from chalicelib.asl.substitute import substitute
from chalicelib.expressions.compiled import allow_frames
from chalicelib.language import KnownNames, read
from chalicelib.model.flow import Flow
from tests.asl.machines import TASK, machine
from tests.asl.test_check import BROKEN, VALID

allow_frames()  # Hypothesis warns of a limit that changes within a test.


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return each object and list with each key of it."""
    found, waiting = [], [value]
    while waiting:
        here = waiting.pop()
        keys = list(here) if isinstance(here, dict) else list(range(len(here))) if isinstance(here, list) else []
        found += [(here, key) for key in keys]
        waiting += [here[key] for key in keys]
    return found


MACHINES: Final[list[Any]] = [value for _, value in VALID] + [value for value, _ in BROKEN]
FIELDS: Final = sorted({key for value in MACHINES for holder, key in places(value) if isinstance(holder, dict)})
NAMES: Final = st.one_of(
    st.sampled_from([*FIELDS, "a.$", "$", "~/", "", "__proto__", "A", "\x00", "é", "{%"]), st.text(max_size=8)
)
TEXTS: Final = st.one_of(
    st.sampled_from(
        [
            "$.a",
            "$$.x[0]",
            "States.Format('{}', $.a)",
            "{% $states.input %}",
            "{% (",
            "A",
            "JSONata",
            "States.ALL",
            "${X}",
        ]
    ),
    st.text(max_size=12),
)
JSON: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


def resolved(value: Any, pointer: str) -> Any:
    """Return what a JSON pointer leads to."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def calls(action: Callable[[], object]) -> int:
    """Return how many calls of functions the action makes: what it costs, the same on every machine."""
    count = 0

    def seen(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_json_in_any_place_is_only_reported(data: st.DataObject) -> None:
    value = copy.deepcopy(data.draw(st.sampled_from(MACHINES)))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places(value) or [([0], 0)]))
        match data.draw(st.sampled_from(["replace", "remove", "rename"])):
            case "replace":
                holder[key] = data.draw(JSON)
            case "remove":
                del holder[key]
            case _ if isinstance(holder, dict):
                holder[data.draw(NAMES)] = holder.pop(key)
    for problem in check(value):
        resolved(value, problem.pointer)
        assert problem.message
    reading = reading_of(value)
    found = import_machine(reading, "x")
    assert reading.machine is None or (found.fsl == "") <= has_errors(found.problems)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_at_all_is_only_reported(value: Any) -> None:
    for wrapped in (value, {"StartAt": "A", "States": value}, machine(value), machine({**TASK, "Parameters": value})):
        for problem in check(wrapped):
            resolved(wrapped, problem.pointer)
    assert has_errors(check(machine(value)))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(alphabet="$.[]()'\"\\*?@,:=<>&|!~/ab1 States.Format{}", max_size=60), st.text(max_size=40)))
def test_any_text_is_a_path_or_not_readable(text: str) -> None:
    for parse in (parse_path, parse_value):
        for source in (text, f"${text}", f"$.a[?({text})]", f"States.Array({text})"):
            column = 1
            try:
                parse(source)
            except NotReadable as problem:
                column = problem.column
            assert 1 <= column <= len(source) + 1


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(alphabet='{}[]",:\\ntrue-10eE.${a}NI \ud800', max_size=60)))
def test_any_text_is_read_or_reported(text: str | bytes) -> None:
    reading = read_json(text, {"a": "1"})
    assert reading.machine is not None or reading.problems
    if reading.machine is not None:
        json.dumps(substitute(reading.machine, {"a": "1"})).encode()


KINDS: Final[list[Any]] = [None, True, -1.5, "x", "{% 1 %}", [{}], {"a.$": "$"}]
MINIMAL: Final[dict[str, Any]] = {
    "Pass": {"End": True},
    "Task": TASK,
    "Choice": {"Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B"}]},
    "Wait": {"Seconds": 1, "End": True},
    "Succeed": {},
    "Fail": {},
    "Parallel": {"Branches": [{"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}], "End": True},
    "Map": {"ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}, "End": True},
}


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_every_kind_of_value_in_every_field_is_imported_or_reported(kind: str, language: str) -> None:
    shape = SHAPES[kind]
    for name in ("Unknown", *shape.both, *shape.jsonpath, *shape.jsonata):
        for value in KINDS:
            state = {"Type": kind, **MINIMAL[kind], "QueryLanguage": language, name: value}
            given = machine(state, states={"B": {"Type": "Succeed"}})
            for problem in check(given):
                resolved(given, problem.pointer)
            found = import_machine(reading_of(given), "x")
            assert found.fsl
            assert {problem.pointer for problem in check(given)} <= {problem.pointer for problem in found.problems}


def chain(length: int) -> dict[str, Any]:
    """Return a machine of so many states, one after the other."""
    states: dict[str, Any] = {
        f"S{index}": {
            "Type": "Pass",
            "Assign": {f"v{index}": 1},
            "Parameters": {"a.$": f"$v{index}"},
            "Next": f"S{index + 1}",
        }
        for index in range(length)
    }
    return {"StartAt": "S0", "States": {**states, f"S{length}": {"Type": "Succeed"}}}


def wide(length: int) -> dict[str, Any]:
    """Return a machine with lists of so many items: rules, catchers, retriers, members, branches."""
    many = range(length)
    branch = {"Type": "Pass", "End": True}
    return {
        "StartAt": "A",
        "States": {
            "A": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B"}] * length,
                "Default": "B",
            },
            "B": {
                **TASK,
                "Retry": [{"ErrorEquals": [f"E{index}" for index in many]}],
                "Catch": [{"ErrorEquals": ["X"], "Next": "C"}] * length,
                "Parameters": {f"{index}.$": "$.a" for index in many},
            },
            "C": {
                "Type": "Parallel",
                "Branches": [{"StartAt": f"I{i}", "States": {f"I{i}": branch}} for i in many],
                "End": True,
            },
        },
    }


def deep_names(length: int) -> dict[str, Any]:
    """Return a machine in which many errors are below a very long name."""
    return machine({"Type": "Pass", "Parameters": {"n" * length: [{"a.$": 1}] * length}, "End": True})


def text_of(length: int) -> dict[str, Any]:
    """Return a machine with long texts: a path, a function, an expression."""
    path = "$" + ".a" * length
    states = {
        "B": {"Type": "Pass", "Parameters": {"a.$": f"States.Array({'1, ' * length}1)", "b.$": path}, "Next": "C"},
        "C": {
            "Type": "Pass",
            "QueryLanguage": "JSONata",
            "Output": "{% " + "1 + " * min(length, 200) + "1 %}",
            "End": True,
        },
    }
    return machine({"Type": "Pass", "InputPath": path, "Next": "B"}, states=states)


def unreachable(length: int) -> dict[str, Any]:
    """Return a machine in which every state has problems."""
    return {"StartAt": "X", "States": {f"S{index}": {"Type": "Task", "Next": "Y"} for index in range(length)}}


@pytest.mark.parametrize("build", [chain, wide, deep_names, text_of, unreachable])
def test_twice_as_large_takes_at_most_twice_the_calls(build: Callable[[int], dict[str, Any]]) -> None:
    small, large = build(500), build(1000)
    check(small)
    assert calls(lambda: check(large)) <= 2.1 * calls(lambda: check(small)) + 1000


@pytest.mark.parametrize("build", [chain, wide])
def test_reading_twice_as_much_takes_at_most_twice_the_calls(build: Callable[[int], dict[str, Any]]) -> None:
    small, large = json.dumps(build(500)), json.dumps(build(1000))
    read_json(small)
    assert calls(lambda: read_json(large)) <= 2.2 * calls(lambda: read_json(small)) + 1000


def test_ten_thousand_states_are_checked() -> None:
    assert not has_errors(check(chain(10_000)))


def test_a_machine_is_imported_in_time_linear_in_its_states() -> None:
    small, large = reading_of(chain(200)), reading_of(chain(400))
    import_machine(small, "x")
    assert calls(lambda: import_machine(large, "x")) <= 2.3 * calls(lambda: import_machine(small, "x"))


def test_a_definition_of_a_megabyte_is_read_and_checked() -> None:
    filler = "x" * (MAX_BYTES - 200)
    reading = read_json(json.dumps(machine({"Type": "Pass", "Result": filler, "End": True})))
    assert reading.machine is not None
    assert check(reading.machine) == []


def test_problems_are_listed_up_to_a_limit() -> None:
    found = check(unreachable(2000))
    assert len(found) == MAX_PROBLEMS + 1
    assert "more problems are not listed" in found[-1].message
    assert sum(len(problem.pointer) for problem in check(deep_names(20_000))) < 1_200_000


@pytest.mark.parametrize("levels", [150, 1000, 100_000])
def test_deep_nesting_is_checked_or_refused(levels: int) -> None:
    value: Any = {"a.$": 1}
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    found = check(machine({"Type": "Pass", "Parameters": value, "End": True}))
    assert has_errors(found)
    assert ("nested" in found[0].message) is (levels > 150)


def test_deep_scopes_are_checked() -> None:
    state: dict[str, Any] = {"Type": "Pass"}
    for level in range(60):
        state = {"Type": "Map", "Iterator": {"StartAt": f"S{level}", "States": {f"S{level}": state}}, "End": True}
    found, _ = check(machine(state))
    assert found.message == "`Next` or `End` is missing"
    assert found.pointer.count("/") == 2 + 3 * 60


@pytest.mark.parametrize(
    "name",
    ["__proto__", "a\x00b", "'; DROP TABLE x", "{% x %}", "${X}", "~0/~1", "-> done", "\u202e", "🦊" * 80, "$", " "],
)
def test_hostile_names_are_names(name: str) -> None:
    """They are words in FSL, and what they contain is never FSL itself."""
    value: dict[str, Any] = {
        "StartAt": name,
        "States": {name: {"Type": "Pass", "Next": "$end"}, "$end": {"Type": "Succeed"}},
    }
    assert check(value) == []
    analyzed = read(import_machine(reading_of(value), name).fsl, KnownNames())
    assert [len(one.value.steps) for one in analyzed.statements if isinstance(one.value, Flow)] in ([1], [2])
    value["States"][name]["Type"] = "x"
    (found,) = [problem for problem in check(value) if "no type" in problem.message]
    assert resolved(value, found.pointer) == "x"
