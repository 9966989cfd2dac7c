"""Actions that call operations of AWS, from the text to the end of the run."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec import json

from chalicelib.adapters.operations import operations_of
from chalicelib.config import Settings
from chalicelib.model.json_values import Json
from chalicelib.model.run import encode
from chalicelib.model.status import Status
from chalicelib.model.step_token import StepToken
from chalicelib.service.documents.results import FslRefused
from chalicelib.service.ports.actions import NotTaken, Raised, Reply, Returned, Unfinished
from chalicelib.service.runs.token_answers import token_in
from tests.hosts import NS, Host, accept

ROLE: Final = "arn:aws:iam::123456789012:role/orders"
PUT: Final = 'action put method = aws; addr = "dynamodb:putItem"; return = (OK); action_end'
FLOW: Final = """flow f
    input = (str id, any n);
    step Put => (OK -> done (output = ${ $result }) | ERROR -> done (output = ${ $error })) {
        action = put;
        args   = (tableName = "orders", Item = { "id": { "S": ${ $input.id } }, "n": { "N": ${ $input.n } } });
    };
flow_end"""


def begun(script: Any, *statements: str, **given: Json) -> Host:
    host = Host(script)
    host.submit("\n/\n".join(statements))
    host.start("f", **given)
    host.settle()
    return host


def body_of(request: dict[str, Any]) -> Json:
    return json.decode(request["body"])


def test_an_operation_is_sent_the_args_alone_and_returns_the_answer() -> None:
    host = begun(
        lambda _: Returned({"Attributes": {}}), PUT.replace("return", f'role = "{ROLE}"; return'), FLOW, id="o-1", n="7"
    )
    assert host.run().output == {"Attributes": {}}
    (call,) = host.actions.calls
    assert (call.addresses, call.namespace, call.role) == (("dynamodb:putItem",), NS, ROLE)
    assert body_of(host.actions.requests[0]) == {
        "tableName": "orders",
        "Item": {"id": {"S": "o-1"}, "n": {"N": "7"}},
    }


@pytest.mark.parametrize("role", [f'"{ROLE}"', "${ $input.n }"])
@pytest.mark.parametrize("of_action", ["", f'role = "{ROLE}-2"; '])
def test_the_role_of_a_step_is_that_of_its_calls(role: str, of_action: str) -> None:
    action, step = (
        PUT.replace("return", f"{of_action}return"),
        FLOW.replace("action = put;", f"action = put; role = {role};"),
    )
    host = begun(lambda _: Returned({}), action, step, id="o-1", n=ROLE)
    assert [call.role for call in host.actions.calls] == [ROLE]


def test_a_role_that_is_no_text_is_an_error_and_nothing_is_sent() -> None:
    host = begun(
        lambda _: Returned({}), PUT, FLOW.replace("action = put;", "action = put; role = ${ $input.n };"), id="o", n=7
    )
    assert host.run().output["name"] == "ExpressionFailed"
    assert host.actions.calls == []


def test_each_repetition_computes_its_role_anew() -> None:
    given = "action = put; role = ${ $input.n & $step.attempt }; repeat = (max = 1, delay = 1s);"
    host = begun(lambda _: Raised("X"), PUT, FLOW.replace("action = put;", given), id="o-1", n="role-")
    host.pass_time(1_000)
    assert [call.role for call in host.actions.calls] == ["role-0", "role-1"]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ('action put addr = "http://h"; args = any; callback = none; return = (OK); action_end', "needs method = aws"),
        (PUT, "the ARN of an IAM role"),
    ],
)
def test_a_role_that_cannot_be_is_refused_at_submission(statement: str, problem: str) -> None:
    with pytest.raises(FslRefused, match=problem):
        begun(accept, statement, FLOW.replace("action = put;", 'action = put; role = "orders";'), id="o-1", n="7")


def test_the_services_error_is_the_error_of_the_step() -> None:
    host = begun(lambda _: Raised("DynamoDB.ConditionalCheckFailedException", "no"), PUT, FLOW, id="o-1", n="7")
    error = host.run().output
    assert (error["name"], error["cause"], error["step"]) == ("DynamoDB.ConditionalCheckFailedException", "no", "Put")


def test_throttled_deliveries_are_repeated_and_then_fail_under_their_own_name() -> None:
    replies = [NotTaken("slow", final=False, name="DynamoDB.ThrottlingException")] * 2 + [Returned(1)]
    host = begun(lambda _: replies.pop(0), PUT, FLOW, id="o-1", n="7")
    host.pass_time(60_000)
    assert host.run().output == 1
    host = begun(
        lambda _: NotTaken("slow", final=False, name="DynamoDB.ThrottlingException"), PUT, FLOW, id="o-1", n="7"
    )
    host.pass_time(60_000)
    assert host.run().output["name"] == "DynamoDB.ThrottlingException"


QUERY: Final = """action query method = aws; addr = "athena:startQueryExecution.sync"; return = (OK); action_end
/
flow f
    step Query => (OK -> done (output = ${ $result }) | ERROR -> done (output = ${ $error })) {
        action = query; args = (QueryString = "SELECT 1");
    };
flow_end"""


def test_a_job_is_looked_at_until_it_has_ended() -> None:
    at = 'athena:startQueryExecution.sync {"QueryExecutionId":"q"}'
    replies: list[Reply] = [Unfinished(at, 5_000), Unfinished(at, 5_000), NotTaken("no", final=False), Returned("rows")]
    host = begun(lambda _: replies.pop(0), QUERY)
    for _ in range(10):
        host.pass_time(5_000)
    assert host.run().output == "rows"
    assert [call.addresses[0] for call in host.actions.calls] == ["athena:startQueryExecution.sync", at, at, at]
    assert {call.uuid for call in host.actions.calls} == {host.actions.calls[0].uuid}


def test_a_job_that_fails_brings_its_description() -> None:
    host = begun(lambda _: Raised("TaskFailed", "syntax", {"State": "FAILED"}), QUERY)
    error = host.run().output
    assert (error["name"], error["cause"], error["data"]) == ("TaskFailed", "syntax", {"State": "FAILED"})


ASK: Final = """action ask method = aws; addr = "sqs:sendMessage"; callback = open; return = (YES | NO); action_end
/
flow f
    step Ask => (YES -> done (output = ${ $result }) | NO -> stopped | ERROR -> done (output = ${ $error })) {
        action = ask;
        args   = (QueueUrl = "https://sqs.eu-central-1.amazonaws.com/1/q", MessageBody = { "token": ${ $step.token } });
    };
flow_end"""


def test_an_operation_with_a_callback_only_delivers_and_waits_for_its_token() -> None:
    host = begun(lambda _: Returned({"MessageId": "1"}), ASK)
    assert host.run().status is Status.RUNNING
    text = body_of(host.actions.requests[0])["MessageBody"]["token"]
    assert text == StepToken(NS, "r", host.uuid("Ask")).encode()
    host.services.token_answerer.succeed(token_in(text), {"by": "Ann"})
    assert host.run().output == {"by": "Ann"}


def test_an_operation_with_a_callback_that_refuses_is_an_error() -> None:
    host = begun(lambda _: Raised("SQS.NonExistentQueue", "gone"), ASK)
    assert host.run().output["name"] == "SQS.NonExistentQueue"


UNDO: Final = """action put method = aws; addr = "dynamodb:putItem"; return = (OK); undo = drop (
    TableName = "orders", Key = { "id": { "S": ${ $result.id } } }
); action_end
/
action drop method = aws; addr = "dynamodb:deleteItem"; return = (OK); action_end
/
flow f
    step Put => (OK -> stopped) { action = put; args = (TableName = "orders", Item = {}); };
flow_end"""


def test_an_operation_undoes_another() -> None:
    host = begun(lambda _: Returned({"id": "o-1"}), UNDO)
    assert [call.addresses[0] for call in host.actions.calls] == ["dynamodb:putItem", "dynamodb:deleteItem"]
    assert body_of(host.actions.requests[1]) == {"TableName": "orders", "Key": {"id": {"S": "o-1"}}}
    assert host.run().undos == ()


DECLARED: Final = """action put
    method = aws; addr = "dynamodb:putItem"; return = (OK);
    args   = (str TableName = "orders", map item);
action_end
/
flow f
    input = (map item);
    step Put => (OK -> done) { action = put; };
flow_end"""


def test_declared_args_have_defaults_and_become_inputs() -> None:
    host = begun(lambda _: Returned(), DECLARED, item={"id": {"S": "x"}})
    assert body_of(host.actions.requests[0]) == {"TableName": "orders", "item": {"id": {"S": "x"}}}


def test_all_args_may_be_one_value() -> None:
    one = PUT.replace("return", "args = any; return")
    host = begun(
        lambda _: Returned(),
        one,
        "flow f input = any; step Put => (OK -> done) { action = put; args = ${ $input }; }; flow_end",
    )
    assert body_of(host.actions.requests[0]) == {}


def refused(host: Host, text: str) -> list[str]:
    with pytest.raises(FslRefused) as raised:
        host.submit(text)
    return [f"{one.code} {one.message} ({one.hint})" for one in raised.value.diagnostics]


def test_text_stands_for_a_value_of_dynamodb() -> None:
    host = begun(lambda _: Returned({}), PUT, FLOW.replace('{ "S": ${ $input.id } }', '"o-1"'), id="o-1", n="7")
    assert host.run().status is Status.SUCCEEDED


def test_an_operation_that_is_not_listed_is_refused_at_submission() -> None:
    host = Host(accept)
    host.rebuild(Settings(), operations=operations_of([]))
    assert refused(host, PUT) == [
        "FSL218 address 'dynamodb:putItem' cannot be called: calls of AWS are off "
        "(the setting ECHOER_AWS_CALLS lists the operations that may be called)"
    ]
    host.rebuild(Settings(), operations=operations_of(["dynamodb:putItem"]))
    host.submit(PUT)
    host.rebuild(Settings(), operations=operations_of(["team-a/dynamodb:*"]))
    assert refused(host, FLOW) == [
        "FSL218 address 'dynamodb:putItem' is not allowed in namespace 'default' "
        "(the setting ECHOER_AWS_CALLS does not list dynamodb:PutItem for this namespace)"
    ]


def test_the_description_of_a_failed_job_is_as_secret_as_its_result() -> None:
    secret = QUERY.replace("return = (OK);", "return = (OK); data = secret;")
    secret = secret.replace("done (output = ${ $error })", "done (output = ${ $error.name })")
    host = begun(lambda _: Raised("TaskFailed", "syntax", {"Query": "4111-1111"}), secret)
    stored = host.run()
    assert stored.output == "TaskFailed"
    assert "4111-1111" not in encode(stored).decode()
