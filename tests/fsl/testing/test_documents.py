"""An invalid test file is reported with place and reason. Words are read literally."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.json_values import Json
from chalicelib.model.times import format_elapsed
from fsl.testing.cases import TestFile
from fsl.testing.coverage import Coverage
from fsl.testing.document import MAX_CHARACTERS, MAX_DEPTH, MAX_VALUES, BadTest, Document
from fsl.testing.parts import span
from fsl.testing.program import BadProgram
from fsl.testing.script import holds, same
from fsl.testing.suite import Suite
from tests.cpu import units
from tests.fsl.testing.files import written
from tests.hosting.programs import DAY, HOUR

PROGRAM: Final = """action ci addr = "http://ci"; args = (str project); return = (OK | NO); action_end
/
config REGION = "eu"; / event paid args = (int n); event_end
/
flow build
    labels = (region = ${ $config.REGION });
    step Build => (OK -> Rest | NO -> stopped) { action = ci; };
    step Rest => (OK -> done) { action = undoable; };
flow_end
/
action undoable addr = "http://u"; cancel = "http://u/cancel"; return = (OK); action_end
/
hook pager addr = "http://p"; on = (run.failed); hook_end
/
schedule daily  flow = build;  cron = "0 2 * * *";  input = (project = ${ $scheduled });  schedule_end
"""
DAILY: Final = "tests:\n  - name: a\n    schedule: daily\n    until: 2d\n    expect: {slots: []}\n"
RUNS: Final = """flow: build
tests:
  - name: a
    runs:
      - { name: x, input: { project: p } }
      - { name: y, at: 1h, input: { project: p } }
"""
GOOD: Final = "tests:\n  - name: a\n    input: {project: p}\n    expect: {status: succeeded}\n"

WRONG: Final = {
    "": "1:1: error: the file is empty: expected `tests`",
    "tests: [": "1:9: error: not valid YAML: expected the node content, but found '<stream end>'",
    "a: 1\na: 2\ntests: []": "2:1: error: `a` is given twice",
    "? [a]\n: b": "1:3: error: a key must be text",
    "tests: []": "1:1: error: Expected `array` of length >= 1",
    "tests: 7": "1:1: error: expected a list, found a whole number",
    "- 7": "1:1: error: expected a mapping, found a list",
    GOOD + "    colour: red\n": "5:5: error: unknown field `colour`",
    "tests:\n  - name: a\n": "2:5: error: the field `expect` is missing",
    GOOD.replace("succeeded", "fine"): "4:14: error: Invalid enum value 'fine'",
    GOOD + "    until: soon\n": "5:5: error: expected a duration such as 90s, 15m, 2h or 3d",
    "actions: {ci: OK, cd: [OK, {stat: OK}]}\n" + GOOD: "1:29: error: unknown field `stat`",
    "actions: {ci: OK, cd: [OK, {after: 5}]}\n" + GOOD: "1:29: error: expected text, found a whole number",
    "actions: {c: OK}\n" + GOOD: "1:11: error: the program has no action 'c'; did you mean 'ci'?",
    "actions: {ci: YES}\n" + GOOD: ("1:11: error: the program has no state 'YES'; it has ERROR, NO, OK, TIMEOUT"),
    "actions: {ci: {after: 1h}}\n" + GOOD: "1:11: error: a reply must have `state`, `fail` or `status`",
    "actions: {ci: {state: OK, fail: 503}}\n" + GOOD: "1:11: error: a reply has either `state` or `fail`, not both",
    "steps: {Bild: OK}\n" + GOOD: "1:9: error: the program has no step 'Bild'; did you mean 'Build'?",
    "approvals: {ci: OK}\n" + GOOD: "1:13: error: the program has no state 'OK'; it has APPROVE, REJECT",
    "flows: {f: {output: 1}}\n" + GOOD: "1:9: error: the program has no flow 'f'; it has build",
    "flow: bild\n" + GOOD: "3:5: error: the program has no 'bild'; it has build",
    DAILY.replace("daily", "dayly"): "3:5: error: the program has no schedule 'dayly'; did you mean 'daily'?",
    DAILY.replace("    until: 2d\n", ""): "3:5: error: a test of a schedule needs `until`: how long it starts runs",
    DAILY.replace("until: 2d", "until: 2d\n    flow: build"): "5:5: error: a test of a schedule has no `flow`",
    DAILY.replace("[]", "[noon]"): "5:14: error: expected a time such as 2026-01-31T08:00:00Z, found 'noon'",
    DAILY.replace("[]", '[{"2026-01-01T02:00:00Z": run}]'): "5:14: error: the program has no outcome 'run'; it has",
    GOOD.replace("status: succeeded", "slots: []"): "4:14: error: only a test of a `schedule` has slots",
    "start: today\n" + GOOD: "1:1: error: expected a time such as 2026-01-31T08:00:00Z",
    "program: other.fsl\n" + GOOD: "1:1: error: program ",
    GOOD.replace("{project: p}", "{}"): (
        "3:5: error: the input does not fit flow 'build': project: is missing (it must be of type str)"
    ),
    GOOD.replace("status: succeeded", "path: [Bild]"): "4:14: error: the program has no step 'Bild'; did",
    GOOD.replace("status: succeeded", "calls: {cd: 1}"): "4:22: error: the program has no action or flow 'cd';",
    GOOD.replace("status: succeeded", "last_err: '['"): "4:14: error: not a regular expression: unterminated",
    GOOD.replace("status: succeeded", "assert: '$run.('"): "4:14: error: not valid JSONata: ",
    "secrets: {key: ''}\n" + GOOD: "1:11: error: a secret must have 1 to 16384 bytes; this one has 0",
    GOOD + "    secrets: {'a b': x}\n": "5:15: error: 'a b' is not a valid secret name",
    "config: {REGION: us, REGON: us}\n" + GOOD: "1:22: error: the program has no config that a flow reads 'REGON'; did",
    GOOD + "    events: [{at: 1h, name: paid, data: {n: x}}]\n": "5:14: error: data.n must be of type int",
    GOOD.replace("status: succeeded", "most: {cd: 1}"): "4:21: error: the program has no action 'cd'; it has ci, undo",
    GOOD.replace("status: succeeded", "most: {ci: many}"): "4:21: error: expected a whole number, found text",
    GOOD.replace("status: succeeded", "call_times: {cd: [0s]}"): "4:27: error: the program has no action or flow 'cd'",
    GOOD.replace("status: succeeded", "call_times: {ci: [noon]}"): "4:32: error: expected a duration such as 90s",
    GOOD.replace("status: succeeded", "order: [ci, {cd: {}}]"): "4:14: error: the program has no action or flow 'cd'",
    GOOD.replace("status: succeeded", "error: {nam: x}"): "4:22: error: unknown field `nam`",
    GOOD.replace("status: succeeded", "emitted: [{nam: x}]"): "4:25: error: unknown field `nam`",
    GOOD.replace("status: succeeded", "started: [{flow: x}]"): "4:24: error: the program has no flow 'x'; it has build",
    GOOD.replace("status: succeeded", "notified: [run.fail]"): (
        "4:25: error: hooks have no event 'run.fail'; did you mean 'run.failed'?"
    ),
    GOOD.replace("status: succeeded", "notified: [{hook: page}]"): "4:25: error: the program has no hook 'page'; did",
    GOOD.replace("status: succeeded", "canceled: [ci]"): (
        "4:25: error: the program has no action with a `cancel` 'ci'; it has undoable"
    ),
    GOOD.replace("status: succeeded", "ignored: [cd]"): "4:24: error: the program has no action 'cd'; it has ci, undo",
    "actions: {ci: {fail: timeout, again: 1h}}\n" + GOOD: "1:11: error: only a reply with `state` is answered `again`",
    "hooks: {page: {fail: 503}}\n" + GOOD: "1:9: error: the program has no hook 'page'; did you mean 'pager'?",
    "hooks: {pager: {fail: timeout}}\n" + GOOD: "1:17: error: Invalid enum value 'timeout'",
    "flows: {build: {stopped: {cause: x}}}\n" + GOOD: "1:17: error: the field `name` is missing",
    RUNS + "    input: {project: p}\n": "7:5: error: a test with `runs` has no `input`: each of them has its own",
    RUNS + "    expect: {status: failed}\n": (
        "7:14: error: `status` is expected of each of the `runs`: write it in the run's `expect`"
    ),
    RUNS + "    expect: {slots: []}\n": "7:14: error: only a test of a `schedule` has slots",
    RUNS + "    schedule: daily\n    until: 1d\n": "4:5: error: a test of a schedule has no `runs`",
    RUNS.replace("name: y", "name: x"): "6:11: error: two runs have the name 'x'",
    RUNS.replace("at: 1h", "flow: bild"): "6:20: error: the program has no 'bild'; it has build",
    RUNS.replace("at: 1h, input: { project: p }", "input: {}"): "6:20: error: the input does not fit flow 'build'",
    RUNS.replace("at: 1h", "expect: {most: {ci: 1}}"): (
        "6:29: error: `most` is expected of the whole test: write it in the test's `expect`"
    ),
    RUNS.replace("at: 1h", "refused: '['"): "6:20: error: not a regular expression: unterminated",
    RUNS.replace("at: 1h", "refused: x, expect: {status: failed}"): (
        "6:32: error: a run that is refused has nothing else to expect"
    ),
    RUNS.replace("at: 1h", "expect: {path: [Bild]}"): "6:29: error: the program has no step 'Bild'; did you mean",
    GOOD + GOOD.removeprefix("tests:\n"): "5:5: error: two tests have the name 'a'",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items(), ids=range(len(WRONG)))
def test_a_mistake_is_reported_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    written(tmp_path, b_fsl=PROGRAM, b_test_yaml=text)
    file = tmp_path / "b.test.yaml"
    with pytest.raises(BadTest) as caught:
        Suite(file)
    assert str(caught.value).startswith(f"{file}:{said}")


def test_a_schedule_that_starts_no_run_is_reported(tmp_path: Path) -> None:
    written(tmp_path, b_fsl=PROGRAM, b_test_yaml=DAILY.replace("until: 2d", "until: 1h"))
    with pytest.raises(BadTest, match=r"3:5: error: schedule 'daily' starts no run within 1h"):
        list(Suite(tmp_path / "b.test.yaml").run(Coverage()))


def test_an_invalid_program_is_reported_as_by_fsl_check(tmp_path: Path) -> None:
    written(tmp_path, b_fsl=PROGRAM.replace("action = ci;", "action = cii;"), b_test_yaml=GOOD)
    with pytest.raises(BadProgram, match=r"b.fsl:7:59: error FSL203 unknown-action"):
        Suite(tmp_path / "b.test.yaml")


def test_bytes_that_are_not_text_are_reported(tmp_path: Path) -> None:
    (tmp_path / "b.test.yaml").write_bytes(b"\xff")
    with pytest.raises(BadTest, match="not UTF-8"):
        Suite(tmp_path / "b.test.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[NO, ON, yes, Off]", ["NO", "ON", "yes", "Off"]),
        ("[true, False, null, ~]", [True, False, None, None]),
        ("[1, -2, +3, 1.5, 1e3, .5]", [1, -2, 3, 1.5, 1000.0, 0.5]),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("[2026-01-31T08:00:00Z, 1:30, 0x10, 1_000]", ["2026-01-31T08:00:00Z", "1:30", "0x10", "1_000"]),
        ("[\"1\", 'true']", ["1", "true"]),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
    ],
)
def test_words_are_read_literally(text: str, value: Json) -> None:
    assert Document("t", text).value == value


@pytest.mark.parametrize(
    "text", ["[" * 5_000, "[" * 70 + "]" * 70, "9" * 5_000, "\x00", "!!python/object:os.system x", "a: *b", "<<: 1"]
)
def test_no_text_raises_anything_else(text: str) -> None:
    with pytest.raises(BadTest):
        Document("t", text).convert(TestFile)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMBS = {
    "a billion laughs": (LAUGHS, "more than 100000 values"),
    "a list of itself": ("a: &a [*a, *a, *a]", "nested more than 64 deep"),
    "open lists": ("[" * 500_000, "nested more than 64 deep"),
    "open mappings": ("{a: " * 100_000, "nested more than 64 deep"),
    "nested blocks": ("".join(" " * n + "a:\n" for n in range(1_000)), "nested more than 64 deep"),
    "dashes": ("- " * 500_000, "nested more than 64 deep"),
    "items": ("a: [" + "1, " * 300_000 + "1]", "more than 100000 values"),
    "members": ("".join(f"k{n}: 1\n" for n in range(60_000)), "more than 100000 values"),
    "characters": ("a" * (MAX_CHARACTERS + 1), "1048577 characters; the limit is 1048576"),
    "figures": ("a: " + "9" * 1_000_000, "unknown field"),
}


@pytest.mark.parametrize(("text", "said"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_in_a_bounded_time(text: str, said: str) -> None:
    def read() -> None:
        with pytest.raises(BadTest, match=said):
            Document("t", text).convert(TestFile)

    assert units(read, 1_000) <= 1_000


def test_a_file_has_so_many_values_and_no_more() -> None:
    def items(count: int) -> str:
        return "[" + "1," * (count - 1) + "]"

    assert len(Document("t", items(MAX_VALUES)).value) == MAX_VALUES - 1
    with pytest.raises(BadTest, match=f"more than {MAX_VALUES} values"):
        Document("t", items(MAX_VALUES + 1))


def test_a_file_is_nested_so_deeply_and_no_more() -> None:
    Document("t", "[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(BadTest, match=f"nested more than {MAX_DEPTH} deep"):
        Document("t", "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


@given(st.text(alphabet="[]{}:,-? \n&*!|>'\"#%@`ab0:tests", max_size=80))
def test_any_document_is_read_or_reported(text: str) -> None:
    place = (1, 1)
    try:
        Document("t", text).convert(TestFile)
    except BadTest as bad:
        place = (bad.line, bad.column)
    assert place >= (1, 1)


def test_durations() -> None:
    assert span("1d 2h") == DAY + 2 * HOUR
    assert span("500ms") == 500
    assert format_elapsed(DAY + 2 * HOUR + 1) == "1d 2h 1ms"
    assert format_elapsed(0) == "0s"


def test_values_are_compared_as_json() -> None:
    assert same({"a": [1, 2.0]}, {"a": [1.0, 2]})
    assert not same(True, 1)
    assert not same({"a": 1}, {"a": 1, "b": 2})
    assert holds({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3})
    assert not holds([1], [1, 2])
    assert not holds({"a": None}, {})
