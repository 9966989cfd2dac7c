"""What steps read of the step before them: `$error`, and `$result` in a `set`."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.model.json_values import Json
from chalicelib.service.ports.actions import Reply, Taken
from tests.hosts import Host, answer_at_once

ACTIONS = """
action work addr = "http://a.example/work"; args = (any x = null); return = (OK | BAD); action_end
/
action tell addr = "http://a.example/tell"; args = (any why); return = (TOLD); action_end
/
"""
ERROR = {"name": "CardExpired", "cause": "in 2026", "step": "Work", "state": "BAD"}


def answer(request: dict[str, Any]) -> Reply:
    """Answer `BAD` with an error for `Work`; answer the arg of others."""
    if request["stepName"] == "Work":
        return Taken({"ackState": "BAD", "error": {"name": "CardExpired", "cause": "in 2026"}, "data": {"n": 1}})
    return Taken({"ackState": request["ackStates"][0], "data": request.get("why", request.get("x"))})


def output(steps: str, given: str = "$result") -> Json:
    host = Host(answer)
    host.submit(f"{ACTIONS} flow f output = ${{ {given} }}; {steps} flow_end")
    host.start("f")
    host.settle()
    return host.run().output


WORK = "step Work => (OK -> done | BAD -> Next) { action = work; };"


@pytest.mark.parametrize(
    "steps",
    [
        "step Next => (TOLD -> done) { action = tell; args = (why = ${ $error }); };",
        """deci Next => (when ${ $error.name = "CardExpired" } -> Tell | else -> stopped);
        step Tell => (TOLD -> done) { action = tell; args = (why = ${ $error }); };""",
        "set Next => (DONE -> done (output = ${ $error }));",
        """fork Next => (DONE -> done (output = ${ $result.one }) | FAIL -> stopped) {
            branch one { step Tell => (TOLD -> done) { action = tell; args = (why = ${ $error }); }; };
        };""",
    ],
)
def test_the_step_that_follows_reads_the_error(steps: str) -> None:
    assert output(f"{WORK} {steps}") == ERROR


def test_the_output_reads_the_error_of_the_last_step() -> None:
    assert output("step Work => (OK -> stopped | BAD -> done) { action = work; };", "$error") == ERROR


def test_a_step_that_did_not_fail_leaves_no_error() -> None:
    steps = """step Next => (OK -> Last | BAD -> stopped) { action = work; };
        step Last => (TOLD -> done) { action = tell; args = (why = ${ $exists($error) }); };"""
    assert output(f"{WORK} {steps}") is False


def test_a_set_reads_the_result_of_the_step_before_it() -> None:
    steps = "set Next => (DONE -> done (output = ${ [$vars.n, $result.n] })) { save = (n = ${ $result.n }); };"
    assert output(f"{WORK} {steps}") == [1, 1]


def test_a_set_leaves_no_result() -> None:
    assert output(f"{WORK} set Next => (DONE -> done);") is None


def test_a_deci_that_fails_leaves_its_own_error() -> None:
    steps = """deci Next => (when ${ $number("x") } -> done | ERROR -> Tell);
        step Tell => (TOLD -> done) { action = tell; args = (why = ${ [$error.step, $error.name] }); };"""
    assert output(f"{WORK} {steps}") == ["Next", "ExpressionFailed"]


def test_an_error_that_no_expression_reads_is_not_stored() -> None:
    host = Host(answer)
    host.submit(f"{ACTIONS} flow f {WORK} wait Next => (DONE -> done) {{ for = 1h; }}; flow_end")
    host.start("f")
    host.settle()
    assert host.run().tokens[0].error is None


def test_a_first_step_has_no_error() -> None:
    host = Host(answer_at_once)
    steps = "step A => (OK, BAD -> done) { action = work; args = (x = ${ $exists($error) }); };"
    host.submit(f"{ACTIONS} flow f {steps} flow_end")
    host.start("f")
    host.settle()
    assert host.run().output is False
