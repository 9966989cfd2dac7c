"""Routes of errors as catchers, `repeat` and `retry` as retriers, and ends with an error."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asl.export.flows import states

CHARGE = "action = charge; args = ${ $input };"
ERROR = {"name": "{% $states.errorOutput.Error %}", "cause": "{% $states.errorOutput.Cause %}", "step": "A"}


def task(routes: str, more: str = "") -> dict[str, Any]:
    """Return the states of a flow in which step A has these routes and properties; B follows."""
    return states(
        f"""flow f input = any;
        step A => (OK -> done | {routes}) {{ {CHARGE} {more} }};
        set B => (DONE -> done (output = 1));
        flow_end"""
    )


@pytest.mark.parametrize(
    ("routes", "more", "caught"),
    [
        ("ERROR -> B", "", [["States.ALL"]]),
        ("ERROR -> B", "timeout = 1m;", [["States.TaskFailed"]]),
        ("ERROR, TIMEOUT -> B", "", [["States.ALL"]]),
        ("TIMEOUT -> B", "timeout = 1m;", [["States.Timeout"]]),
        (
            'ERROR when ${ $error.name in ["X", "ExpressionFailed"] } -> B | ERROR -> stopped (error = "E")',
            "",
            [["X", "States.QueryEvaluationError"], ["States.ALL"]],
        ),
        (
            "ERROR when ${ $error.status = 402 or $error.status = 404 } -> B",
            "",
            [["States.Http.StatusCode.402", "States.Http.StatusCode.404"]],
        ),
    ],
)
def test_routes_of_errors_are_catchers(routes: str, more: str, caught: list[list[str]]) -> None:
    found = task(routes, more)
    assert [one["ErrorEquals"] for one in found["A"]["Catch"]] == caught


def test_an_error_that_leads_to_stopped_is_not_caught() -> None:
    found = task("ERROR -> stopped | TIMEOUT -> B", "timeout = 1m;")
    assert [one["ErrorEquals"] for one in found["A"]["Catch"]] == [["States.Timeout"]]


def test_the_next_step_reads_the_error_from_a_variable() -> None:
    found = states(
        f"""flow f input = any;
        step A => (OK -> done | ERROR -> B (why = ${{ $error.cause }})) {{ {CHARGE} }};
        deci B => (when ${{ $error.name = "Timeout" }} -> done (output = 1) | else -> stopped (error = "E",
            cause = ${{ $vars.why & $error.name }}));
        flow_end"""
    )
    assert found["A"]["Catch"] == [
        {
            "ErrorEquals": ["States.ALL"],
            "Assign": {"error": {**ERROR, "state": "ERROR"}, "why": "{% $states.errorOutput.Cause %}"},
            "Next": "B",
        }
    ]
    assert found["B"]["Choices"][0]["Condition"] == '{% $error.name = "States.Timeout" %}'
    assert found["BStopped"]["Cause"] == "{% $why & $error.name %}"


def test_a_condition_that_no_catcher_can_have_is_a_choice_behind_it() -> None:
    found = task('ERROR when ${ $contains($error.cause, "card") } -> B')
    [catcher] = found["A"]["Catch"]
    assert catcher["Next"] == "AError"
    assert found["AError"]["Choices"] == [{"Condition": '{% ($contains($error.cause, "card")) = true %}', "Next": "B"}]
    assert found["AStopped"] == {
        "Type": "Fail",
        "Error": "{% $error.name %}",
        "Cause": "{% $error.cause %}",
    }


def test_what_is_saved_where_the_step_failed() -> None:
    more = "save = (id = ${ $result.id }, why = ${ $error.cause }, n = 1);"
    found = task("ERROR -> B", more)
    assert found["A"]["Assign"] == {
        "id": "{% $exists($states.result.Payload.id) ? $states.result.Payload.id : null %}",
        "why": None,
        "n": 1,
    }
    [catcher] = found["A"]["Catch"]
    assert catcher["Assign"] == {"id": None, "why": "{% $states.errorOutput.Cause %}", "n": 1}


def test_a_save_that_needs_a_result_is_not_done_where_the_step_failed() -> None:
    [catcher] = task("ERROR -> B", "save = (id = ${ $need($result.id) });")["A"]["Catch"]
    assert "Assign" not in catcher


def test_repeat_is_a_retrier() -> None:
    more = """repeat = (
        ERROR when ${ $error.name = "Throttled" } -> (max = 8, delay = 1s, rate = 3.0, cap = 2m, jitter = full)
        | TIMEOUT -> (max = 1) | ERROR -> (max = 3, delay = 5s) ); timeout = 1m;"""
    assert task("ERROR -> B", more)["A"]["Retry"] == [
        {
            "ErrorEquals": ["Throttled"],
            "IntervalSeconds": 1,
            "MaxAttempts": 8,
            "BackoffRate": 3.0,
            "MaxDelaySeconds": 120,
            "JitterStrategy": "FULL",
        },
        {"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1, "BackoffRate": 2.0},
        {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 5, "MaxAttempts": 3, "BackoffRate": 2.0},
    ]


@pytest.mark.parametrize("when", ['$not($error.name = "Declined")', '$error.name != "Declined"'])
def test_an_error_after_which_nothing_is_repeated(when: str) -> None:
    more = f"repeat = (ERROR when ${{ {when} }} -> (max = 2, delay = 1s));"
    assert [(one["ErrorEquals"], one["MaxAttempts"]) for one in task("ERROR -> B", more)["A"]["Retry"]] == [
        (["Declined"], 0),
        (["States.ALL"], 2),
    ]


def test_retry_of_deliveries_is_a_retrier_of_the_errors_of_transport() -> None:
    [found] = task("ERROR -> B", "retry = (max = 7, delay = 2s, rate = 2.0);")["A"]["Retry"]
    assert found["ErrorEquals"][0] == "Lambda.ServiceException"
    assert (found["MaxAttempts"], found["IntervalSeconds"]) == (6, 2)


def test_members_of_variables_are_merged() -> None:
    found = states(
        f"""flow f input = any; vars = (data = ${{ $input }});
        step A => (OK -> done (output = ${{ $vars.data }}) | ERROR -> B (data.error = ${{ $error }})) {{
            {CHARGE} save = (data.a.b = ${{ $result }});
        }};
        set B => (DONE -> done);
        flow_end"""
    )
    before = '$merge([$data[$ != null], {"a": $merge([$data.a[$ != null], {"b": %s}])}])'
    assert found["A"]["Assign"]["data"] == "{% " + before % "$states.result.Payload" + " %}"
    [catcher] = found["A"]["Catch"]
    error = '{"name": $states.errorOutput.Error, "cause": $states.errorOutput.Cause, "step": "A", "state": "ERROR"}'
    assert catcher["Assign"]["data"] == "{% $merge([(" + before % "null" + ')[$ != null], {"error": ' + error + "}]) %}"
    assert found["ADone"] == {"Type": "Succeed", "Output": "{% $data %}"}
