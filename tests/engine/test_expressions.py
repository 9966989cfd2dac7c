"""JSONata in a box: what expressions yield, and that none of them gets out."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.expressions import evaluate, problem_in
from chalicelib.engine.expressions.cache import CHARACTERS, Cache
from chalicelib.engine.expressions.limits import SOURCE

NOW = "2026-11-20T19:30:00.123Z"

NAMES: dict[str, Any] = {
    "input": {
        "order_id": "o1",
        "amount": 1200,
        "files": [{"n": "c", "size": 3}, {"n": "a", "size": 1}, {"n": "b", "size": 1}],
        "none": [],
        "nested": [[], [1], [2, [3]]],
        "nothing": None,
        "list": [1, None, 2],
        "flag": True,
        "ratio": 2.5,
        "big": 9_007_199_254_740_993,
    },
    "vars": {"attempts": 2},
    "result": {"receipt": "r-7"},
    "state": "PAID",
    "item": "x",
    "index": 0,
    "run": {"id": "1", "name": "n", "labels": {"team": "payments"}},
    "now": NOW,
}

VALUES: list[tuple[str, Any]] = [
    # FSL.md's own
    ('{ "order": $input.order_id, "tries": $vars.attempts }', {"order": "o1", "tries": 2}),
    ("$input.amount > 1000", True),
    ("$vars.attempts + 1", 3),
    ("$result.receipt", "r-7"),
    ("$run.labels.team", "payments"),
    ("$vars.stock_ok and $vars.paid", False),
    ("$state = 'PAID' ? $index : 1", 0),
    ("$item & $state", "xPAID"),
    # nothing
    ("$input.missing", None),
    ("$event", None),
    ("$event.data", None),
    ("$error", None),
    ("$error.message", None),
    ("$input.`nothing`", None),
    ("amount", None),
    ("$exists($event)", False),
    # numbers
    ("1.0", 1),
    ("10 / 4", 2.5),
    ("10 / 5", 2),
    ("7 % 4", 3),
    ("-$input.ratio", -2.5),
    ("$input.big", 9_007_199_254_740_993),
    ("1e15", 10**15),
    ("1e300", 1e300),
    ("$power(2, 10)", 1024),
    ("$round(2.345, 2)", 2.34),
    ("$round(7)", 7),
    ("$sqrt(16)", 4),
    ('$number("0x10") + $number("1.5")', 17.5),
    ("$formatNumber(1234.5, '#,##0.00')", "1,234.50"),
    ("$formatInteger(1999, 'I')", "MCMXCIX"),
    ("$formatBase(255, 16)", "ff"),
    ("$parseInteger('twelve', 'w')", 12),
    ("$sum($input.files.size)", 5),
    ("$average([1, 2])", 1.5),
    ("$max([1, 3, 2])", 3),
    # arrays and objects
    ("[1..3]", [1, 2, 3]),
    ("[3..1]", []),
    ("[[1, 2], [3]]", [[1, 2], [3]]),
    ("[$input.nested]", [[], [1], [2, [3]]]),
    ("$input.list", [1, None, 2]),
    ("$count($input.list)", 3),
    ("{}", {}),
    ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
    ("$input.files[0].n", "c"),
    ("$input.files[-1].n", "b"),
    ("$input.files[size = 1].n", ["a", "b"]),
    ("$input.files[[0, 2]].n", ["c", "b"]),
    ("$input.files[size > 2].n", "c"),
    ("$input.files[size > 2].n[]", ["c"]),
    ("$input.files^(size, >n).n", ["b", "a", "c"]),
    ("$input.files^(>size, n).n", ["c", "a", "b"]),
    ("$input.files{n: size}", {"c": 3, "a": 1, "b": 1}),
    ("$input.files{$string(size): n}", {"3": "c", "1": ["a", "b"]}),
    ("$input.files.(n & %.order_id)", ["co1", "ao1", "bo1"]),
    ("$input.files#$i[$i > 0].{'i': $i, 'n': n}", [{"i": 1, "n": "a"}, {"i": 2, "n": "b"}]),
    ("$input.files@$f.$vars@$v.{'n': $f.n, 'a': $v.attempts}[0]", {"n": "c", "a": 2}),
    ("$input.nested.*", [1, 2, 3]),
    ("$count($input.files.**)", 9),
    ("2 in $input.list", True),
    ("$append([1], [2, 3])", [1, 2, 3]),
    ("$distinct([1, 1, true, 'a', 'a', {'a': 1}, {'a': 1}])", [1, True, "a", {"a": 1}]),
    ("$spread({'a': 1, 'b': 2})", [{"a": 1}, {"b": 2}]),
    ("$merge([{'a': 1}, {'b': 2}])", {"a": 1, "b": 2}),
    ("$zip([1, 2], [3, 4])", [[1, 3], [2, 4]]),
    ("$sort(['b', 'a'])", ["a", "b"]),
    ("$sort([1, 3, 2], function($a, $b) { $a < $b })", [3, 2, 1]),
    ("$reverse([1, 2])", [2, 1]),
    ("$keys($vars)", "attempts"),
    ("$lookup($vars, 'attempts')", 2),
    ("$each($vars, function($v, $k) { $k & $v })", "attempts2"),
    ("$sift({'a': 1, 'b': 2}, function($v) { $v > 1 })", {"b": 2}),
    ("$clone($vars)", {"attempts": 2}),
    ("$input.none{'a': 1}", {"a": 1}),
    # functions
    ("$map($input.files, function($f, $i) { $f.n & $i })", ["c0", "a1", "b2"]),
    ("$map(['a', 'b'], $uppercase)", ["A", "B"]),
    ("$filter([1..5], function($n) { $n % 2 = 0 })", [2, 4]),
    ("$reduce([1..5], function($a, $b) { $a * $b })", 120),
    ("$single($input.files, function($f) { $f.n = 'a' }).size", 1),
    ("($f := function($n) { $n <= 1 ? 1 : $n * $f($n - 1) }; $f(20))", 2_432_902_008_176_640_000),
    ("($f := function($n, $a) { $n = 0 ? $a : $f($n - 1, $a + 2) }; $f(5000, 0))", 10_000),
    ("($h := $substring(?, 0, 1); $h('hello'))", "h"),
    ("($add := function($a, $b) { $a + $b }; $add(?, 2)(1))", 3),
    ("'abc' ~> $uppercase ~> $length", 3),
    ("($up := $trim ~> $uppercase; $up(' a '))", "A"),
    ("function($x)<n:n>{ $x + 1 }(1)", 2),
    ("λ($x) { $x }(1)", 1),
    ("$vars ~> |$|{'attempts': attempts + 1, 'new': 1}|", {"attempts": 3, "new": 1}),
    ("$input ~> |files|{}, ['n']| ~> $lookup('files')", [{"size": 3}, {"size": 1}, {"size": 1}]),
    ("$event ?? 'none'", "none"),
    ("0 ?: 'none'", "none"),
    ("($x := 1; ($x := 2); $x)", 1),
    ("/* why */ 1 /* not */ + /**/ 1", 2),
    # texts
    ("$split('a,b,c', ',')", ["a", "b", "c"]),
    ("$split('abc', '')", ["a", "b", "c"]),
    ("$split('a1b22c', /\\d+/)", ["a", "b", "c"]),
    ("$split('a1b22c', /\\d+/, 2)", ["a", "b"]),
    ("$join(['a', 'b'], '-')", "a-b"),
    ("$pad('a', -3, '0')", "00a"),
    ("$replace('a.b.c', '.', '-', 1)", "a-b.c"),
    ("$replace('a.b', '.', '$0')", "a$0b"),
    ("$replace('abcabc', /b(c)/, '[$1$$$0$7]')", "a[c$bc]a[c$bc]"),
    ("$replace('ab', /[a-z]/, function($m) { $uppercase($m.match) })", "AB"),
    ("$replace('aaa', /a/, 'b', 2)", "bba"),
    ("$contains('Hello', /hello/i)", True),
    ("$contains('a\nb', /^b/m)", True),
    ("$match('a1', /([a-z])(\\d)/)", {"match": "a1", "index": 0, "groups": ["a", "1"]}),
    ("/b/('abc').start", 1),
    ("$string($vars)", '{"attempts":2}'),
    ("$string({'a': 1}, true)", '{\n  "a": 1\n}'),
    ("'\\ud83d\\ude00'", "😀"),
    ("$length('ü')", 1),
    ("$base64decode($base64encode('ü'))", "ü"),
    ("$encodeUrlComponent('a b')", "a%20b"),
    # times
    ("$now", NOW),
    ("$now()", NOW),
    ("$now('[D01].[M01].[Y0001]')", "20.11.2026"),
    ("$millis()", 1_795_203_000_123),
    ("$fromMillis($millis())", NOW),
    ("$toMillis($now)", 1_795_203_000_123),
    ("$toMillis('2026-11-20')", 1_795_132_800_000),
    ("$toMillis('2026-11-20T19:30:00.5+01:00')", 1_795_199_400_500),
    ("$toMillis('20.11.2026 19:30', '[D01].[M01].[Y0001] [H01]:[m01]')", 1_795_203_000_000),
    ("$toMillis('20 Nov 2026, 7pm', '[D1] [MNn,*-3] [Y0001], [h1][Pn]')", 1_795_201_200_000),
    ("$toMillis('20x11', '[D01].[M01].[Y0001]')", None),
    ("$fromMillis(0, '[H01]:[m01] [Z]', '+0100')", "01:00 +01:00"),
]


@pytest.mark.parametrize(("source", "expected"), VALUES, ids=[source for source, _ in VALUES])
def test_yields(source: str, expected: Any) -> None:
    """An expression yields plain JSON, whole numbers as int, and leaves its names alone."""
    names = copy.deepcopy(NAMES)
    assert problem_in(source) is None
    value = evaluate(source, names)
    assert (value, type(value)) == (expected, type(expected))
    assert json.loads(json.dumps(value, allow_nan=False)) == expected
    assert names == NAMES


PROBLEMS: list[tuple[str, int, str]] = [
    ("", 0, "ends too soon"),
    ("1 +", 3, "ends too soon"),
    ("(1", 2, ") is missing at the end"),
    ("1 2", 2, "2 is unexpected"),
    ("[1, 2", 5, "] is missing"),
    ("'abc", 4, "matching quote"),
    ("!", 0, "! is unexpected"),
    ("$input.a + $imput.b", 11, "$imput is not bound here; did you mean $input?"),
    ("$sum($var.a)", 5, "did you mean $vars?"),
    ("$uppercas('a')", 0, "did you mean $uppercase?"),
    ("$__evaluate_entry", 0, "is not bound"),
    ("function($x) { $y }", 15, "$y is not bound"),
    ("$random()", 0, "$random is not available"),
    ("$shuffle([1])", 0, "$shuffle is not available"),
    ("1 + $eval('1')", 4, "$eval is not available"),
    ("$contains('a', /(a)\\1/)", 15, "no back-references"),
    ("/(?=a)/", 0, "no look-arounds"),
    ("/a{2000}/", 0, "invalid repetition size"),
    ("/a", 2, "/"),
    ("1 := 2", 0, "left side of :="),
    ("a.1", 2, "cannot be a step"),
    ("function($x, $y)<s+s+:s>{ $x }", 0, "a signature names at most"),
    ("λ($a)< 1", 7, "cannot be read"),
    ("'\\ud800' & '\\u00'", 13, "4 hex digits"),
    ("(" * 1_000_000, SOURCE, "at most"),
]


@pytest.mark.parametrize(("source", "at", "message"), PROBLEMS, ids=[source[:30] for source, _, _ in PROBLEMS])
def test_problem_in(source: str, at: int, message: str) -> None:
    """A problem is found where it is and told in words; evaluating tells the same."""
    problem = problem_in(source)
    assert problem is not None
    assert problem[0] == at
    assert message in problem[1]
    with pytest.raises(ExpressionFailed) as failed:
        evaluate(source, NAMES)
    assert str(failed.value) == f"expression fails at character {at + 1}: {problem[1]}"


FAILURES: list[tuple[str, str]] = [
    ("'a' + 1", 'character 5: the left side of + must be a number, not "a"'),
    ("1 / 0", "character 3: a number is divided by zero"),
    ("1e308 * 10", "character 7: a number is out of range"),
    ("'a' < 1", '"a" and 1 cannot be compared'),
    ("$sum(['a'])", "character 1: argument 1 of $sum is an array of the wrong kind"),
    ("$uppercase(1)", "argument 1 of $uppercase is of the wrong kind"),
    ("$map([1], $uppercase)", "argument 1 of $uppercase is of the wrong kind"),
    ("$number('1_0')", "needs the text of a number"),
    ("$number('nan')", "number that JSON cannot hold"),
    ("$number('inf')", "number that JSON cannot hold"),
    ("$sqrt(-1)", "-1 has no square root"),
    ("$power(-8, 0.5)", "the power is out of range"),
    ("$error('no stock')", "character 1: no stock"),
    ("$assert(false, 'no stock')", "no stock"),
    ("$single([1, 2])", "found more than one"),
    ("$uppercase", "yields a function"),
    ("{'f': function() { 1 }}", "yields a function"),
    ("/a/", "yields a function"),
    ("'\\ud800'", "half a surrogate pair"),
    ("{1: 2}", "must be text, not 1"),
    ("$input.order_id()", "no function"),
    ("$toMillis('yesterday')", "a time is needed"),
    ("$toMillis('19:30', '[H01]:[m01]')", "needs year, month and day"),
    ("$toMillis('2026-02-30', '[Y0001]-[M01]-[D01]')", "no such time"),
    ("$input.files^($)", "only texts and numbers can be ordered"),
    ("$sort([1, 'a'])", "$sort needs a function"),
    ("$vars ~> |$|1|", "must set the members"),
    ("$decodeUrl('%ff')", "not Unicode"),
]


@pytest.mark.parametrize(("source", "message"), FAILURES, ids=[source for source, _ in FAILURES])
def test_fails(source: str, message: str) -> None:
    """A failure says where and why, without Python or Java in it."""
    with pytest.raises(ExpressionFailed) as failed:
        evaluate(source, NAMES)
    told = str(failed.value)
    assert message in told
    assert not any(word in told for word in ("Object", "JException", "{", "None", "<"))


BIG = {
    "text": "a" * 100_000,
    "numbers": list(range(100_000)),
    "files": [{"i": i, "n": f"n{i}"} for i in range(10_000)],
}
DOUBLE = "$d := function($n, $x) { $n = 0 ? $x : $d($n - 1, %s) }"
TWICE = "{'a': $x, 'b': $x}"
LOOP = "$f := function($n) { $f($n + 1) }"
SPACE = "builds more than"
STEPS = "more than 200,000 steps"
ITEMS = "more than 100,000 items"
TEXT = "more than 8,000,000 characters"
DEEP = "nested"

ATTACKS: list[tuple[str, str]] = [
    # texts
    (f"({DOUBLE % '$x & $x'}; $d(60, 'ab'))", TEXT),
    ("$pad('x', 1e9)", TEXT),
    ("$pad('x', -1e18)", TEXT),
    ("$map([1..100000], function() { $pad('x', 1000000) })", STEPS),
    ("$join($map([1..100000], function() { $input.text }))", STEPS),
    ("$join($input.files.n, $input.text)", TEXT),
    ("$split($input.text, 'a')", ITEMS),
    ("$replace($input.text, 'a', $input.text)", TEXT),
    ("$replace($input.text, /a/, $input.text)", STEPS),
    ("$replace($input.text, /a*?/, 'xxxxxxxxxxxxxxxx')", STEPS),
    ("$match($input.text, /a.*z|a/)", STEPS),
    ("$match($input.text, /[ab]*a[ab]{900}c/)", STEPS),
    ("/(([ab]?){500}[ab]{400}c)/($input.text)", STEPS),
    ("$map($input.numbers, function() { $string($input) })", STEPS),
    ("$reduce($input.numbers, function($a, $b) { $a & 'xxxxxxxxxx' }, '')", STEPS),
    # arrays and objects
    ("[1..1000000000]", ITEMS),
    ("[-9000000000000000..9000000000000000]", ITEMS),
    ("[1..100000].[1..100000]", SPACE),
    ("$input.files@$a.$input.files@$b.{'a': $a}", ITEMS),
    (f"({DOUBLE % '[$x, $x]'}; $d(60, [1]))", ITEMS),
    (f"({DOUBLE % '$append($x, $x)'}; $d(60, [1]))", ITEMS),
    (f"({DOUBLE % '[[$x], [$x]]'}; $d(60, [1]) ? 1 : 0)", TEXT),
    (f"({DOUBLE % '$zip([$x], [$x])'}; $not($d(60, 0)))", TEXT),
    (f"({DOUBLE % TWICE}; $string($d(60, 0)))", TEXT),
    (f"({DOUBLE % TWICE}; $d(60, 0) = $d(60, 0))", TEXT),
    (f"({DOUBLE % TWICE}; $count($d(60, 0).**))", TEXT),
    ("$reduce([1..1000], function($a, $b) { {'a': $a} }, {})", DEEP),
    ("$reduce([1..1000], function($a, $b) { [[$a]] }, {})", DEEP),
    ("$reduce($input.numbers, $append)", STEPS),
    ("$zip(" + ",".join(["$input.numbers"] * 1000) + ")", STEPS),
    ("$zip(" + ",".join(["$input.files"] * 100) + ")", ITEMS),
    ("$input.numbers[$input.numbers]", STEPS),
    ("$input.numbers[$$.x in $input.numbers or $ in $input.numbers]", STEPS),
    ("$input.files[$count($input.files[n = 'n1'].**) > 0]", STEPS),
    ("$map($input.files, function() { $sum($input.numbers) })", STEPS),
    ("$map($input.files, function() { $distinct($input.numbers) })", STEPS),
    ("$filter($input.numbers, function() { $input.numbers })", STEPS),
    ("$map($input.numbers, function($x) { $map($input.numbers, function($y) { $y }) })", STEPS),
    ("$sort($input.numbers, function($a, $b) { $a < $b })", STEPS),
    ("$map($input.numbers, function($i) { function($j) { $i } })", SPACE),
    ("$input.**.**.**", ITEMS),
    ("{'a': {}} ~> |a|{'self': $, 'again': $}|", DEEP),
    ("($b := $pad('', 100000, 'x'); [1..1000].{'a': $} ~> |*|{'b': $b}| ~> $string())", TEXT),
    ("({'l': [1..1000].{'a': $}} ~> |[l, $]|{'b': $input.text}| ~> $string())", SPACE),
    # calls
    (f"({LOOP}; $f(0))", STEPS),
    (f"[0, ({LOOP}; $f(0))]", STEPS),
    (f"($__evaluate_entry := $event; $__evaluate_exit := $event; {LOOP}; $f(0))", STEPS),
    ("($f := function($n) { 1 + $f($n + 1) }; $f(0))", DEEP),
    ("($f := function($n) { $map([1], function($x) { $f($n + 1) }) }; $f(0))", DEEP),
    ("($f := function($n) { $sort([1, 2], function($x, $y) { $f($n + 1) }) }; $f(0))", DEEP),
    ("($f := function($n) { $replace('a', /a/, function($x) { $f($n + 1) }) }; $f(0))", DEEP),
    ("($f := function($n) { [1, 2]^($f($n)) }; $f(0))", DEEP),
    ("($f := function($g) { $g($g) }; $f($f))", STEPS),
    ("$reduce([1..100000], function($a, $i) { {'f': $a.f(?)} }, {'f': $substring})", "in part"),
    ("($p := function($f, $n) { $n = 0 ? $f : $p($f(?), $n - 1) }; $p($uppercase, 3000)('a'))", "in part"),
    ("($c := function($f, $n) { $n = 0 ? $f : $c($f ~> $trim, $n - 1) }; $c($trim, 3000)('a'))", DEEP),
    # numbers and pictures
    ("$power(10, 10000)", "out of range"),
    ("$power(0, -1)", "out of range"),
    ("1e308 * 1e308", "out of range"),
    ("$formatNumber(1, $pad('', 300, '0'))", "a picture has"),
    ("$formatNumber(1, '1', {'exponent-separator': '(a+)+$'})", "one character"),
    ("$formatInteger(1e300, 'I')", "Roman"),
    ("$formatInteger(1, $pad('', 100000, '0'))", "a picture has"),
    ("$parseInteger($pad('', 5000, 'z'), 'a')", "a picture has"),
    ("$fromMillis(0, '[Y,*-999999999]')", "widths below 100"),
    ("$fromMillis(0, '[Y,1 0 0 0 0 0 0 0 0-*]')", "widths below 100"),
    ("$fromMillis(0, '[Y,٩٩٩٩٩٩٩-*]')", "widths below 100"),
    ("$fromMillis(1e300)", "out of range"),
    # sources
    ("(" * 8000 + "1" + ")" * 8000, DEEP),
    ("-" * 5000 + "1", DEEP),
    ("1" + "+1" * 5000, DEEP),
    ("[" * 8000, DEEP),
    ('{"a":' * 2000, DEEP),
    ("a" + ".a" * 5000, DEEP),
    ("a" + "[0]" * 4000, DEEP),
    ("(" * 60 + "$event" + "?:1)" * 60, "too many parts"),
    ("(" * 60 + "$event" + "??1)" * 60, "too many parts"),
    ("$x := " * 2000, DEEP),
    ("[%,[" * 300, DEEP),
    ("a.[" + "%," * 200 + "%]", "too many parts"),
    ("/" + "(" * 8000 + ")" * 8000 + "/", "yields a function"),
    ("function($a)<(" + "(" * 1000 + ")>{1}", ""),
    ("/*" * 8000, "unexpected end"),
    ("$" * 16_000, "not bound"),
    ("\U0001f600" * 1_000_000, "at most"),
]


@pytest.mark.parametrize(("source", "message"), ATTACKS, ids=[source[:50] for source, _ in ATTACKS])
def test_is_stopped(source: str, message: str) -> None:
    """What would take for ever, or all memory, is stopped by counting: not by the clock, and not by Python."""
    with pytest.raises(ExpressionFailed) as failed:
        evaluate(source, {"input": BIG})
    assert message in str(failed.value)
    assert "milliseconds" not in str(failed.value)
    assert not isinstance(failed.value.__cause__, (RecursionError, MemoryError))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/(a+)+$/('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab')", None),
        ("$replace($input.text, /(a|a)*b/, 'x') = $input.text", True),
        ("$toMillis($pad('', 200, 'a') & 'b', '(a+)+[Y]')", None),
        ("$toMillis($pad('', 200, '1') & 'b', '[d][F][H1]')", None),
        ("$round(1.5, 1e9)", 1.5),
        ("$count($distinct($input.numbers))", 100_000),
        ("$count($lookup($input.numbers{'a': $}, 'a'))", 100_000),
        ("$count($input.files^(>n))", 10_000),
        ("$count($map($input.files, function($f) { {'id': $f.i, 'name': $uppercase($f.n)} }))", 10_000),
        ("$count($input.files[i > 4].{'id': i, 'name': n})", 9_995),
        ("/**/" * 4000 + "1", 1),
        ("($f := function($n, $k) { $n = 0 ? 1 : $f($n - 1, function() { $k }) }; $f(10000, 1))", 1),
    ],
)
def test_ends(source: str, expected: Any) -> None:
    """What a naive evaluator takes for ever for, and lists of 10,000 items, end within the limits."""
    assert evaluate(source, {"input": BIG}) == expected


def test_deep_inputs_are_refused_in_words() -> None:
    """A value too deep to walk is refused where it is used, and only there."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert evaluate("$vars", {"input": deep, "vars": 1}) == 1
    with pytest.raises(ExpressionFailed, match="nested more than"):
        evaluate("$input", {"input": deep})


def test_yields_nothing_of_its_names() -> None:
    """Changing what an expression yielded changes no name, nor the other way round."""
    names = {"input": {"list": [1], "empty": []}}
    value = evaluate("$input", names)
    value["list"].append(2)
    assert names == {"input": {"list": [1], "empty": []}}


def test_same_each_time() -> None:
    """Nothing is left from one evaluation to the next."""
    source = "($s := $sum; $x := $exists($x) ? 'left' : 1; $s([$x, $vars.a]))"
    assert [evaluate(source, {"vars": {"a": a}}) for a in (1, 2, 1)] == [2, 3, 2]
    with pytest.raises(ExpressionFailed, match="argument 1 of \\$sum "):
        evaluate("$sum(['a'])", {})


def test_threads_share_parse_trees() -> None:
    """Threads evaluate the same expressions at the same time, each with its own names."""
    source = "($f := function($n) { $n = 0 ? $vars.a : $f($n - 1) }; $map([1..5], function($i) { $f($i) & $now() }))"

    def go(a: int) -> Any:
        return evaluate(source, {"vars": {"a": a}, "now": str(a)})

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(go, range(200))) == [[f"{a}{a}"] * 5 for a in range(200)]


def test_cache_is_bounded() -> None:
    """What is used is made once; what has not been used for long is dropped."""
    made: list[str] = []

    def make(source: str) -> int:
        made.append(source)
        return len(source)

    cache = Cache(make)
    assert {cache("keep") for source in ["a" * n for n in range(500)] if cache(source) == len(source)} == {4}
    assert made.count("keep") == 1
    for _ in range(2):
        cache("b" * CHARACTERS)
    assert made.count("b" * CHARACTERS) == 2


def test_loads_jsonata_and_re2_only_when_used() -> None:
    """A flow without expressions loads no JSONata, one without regular expressions no RE2."""
    code = """
import sys
from chalicelib.engine import expressions
loaded = ['jsonata' in sys.modules]
expressions.evaluate('$input', {'input': 1})
loaded += ['jsonata' in sys.modules, 're2' in sys.modules]
expressions.evaluate('/a/("a").start', {})
print(loaded + ['re2' in sys.modules])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert told.stdout.split() == ["[False,", "True,", "False,", "True]"]


PIECES = st.sampled_from(
    """
    $input $vars $now $x $map $sum $string $replace $sort $toMillis $zip $reduce $eval function($x){ λ($a,$b)< |*| |
    , ; : ( ) [ ] { } . .. ** * % ^ < > = != := ~> ?: ?? ? & + - / /a+/ /(?=a)/ 'a' "\\u0041 \\ ` @$x #$i 1 1e308 0 -1
    true null and or in list a /* */ [1..9] ! ~ é 😀 \ud800
    """.split()  # noqa: SIM905 - tokens, as one would write them
)
SOURCES = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map(" ".join))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "list", ""]), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(source=SOURCES, value=JSON)
def test_any_text_is_safe(source: str, value: Any) -> None:
    """Any text has a problem that lies within it, or none; it yields JSON, or fails with the one error."""
    problem = problem_in(source)
    if problem:
        assert 0 <= problem[0] <= len(source)
        assert problem[1]
    names = {"input": value, "vars": {"list": value}, "now": NOW}
    before = copy.deepcopy(names)
    try:
        result = evaluate(source, names)
    except ExpressionFailed:
        pass
    else:
        assert problem is None
        json.dumps(result, allow_nan=False, ensure_ascii=False).encode()
    assert repr(names) == repr(before)


def test_floats_are_finite() -> None:
    """A name that is no JSON number does not come out as one."""
    with pytest.raises(ExpressionFailed, match="JSON cannot hold"):
        evaluate("$input", {"input": math.nan})
