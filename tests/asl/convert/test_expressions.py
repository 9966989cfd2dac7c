"""Paths, intrinsic functions, comparisons and JSONata as the expressions that they become."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chalicelib.asl.problems import Level
from tests.asl.convert.flows import chain, converted, text_of

PATHS = [
    ("$.a", "$input.a"),
    ("$.a['b-c'][0]", "$input.a.`b-c`[0]"),
    ("$", "$input"),
    ("$['and'].x", "$input.`and`.x"),
    ("$['with ` in it']", '$lookup($input, "with ` in it")'),
    ("$.a[*].b", "[$input.a.b]"),
    ("$[*]", '[$type($input) = "object" ? $input.* : $input]'),
    ("$..b", "[$input.**.b]"),
    ("$.a[1:3]", "[$input.a[[1..2]]]"),
    ("$.a[1:]", "[$filter($input.a, function($v, $i, $a) { $i >= 1 })]"),
    ("$.a[-2:]", "[$filter($input.a, function($v, $i, $a) { $i >= $count($a) - 2 })]"),
    ("$.a[0,2]", "[$input.a[[0, 2]]]"),
    ("$.a[?(@.x == 'y')]", '[$input.a[x = "y"]]'),
    ("$.a[?(@.x > 1 && @.y)].z", '[$input.a[$as(x, "number") > 1 and $exists(y)].z]'),
    ("$.a[?(@.x =~ /b.*/i)]", '[$input.a[$contains($as(x, "string"), /^(?:b.*)$/i)]]'),
    ("$.a[?(@.x == $.y)]", "[$input.a[x = $input.y]]"),
    ("$.a.length()", "$count($need($input.a))"),
    ("$$.Execution.Input.a", "$input.a"),
    ("$$.Execution.Name", "$run.name"),
    ("$$.Execution.StartTime", "$run.started_at"),
    ("$$.State.EnteredTime", "$step.entered_at"),
]

INTRINSICS = [
    ("States.Format('a {}', $.x)", '"a " & $need($input.x)'),
    ("States.Format('{}', $.x)", "$string($need($input.x))"),
    ("States.Format('{} and {}', $.x, $.y)", '$need($input.x) & " and " & $need($input.y)'),
    ("States.Format($.t, $.x)", '$replace($need($input.t), "{}", $string($need($input.x)), 1)'),
    ("States.StringToJson($.x)", "$parse($need($input.x))"),
    ("States.JsonToString($.x)", "$string($need($input.x))"),
    ("States.ArrayPartition($.a, 4)", '$partition($need($input.a, "array"), 4)'),
    ("States.ArrayRange(1, 9, 2)", "[$range(1, 9, 2)]"),
    ("States.ArrayLength($.a)", '$count($need($input.a, "array"))'),
    ("States.ArrayUnique($.a)", '$distinct($need($input.a, "array"))'),
    ("States.ArrayContains($.a, $.x)", '$exists($need($input.a, "array")[$ = $need($input.x)])'),
    ("States.ArrayGetItem($.a, $.i)", '$need($input.a, "array")[$need($input.i)]'),
    ("States.Base64Encode($.x)", "$base64encode($need($input.x))"),
    ("States.Hash($.x, 'SHA-256')", '$hash($string($need($input.x)), "SHA-256")'),
    ("States.JsonMerge($.a, $.b, false)", "$merge([$need($input.a), $need($input.b)])"),
    ("States.MathAdd($.n, 1)", "$need($input.n) + 1"),
    ("States.MathAdd($.n, -2)", "$need($input.n) - 2"),
    ("States.MathAdd($.n, $.m)", "$floor($need($input.n) + 0.5) + $floor($need($input.m) + 0.5)"),
    ("States.MathRandom(1, 9)", "$floor($random() * 8) + 1"),
    ("States.StringSplit($.x, ',;')", '[$split($need($input.x), /[,;]/)[$ != ""]]'),
    ("States.UUID()", "$uuid()"),
    ("States.ArrayLength(States.Array($.a, 1))", "$count($list($need($input.a), 1))"),
]

RULES: list[tuple[Any, str]] = [
    ({"Variable": "$.x", "StringEquals": "a"}, '$need($input.x) = "a"'),
    ({"Variable": "$.x", "BooleanEquals": True}, "$need($input.x) = true"),
    ({"Variable": "$.x", "NumericGreaterThan": 3}, '$as($need($input.x), "number") > 3'),
    ({"Variable": "$.x", "StringEqualsPath": "$.y"}, '$as($need($input.x), "string") = $need($input.y)'),
    ({"Variable": "$.x", "TimestampLessThan": "2026-01-01T00:00:00Z"},
     '$at($need($input.x)) < $at("2026-01-01T00:00:00Z")'),
    ({"Variable": "$.x", "StringMatches": "a*"}, '$like($need($input.x), "a*")'),
    ({"Variable": "$.x", "StringMatches": r"a\*"}, '$need($input.x) = "a*"'),
    ({"Variable": "$.x", "IsPresent": True}, "$exists($input.x)"),
    ({"Variable": "$.x", "IsPresent": False}, "$not($exists($input.x))"),
    ({"Variable": "$.x", "IsNull": True}, "$need($input.x) = null"),
    ({"Variable": "$.x", "IsString": False}, '$type($need($input.x)) != "string"'),
    ({"Variable": "$.x", "IsTimestamp": True}, "$exists($at($need($input.x)))"),
    ({"Not": {"Variable": "$.x", "StringEquals": "a"}}, '$need($input.x) != "a"'),
    ({"Not": {"Variable": "$.x", "NumericLessThan": 1}}, '($as($need($input.x), "number") < 1) ? false : true'),
    ({"And": [{"Variable": "$.x", "IsPresent": True}, {"Variable": "$.x", "StringEquals": "a"}]}, '$input.x = "a"'),
    ({"And": [{"Variable": "$.x", "IsPresent": True}, {"Variable": "$.x.y", "IsPresent": True}]},
     "$exists($input.x.y)"),
    ({"Or": [{"Variable": "$.x", "StringEquals": "a"}, {"Variable": "$.x", "StringEquals": "b"}]},
     '$need($input.x) in ["a", "b"]'),
    ({"And": [{"Or": [{"Variable": "$.x", "NumericEquals": 1}, {"Variable": "$.y", "IsNull": True}]},
              {"Variable": "$.x", "IsNumeric": True}]},
     '($need($input.x) = 1 or $need($input.y) = null) and $type($input.x) = "number"'),
]  # fmt: skip

JSONATA = [
    ("$states.input.a", "$input.a"),
    ("$states.input.a.b & 'x'", "$input.a.b & 'x'"),
    ("$uppercase($states.input.a)", "$uppercase($input.a)"),
    ("$states.context.Execution.Input.q + 1", "$input.q + 1"),
    ("$states.context.State.Name", '"A"'),
    ("$map($states.input.l, function($v) { $v * 2 })", "$map($input.l, function($v) { $v * 2 })"),
    ("( $x := $states.input.n; $x + 1 )", "( $x := $input.n; $x + 1 )"),
    ("'$states.input' & \"$x\"", "'$states.input' & \"$x\""),
    ("$contains($states.input.t, /[$]states/)", "$contains($input.t, /[$]states/)"),
    ("/* $states.input */ 1 / 2", "/* $states.input */ 1 / 2"),
]


def kept(text: str) -> str:
    """Return the expression of the variable `v`, without what marks it as needed."""
    found = re.search(r"\bv = (?:\$\{ )?(.*?)(?: \})?(?:\);.*)?$", text, re.MULTILINE)
    assert found, text
    source = found[1]
    return source[len("$need(") : -1] if source.startswith("$need(") and _is_whole(source) else source


def _is_whole(source: str) -> bool:
    depth = 0
    for place, char in enumerate(source):
        depth += (char == "(") - (char == ")")
        if depth == 0 and char == ")":
            return place == len(source) - 1
    return False


def assigning(value: dict[str, Any], **more: Any) -> str:
    """Return the expression of what a Pass assigns."""
    assign = {"Type": "Pass", "Assign": value, **more}
    reading = {"Type": "Pass", "Parameters": {"v.$": "$v"}} if "QueryLanguage" not in more else {"Type": "Pass"}
    if "QueryLanguage" in more:
        reading = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $v %}"}
    return kept(text_of(chain(assign, {"Type": "Wait", "Seconds": 1}, reading)))


@pytest.mark.parametrize(("path", "expression"), PATHS)
def test_paths(path: str, expression: str) -> None:
    assert assigning({"v.$": path}) == expression


@pytest.mark.parametrize(("call", "expression"), INTRINSICS)
def test_intrinsic_functions(call: str, expression: str) -> None:
    assert assigning({"v.$": call}) == expression


@pytest.mark.parametrize(("rule", "expression"), RULES)
def test_comparisons(rule: dict[str, Any], expression: str) -> None:
    choice = {"Type": "Choice", "Choices": [{**rule, "Next": "B"}], "Default": "B"}
    text = text_of(chain(choice, {"Type": "Pass"}))
    assert re.search(r"when \$\{ (.*) \} ->", text)[1] == expression  # type: ignore[index]


@pytest.mark.parametrize(("written", "expression"), JSONATA)
def test_jsonata(written: str, expression: str) -> None:
    assert assigning({"v": f"{{% {written} %}}"}, QueryLanguage="JSONata") == expression


def test_a_place_is_needed_once_in_a_choice() -> None:
    rules = [{"Variable": "$.x", "StringEquals": letter, "Next": "B"} for letter in "abc"]
    text = text_of(chain({"Type": "Choice", "Choices": rules, "Default": "B"}, {"Type": "Pass"}))
    assert text.count("$need($input.x)") == 1
    assert text.count("$input.x") == 3


@pytest.mark.parametrize(
    ("state", "pointer", "words"),
    [
        ({"Type": "Pass", "Parameters": {"a.$": "$.x[(@.length/2)]"}}, "/States/A/Parameters/a.$", "computed index"),
        ({"Type": "Pass", "ResultPath": "$.a[0]"}, "/States/A/ResultPath", "cannot lead into a list"),
        ({"Type": "Pass", "Parameters": {"a": [{"b.$": "$.l[0:9:2]"}]}}, "/States/A/Parameters/a/0/b.$", "a step"),
        ({"Type": "Wait", "Seconds": 40_000_000}, "/States/A/Seconds", "longer than 366d"),
        ({"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": "{% $eval('1') %}"}}, "/States/A/Output/a",
         "does not exist"),
        ({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $nosuch(1) %}"}, "/States/A/Output",
         "cannot be read"),
        ({"Type": "Nap"}, "/States/A/Type", "no type of a state"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_stays_as_a_comment(state: dict[str, Any], pointer: str, words: str) -> None:
    made = converted(chain(state))
    errors = [one for one in made.problems if one.level is Level.ERROR]
    assert [one.pointer for one in errors] == [pointer]
    assert words in errors[0].message
    assert f"# NOT IMPORTED: {errors[0].message}" in made.text.replace("\n    ", "\n")
