"""What expressions yield, what is wrong with them, what they use, and that evaluations do not touch each other."""

from __future__ import annotations

import copy
import json
import math
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib import expressions
from chalicelib.expressions import (
    NOTHING,
    UNUSUAL,
    Draw,
    ExpressionFailed,
    compile,  # noqa: A004 - as `re.compile`
    has_room,
    members_used,
    names_used,
    problem_in,
    together,
)
from chalicelib.expressions.cache import MAX_BYTES, Cache
from chalicelib.expressions.meter import MAX_PATTERN_STEPS_TOGETHER, MAX_STEPS, MAX_STEPS_TOGETHER
from chalicelib.expressions.syntax.stream import MAX_SOURCE

DRAW: Final = Draw(1_795_203_000_123, b"seed")
BIG_ID: Final = 12_345_678_901_234_567_890_123


def evaluate(source: str, names: dict[str, Any], draw: Draw) -> Any:
    """Return the value, of any type."""
    return expressions.evaluate(source, names, draw)


NAMES: Final[dict[str, Any]] = {
    "input": {
        "id": BIG_ID,
        "ratio": 7.0,
        "none": None,
        "files": [{"n": "c", "size": 3}, {"n": "a", "size": 1}],
        "list": [1, None, [2, 3]],
        "text": "pear",
        "when": "2026-11-20T19:30:00.5+01:00",
    },
    "vars": {"attempts": 2},
    "now": "2026-11-20T19:30:00.123Z",
    "item": None,
}

VALUES: Final[list[tuple[str, Any]]] = [
    # null is a value, and is not nothing
    ("$input.none", None),
    ("$input.none ?? 1", None),
    ("$input.missing", NOTHING),
    ("$input.missing ?? 1", 1),
    ("$exists($input.none)", True),
    ("$item", None),
    ("$exists($error)", False),
    ("$error", NOTHING),
    ("$input.list", [1, None, [2, 3]]),
    ("[$input.missing, null]", [None]),
    ("{'a': $input.missing, 'b': null}", {"b": None}),
    # values that only move do not change
    ("$input.id", BIG_ID),
    ("$input.ratio", 7.0),
    ("[$input.id][0]", BIG_ID),
    ("$input.id = $input.id", True),
    ("9007199254740993", 9_007_199_254_740_993),
    ("$input.ratio + 0", 7),
    ("$input.id + 0", 1.2345678901234568e22),
    ("9007199254740993 + 0", 9_007_199_254_740_992),
    ("0.1 + 0.2", 0.30000000000000004),
    ("'order-' & 5890840712243076", "order-5890840712243076"),
    ("'n' & 1.0 & '/' & $input.ratio", "n1/7"),
    ("'id ' & 123456789012345678901", "id 123456789012345678901"),
    ("62.5 % 60", 2.5),
    ("-5 ?: 99", -5),
    ("-$input.list[0]", -1),
    # characters are code points
    ("$length('a😀b')", 3),
    ("$match('😀b', /b/).index", 1),
    ("$split('a😀b', '')", ["a", "😀", "b"]),
    ("$substring('a😀b', 1, 1)", "😀"),
    ("'\\ud83d\\ude00'", "😀"),
    # names that are also functions
    ("$now", "2026-11-20T19:30:00.123Z"),
    ("$now()", "2026-11-20T19:30:00.123Z"),
    ("$now('[D01].[M01].[Y0001]')", "20.11.2026"),
    ("$millis()", 1_795_203_000_123),
    # AWS's functions
    ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
    ("$range(1, 10, 3)", [1, 4, 7, 10]),
    ("$range(5, 1, -2)", [5, 3, 1]),
    ("$range(1, 1, 1)", 1),
    ("$hash('abc', 'MD5')", "900150983cd24fb0d6963f7d28e17f72"),
    ("$hash('abc', 'SHA-1')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("$substring($hash('ü', 'SHA-256'), 0, 8)", "607474ca"),
    ("$parse('{\"a\": [1, 2.0, null]}')", {"a": [1, 2.0, None]}),
    ("$random(7) = $random(7)", True),
    # FSL's functions
    ("$need($input.text)", "pear"),
    ("$need($input.none)", None),
    ("$need($input.files, 'array').n", ["c", "a"]),
    ("$as($input.text, 'string')", "pear"),
    ("$as($input.text, 'number')", NOTHING),
    ("$as($input.none, 'null')", None),
    ("$at($input.when)", 1_795_199_400_500),
    ("$at('yesterday')", NOTHING),
    ("$at(5)", NOTHING),
    ("$like('a.b.c', 'a*c')", True),
    ("$like('abc', 'a*d')", False),
    ("$like('a*c', 'a\\\\*c')", True),
    ("$like('abc', 'a\\\\*c')", False),
    ("$like('aa', 'a*a*a')", False),
    ("$like(5, '*')", False),
    ("$list([1], [2, [3]])", [[1], [2, [3]]]),
    ("$list()", []),
    # time zones have names
    ("$fromMillis(1795203000123, '[H01]:[m01] [Z]', 'Europe/Berlin')", "20:30 +01:00"),
    ("$fromMillis(1785203000123, '[H01]:[m01] [z]', 'America/New_York')", "21:43 GMT-04:00"),
    ("$fromMillis(0, '[H01]:[m01] [Z]', '-0530')", "18:30 -05:30"),
    ("$toMillis('20.11.2026 20:30', '[D].[M].[Y] [H]:[m]', 'Europe/Berlin')", 1_795_203_000_000),
    ("$toMillis('2026-11-20T20:30:00', $input.missing, 'Europe/Berlin')", 1_795_203_000_000),
    ("$toMillis('2026-11-20T20:30:00Z', $input.missing, 'Europe/Berlin')", 1_795_206_600_000),
    ("$toMillis('19:30', '[H01]:[m01]')", 1_795_203_000_000),
    # a comparator may yield anything, and sorting is stable
    ("$sort([{'k': 1, 'v': 'a'}, {'k': 1, 'v': 'b'}], function($a, $b) { $a.k > $b.k }).v", ["a", "b"]),
    ("$count($sort([1..50], function($a, $b) { true }))", 50),
    ("/b/('abc')", {"match": "b", "start": 1, "end": 2, "groups": []}),
    ("/b/('abcb').next().start", 3),
]


@pytest.mark.parametrize(("source", "expected"), VALUES, ids=[source for source, _ in VALUES])
def test_yields(source: str, expected: Any) -> None:
    """An expression yields plain JSON or NOTHING, and leaves its names alone."""
    names = copy.deepcopy(NAMES)
    assert problem_in(source) is None
    value = evaluate(source, names, DRAW)
    assert (value, type(value)) == (expected, type(expected))
    assert names == NAMES


PROBLEMS: Final[list[tuple[str, int, str]]] = [
    ("", 0, "ends too soon"),
    ("1 +", 3, "ends too soon"),
    ("(1", 2, ") is missing at the end"),
    ("1 2", 2, "2 is unexpected"),
    ("[1, 2", 5, "] is missing"),
    ("1 + 'abc", 4, "no closing quote"),
    ("1 ! 2", 2, "! is no operator"),
    ("$input.a + $imput.b", 11, "$imput is not bound here; did you mean $input?"),
    ("$uppercas('a')", 0, "did you mean $uppercase?"),
    ("function($x) { $y }", 15, "$y is not bound"),
    ("1 + $eval('1')", 4, "$eval is not available"),
    ("$contains('a', /(a)\\1/)", 15, "no back-references"),
    ("/(?=a)/", 0, "no look-arounds"),
    ("/a{2000}/", 0, "invalid repetition size"),
    ("1 + /" + "()" * 40 + "/", 4, "at most 32 groups"),
    ("1 + /a", 4, "no closing /"),
    ("1 := 2", 0, "left side of :="),
    ("a.1", 2, "cannot be a step"),
    ("%", 0, "no parent"),
    ("(" * 300, 250, "nested more than 250 deep"),
    ("(" * 1_000_000, MAX_SOURCE, "at most 16,384 characters"),
    ("[" + "1," * 8_000 + "[1]]", -1, ""),
]


@pytest.mark.parametrize(("source", "at", "message"), PROBLEMS, ids=[source[:30] for source, _, _ in PROBLEMS])
def test_problem_in(source: str, at: int, message: str) -> None:
    """A problem has its offset and its reason in words; evaluating fails for the same reason."""
    problem = problem_in(source)
    if at < 0:
        assert problem is None
        return
    assert problem is not None
    assert problem[0] == at
    assert message in problem[1]
    with pytest.raises(ExpressionFailed) as failed:
        evaluate(source, NAMES, DRAW)
    assert (failed.value.at, failed.value.reason) == problem or "regular" in problem[1]


FAILURES: Final[list[tuple[str, str, str]]] = [
    ("'a' + 1", "T2001", 'character 5: the left side of + must be a number, not "a"'),
    ("1 / 0", "L0055", "character 3: a number is divided by zero"),
    ("0 / 0", "L0055", "divided by zero"),
    ("5 % 0", "L0055", "divided by zero"),
    ("1e308 * 10", "D1001", "character 7: a number is out of range"),
    ("'a' < 1", "T2009", '"a" and 1 cannot be compared'),
    ("1 + $uppercase(1)", "T0410", "character 5: argument 1 of $uppercase is of the wrong kind"),
    ("$map([1], $uppercase)", "T0410", "argument 1 of $uppercase is of the wrong kind"),
    ("$sum(['a'])", "T0412", "argument 1 of $sum is an array of the wrong kind"),
    ("$error('no stock')", "D3137", "no stock"),
    ("$need($input.missing)", "L0030", "there is nothing"),
    ("$need($input.text, 'number')", "L0031", 'a value of type number is needed, not "pear"'),
    ("$as(1, 'numbr')", "L0032", '"numbr" is not a type'),
    ("$partition([1], 0)", "L0020", "at least 1, not 0"),
    ("$range(1, 2, 0)", "L0021", "must not be 0"),
    ("$hash('a', 'CRC')", "L0022", "SHA-256"),
    ("$parse('{')", "L0023", "not JSON"),
    ("$parse('NaN')", "L0023", "not JSON"),
    ("$fromMillis(0, '[Y]', 'Mars/Base')", "L0026", "not a time zone"),
    ("$fromMillis(0, '[Y]', '../../etc/passwd')", "L0026", "not a time zone"),
    ("$base64encode('€')", "L0015", "U+00FF"),
    ("$uppercase", "L0050", "yields a function"),
    ("{'f': function() { 1 }}", "L0050", "yields a function"),
    ("'\\ud800'", "L0053", "half a surrogate pair"),
    ("{1: 2}", "T1003", "must be text, not 1"),
    ("$input.text()", "T1006", "no function"),
    ("$match('a', /x*/)", "D1004", "no characters"),
    ("$number('1_0')", "D3030", '"1_0" is not the text of a number'),
    ("$toMillis('yesterday')", "D3110", "ISO 8601"),
]


@pytest.mark.parametrize(("source", "code", "message"), FAILURES, ids=[source for source, _, _ in FAILURES])
def test_fails(source: str, code: str, message: str) -> None:
    """A failure has JSONata's code and says where and why, without Python or Java in it."""
    with pytest.raises(ExpressionFailed) as failed:
        evaluate(source, NAMES, DRAW)
    assert failed.value.code == code
    assert message in str(failed.value)
    assert not any(word in str(failed.value) for word in ("Object", "Failure", "None", "<", "Traceback"))
    assert str(pickle.loads(pickle.dumps(failed.value))) == str(failed.value)  # noqa: S301


def test_what_is_used() -> None:
    """The names and the members that an expression reads."""
    source = "$input.a.b[$vars.n = 1].c & $result & ($x := $item.y; $x.z) & $input.`odd name`.$uppercase($)"
    assert names_used(source) == {"input", "vars", "result", "item"}
    assert members_used(source) == {
        ("input", "a", "b", "c"),
        ("vars", "n"),
        ("result",),
        ("item", "y"),
        ("input", "odd name"),
    }
    assert names_used("($input := 1; $input)") == frozenset()
    assert names_used("(") == frozenset()
    assert members_used("$map($input.l, function($v) { $v.a + $vars.b.c })") == {("input", "l"), ("vars", "b", "c")}


def test_draws() -> None:
    """The same draw gives the same values, and another one others."""
    source = "[$random(), $random(), $uuid(), $uuid(), $shuffle([1..20])]"
    value = evaluate(source, {}, DRAW)
    assert value == evaluate(source, {}, DRAW)
    assert value[0] != value[1]
    assert value[2] != value[3]
    assert sorted(value[4:]) == list(range(1, 21))
    assert value[4:] != sorted(value[4:])
    other = evaluate(source, {}, DRAW.derive("arg", 1))
    assert not any(one == another for one, another in zip(value[:4], other[:4], strict=True))
    derived = [DRAW.derive(*labels).seed for labels in (("arg", 1), ("arg", 1), ("arg", 11), ("a", "rg", 1))]
    assert derived[0] == derived[1]
    assert len(set(derived)) == 3
    assert value[2][14] == "4"
    assert value[2][19] in "89ab"
    assert all(0 <= evaluate("$random()", {}, DRAW.derive(i)) < 1 for i in range(50))


def test_values_are_its_own() -> None:
    """Changing what an expression yielded changes no name."""
    names = {"input": {"list": [1], "empty": []}}
    value = evaluate("$input", names, DRAW)
    value["list"].append(2)
    assert names == {"input": {"list": [1], "empty": []}}
    evaluate("($x := $input; $x ~> |$|{'list': 5}|)", names, DRAW)
    assert evaluate("$input ~> |$input|{'list': 5}, 'empty'|", names, DRAW) == names["input"]
    assert names == {"input": {"list": [1], "empty": []}}


def test_names_may_be_any_mapping() -> None:
    """A mapping or tuple is an object or array; what is not JSON is refused in words."""
    from types import MappingProxyType

    assert evaluate("$vars.a", {"vars": MappingProxyType({"a": 1})}, DRAW) == 1
    assert evaluate("$vars[1]", {"vars": (1, 2)}, DRAW) == 2
    with pytest.raises(ExpressionFailed, match="not JSON"):
        evaluate("$vars.a", {"vars": {"a": object()}}, DRAW)
    with pytest.raises(ExpressionFailed, match="JSON cannot hold"):
        evaluate("$vars", {"vars": math.nan}, DRAW)


class _Attributes:
    """A lookup that has an attribute for each name of FSL, and none for a function."""

    input = 7

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


@pytest.mark.parametrize("source", ["$string", "$sum and $input", "$string & 'x'", "$sum = $input", "$count.a"])
def test_the_short_way_looks_up_no_functions(source: str) -> None:
    assert compile(source).small(_Attributes()) is UNUSUAL
    assert compile("$input > 6").small(_Attributes()) is True


def test_deep_values_are_refused_where_they_are_walked() -> None:
    """A value too deep to walk moves no further than it must."""
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    assert evaluate("$vars", {"input": deep, "vars": 1}, DRAW) == 1
    assert evaluate("$count($input)", {"input": deep}, DRAW) == 1
    for source in ("$input", "$string($input)", "$input.**", "$boolean($input)", "$input.a"):
        with pytest.raises(ExpressionFailed, match="nested more than 250 deep"):
            evaluate(source, {"input": deep}, DRAW)


def test_steps_are_counted_to_the_last() -> None:
    """An evaluation takes so many steps, and no more."""
    source = "($f := function($n) { $n = 0 ? 1 : $f($n - 1) }; $f(%d))"
    low, high = 1, MAX_STEPS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if compile(source % middle).measure({}, DRAW).code == "" else (low, middle)
    below, above = compile(source % low).measure({}, DRAW), compile(source % high).measure({}, DRAW)
    assert (below.code, above.code) == ("", "L0001")
    each = compile(source % 2).measure({}, DRAW).steps - compile(source % 1).measure({}, DRAW).steps
    assert MAX_STEPS - each < below.steps <= MAX_STEPS


def test_evaluations_are_bounded_together() -> None:
    """Within `together`, all evaluations have one budget; and so have regular expressions that are checked."""
    source = "($f := function($n) { $n = 0 ? 1 : $f($n - 1) }; $f(10000))"
    each = compile(source).measure({}, DRAW).steps
    with together():
        for _ in range(MAX_STEPS_TOGETHER // each + 1):
            assert evaluate(source, {}, DRAW) == 1
        with pytest.raises(ExpressionFailed, match="together"):
            evaluate("1 + 1", {}, DRAW)
    assert evaluate("1 + 1", {}, DRAW) == 2
    with together():
        problems = [problem_in(f"/\\pL{{9}}{i}/") for i in range(40)]
    assert problems[0] is None
    assert problems[-1] is not None
    assert "too large together" in problems[-1][1]
    assert sum(problem is None for problem in problems) * 10_000 < MAX_PATTERN_STEPS_TOGETHER


def test_the_clock_is_a_second_net() -> None:
    """When the CPU time of a transition is used up, no evaluation begins or goes on, and no other work does."""
    with together(seconds=0):
        assert not all(has_room(1) for _ in range(100))
        assert not has_room(1)
        with pytest.raises(ExpressionFailed) as caught:
            evaluate("1 + 1", {}, DRAW)
    assert caught.value.code == "L0007"
    with together(seconds=0.02), pytest.raises(ExpressionFailed) as caught:
        evaluate("$count($map([1..100000], function($i) { $string($i) }))", {}, DRAW)
    assert caught.value.code == "L0007"
    with together():
        assert has_room(1)


def test_threads_share_what_is_compiled() -> None:
    """Threads evaluate the same expressions at the same time, each with its own names, on small stacks."""
    source = (
        "($f := function($n) { $n = 0 ? $vars.a : $f($n - 1) };"
        " $map([1..5], function($i) { $f($i) & $match('ab', /b/).match }))"
    )
    deep = "($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(150))"

    def go(a: int) -> Any:
        return [evaluate(source, {"vars": {"a": a}}, DRAW), evaluate(deep, {}, DRAW)]

    before = threading.stack_size(512 * 1024)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(go, range(200))) == [[[f"{a}b"] * 5, 150] for a in range(200)]
    finally:
        threading.stack_size(before)


def test_cache_weighs_what_it_holds() -> None:
    """What is used is compiled once; what was not used for long is dropped when there is no room."""

    class Made:
        def __init__(self, source: str) -> None:
            self.weight = MAX_BYTES // 4
            made.append(source)

    made: list[str] = []
    cache = Cache(Made)
    for source in "abcd":
        cache(source)
        cache("a")
    assert made == ["a", "b", "c", "d"]
    cache("e")
    cache("a")
    cache("b")
    assert made == ["a", "b", "c", "d", "e", "b"]
    assert cache.bytes <= MAX_BYTES
    assert compile("/a/").weight > 100 * compile("a").weight


def test_what_is_heavy_is_loaded_when_it_is_used() -> None:
    """Importing the package loads no parser; evaluating loads no RE2, hashes, zones, JSON or difflib."""
    code = """
import sys
before = set(sys.modules)
from chalicelib import expressions
loaded = [name for name in sys.modules if name.startswith('chalicelib.expressions.syntax')]
expressions.evaluate('$input.a + 1', {'input': {'a': 1}}, expressions.Draw())
expressions.evaluate('$uppercase("a")', {}, expressions.Draw())
heavy = {'re2', 'hashlib', 'zoneinfo', 'datetime', 'json', 'difflib', 'decimal', 'binascii', 'inspect'}
print(loaded, sorted(heavy & (set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[] []"


PIECES = st.sampled_from(
    """
    $input $vars $now $x $map $sum $string $replace $sort $toMillis $zip $reduce $eval function($x){ λ($a,$b)< |*| |
    , ; : ( ) [ ] { } . .. ** * % ^ < > = != := ~> ?: ?? ? & + - / /a+/ /(?=a)/ 'a' "\\u0041 \\ ` @$x #$i 1 1e308 0 -1
    true null and or in list a /* */ [1..9] ! ~ é 😀 \ud800 $partition $range $hash $parse $need $as $at $like $list
    """.split()  # noqa: SIM905 - tokens, as one would write them
)
SOURCES = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map(" ".join))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "list", ""]), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(source=SOURCES, value=JSON)
def test_any_text_is_safe(source: str, value: Any) -> None:
    """Any text has a problem within it, or none; it yields JSON or NOTHING, or fails with the one error."""
    problem = problem_in(source)
    if problem:
        assert 0 <= problem[0] <= len(source)
        assert problem[1]
    names = {"input": value, "vars": {"list": value}, "now": "2026-11-20T19:30:00.123Z"}
    before = copy.deepcopy(names)
    try:
        result = evaluate(source, names, DRAW)
    except ExpressionFailed:
        pass
    else:
        assert result is NOTHING or json.dumps(result, allow_nan=False)
    assert repr(names) == repr(before)
