"""The text of a machine: problems have a line and column, or a pointer."""

from __future__ import annotations

import json

import pytest

from chalicelib.asl.plain import MAX_DEPTH, not_plain
from chalicelib.asl.read import MAX_BYTES, read_json
from chalicelib.asl.substitute import substitute


def problems_of(text: str | bytes) -> list[str]:
    """Return each problem of a text with its place."""
    return [f"{problem.pointer}: {problem.message}" for problem in read_json(text).problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": the text is empty"),
        (" \n", ": the text is empty"),
        ("not a definition", ": the text is no JSON at line 1, column 1: Expecting value"),
        ('{\n "a": 1,\n}', ": the text is no JSON at line 3, column 1: Expecting property name"),
        ('{"a": "b', ": the text is no JSON at line 1, column 7: Unterminated string"),
        ('{"a": NaN}', ": NaN is no number of JSON at line 1, column 7"),
        ('{"a":\n  -Infinity}', ": -Infinity is no number of JSON at line 2, column 3"),
        ("[]", ": a machine is an object"),
        ("null", ": a machine is an object"),
        ('{"a": 1e999}', "/a: a number is too large"),
        ('{"a": ' + "9" * 5000 + "}", "/a: a number is too large"),
        ('{"a~/": ["\\ud800"]}', "/a~0~1/0: a text holds half a character"),
        (b"\xef\xbb\xbf{\xff}", ": the text is not UTF-8: byte 5 is wrong"),
        ('{"a": "' + "x" * MAX_BYTES + '"}', ": the definition is larger than 1048576 bytes"),
        ('{"a": "' + "ü" * (MAX_BYTES // 2) + '"}', ": the definition is larger than 1048576 bytes"),
        ("[" * 1000, f": more than {MAX_DEPTH} objects and lists are nested at line 1"),
    ],
)
def test_a_text_that_is_no_machine_is_reported_where_it_is_none(text: str | bytes, problem: str) -> None:
    assert read_json(text).machine is None
    (found,) = problems_of(text)
    assert found.startswith(problem)


def test_a_name_that_is_there_twice_is_reported_at_its_place() -> None:
    text = '{"a": {"b": 1, "b": 2, "b": 3}, "c": [{"d": 1, "d": {"e": 1, "e": 2}}]}'
    assert problems_of(text) == [
        "/a/b: the name is there twice",
        "/c/0/d: the name is there twice",
        "/c/0/d/e: the name is there twice",
    ]
    assert read_json(text).machine == {"a": {"b": 3}, "c": [{"d": {"e": 2}}]}


@pytest.mark.parametrize("text", ['{"a": "NaN [{"}', '\ufeff{"a": 1}', '{"a": "\\ud83d\\ude00"}', '{"a": "\\"" }'])
def test_what_looks_wrong_within_quotes_is_a_text(text: str) -> None:
    reading = read_json(text)
    assert (reading.machine, reading.problems) == (json.loads(text.removeprefix("\ufeff")), ())


def test_a_value_outside_of_quotes_is_filled_in() -> None:
    text = '{"a": ${Wait}, "b": ${Name}, "c": ${Open}, "d": "${Wait}"}'
    found = read_json(text, {"Wait": "30", "Name": 'x"y'}).machine
    assert found == {"a": 30, "b": 'x"y', "c": "${Open}", "d": "${Wait}"}


def test_values_are_filled_into_texts_and_names() -> None:
    machine = {"a-${X}": ["${X}/${Y}", 1, None], "Seconds": "${N}", "b": {"MaxItems": "${X}", "c": "${N}"}}
    before = json.dumps(machine)
    assert substitute(machine, {"X": "x", "N": "2.5"}) == {
        "a-x": ["x/${Y}", 1, None],
        "Seconds": 2.5,
        "b": {"MaxItems": "x", "c": "2.5"},
    }
    assert json.dumps(machine) == before


def test_json_that_is_read_already_is_bounded_too() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert not_plain(value) is None
    found = not_plain([value])
    assert found is not None
    assert "nested" in found.message
    assert not_plain({"a": {1, 2}}) is not None
