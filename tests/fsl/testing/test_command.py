"""`fsl test`: its output and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as Xml

import pytest
from click.testing import CliRunner, Result

from fsl.cli.testing import Round, run, watching
from fsl.cli.testing import test as command
from fsl.testing.assertions import check
from fsl.testing.execute import run_case
from fsl.testing.report import describe_history
from fsl.testing.suite import Suite
from tests.fsl.testing.files import written

PROGRAM: Final = """action ci addr = "http://ci"; args = (str project); return = (OK | NO); action_end
/
action ask method = human; return = (YES | NO); action_end
/
flow build
    input  = (str project);
    output = ${ { "project": $input.project, "artifact": $vars.artifact } };
    step Build => (OK -> Cool | NO -> Ask | TIMEOUT -> Ask) {
        action = ci;
        save = (artifact = ${ $result.artifact });
    };
    wait Cool => (DONE -> done) { for = 2d; };
    step Ask => (YES -> Build | NO -> stopped) { action = ask; };
flow_end
"""
TESTS: Final = """
actions: { ci: { state: OK, data: { artifact: a-1 }, after: 5m } }
tests:
  - name: it cools for two days
    input: { project: p }
    expect: { status: succeeded, path: [Build, Cool], takes: 2d 5m }
  - name: a person is asked
    input: { project: p }
    actions: { ci: [NO, { state: OK, data: { artifact: a-2 } }], ask: { state: YES, after: 1h } }
    expect: { path: [Build: NO, Ask: YES, Build: OK, Cool: DONE], output: { project: p, artifact: a-2 } }
"""
FAILING: Final = """
actions: { ci: { state: OK, data: { artifact: a-1 }, after: 5m } }
tests:
  - name: nothing of it is so
    input: { project: compass }
    expect:
      status: failed
      path: [Build, Ask]
      output: { project: compass, artifact: artifact number one, and: something that is not there }
      calls: { ci: 2 }
      takes: 1h
      assert: $run.took < 1000
"""
TOLD: Final = """FAILED FILE:4: nothing of it is so
  status: expected failed, got succeeded
  path: expected ["Build", "Ask"], got ["Build", "Cool"]
  output: is not as expected (- expected, + got)
        {
      +   "artifact": "a-1",
      -   "and": "something that is not there",
      -   "artifact": "artifact number one",
          "project": "compass"
        }
  calls of ci: expected 2, got 1
  takes: expected 1h, got 2d 5m
  assert: $run.took < 1000 is false, not true
  history:
            0s  ready -> Build by RunStarted
            5m  Build -> Cool by StepAcked OK
         2d 5m  Cool -> done by TimerRang DONE
  the run is succeeded after 2d 5m
1 failed
"""


def said(*args: object) -> Result:
    return CliRunner().invoke(command, [*map(str, args)], catch_exceptions=False)


def test_passing_tests_exit_with_0_and_print_the_coverage(tmp_path: Path) -> None:
    result = said(written(tmp_path, b_fsl=PROGRAM, b_test_yaml=TESTS))
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].split() == ["flow", "steps", "routes", "never", "taken"]
    assert lines[1].split()[:6] == ["build", "3/3", "100%", "4/6", "66%", "Build:"]
    assert f"Build: TIMEOUT -> Ask  {tmp_path}/b.fsl:8" in lines[1]
    assert f"Ask: NO -> stopped  {tmp_path}/b.fsl:13" in lines[2]
    assert lines[-1] == "2 passed"


def test_a_failing_test_prints_its_history_and_exits_with_1(tmp_path: Path) -> None:
    written(tmp_path, b_fsl=PROGRAM, b_test_yaml=FAILING)
    file = tmp_path / "b.test.yaml"
    result = said(tmp_path / "b.fsl", "--no-coverage")
    assert result.exit_code == 1
    assert result.output == TOLD.replace("FILE", str(file))


def test_a_run_that_never_ends_is_stopped_and_its_waits_are_printed(tmp_path: Path) -> None:
    text = "tests: [{name: a, input: {project: p}, limit: 3d, expect: {}}]\nactions: {ci: {fail: timeout}}"
    result = said(written(tmp_path, b_fsl=PROGRAM, b_test_yaml=text), "--no-coverage")
    assert result.exit_code == 1
    assert "ends: the run has not ended after 3d: it is running" in result.output
    assert f"at Build, waiting since 0s, at most until 7d: {tmp_path}/b.fsl:8\n" in result.output
    assert "    8 |     step Build => (OK -> Cool" in result.output


def test_a_run_that_does_not_come_to_rest_is_cut_off(tmp_path: Path) -> None:
    program = "flow round wait A => (DONE -> A) { for = 1ms; }; flow_end"
    suite = Suite(written(tmp_path, r_fsl=program, r_test_yaml="tests: [{name: a, expect: {}}]") / "r.test.yaml")
    (case,) = suite.tests.tests
    run = run_case(suite.program, suite.tests, case, max_events=1_500)
    assert [failure.message for failure in check(run, case)] == [
        "more than 1,500 events happened by 2026-01-01T00:00:01.500Z: the run does not come to rest"
    ]
    assert " more ..." in "\n".join(describe_history(run))


def test_steps_without_an_answer_are_reported(tmp_path: Path) -> None:
    text = "tests: [{name: a, input: {project: p}, until: 1d, actions: {ci: 'NO'}, expect: {at: Ask}}]"
    result = said(written(tmp_path, b_fsl=PROGRAM, b_test_yaml=text))
    assert result.exit_code == 1
    assert (
        "unanswered: step 'Ask' waits for a person, and the test has no answer; add one under `actions:"
        in result.output
    )


def test_a_file_that_is_wrong_exits_with_2_and_the_others_run(tmp_path: Path) -> None:
    written(tmp_path, b_fsl=PROGRAM, b_test_yaml=TESTS, c_fsl=PROGRAM, c_test_yaml=TESTS + "colour: red\n")
    result = said(tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path}/c.test.yaml:11:1: error: unknown field `colour`" in result.output
    assert "2 passed, 1 could not be run" in result.output


@pytest.mark.parametrize(
    ("path", "why"), [("none", "does not exist"), ("b.fsl", "has no tests"), (".", "there is no test")]
)
def test_nothing_to_run_exits_with_2(tmp_path: Path, path: str, why: str) -> None:
    result = said(written(tmp_path, b_fsl=PROGRAM) / path)
    assert result.exit_code == 2
    assert why in result.output


def test_only_what_is_wanted_is_run(tmp_path: Path) -> None:
    written(tmp_path, b_fsl=PROGRAM, b_test_yaml=TESTS)
    assert "1 passed" in said(tmp_path, "-k", "PERSON").output
    assert said(tmp_path, "-k", "nobody").exit_code == 2


def test_verbose_prints_each_test_and_its_path(tmp_path: Path) -> None:
    output = said(written(tmp_path, b_fsl=PROGRAM, b_test_yaml=TESTS), "-v", "--no-coverage").output
    assert f"ok {tmp_path}/b.test.yaml:4: it cools for two days (2d 5m)\n" in output
    assert "            1h  Ask -> Build by StepAcked YES\n" in output


def test_json_is_the_whole_of_it(tmp_path: Path) -> None:
    result = said(written(tmp_path, b_fsl=PROGRAM, b_test_yaml=FAILING), "--json")
    told = json.loads(result.stdout)
    (only,) = told["tests"]
    assert (told["ok"], told["problems"], result.exit_code) == (False, [], 1)
    assert [failure["what"] for failure in only["failures"]] == [
        "status", "path", "output", "calls of ci", "takes", "assert",
    ]  # fmt: skip
    assert only["path"] == [{"step": "Build", "state": "OK"}, {"step": "Cool", "state": "DONE"}]
    (flow,) = told["coverage"]
    assert flow["routes"] == {"all": 6, "taken": 2}
    assert flow["missed"][0] == {"step": "Build", "route": "NO -> Ask", "at": f"{tmp_path}/b.fsl:8"}
    assert "coverage" not in json.loads(said(tmp_path, "--json", "--no-coverage").stdout)


REPEATING: Final = """action pay addr = "http://p"; return = (PAID | PARTLY | BUSY);
    undo = refund () on PAID | PARTLY;
action_end
/
action refund addr = "http://r"; return = (OK); action_end
/
flow f
    step Pay => (PAID, PARTLY -> Stop | BUSY -> stopped) {
        action = pay;
        repeat = (BUSY -> (max = 2) | ERROR when ${ $error.status = 429 } -> (max = 1));
    };
    set Stop => (DONE -> stopped) { };
flow_end
"""


def test_coverage_counts_rules_of_repeat_and_states_of_undo(tmp_path: Path) -> None:
    tests = (
        "actions: { refund: OK }\ntests:\n  - { name: a, actions: { pay: [BUSY, PAID] }, expect: { status: failed } }\n"
    )
    result = said(written(tmp_path, b_fsl=REPEATING, b_test_yaml=tests), "--json")
    (flow,) = json.loads(result.stdout)["coverage"]
    assert (flow["repeats"], flow["undos"]) == ({"all": 2, "taken": 1}, {"all": 2, "taken": 1})
    assert [one["route"] for one in flow["missed"]] == [
        "PARTLY -> Stop",
        "BUSY -> stopped",
        "repeat ERROR when ${$error.status = 429}",
        "undo on PARTLY",
    ]
    table = said(tmp_path / "b.fsl").output.splitlines()
    assert table[0].split() == ["flow", "steps", "routes", "repeats", "undos", "never", "taken"]


def test_junit_is_read_by_build_servers(tmp_path: Path) -> None:
    written(tmp_path, b_fsl=PROGRAM, b_test_yaml=TESTS, c_fsl=PROGRAM)
    written(tmp_path, c_test_yaml=FAILING.replace("nothing of it is so", r'"a \u0001 \u202e \uffff <b> & c"'))
    said(tmp_path, "--junit", tmp_path / "report.xml")
    root = Xml.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - it is our own
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "1")
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        (f"{tmp_path}/b.test.yaml", "2", "0"),
        (f"{tmp_path}/c.test.yaml", "1", "1"),
    ]
    case = root[1][0]
    assert (case.get("name"), case.get("time"), case.get("line")) == (
        r"a \u0001 \u202e " + "\N{REPLACEMENT CHARACTER} <b> & c",
        "173100.000",
        "4",
    )
    assert "history:" in (case[0].text or "")


def test_watching_runs_again_when_a_file_changes_comes_or_goes(tmp_path: Path) -> None:
    """`wait` changes a file each time, and is interrupted in the end."""
    written(tmp_path, b_fsl=PROGRAM, b_test_yaml=TESTS)
    changes: Iterator[Callable[[], object]] = iter(
        [
            lambda: written(tmp_path, b_fsl=PROGRAM + "\n"),
            lambda: None,
            lambda: written(tmp_path, c_fsl=PROGRAM, c_test_yaml=TESTS),
            lambda: (tmp_path / "b.test.yaml").unlink(),
        ]
    )
    counts: list[int] = []

    def once() -> Round:
        done = run([tmp_path])
        counts.append(len(done.results))
        return done

    def wait(_seconds: float) -> None:
        change = next(changes, None)
        if change is None:
            raise KeyboardInterrupt
        change()

    watching(once, once(), [tmp_path], wait)
    assert counts == [2, 2, 4, 2]


def test_an_operator_sets_variables_to_null_and_removes_others(tmp_path: Path) -> None:
    program, tests = tmp_path / "v.fsl", tmp_path / "v.test.yaml"
    wait = "wait W => (DONE -> done) { for = 2h; };"
    program.write_text(f"flow v vars = (a = 1, b = 2, c = 3); {wait} flow_end")
    order = "{at: 1h, order: vars, vars: {a: null}, remove: [b]}"
    expect = '{status: succeeded, vars: {a: null, c: 3}, assert: ["$not($exists($vars.b))"]}'
    tests.write_text(f"tests:\n  - name: one\n    flow: v\n    orders: [{order}]\n    expect: {expect}\n")
    result = CliRunner().invoke(command, [str(tests)])
    assert result.exit_code == 0, result.output


AROUND: Final = """action charge
    addr = "http://c"; args = (str order); return = (PAID); timeout = 1h; cancel = "http://c/cancel";
    limit = (concurrent = 2);
action_end
/
flow pay
    input = (str order);
    limit = (concurrent = 3, overflow = skip);
    step Charge => (PAID -> Paid | TIMEOUT -> stopped (error = "NotPaid")) { action = charge; };
    emit Paid => (DONE -> Report) { event = "paid"; key = ${ $input.order }; data = 1; };
    start Report => (DONE -> done) { flow = report; input = (order = ${ $input.order }); };
flow_end
/
flow report
    input = (str order);
    set Note => (DONE -> done);
flow_end
/
hook pager addr = "http://p"; on = (run.failed, run.succeeded); flow = pay; hook_end
"""
SEVERAL: Final = """
flow: pay
actions: { charge: [{ state: PAID, after: 10m, again: 1m }, { state: PAID, after: 2h }] }
tests:
  - name: around
    runs:
      - { name: a, input: { order: o-1 }, expect: { status: succeeded, takes: 10m, emitted: [paid], started: 1 } }
      - { name: b, at: 5m, input: { order: o-2 }, expect: { status: failed, error: NotPaid, calls: { charge: 1 } } }
      - { name: c, at: 5m, input: { order: o-3 }, expect: { error: { name: NotPaid, step: Charge } } }
      - { name: d, at: 6m, input: { order: o-4 }, refused: is reached }
    expect:
      most: { charge: 2 }
      order: [{ charge: { order: o-1 } }, { charge: { order: o-2 } }, { charge: { order: o-3 } }]
      call_times: { charge: [0s, 5m, 10m to 10m 1s] }
      emitted: [{ name: paid, key: o-1, data: 1, run: a, at: 10m }]
      started: [{ flow: report, input: { order: o-1 }, status: succeeded, run: a }]
      notified: [{ hook: pager, event: run.succeeded, run: a }, run.failed, { run: c, status: failed }]
      canceled: [{ action: charge, reason: timeout, run: b, at: 1h 5m }, { run: c }]
      ignored: [{ state: PAID, run: a, at: 11m }, { run: b }, charge]
      assert: $run.runs.b.error.name = "NotPaid"
"""


def test_several_runs_are_checked_each_and_together(tmp_path: Path) -> None:
    tests = SEVERAL.replace("started: 1", "started: [{ flow: report }]")
    result = said(written(tmp_path, b_fsl=AROUND, b_test_yaml=tests), "--json", "--no-coverage")
    (only,) = json.loads(result.stdout)["tests"]
    assert only["failures"] == []
    assert [(run["name"], run["status"]) for run in only["runs"]] == [
        ("a", "succeeded"),
        ("b", "failed"),
        ("c", "failed"),
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("most: { charge: 1 }", "most of charge: expected 1 at once, got 2"),
        ("call_times: { charge: [0s, 5m, 11m] }", 'call_times of charge: expected ["0s", "5m", "11m"], got'),
        ("call_times: { charge: [0s, 5m, 9m to 11m, 1h] }", "call_times of charge: expected"),
        (
            "order: [{ charge: { order: o-3 } }, charge]",
            "order: charge is missing in this order; it was charge, charge,",
        ),
        (
            "order: [{ charge: { order: o-9 } }]",
            "order: a call of {'charge': {'order': 'o-9'}} is missing in this order",
        ),
        ("emitted: [{ name: paid, key: o-2 }]", "emitted: expected"),
        ("emitted: []", 'emitted: expected [], got ["paid"]'),
        ("started: [{ flow: report, status: failed }]", "started: is not as expected"),
        (
            "notified: [run.failed]",
            'notified: expected ["run.failed"], got ["run.succeeded", "run.failed", "run.failed"]',
        ),
        ("canceled: [{ reason: lost }, charge]", "canceled: expected"),
        (
            "ignored: [{ at: 12m }, charge, charge]",
            'ignored: expected [{"at": "12m"}, "charge", "charge"], got [{"actio',
        ),
        ("assert: $run.runs.a.status = 'failed'", "assert: $run.runs.a.status = 'failed' is false, not true"),
    ],
)
def test_what_is_around_the_runs_is_told_if_it_differs(tmp_path: Path, change: str, told: str) -> None:
    tests = SEVERAL[: SEVERAL.index("      most:")].replace("started: 1", "started: [{ flow: report }]")
    result = said(written(tmp_path, b_fsl=AROUND, b_test_yaml=f"{tests}      {change}\n"), "--no-coverage")
    assert (result.exit_code, f"\n  {told}" in result.output) == (1, True), result.output
    assert "  history of b:\n" in result.output


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("error: NotPaid", "error: Timeout", 'b: error: expected "Timeout", got "NotPaid"'),
        ("error: NotPaid", "error: null", 'b: error: expected null, got "NotPaid"'),
        ("step: Charge", "step: Pay", "c: error: expected"),
        ("takes: 10m", "takes: 1m", "a: takes: expected 1m, got 10m"),
        ("[paid]", "[]", 'a: emitted: expected [], got ["paid"]'),
        ("refused: is reached", "refused: busy", "d: refused: expected a match of 'busy', got"),
        (", refused: is reached", "", "d: start: is refused: run 'd' is not started"),
        ("at: 6m", "at: 3h", "d: start: the run has started"),
        (
            "tests:\n  - name: around",
            "tests:\n  - until: 1h\n    name: around",
            "b: status: expected failed, got running",
        ),
        ("at: 6m", "at: 500d", "d: start: the test has ended before 500d"),
    ],
)
def test_what_differs_in_one_of_several_runs_is_told_with_its_name(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    tests = SEVERAL[: SEVERAL.index("    expect:\n")].replace("started: 1", "started: [{ flow: report }]")
    assert before in tests
    written(tmp_path, b_fsl=AROUND, b_test_yaml=tests.replace(before, after))
    result = said(tmp_path, "--junit", tmp_path / "report.xml", "--no-coverage")
    assert (result.exit_code, f"\n  {told}" in result.output) == (1, True), result.output
    failure = Xml.parse(tmp_path / "report.xml").getroot()[0][0][0]  # noqa: S314 - it is our own
    assert told in failure.get("message", "")


def test_a_test_of_which_no_run_starts_cannot_be_run(tmp_path: Path) -> None:
    tests = "tests: [{name: a, flow: pay, runs: [{name: x, at: 500d, input: {order: o-1}}]}]"
    result = said(written(tmp_path, b_fsl=AROUND, b_test_yaml=tests))
    assert result.exit_code == 2
    assert "b.test.yaml:1:30: error: none of the runs has started" in result.output


def test_coverage_tells_routes_of_one_state_and_target_apart(tmp_path: Path) -> None:
    routes = 'NO when ${ $result = 1 } -> stopped (error = "One") | NO when ${ $result = 2 } -> stopped | NO -> stopped'
    program = f"""action ci addr = "http://ci"; return = (OK | NO); action_end
/
flow f step Build => (OK -> done | {routes}) {{ action = ci; }}; flow_end"""
    tests = "tests: [{name: a, actions: {ci: {state: 'NO', data: 2}}, expect: {status: failed}}]"
    result = said(written(tmp_path, b_fsl=program, b_test_yaml=tests), "--json")
    (flow,) = json.loads(result.stdout)["coverage"]
    assert [one["route"] for one in flow["missed"]] == [
        "OK -> done",
        "NO when ${$result = 1} -> stopped",
        "NO -> stopped",
    ]
