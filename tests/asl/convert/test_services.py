"""What Tasks call: functions, operations, HTTP APIs, executions of other machines, people."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.asl.convert import actions_in, convert
from chalicelib.asl.problems import Level
from tests.asl.convert.flows import chain, converted, task, text_of


def integration(operation: str, **more: Any) -> dict[str, Any]:
    """Return a Task that calls an operation."""
    return {"Type": "Task", "Resource": f"arn:aws:states:::{operation}", **more}


def properties_of(text: str) -> dict[str, str]:
    """Return the properties of the first action."""
    lines = text.split("action_end")[0].splitlines()[1:]
    return {name.strip(): value.strip(" ;") for name, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize(
    ("resource", "name", "address"),
    [
        ("arn:aws:lambda:eu-central-1:123456789012:function:ProcessOrder", "process_order", None),
        ("arn:aws:lambda:eu-central-1:123456789012:function:ProcessOrder:live", "process_order", None),
        ("${ProcessOrderFunctionArn}", "process_order", "ProcessOrderFunctionArn"),
        ("${ProcessOrder.Arn}", "process_order", "ProcessOrder_Arn"),
        (
            "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${Stage}-work:$LATEST",
            "stage_work",
            "Stage-work",
        ),
    ],
)
def test_functions(resource: str, name: str, address: str | None) -> None:
    text = text_of(chain({"Type": "Task", "Resource": resource}))
    assert text.startswith(f"action {name}\n")
    assert properties_of(text) == {
        "addr": f'"{address or resource}"',
        "method": "lambda",
        "args": "any",
        "return": "(OK)",
        "callback": "none",
    }


def test_operations() -> None:
    text = text_of(
        chain(
            integration("dynamodb:putItem", Parameters={"TableName": "t", "Item.$": "$.item"}),
            integration("aws-sdk:dynamodb:putItem", Parameters={"TableName": "t", "Item.$": "$.item"}),
            integration("athena:startQueryExecution.sync", Parameters={"QueryString": "SELECT 1"}),
        )
    )
    assert re.findall(r'addr += "(.*)"', text) == [
        "dynamodb:putItem",
        "aws-sdk:dynamodb:putItem",
        "athena:startQueryExecution.sync",
    ]
    assert re.findall(r"^action (.*)", text, re.MULTILINE) == [
        "dynamodb_put_item",
        "dynamodb_put_item2",
        "athena_start_query_execution",
    ]


def test_a_role() -> None:
    arn = "arn:aws:iam::123456789012:role/x"
    fixed = integration("sns:publish", Parameters={"Message": "m"}, Credentials={"RoleArn": arn})
    computed = integration("sns:publish", Parameters={"Message": "m"}, Credentials={"RoleArn.$": "$.role"})
    assert f'role   = "{arn}";' in text_of(chain(fixed))
    assert "role   = ${ $input.role };" in text_of(chain(computed))


def test_operations_that_do_not_exist_are_told() -> None:
    sent = {"QueueUrl": "q", "MessageBody": "m", "Qeue": 1}
    machine = chain(integration("aws-sdk:nosuch:thing"), integration("sqs:sendMessage", Parameters=sent))
    made = convert(machine, "m", operations=ALL_OPERATIONS("default"))
    errors = {one.pointer: one.message for one in made.problems if one.level is Level.ERROR}
    assert list(errors) == ["/States/A/Resource"]
    made = convert(chain(integration("sqs:sendMessage", Parameters=sent)), "m", operations=ALL_OPERATIONS("default"))
    assert [one.pointer for one in made.problems if one.level is Level.ERROR] == ["/States/A"]
    assert "# NOT IMPORTED: sqs:sendMessage has no arg 'Qeue'" in made.text


def test_a_text_that_a_template_fills_in_may_stand_for_a_number() -> None:
    parameters = {"Cluster": "c", "Service": "s", "DesiredCount": "${Count}"}
    machine = chain(integration("aws-sdk:ecs:updateService", Parameters=parameters))
    made = convert(machine, "m", operations=ALL_OPERATIONS("default"))
    assert 'DesiredCount = ${ "${Count}" }' in made.text
    assert [one.level for one in made.problems] == [Level.WARNING]
    filled = convert(machine, "m", {"Count": "3"}, operations=ALL_OPERATIONS("default"))
    assert "${Count}" not in filled.text


def test_http_calls() -> None:
    parameters = {
        "ApiEndpoint.$": "States.Format('https://shop.example/orders/{}/lines', $.order)",
        "Method": "GET",
        "QueryParameters": {"size": 10, "from.$": "$.from"},
        "Headers": {"X-Team": "orders"},
        "Authentication": {"ConnectionArn": "arn:aws:events:eu-central-1:123456789012:connection/shop/1-2"},
    }
    text = text_of(chain(integration("http:invoke", Parameters=parameters, ResultSelector={"b.$": "$.ResponseBody"})))
    assert properties_of(text) == {
        "addr": '"https://shop.example/orders/{order}/lines"',
        "method": "https",
        "verb": "GET",
        "args": "(any order, any size, any from)",
        "return": "(OK)",
        "headers": '("X-Team" = "orders", "Authorization" = secret "shop")',
        "callback": "none",
    }
    assert "args   = (order = ${ $input.order }, size = 10, from = ${ $input.from });" in text
    assert 'output = { "b": ${ $result } }' in text


def test_http_calls_with_a_body() -> None:
    parameters = {
        "ApiEndpoint": "https://shop.example/orders",
        "Method": "POST",
        "RequestBody.$": "$",
    }
    text = text_of(chain(integration("http:invoke", Parameters=parameters, OutputPath="$.StatusCode")))
    assert "args   = ${ $input };" in text
    assert "output = ${ $response.status }" in text
    form = {**parameters, "Transform": {"RequestBodyEncoding": "URL_ENCODED"}, "RequestBody": {"a.$": "$.b"}}
    del form["RequestBody.$"]
    text = text_of(chain(integration("http:invoke", Parameters=form)))
    assert "body     = form;" in text
    assert "args   = (a = ${ $input.b });" in text


@pytest.mark.parametrize(
    "parameters",
    [
        {"ApiEndpoint.$": "$.url", "Method": "GET"},
        {"ApiEndpoint": "https://a.example/x", "Method.$": "$.verb"},
        {"ApiEndpoint": "https://a.example/x", "Method": "GET", "Headers": {"X.$": "$.x"}},
        {"ApiEndpoint": "https://a.example/x", "Method": "POST", "QueryParameters": {"a": 1}},
    ],
)
def test_http_calls_that_cannot_be_said(parameters: dict[str, Any]) -> None:
    made = converted(chain(integration("http:invoke", Parameters=parameters)))
    assert [one.level for one in made.problems] == [Level.ERROR]
    assert made.problems[0].pointer.startswith("/States/A/Parameters")


def test_executions_of_machines_that_are_imported_too() -> None:
    arn = "arn:aws:states:eu-central-1:123456789012:stateMachine:${Child}"
    machine = chain(
        integration(
            "states:startExecution.sync:2",
            Parameters={"StateMachineArn": arn, "Input": {"a.$": "$.a"}},
            ResultPath="$.child",
            Catch=[{"ErrorEquals": ["States.TaskFailed"], "Next": "C"}],
        ),
        integration(
            "states:startExecution",
            Parameters={"StateMachineArn": "${Child.Arn}", "Input.$": "$.child.Output", "Name.$": "$.name"},
        ),
        {"Type": "Pass"},
    )
    text = convert(machine, "parent", flows={"Child": "child"}).text
    assert "STOPPED, ERROR -> C" in text
    assert "input = (a = ${ $input.a });" in text
    assert "start B => (" in text
    assert "name  = ${ $input.name };" in text
    assert "action" not in text
    assert 'addr   = "states:startExecution' in converted(machine).text


def test_an_activity_waits_in_the_inbox() -> None:
    made = converted(chain(task(), {"Type": "Task", "Resource": "arn:aws:states:eu-1:123456789012:activity:approve"}))
    assert "method = human;" in made.text
    assert "timeout = 366d;" in made.text
    assert [one.level for one in made.problems if "inbox" in one.message] == [Level.WARNING]


def test_heartbeats_bound_a_call_that_nothing_reports_of() -> None:
    direct = text_of(chain(task(HeartbeatSeconds=20)))
    assert "timeout = 20s;" in direct
    assert "heartbeat" not in direct
    token = integration("sqs:sendMessage.waitForTaskToken", Parameters={"QueueUrl": "q"}, HeartbeatSeconds=20)
    assert "heartbeat = 20s;" in text_of(chain(token))


def test_an_answer_is_waited_for_as_long_as_the_state_says() -> None:
    assert "reply_timeout = 1m;" in text_of(chain(task(TimeoutSeconds=60)))
    made = converted(chain(task(TimeoutSeconds=900)))
    assert "reply_timeout = 2m;" in made.text
    assert [one.level for one in made.problems] == [Level.WARNING]


def test_machines_of_one_document_share_the_actions_that_are_the_same() -> None:
    first = convert(chain(task(), task("other")), "first")
    taken = actions_in(first.text)
    assert list(taken) == ["work", "other"]
    same = convert(chain(task()), "second", taken=taken)
    assert "action = work;" in same.text
    retry = [{"ErrorEquals": ["Lambda.ServiceException"]}]
    another = convert(chain(task(Retry=retry)), "third", taken=taken)
    assert "action work2\n" in another.text
