"""Time limits of fork and each, and items in batches."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.adapters.virtual import Script
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import Reply, Taken
from tests.hosts import NS, Host, accept, answer_at_once

WORK = """
action work addr = "http://work.test/"; args = (any x = null); return = (OK | BAD);
    undo = back (x = ${ $result }) on OK; action_end
/
action back addr = "http://back.test/"; args = (any x = null, any undo = true); return = (OK); action_end
/
flow inner step Deep => (OK -> Long) { action = work; args = (x = "deep"); }; wait Long => () { for = 30d; }; flow_end
/
"""


def begun(flow: str, script: Script = answer_at_once, **given: Json) -> Host:
    host = Host(script)
    host.submit(WORK + flow)
    host.start("f", **given)
    host.settle()
    return host


def undone(host: Host) -> list[Any]:
    return [request["x"] for request in host.actions.requests if "undo" in request]


FORK = """flow f input = any;
    fork F => (DONE -> done | FAIL -> stopped | TIMEOUT -> Next (why = ${ $error }, got = ${ $result })) {
        %s
        branch quick { step Q => (OK -> done) { action = work; args = (x = "quick"); }; };
        branch slow {
            step S => (OK -> Wait) { action = work; args = (x = "slow"); };
            wait Wait => () { for = 10d; };
        };
        branch called { call C => (DONE -> done) { flow = inner; }; };
    };
    step Next => (OK -> done) { action = work; args = (x = "next"); };
flow_end"""


def test_a_fork_that_takes_too_long_abandons_what_runs_and_undoes_it_first() -> None:
    host = begun(FORK % "timeout = 1h;")
    host.pass_time(3_599_999)
    assert (host.run().status, undone(host)) == (Status.RUNNING, [])
    host.pass_time(1)
    run = host.run()
    assert (run.status, sorted(undone(host))) == (Status.SUCCEEDED, ["deep", "slow"])
    assert [request["x"] for request in host.actions.requests][-1] == "next", "it returned after the undos"
    assert run.vars["why"] == {
        "name": "Timeout", "cause": "its branches did not end in time", "step": "F", "state": "TIMEOUT"
    }  # fmt: skip
    assert run.vars["got"] == {"quick": "quick"}


def test_abandoned_work_is_kept_if_the_fork_says_so() -> None:
    host = begun(FORK % "timeout = 1h; abandoned = keep;")
    host.pass_time(3_600_000)
    assert (host.run().status, undone(host)) == (Status.SUCCEEDED, ["deep"]), (
        "a called run that is stopped undoes itself"
    )


def test_a_timeout_that_is_not_routed_fails_the_run() -> None:
    unrouted = (FORK % "timeout = ${ $input.t };").replace(
        "TIMEOUT -> Next (why = ${ $error }, got = ${ $result })", "%s"
    )
    host = begun(unrouted % "ERROR -> Next", t="1h30m")
    host.pass_time(5_400_000)
    run = host.run()
    assert (run.status, run.error and run.error.name) == (Status.FAILED, "Timeout")
    assert sorted(undone(host)) == ["deep", "quick", "slow"]


def test_a_fork_that_ends_in_time_returns_as_ever() -> None:
    flow = """flow f input = any;
        fork F => (DONE -> done | TIMEOUT -> stopped) { timeout = 1h;
            branch a { step A => (OK -> done) { action = work; args = (x = 1); }; }; };
    flow_end"""
    host = begun(flow)
    assert (host.run().status, host.run().output, undone(host)) == (Status.SUCCEEDED, {"a": 1}, [])


EACH = """flow f input = any;
    each E => (DONE -> done (output = ${ $result }) | FAIL -> stopped
        | TIMEOUT -> done (output = ${ { "why": $error.cause, "got": $result } })) {
        items = ${ $input.items }; %s
        step A => (OK -> Wait | BAD -> stopped) { action = work; args = (x = ${ $item }); };
        wait Wait => (DONE -> done (output = ${ $item })) { for = ${ $item & "h" }; };
    };
flow_end"""


def test_an_each_that_takes_too_long_abandons_the_items_that_run() -> None:
    host = begun(EACH % "timeout = 150m;", items=[1, 5, 2, 6])
    host.pass_time(150 * 60_000)
    run = host.run()
    assert run.output == {"why": "its items did not end in time", "got": [1, None, 2, None]}
    assert sorted(undone(host)) == [5, 6]


def test_items_that_have_not_started_count_as_unfinished() -> None:
    host = begun(EACH % "timeout = 90m; max = 1; abandoned = keep;", items=[1, 1, 1])
    host.pass_time(90 * 60_000)
    assert (host.run().output["got"], undone(host)) == ([1, None, None], [])
    assert [request["x"] for request in host.actions.requests] == [1, 1]


def test_the_time_limit_of_an_each_holds_across_many_transitions() -> None:
    """Items that wait for nothing are started in several transitions; the deadline is kept meanwhile."""
    flow = """flow f input = any;
        each E => (DONE -> Slow) {
            items = ${ [1..3000] }; timeout = 1h; set S => (DONE -> done (output = ${ $index })); };
        each Slow => (DONE -> done | TIMEOUT -> done (output = "late")) {
            items = ${ [1..3] }; timeout = 1h; wait W => () { for = 2h; }; };
    flow_end"""
    host = begun(flow)
    host.pass_time(3_600_000)
    assert host.run().output == "late"


def test_a_paused_run_has_its_time_limits_later() -> None:
    host = begun(EACH % "timeout = 1h;", items=[9])
    host.services.operator.pause(NS, "r", by="p")
    host.pass_time(7_200_000)
    host.services.operator.resume(NS, "r", by="p")
    host.pass_time(3_599_999)
    assert host.run().status is Status.RUNNING
    host.pass_time(1)
    assert host.run().status is Status.SUCCEEDED


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────


BATCH = """flow f input = any;
    each E => (DONE -> done (output = ${ $result }) | FAIL -> done (output = ${ $error })
        | ERROR -> done (output = ${ $error.cause })) {
        items = ${ $input.items }; batch = ${ $input.size }; %s
        step A => (OK -> done (output = ${ $result & "" }) | BAD -> stopped) {
            action = work; args = (x = ${ { "at": $index, "of": $item } });
        };
    };
flow_end"""


def batches(items: Json, size: Json, options: str = "", script: Script = answer_at_once) -> Host:
    return begun(BATCH % options, script, items=items, size=size)


@pytest.mark.parametrize(
    ("size", "lists"),
    [(2, [[1, 2], [3, 4], [5]]), (5, [[1, 2, 3, 4, 5]]), (25.0, [[1, 2, 3, 4, 5]]), (1, [[1], [2], [3], [4], [5]])],
)
def test_an_item_of_batches_is_a_list(size: Json, lists: Json) -> None:
    host = batches([1, 2, 3, 4, 5], size)
    sent = [request["x"] for request in host.actions.requests]
    assert sent == [{"at": at, "of": of} for at, of in enumerate(lists)]
    assert len(host.run().output) == len(lists)


def test_many_batches_are_what_they_are() -> None:
    host = batches(list(range(2_501)), 10)
    sent = sorted((request["x"] for request in host.actions.requests), key=lambda sent: int(sent["at"]))
    assert [one["at"] for one in sent] == list(range(251))
    assert [item for one in sent for item in one["of"]] == list(range(2_501))


def test_no_items_are_no_batches() -> None:
    assert batches([], 10).run().output == []


def failing(*indexes: int) -> Script:
    def script(request: dict[str, Any]) -> Reply:
        bad = "at" in (request["x"] or {}) and request["x"]["at"] in indexes
        return Taken({"ackState": "BAD" if bad else "OK"})

    return script


@pytest.mark.parametrize(
    ("tolerate", "failed", "cause"),
    [
        ("tolerate = 2;", (1,), None),
        ("tolerate = 2;", (2,), None),
        ("tolerate = 1;", (1,), "2 of 5 items failed"),
        ("tolerate = 1;", (2,), None),
        ('tolerate = "40%%";', (0,), None),
        ('tolerate = "40%%";', (0, 2), "3 of 5 items failed"),
        ("tolerate = ${ 3 };", (0, 2), None),
        ('tolerate = ${ "60%%" };', (0, 1), "4 of 5 items failed"),
    ],
)
def test_limits_of_items_count_items_and_not_batches(tolerate: str, failed: tuple[int, ...], cause: str | None) -> None:
    output = batches([1, 2, 3, 4, 5], 2, tolerate.replace("%%", "%"), failing(*failed)).run().output
    if cause is None:
        assert [at for at, one in enumerate(output) if one is None] == list(failed)
    else:
        assert output["name"] == "ItemsFailed"
        assert cause in output["cause"]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "`batch` must be from 1 to 100000, and is 0"),
        (100_001, "`batch` must be from 1 to 100000, and is 100001"),
        ("2.5", '`batch` must be a whole number, and is "2.5"'),
        (None, "`batch` must be a whole number, and is null"),
    ],
)
def test_a_batch_that_is_no_number_is_an_error(size: Json, said: str) -> None:
    assert batches([1], size).run().output == said


def test_at_most_so_many_batches_run_at_once() -> None:
    assert len(batches(list(range(10)), 2, "max = 3;", accept).actions.requests) == 3


def test_a_batch_that_failed_is_retried_as_it_was() -> None:
    bad = [1]

    def script(request: dict[str, Any]) -> Reply:
        return Taken({"ackState": "BAD" if request["x"]["at"] in bad else "OK"})

    flow = """flow f input = any;
        each E => (DONE -> done (output = ${ $result })) {
            items = [1, 2, 3]; batch = 2;
            step A => (OK -> done (output = ${ $item }) | BAD -> stopped) { action = work;
                args = (x = ${ { "at": $index, "of": $item } }); };
        };
    flow_end"""
    host = _plain(flow, script)
    assert host.run().status is Status.FAILED
    bad.clear()
    host.services.operator.retry(NS, "r", by="p")
    host.settle()
    assert host.run().output == [[1, 2], [3]]


def _plain(flow: str, script: Script) -> Host:
    """Begin the flow with an action that nothing undoes."""
    host = Host(script)
    host.submit('action work addr = "http://w.test/"; args = (any x); return = (OK | BAD); action_end\n/\n' + flow)
    host.start("f")
    host.settle()
    return host
