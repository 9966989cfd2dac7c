"""Machines that run as flows: data, errors, branches, items, loops, in both ways of keeping documents."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.model.status import Status
from chalicelib.service.ports.actions import Returned
from tests.asl.convert.flows import Broken, World, chain, converted, output_of, task
from tests.hosts import Host


def failing(name: str, times: int) -> Any:
    """Return functions that fail so often with an error of this name, and then answer with how often."""

    def answer(_name: str, _payload: Any, before: int) -> Any:
        if before < times:
            raise Broken(name)
        return {"failed": before}

    return answer


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_results_are_laid_over_the_document() -> None:
    machine = chain(
        task(Parameters={"n.$": "$.a"}, ResultPath="$.first"),
        task(Parameters={"n.$": "$.first.n"}, ResultPath="$.deep.er", ResultSelector={"m.$": "$.n"}),
        task(ResultPath=None),
        {"Type": "Pass", "OutputPath": "$.deep"},
    )
    assert output_of(machine, {"a": 7}) == {"er": {"m": 7}}


def test_where_ways_meet_the_document_is_the_one_that_came() -> None:
    machine = {
        "StartAt": "Which",
        "States": {
            "Which": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.left", "BooleanEquals": True, "Next": "Left"}],
                "Default": "Right",
            },
            "Left": {**task(ResultPath="$.left"), "Next": "Both"},
            "Right": {"Type": "Pass", "Result": [1], "ResultPath": "$.right", "Next": "Both"},
            "Both": {"Type": "Pass", "Parameters": {"all.$": "$"}, "End": True},
        },
    }
    assert output_of(machine, {"left": False}) == {"all": {"left": False, "right": [1]}}
    assert output_of(machine, {"left": True, "n": 1}) == {"all": {"left": {"left": True, "n": 1}, "n": 1}}


def test_a_loop_counts() -> None:
    machine = {
        "StartAt": "Begin",
        "States": {
            "Begin": {"Type": "Pass", "Result": {"n": 0}, "ResultPath": "$.count", "Next": "Enough"},
            "Enough": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.count.n", "NumericGreaterThanEquals": 3, "Next": "End"}],
                "Default": "Work",
            },
            "Work": {
                **task(Parameters={"n.$": "States.MathAdd($.count.n, 1)"}, ResultPath="$.count"),
                "Next": "Rest",
            },
            "Rest": {"Type": "Wait", "Seconds": 5, "Next": "Enough"},
            "End": {"Type": "Succeed", "OutputPath": "$.count"},
        },
    }
    assert output_of(machine, {"other": True}) == {"n": 3}


def test_a_value_that_was_moved_is_not_the_one_that_took_its_place() -> None:
    machine = chain(
        task("first", Parameters={"v": 1}, ResultPath="$.r"),
        {"Type": "Pass", "Parameters": {"old.$": "$.r"}},
        task("second", Parameters={"v": 2}, ResultPath="$.r"),
    )
    assert output_of(machine) == {"old": {"v": 1}, "r": {"v": 2}}


def test_assigned_variables_are_the_old_ones_until_the_state_ends() -> None:
    machine = chain(
        {"Type": "Pass", "Assign": {"n": 1, "m": 10}},
        {"Type": "Pass", "Assign": {"n.$": "$m", "m.$": "$n"}, "Parameters": {"n.$": "$n"}},
        {"Type": "Pass", "Parameters": {"before.$": "$.n", "n.$": "$n", "m.$": "$m"}},
    )
    assert output_of(machine) == {"before": 1, "n": 10, "m": 1}


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Pass", "Parameters": {"a.$": "$.missing"}},
        {"Type": "Pass", "InputPath": "$.missing"},
        {"Type": "Pass", "OutputPath": "$.missing.deeper"},
        {"Type": "Choice", "Choices": [{"Variable": "$.missing", "IsNull": True, "Next": "B"}], "Default": "B"},
        task(Parameters={"a": {"b.$": "$.missing"}}),
        task(ResultSelector={"a.$": "$.missing"}),
        {"Type": "Wait", "SecondsPath": "$.missing"},
    ],
)
def test_what_is_missing_fails_where_aws_fails(state: dict[str, Any]) -> None:
    assert output_of(chain(state, {"Type": "Pass", "Result": {}})) == "failed: ExpressionFailed"


def test_a_machine_of_jsonata() -> None:
    machine = {
        "QueryLanguage": "JSONata",
        **chain(
            task(
                Arguments={"n": "{% $states.input.n * 2 %}"},
                Assign={"twice": "{% $states.result.n %}", "all": "{% $states.input %}"},
                Output="{% $merge([$states.input, $states.result]) %}",
            ),
            {"Type": "Pass", "Output": {"n": "{% $states.input.n %}", "twice": "{% $twice %}", "all": "{% $all %}"}},
        ),
    }
    assert output_of(machine, {"n": 4, "x": 1}) == {"n": 8, "twice": 8, "all": {"n": 4, "x": 1}}


def test_members_of_a_list_are_those_of_its_items_in_jsonata() -> None:
    branches = [branch({"Type": "Pass", "Output": {"n": number}}, prefix=f"P{number}") for number in (1, 2)]
    both = {"Type": "Parallel", "Branches": branches}
    reading = {"Type": "Pass", "Output": {"all": "{% $states.input.n %}", "first": "{% $states.input[0].n %}"}}
    assert output_of({"QueryLanguage": "JSONata", **chain(both, reading)}) == {"all": [1, 2], "first": 1}


def test_the_output_of_a_choice_is_for_its_default() -> None:
    choices = [{"Condition": "{% $states.input.n = 1 %}", "Next": "B"}]
    choice = {"Type": "Choice", "Choices": choices, "Default": "B", "Output": {"default": True}}
    machine = {"QueryLanguage": "JSONata", **chain(choice, {"Type": "Pass"})}
    assert output_of(machine, {"n": 1}) == {"n": 1}
    assert output_of(machine, {"n": 2}) == {"default": True}


def test_a_catcher_whose_output_cannot_be_made_fails_though_nobody_reads_it() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.input.missing %}", "Next": "B"}]
    machine = {"QueryLanguage": "JSONata", **chain(task(Catch=catch), {"Type": "Fail", "Error": "Mine"})}
    assert output_of(machine, answer=failing("Odd", 9)) == "failed: Odd"


def test_query_languages_of_states() -> None:
    machine = chain(
        {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"n": "{% $states.input.n + 1 %}"}},
        {"Type": "Pass", "Parameters": {"m.$": "States.MathAdd($.n, 1)"}},
    )
    assert output_of(machine, {"n": 1}) == {"m": 3}


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_retry_does_a_task_again() -> None:
    retry = [{"ErrorEquals": ["Odd"], "MaxAttempts": 2, "IntervalSeconds": 3}]
    assert output_of(chain(task(Retry=retry)), answer=failing("Odd", 2)) == {"failed": 2}
    assert output_of(chain(task(Retry=retry)), answer=failing("Odd", 3)) == "failed: Odd"
    assert output_of(chain(task(Retry=retry)), answer=failing("Other", 1)) == "failed: Other"


def test_a_retrier_of_no_attempts_excepts_its_errors_from_those_behind_it() -> None:
    retry = [{"ErrorEquals": ["Never"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]
    assert output_of(chain(task(Retry=retry)), answer=failing("Never", 1)) == "failed: Never"
    assert output_of(chain(task(Retry=retry)), answer=failing("Other", 1)) == {"failed": 1}


def test_catch_hands_the_error_on() -> None:
    catch = [
        {"ErrorEquals": ["Odd", "Strange"], "ResultPath": "$.error", "Next": "B"},
        {"ErrorEquals": ["States.ALL"], "Next": "C"},
    ]
    machine = chain(task(Catch=catch, Next="C"), {"Type": "Pass", "OutputPath": "$.error.Error"}, {"Type": "Pass"})
    machine["States"]["B"].update(End=True)
    del machine["States"]["B"]["Next"]
    assert output_of(machine, {"a": 1}, failing("Strange", 1)) == "Strange"
    assert output_of(machine, {"a": 1}, failing("Other", 1)) == {"Error": "Other", "Cause": "why"}


def test_an_expression_after_the_result_keeps_the_error_of_the_function() -> None:
    machine = chain(task(ResultSelector={"n.$": "$.n"}, ResultPath="$.r"), {"Type": "Pass"})
    assert output_of(machine, answer=failing("Odd", 9)) == "failed: Odd"


def test_a_timeout_is_caught_where_a_time_is_said() -> None:
    text = converted(
        chain(task(TimeoutSeconds=5, Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "B"}]), {"Type": "Pass"})
    ).text
    assert "TIMEOUT -> B" in text
    assert "timeout = 5s;" in text


def test_fail_says_its_words() -> None:
    machine = chain({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('c {}', $.e)"})
    assert output_of(machine, {"e": "Mine"}) == "failed: Mine"


# ── branches and items ───────────────────────────────────────────────────────────────────────────────────────────────


def branch(*states: dict[str, Any], prefix: str = "X") -> dict[str, Any]:
    """Return a branch of states with names of their own."""
    found = chain(*states)
    text = {name: f"{prefix}{name}" for name in found["States"]}
    renamed = {
        text[name]: {**state, **({"Next": text[state["Next"]]} if "Next" in state else {})}
        for name, state in found["States"].items()
    }
    return {"StartAt": text[found["StartAt"]], "States": renamed}


def test_branches_are_a_list() -> None:
    branches = [
        branch(task(Parameters={"n.$": "$.a"}), {"Type": "Pass", "OutputPath": "$.n"}, prefix="L"),
        branch({"Type": "Pass", "Result": "r"}, prefix="R"),
    ]
    parallel = {"Type": "Parallel", "Branches": branches, "ResultPath": "$.both"}
    assert output_of(chain(parallel, {"Type": "Pass", "OutputPath": "$.both[0]"}), {"a": 5}) == 5
    assert output_of(chain(parallel), {"a": 5}) == {"a": 5, "both": [5, "r"]}


def test_a_branch_that_fails_is_caught_with_its_error() -> None:
    catch = [{"ErrorEquals": ["Odd"], "Next": "B"}]
    parallel = {"Type": "Parallel", "Branches": [branch(task())], "Catch": catch}
    machine = chain(parallel, {"Type": "Pass", "OutputPath": "$.Error"})
    assert output_of(machine, answer=failing("Odd", 1)) == "Odd"


def test_the_parameters_of_branches_are_made_once_before_them() -> None:
    branches = [branch({"Type": "Pass", "OutputPath": "$.id"}, prefix=prefix) for prefix in "LR"]
    parallel = {"Type": "Parallel", "Parameters": {"id.$": "States.UUID()"}, "Branches": branches}
    left, right = output_of_uuid(chain(parallel))
    assert left == right
    missing = {"Type": "Parallel", "Parameters": {"unread.$": "$.missing"}, "Branches": branches}
    assert output_of(chain(missing)) == "failed: ExpressionFailed"


def output_of_uuid(machine: dict[str, Any]) -> Any:
    return World(failing("Odd", 0)).run(converted(machine).text, {}).output


def test_a_member_deep_in_a_document_is_set_in_it() -> None:
    machine = chain(
        {"Type": "Pass", "Result": {"a": {"b": {"c": 1}, "d": 2}}, "ResultPath": "$.x"},
        {"Type": "Pass", "Result": 3, "ResultPath": "$.x.a.b.e"},
        task(ResultPath=None),
        {"Type": "Pass", "OutputPath": "$.x"},
    )
    assert output_of(machine) == {"a": {"b": {"c": 1, "e": 3}, "d": 2}}


def test_branches_have_variables_of_their_own() -> None:
    def counting(number: int, prefix: str) -> dict[str, Any]:
        assign = {"Type": "Pass", "Assign": {"own": number}, "Result": {}}
        return branch(assign, task(), {"Type": "Pass", "Parameters": {"n.$": "$own"}}, prefix=prefix)

    parallel = {"Type": "Parallel", "Branches": [counting(1, "L"), counting(2, "R")]}
    assert output_of(chain(parallel)) == [{"n": 1}, {"n": 2}]


def test_items_of_items() -> None:
    inner = {
        "Type": "Map",
        "ItemsPath": "$.row",
        "ItemSelector": {
            "outer.$": "$.index",
            "inner.$": "$$.Map.Item.Index",
            "value.$": "$$.Map.Item.Value",
            "row.$": "$.row",
        },
        "ItemProcessor": branch(task(), prefix="In"),
    }
    outer = {
        "Type": "Map",
        "ItemsPath": "$.rows",
        "ItemSelector": {"row.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"},
        "ItemProcessor": branch(inner, prefix="Out"),
    }
    rows = [[1, 2], [3]]
    expected = [
        [{"outer": y, "inner": x, "value": value, "row": row} for x, value in enumerate(row)]
        for y, row in enumerate(rows)
    ]
    assert output_of(chain(outer), {"rows": rows}) == expected


def test_items_that_fail_are_tolerated() -> None:
    def answer(_name: str, payload: Any, _before: int) -> Any:
        if payload == 2:
            raise Broken("Odd")
        return payload

    machine = {"Type": "Map", "ItemProcessor": branch(task())}
    assert output_of(chain(machine), [1, 2, 3], answer) == "failed: Odd"
    assert output_of(chain({**machine, "ToleratedFailureCount": 1}), [1, 3], answer) == [1, 3]
    catch = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "B"}]
    caught = chain({**machine, "ToleratedFailurePercentage": 10, "Catch": catch}, {"Type": "Pass", "Result": "caught"})
    assert output_of(caught, [1, 2, 3], answer) == "caught"


def test_batches() -> None:
    machine = {
        "Type": "Map",
        "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"of.$": "$.name"}},
        "ItemsPath": "$.list",
        "ItemProcessor": branch(task()),
    }
    assert output_of(chain(machine), {"name": "n", "list": [1, 2, 3]}) == [
        {"BatchInput": {"of": "n"}, "Items": [1, 2]},
        {"BatchInput": {"of": "n"}, "Items": [3]},
    ]


def test_an_item_begins_with_what_is_computed_once() -> None:
    machine = {
        "Type": "Map",
        "ItemSelector": {"text.$": "States.Format('item {}', $$.Map.Item.Value)"},
        "ItemProcessor": branch(task(), {"Type": "Pass"}),
    }
    assert output_of(chain(machine), [1, 2]) == [{"text": "item 1"}, {"text": "item 2"}]


# ── services ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_response_is_wrapped_only_where_it_is_read_as_a_whole() -> None:
    invoke = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "work", "Payload.$": "$"},
    }
    assert "lambda:invoke" not in converted(chain({**invoke, "OutputPath": "$.Payload"})).text
    assert "lambda:invoke" not in converted(chain({**invoke, "ResultSelector": {"n.$": "$.Payload.n"}})).text
    assert 'addr   = "lambda:invoke"' in converted(chain(invoke)).text
    assert output_of(chain({**invoke, "OutputPath": "$.Payload.n"}), {"n": 3}) == 3


def test_a_task_token_answers() -> None:
    machine = chain(
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": "https://q", "MessageBody": {"token.$": "$$.Task.Token", "all.$": "$"}},
            "HeartbeatSeconds": 600,
            "ResultPath": "$.answer",
        }
    )
    made = converted(machine)
    assert "callback = open;" in made.text
    assert "${ $step.token }" in made.text
    host = Host(lambda _request: Returned({}))
    host.submit(made.text)
    host.start("machine", a=1)
    host.settle()
    assert host.run().status is Status.RUNNING
    host.answer("A", "OK", data="yes")
    host.settle()
    assert host.run().output == {"a": 1, "answer": "yes"}


def test_retriers_of_the_transport_are_the_retry_of_the_action() -> None:
    retry = [
        {"ErrorEquals": ["Lambda.ServiceException", "Lambda.TooManyRequestsException"], "MaxAttempts": 6},
        {"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1},
    ]
    text = converted(chain(task(Retry=retry), task(Retry=retry))).text
    assert text.count("retry    = (max = 7, delay = 1s, rate = 2.0);") == 1
    assert text.count("repeat = (max = 1, delay = 1s, rate = 2.0);") == 2
    assert World(failing("Odd", 1)).run(text, {}).output == {"failed": 2}
