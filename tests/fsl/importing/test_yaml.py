"""YAML as machines and templates are written in: 1.2, with CloudFormation's short tags."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fsl.importing.yaml_text import MAX_CHARACTERS, MAX_DEPTH, NotYaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Next: yes", {"Next": "yes"}),
        ("No: {Next: NO, End: true, a: ~}", {"No": {"Next": "NO", "End": True, "a": None}}),
        ("true: 1", {"true": 1}),
        ("a: 2030-01-01T00:00:00Z", {"a": "2030-01-01T00:00:00Z"}),
        ("a: 0x10\nb: 1_000\nc: 1.5\nd: '1'", {"a": "0x10", "b": "1_000", "c": 1.5, "d": "1"}),
        ("a: !Ref X", {"a": {"Ref": "X"}}),
        ("a: !GetAtt X.Arn", {"a": {"Fn::GetAtt": ["X", "Arn"]}}),
        ("a: !GetAtt [X, Arn]", {"a": {"Fn::GetAtt": ["X", "Arn"]}}),
        ("a: !Sub '${X}-1'", {"a": {"Fn::Sub": "${X}-1"}}),
        ("a: !Sub 1", {"a": {"Fn::Sub": "1"}}),
        ("a: !Join ['', [a, !Ref B]]", {"a": {"Fn::Join": ["", ["a", {"Ref": "B"}]]}}),
        ("a: !If [C, 1, 2]", {"a": {"Fn::If": ["C", 1, 2]}}),
        ("a: !!str 1", {"a": "1"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: |\n  {\n  }\n", {"a": "{\n}\n"}),
        ("1", 1),
    ],
)
def test_yaml_is_read_as_json(text: str, value: Any) -> None:
    assert read_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("a: [", "line 1, column 5"),
        ("a: 1\na: 2", "`a` is there twice at line 2, column 1"),
        ("? [1]\n: 2", "a name must be a text at line 1, column 3"),
        ("a: *x", "undefined alias"),
        ("[" * 5000, f"more than {MAX_DEPTH} values"),
        (
            "a: &a [x]\n"
            + "".join(
                f"{c}: &{c} [*{p}, *{p}, *{p}, *{p}, *{p}, *{p}, *{p}, *{p}, *{p}]\n"
                for p, c in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "too many values",
        ),
        ("a: &a [*a]", "too many values"),
        ("a: \x00", "no YAML"),
    ],
)
def test_what_is_no_yaml_is_refused(text: str, words: str) -> None:
    with pytest.raises(NotYaml, match=re.escape(words)):
        read_yaml(text)


def test_a_text_is_read_up_to_a_limit() -> None:
    assert read_yaml("'" + "x" * (MAX_CHARACTERS - 2) + "'") == "x" * (MAX_CHARACTERS - 2)
    with pytest.raises(NotYaml, match="more than 4194304 characters"):
        read_yaml("'" + "x" * (MAX_CHARACTERS - 1) + "'")
