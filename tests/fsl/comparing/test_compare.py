"""`fsl compare`: recorded executions are played through the imported flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fsl.cli.main import main
from tests.fsl.comparing.events import History

DATA = Path(__file__).parent / "data"
ORDERS = DATA / "orders.asl.json"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:price"

APPROVAL: dict[str, Any] = {
    "StartAt": "Price",
    "States": {
        "Price": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": FUNCTION, "Payload.$": "$"},
            "ResultSelector": {"price.$": "$.Payload.price"},
            "Retry": [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 2, "MaxAttempts": 3}],
            "Next": "Rest",
        },
        "Rest": {"Type": "Wait", "Seconds": 3600, "Next": "Ask"},
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {
                "QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/approvals",
                "MessageBody": {"price.$": "$.price", "token.$": "$$.Task.Token"},
            },
            "TimeoutSeconds": 86400,
            "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}],
            "End": True,
        },
        "Late": {"Type": "Fail", "Error": "NobodyAnswered"},
    },
}
PARALLEL: dict[str, Any] = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Left", "States": {"Left": {"Type": "Task", "Resource": FUNCTION, "End": True}}},
                {"StartAt": "Right", "States": {"Right": {"Type": "Task", "Resource": FUNCTION, "End": True}}},
            ],
            "End": True,
        }
    },
}


def fsl(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def written(folder: Path, name: str, value: Any) -> Path:
    file = folder / f"{name}.json"
    file.write_text(json.dumps(value))
    return file


def differences(folder: Path, machine: Any, history: Any, *options: str) -> str:
    """Return the first difference of one execution of a machine; empty if there is none."""
    files = written(folder, "machine", machine), written(folder, "e-1", history)
    result = fsl("compare", *files, "--json", *options)
    [found] = json.loads(result.stdout)
    assert (result.exit_code == 0) == (not found["differs"])
    return str(found["differs"])


def approved(answer: Any = None, *, price: int = 7, tries: int = 0) -> History:
    """Return the history of an execution up to the end of Ask."""
    history = History({"article": "a"})
    history.entered("Price")
    for _ in range(tries):
        history.called("lambda:invoke", {"FunctionName": FUNCTION, "Payload": {"article": "a"}})
        history.failed("Lambda.TooManyRequestsException", "rate exceeded")
    history.called("lambda:invoke", {"FunctionName": FUNCTION, "Payload": {"article": "a"}})
    history.answered({"ExecutedVersion": "$LATEST", "Payload": {"price": price}, "StatusCode": 200})
    history.entered("Rest", "Wait")
    history.entered("Ask")
    body = {"price": 7, "token": "AQCEAAAAKgAAAAMAAAAA"}
    queue = "https://sqs.us-east-1.amazonaws.com/123456789012/approvals"
    history.called("sqs:sendMessage.waitForTaskToken", {"QueueUrl": queue, "MessageBody": body})
    if answer is not None:
        history.answered(answer)
    return history


# ── recordings of moto ───────────────────────────────────────────────────────────────────────────────────────────────


def test_recorded_executions_are_the_same() -> None:
    result = fsl("compare", ORDERS, *(DATA / f"{name}.json" for name in ("large", "small", "exists")))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "large: the same (succeeded)",
        "small: the same (succeeded)",
        "exists: the same (failed)",
        "3 of 3 executions the same",
    ]


@pytest.mark.parametrize(
    ("changed", "instead", "differs"),
    [
        (
            '"NumericGreaterThan": 1000',
            '"NumericGreaterThan": 5000',
            'large: the output: it is {"id":"o-1","total":2000,"lines":[{"article":"a"},{"article":"b"}],'
            '"result":{"size":"small"}}; Step Functions has ["a","b"]',
        ),
        (
            '"S.$": "$.order"',
            '"S": "o-9"',
            'large: the request of step StoreLine: /Item/order/S is "o-9"; Step Functions has "o-1"',
        ),
        ("attribute_not_exists(id)", "attribute_not_exists(ID)", "large: the request of step StoreOrder:"),
    ],
)
def test_the_first_difference_is_shown(tmp_path: Path, changed: str, instead: str, differs: str) -> None:
    machine = tmp_path / "orders.asl.json"
    machine.write_text(ORDERS.read_text().replace(changed, instead))
    result = fsl("compare", machine, DATA / "large.json")
    assert result.exit_code == 1
    assert result.stdout.startswith(differs)
    assert result.stdout.endswith("0 of 1 execution the same\n")


def test_a_flow_that_was_made_of_the_machine_is_compared_too(tmp_path: Path) -> None:
    file = tmp_path / "orders.fsl"
    file.write_text(
        """action put addr = "dynamodb:putItem"; method = aws; return = (OK); action_end
        /
        flow orders
        input = any;
        step StoreOrder => (OK -> IsLarge
            | ERROR when ${ $error.name = "DynamoDB.ConditionalCheckFailedException" } -> stopped (
                error = "OrderExists"
            )
            | ERROR -> stopped) {
            action = put;
            args = (TableName = "orders", ConditionExpression = "attribute_not_exists(id)",
                Item = { "id": { "S": ${ $input.id } }, "total": { "N": ${ $string($input.total) } } });
        };
        deci IsLarge => (when ${ $input.total > 1000 } -> StoreLines
            | else -> done (output = ${ $merge([$input, { "result": { "size": "small" } }]) }));
        each StoreLines => (DONE -> done | FAIL -> stopped) {
            items = ${ $input.lines };
            step StoreLine => (OK -> done (output = ${ $item.article })) {
                action = put;
                args = (TableName = "lines",
                    Item = { "id": { "S": ${ $item.article } }, "order": { "S": ${ $input.id } } });
            };
        };
        flow_end"""
    )
    result = fsl("compare", file, *(DATA / f"{name}.json" for name in ("large", "small", "exists")))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "3 of 3 executions the same")


# ── written histories ────────────────────────────────────────────────────────────────────────────────────────────────


def test_functions_tokens_waits_and_retries(tmp_path: Path) -> None:
    assert differences(tmp_path, APPROVAL, approved({"by": "a"}).succeeded({"by": "a"})) == ""
    assert differences(tmp_path, APPROVAL, approved({"by": "a"}, tries=2).succeeded({"by": "a"})) == ""


def test_a_task_that_times_out(tmp_path: Path) -> None:
    history = approved()
    history.add("TaskTimedOut", "taskTimedOut", error="States.Timeout")
    history.entered("Late", "Fail")
    assert differences(tmp_path, APPROVAL, history.ended("ExecutionFailed", "NobodyAnswered")) == ""


def test_answers_that_lead_elsewhere(tmp_path: Path) -> None:
    other = differences(tmp_path, APPROVAL, approved({"by": "a"}, price=8).succeeded({"by": "a"}))
    assert other == "the request of step Ask: /MessageBody/price is 8; Step Functions has 7"
    assert (
        differences(
            tmp_path, APPROVAL, approved({"by": "a"}, price=8).succeeded({"by": "a"}), "--ignore", "/MessageBody/price"
        )
        == ""
    )
    output = differences(tmp_path, APPROVAL, approved({"by": "a", "n": 1}).succeeded({"by": "a"}))
    assert output == "the output: /n is 1; Step Functions has no such member"
    end = differences(tmp_path, APPROVAL, approved({"by": "a"}).ended("ExecutionFailed", "Other"))
    assert end == "the run succeeds; Step Functions ends with FAILED (Other)"
    asked = approved({"by": "a"})
    asked.entered("Ask")
    asked.called("sqs:sendMessage.waitForTaskToken", {})
    asked.answered({})
    assert differences(tmp_path, APPROVAL, asked.succeeded({"by": "a"})) == (
        "state Ask is not called; Step Functions calls it"
    )


def test_branches_are_told_apart_by_their_states(tmp_path: Path) -> None:
    history = History({"n": 1})
    both = history.entered("Both", "Parallel")
    for name, after in (("Left", both), ("Right", both)):
        history.entered(name, after=after)
        history.add("LambdaFunctionScheduled", "lambdaFunctionScheduled", input={"n": 1}, resource=FUNCTION)
        history.add("LambdaFunctionSucceeded", "lambdaFunctionSucceeded", output=name)
    assert differences(tmp_path, PARALLEL, history.succeeded(["Left", "Right"])) == ""
    assert differences(tmp_path, PARALLEL, history.succeeded(["Right", "Left"])).startswith("the output: /0 is")


def test_a_failure_is_the_same_error(tmp_path: Path) -> None:
    history = History({"n": 1})
    history.entered("Price")
    history.called("lambda:invoke", {"FunctionName": FUNCTION, "Payload": {"n": 1}})
    history.failed("OutOfStock", "none left")
    assert differences(tmp_path, APPROVAL, history.ended("ExecutionFailed", "OutOfStock", "none left")) == ""
    history.events.pop()
    assert differences(tmp_path, APPROVAL, history.ended("ExecutionFailed", "Other")).startswith(
        "the run fails with OutOfStock"
    )


def test_descriptions_are_enough_without_tasks(tmp_path: Path) -> None:
    machine = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"b.$": "$.a"}, "End": True}}}
    description = {
        "executionArn": "arn:aws:states:us-east-1:123456789012:execution:m:e-1",
        "name": "e-1",
        "status": "SUCCEEDED",
        "startDate": 1_793_000_000.5,
        "input": '{"a": 1}',
        "output": '{"b": 1.0}',
    }
    assert differences(tmp_path, machine, description) == ""
    failed = {**description, "input": "{}", "status": "FAILED", "error": "States.Runtime", "output": None}
    assert differences(tmp_path, machine, failed) == ""
    assert differences(tmp_path, APPROVAL, description).endswith("the file has no history (get-execution-history)")
    assert "cannot be compared: the execution is RUNNING" in differences(
        tmp_path, machine, {**description, "status": "RUNNING"}
    )


# ── files that cannot be used ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([1], "an execution is a JSON object, or a list of them"),
        ({}, "it is neither the output of get-execution-history nor that of describe-execution"),
        ({"executions": []}, "a list of executions has no inputs"),
        ({"events": [], "nextToken": "x"}, "the history is only a part"),
        ({"events": []}, "the history has no event ExecutionStarted"),
        ({"events": [{"type": "ExecutionStarted", "id": 1}]}, "the input is not in it: export with the execution data"),
        (
            {
                "events": [
                    {
                        "type": "ExecutionStarted",
                        "id": 1,
                        "executionStartedEventDetails": {"input": "{", "inputDetails": {"truncated": True}},
                    }
                ]
            },
            "the input is cut off",
        ),
    ],
)
def test_files_that_hold_no_execution(tmp_path: Path, value: Any, why: str) -> None:
    assert differences(tmp_path, APPROVAL, value).startswith(why)


def test_items_of_a_distributed_map_are_not_in_the_history(tmp_path: Path) -> None:
    history = History({})
    history.entered("All", "Map")
    history.add("MapRunStarted", "mapRunStarted", mapRunArn="arn:aws:states:us-east-1:123456789012:mapRun:m/x:y")
    found = differences(tmp_path, APPROVAL, history.succeeded([]))
    assert found == "state All is a distributed Map: its items are executions of their own"


def test_machines_that_cannot_be_used(tmp_path: Path) -> None:
    history = written(tmp_path, "e-1", approved({}).succeeded({}))
    wrong = fsl("compare", written(tmp_path, "wrong", {"StartAt": "A", "States": {}}), history)
    assert wrong.exit_code == 1
    assert "wrong.json:" in wrong.stderr
    assert ": error: " in wrong.stderr
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert fsl("compare", broken, history).exit_code == 1
    assert fsl("compare", broken).exit_code == 2
