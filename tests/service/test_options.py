"""Options of steps that are expressions: evaluated when the step is entered, with the limits of literal ones."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.adapters.virtual import Script
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.waits import EachWait
from chalicelib.service.ports.actions import Taken
from tests.hosts import NS, Host, accept, answer_at_once

WORK = """
action work addr = "http://work.test/"; args = (any x = null); return = (OK | BAD); action_end
/
action asks addr = "http://asks.test/"; return = (OK); approval = required; action_end
/
flow inner wait Long => () { for = 30d; }; flow_end
/
"""


def begun(flow: str, script: Script = accept, **given: Json) -> Host:
    host = Host(script)
    host.submit(WORK + flow)
    host.start("f", **given)
    host.settle()
    return host


ROUTES = "(DONE -> done | TIMEOUT -> done (output = ${ $error.name }) | ERROR -> done (output = ${ $error }))"
STEPS = {
    "step": "step A => (OK -> done | TIMEOUT -> done (output = ${ $error.name }) | "
    "ERROR -> done (output = ${ $error })) { action = work; %s };",
    "event": "wait A => (PAID -> done | TIMEOUT -> done (output = ${ $error.name }) | "
    'ERROR -> done (output = ${ $error })) { events = (PAID = "paid"); %s };',
    "condition": f"wait A => {ROUTES} {{ condition = ${{ $vars.never }}; %s }};",
    "call": f"call A => {ROUTES} {{ flow = inner; %s }};",
}
TIMED = list(STEPS)


def limited(kind: str, option: str, **given: Json) -> Host:
    return begun(f"flow f input = any; {STEPS[kind] % option} flow_end", **given)


def failure_of(run: Run) -> str:
    """Return the name of the error with which the run failed."""
    assert run.status is Status.FAILED
    assert run.error is not None
    return run.error.name


def waits_until(run: Run) -> int:
    activation = run.tokens[0].activation
    assert activation is not None
    return activation.deadline - activation.since


@pytest.mark.parametrize("kind", TIMED)
@pytest.mark.parametrize(
    ("given", "milliseconds"), [("90m", 5_400_000), ("1h30m", 5_400_000), ("1.5h", 5_400_000), (7, 7), (7.0, 7)]
)
def test_a_timeout_may_be_computed(kind: str, given: Json, milliseconds: int) -> None:
    host = limited(kind, "timeout = ${ $input.t };", t=given)
    assert waits_until(host.run()) == milliseconds
    host.pass_time(milliseconds - 1)
    assert host.run().status is Status.RUNNING
    host.pass_time(1)
    assert (host.run().status, host.run().output) == (Status.SUCCEEDED, "Timeout")


@pytest.mark.parametrize("kind", TIMED)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "`timeout` must be a duration such as 30s or 1h30m: expression '$input.t' yields nothing"),
        ({"t": None}, "and is null"),
        ({"t": "soon"}, 'and is "soon"'),
        ({"t": True}, "and is true"),
        ({"t": 1.5}, "and is 1.5"),
        ({"t": "-1s"}, 'and is "-1s"'),
        ({"t": 0}, "`timeout` must be from 1ms to 366d, and is 0"),
        ({"t": "367d"}, '`timeout` must be from 1ms to 366d, and is "367d"'),
        ({"t": ["1m"]}, 'and is ["1m"]'),
    ],
)
def test_what_is_no_duration_is_an_error_that_names_the_option(kind: str, given: Any, said: str) -> None:
    run = limited(kind, "timeout = ${ $input.t };", **given).run()
    assert (run.status, run.output["name"], run.output["step"]) == (Status.SUCCEEDED, "ExpressionFailed", "A")
    assert said in run.output["cause"]
    assert run.output["cause"].startswith("`timeout`")


def test_an_expression_that_fails_names_the_option() -> None:
    run = limited("step", "timeout = ${ $need($input.t) };").run()
    assert run.output["cause"].startswith("`timeout` could not be computed: ")


def test_a_heartbeat_may_be_computed_and_nothing_is_sent_if_it_fails() -> None:
    host = limited("step", "heartbeat = ${ $input.h };", h="2m")
    host.pass_time(120_000)
    assert host.run().output == "HeartbeatTimeout"
    failed = limited("step", "heartbeat = ${ $input.h };", h="often")
    assert failed.run().output["cause"].startswith("`heartbeat` must be a duration")
    assert failed.actions.requests == []


def test_a_computed_heartbeat_counts_from_the_approval() -> None:
    flow = """flow f input = any; vars = (h = "2m");
        step A => (OK -> done | TIMEOUT -> done (output = ${ $error.name })) {
            action = asks; heartbeat = ${ $vars.h }; timeout = 1d; };
    flow_end"""
    host = begun(flow)
    host.services.operator.set_vars(NS, "r", {"h": "9h"}, by="p")
    host.pass_time(3_600_000)
    host.answer("A", "APPROVE")
    host.pass_time(119_999)
    assert host.run().status is Status.RUNNING
    host.pass_time(1)
    assert host.run().output == "HeartbeatTimeout"


def test_options_read_the_item_and_the_variables_of_its_scope() -> None:
    flow = """flow f input = any;
        each E => (DONE -> done (output = ${ $result })) {
            items = [1, 2]; vars = (unit = "m");
            step A => (OK -> done | TIMEOUT -> done (output = ${ $now })) {
                action = work; timeout = ${ $item & $vars.unit }; };
        };
    flow_end"""
    host = begun(flow)
    host.pass_time(60_000)
    assert len(host.run().tokens) == 2
    host.pass_time(60_000)
    first, second = host.run().output
    assert first < second


def test_a_retried_step_computes_its_options_anew() -> None:
    flow = """flow f input = any; vars = (t = "soon");
        step A => (OK -> done) { action = work; timeout = ${ $vars.t }; };
    flow_end"""
    host = begun(flow)
    assert failure_of(host.run()) == "ExpressionFailed"
    host.services.operator.retry(NS, "r", by="p")
    host.settle()
    assert host.run().status is Status.FAILED


# ── flow ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_timeout_of_a_flow_may_be_computed() -> None:
    flow = "flow f input = any; vars = (n = 3); timeout = ${ $vars.n & $input.unit }; step A => () { action = asks; };"
    host = begun(f"{flow} flow_end".replace("() {", "(OK -> done) {"), unit="m")
    host.pass_time(179_999)
    assert host.run().status is Status.RUNNING
    host.pass_time(1)
    assert failure_of(host.run()) == "Timeout"
    host.services.operator.retry(NS, "r", by="p")
    assert host.run().deadline == host.clock.now() + 180_000
    wrong = begun(f"{flow} flow_end".replace("() {", "(OK -> done) {"), unit="x").run()
    assert failure_of(wrong) == "ExpressionFailed"
    assert "`timeout` must be a duration" in wrong.last_err


# ── each ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


EACH = """flow f input = any;
    each E => (DONE -> done (output = ${ $result }) | FAIL -> done (output = "FAIL")
        | ERROR -> done (output = ${ $error.cause })) {
        items = ${ [1..10] }; %s
        step A => (OK -> done | BAD -> stopped) { action = work; args = (x = ${ $item }); };
    };
flow_end"""


def failing_up_to(count: int) -> Script:
    return lambda request: Taken({"ackState": "BAD" if request["x"] <= count else "OK"})


@pytest.mark.parametrize(("given", "flying"), [(3, 3), (7.0, 7), ("4", 4), (500, 10)])
def test_max_of_an_each_may_be_computed(given: Json, flying: int) -> None:
    host = begun(EACH % "max = ${ $input.m };", m=given)
    assert len(host.actions.requests) == flying
    wait = next(token.activation.wait for token in host.run().tokens if token.activation and not token.parent)
    assert isinstance(wait, EachWait)


@pytest.mark.parametrize(
    ("given", "failing", "output"),
    [
        (2, 2, "DONE"),
        (2, 3, "FAIL"),
        ("2", 2, "DONE"),
        ("2", 3, "FAIL"),
        ("20%", 2, "DONE"),
        ("20%", 3, "FAIL"),
        (0, 1, "FAIL"),
        ("29.9%", 3, "FAIL"),
    ],
)
def test_tolerate_of_an_each_may_be_computed(given: Json, failing: int, output: str) -> None:
    run = begun(EACH % "tolerate = ${ $input.t };", failing_up_to(failing), t=given).run()
    assert ("FAIL" if run.output == "FAIL" else "DONE") == output


@pytest.mark.parametrize(
    ("options", "given", "said"),
    [
        ("max = ${ $input.v };", {"v": 0}, "`max` must be at least 1, and is 0"),
        ("max = ${ $input.v };", {"v": "few"}, '`max` must be a whole number, and is "few"'),
        ("max = ${ $input.v };", {"v": "1.5"}, '`max` must be a whole number, and is "1.5"'),
        ("max = ${ $input.v };", {}, "`max` must be a whole number: expression '$input.v' yields nothing"),
        ("tolerate = ${ $input.v };", {"v": -1}, "`tolerate` must be at least 0, and is -1"),
        ("tolerate = ${ $input.v };", {"v": "101%"}, '`tolerate` must be at most 100%, and is "101%"'),
        ("tolerate = ${ $input.v };", {"v": "few"}, "`tolerate` must be a whole number or a percentage such as 10%"),
        ("tolerate = ${ $input.v };", {"v": 0.5}, "and is 0.5"),
    ],
)
def test_numbers_of_an_each_that_are_wrong_are_an_error(options: str, given: Any, said: str) -> None:
    assert said in begun(EACH % options, **given).run().output


# ── repeat ───────────────────────────────────────────────────────────────────────────────────────────────────────────


REPEAT = """flow f input = any; vars = (n = 0);
    step A => (OK -> done | BAD -> done (output = ${ $state }) | ERROR -> done (output = ${ $error })) {
        action = work; repeat = (BAD -> (%s)); save = (n = ${ $vars.n + 1 });
    };
flow_end"""


def test_the_numbers_of_repeat_may_be_computed() -> None:
    rule = "max = ${ $input.max }, delay = ${ $input.delay }, rate = ${ $input.rate }, cap = ${ $input.cap }"
    host = begun(REPEAT % rule, lambda _: Taken({"ackState": "BAD"}), max=3, delay="10s", rate=3, cap="1m")
    sent: list[int] = []
    for second in range(200):
        sent += [second] * (len(host.actions.requests) - len(sent))
        host.pass_time(1_000)
    assert sent == [0, 10, 40, 100]
    assert host.run().output == "BAD"


def test_without_a_cap_a_computed_delay_is_not_cut() -> None:
    host = begun(REPEAT % "max = 1, delay = ${ $input.delay }", lambda _: Taken({"ackState": "BAD"}), delay="10m")
    host.pass_time(599_000)
    assert len(host.actions.requests) == 1
    host.pass_time(1_000)
    assert len(host.actions.requests) == 2


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("max = ${ $input.v }", "`max` must be a whole number: expression '$input.v' yields nothing"),
        ("max = ${ 0 }", "`max` must be from 1 to 1000, and is 0"),
        ("max = ${ 1001 }", "`max` must be from 1 to 1000, and is 1001"),
        ("max = 2, delay = ${ 'x' }", '`delay` must be a duration such as 30s or 1h30m, and is "x"'),
        ("max = 2, rate = ${ 0.5 }", "`rate` must be at least 1, and is 0.5"),
        ("max = 2, rate = ${ '2' }", '`rate` must be a number, and is "2"'),
        ("max = 2, cap = ${ '400d' }", '`cap` must be from 1ms to 366d, and is "400d"'),
    ],
)
def test_numbers_of_repeat_that_are_wrong_make_the_step_return_error(rule: str, said: str) -> None:
    run = begun(REPEAT % rule, lambda _: Taken({"ackState": "BAD", "data": 7})).run()
    assert (run.output["name"], run.output["state"], run.output["data"]) == ("ExpressionFailed", "BAD", 7)
    assert said in run.output["cause"]
    assert run.vars["n"] == 0


def test_a_secret_is_no_option_and_is_not_shown() -> None:
    flow = """flow f input = (secret str t);
        step A => (OK -> done | ERROR -> done (output = ${ $error.cause })) { action = work; timeout = ${ $input.t }; };
    flow_end"""
    assert begun(flow, answer_at_once, t="1h").run().output.endswith("and is ***")
