"""Calls of AWS's operations, against moto and against answers of our own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError
from moto import mock_aws

from chalicelib.adapters.aws_operations.allowed import AllowedCalls, OwnResources
from chalicelib.adapters.aws_operations.caller import OperationCaller
from chalicelib.adapters.aws_operations.clients import MAX_CLIENTS, Clients
from chalicelib.adapters.aws_operations.models import Models
from chalicelib.model.actions import Method
from chalicelib.model.json_values import Json
from chalicelib.service.ports.actions import MAX_ANSWER_BYTES, Call, NotTaken, Raised, Reply, Returned, Unfinished

MODELS: Final = Models()
UUID: Final = "6e4b2f0a-9c1d-8a3b-8f00-0123456789ab"
REGION: Final = "eu-central-1"
NOW: Final = 1_800_000_000_000
ROLE: Final = "arn:aws:iam::123456789012:role/orders"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in (("AWS_DEFAULT_REGION", REGION), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")):
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield


def a_call(address: str, args: Json, **more: Any) -> Call:
    body = json.dumps(args).encode()
    return Call((address,), body, method=Method.AWS, uuid=UUID, namespace="default", **more)


def post(address: str, args: Json, clients: Clients | None = None, **more: Any) -> Reply:
    made = clients or Clients(lambda: NOW, {})
    caller = OperationCaller(MODELS, made, AllowedCalls(None), OwnResources("echoer", "echoer"))
    return caller.post(a_call(address, args, **more))


# ── real services, as moto has them ──────────────────────────────────────────────────────────────────────────────────


def table() -> Any:
    resource = boto3.resource("dynamodb")
    return resource.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_an_item_is_put_and_read(aws: None) -> None:
    table()
    item = {"id": "o-1", "n": {"N": "7"}, "raw": {"b": "bytes"}}
    assert post("dynamodb:putItem", {"tableName": "orders", "item": item}) == Returned({})
    found = post("dynamodb:getItem", {"TableName": "orders", "Key": {"id": {"S": "o-1"}}})
    assert found == Returned({"Item": {"id": {"S": "o-1"}, "n": {"N": "7"}, "raw": {"B": "bytes"}}})


def test_errors_have_the_name_of_the_service_and_its_code(aws: None) -> None:
    table()
    args = {"TableName": "orders", "Item": {"id": {"S": "o-1"}}, "ConditionExpression": "attribute_not_exists(id)"}
    assert post("dynamodb:putItem", args) == Returned({})
    again = post("dynamodb:putItem", args)
    assert again == Raised("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")
    missing = post("s3:getObject", {"Bucket": "none", "Key": "k"})
    assert isinstance(missing, Raised)
    assert missing.name == "S3.NoSuchBucket"
    gone = post("sqs:getQueueUrl", {"QueueName": "none"})
    assert isinstance(gone, Raised)
    assert gone.name == "SQS.NonExistentQueue"


@pytest.mark.parametrize(("body", "sent"), [({"a": 1}, '{"a":1}'), (False, "false"), (0, "0"), ("x", "x")])
def test_a_value_is_sent_as_bytes_by_its_json(aws: None, body: Json, sent: str) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="orders-b", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert isinstance(post("s3:putObject", {"Bucket": "orders-b", "Key": "k", "Body": body}), Returned)
    assert s3.get_object(Bucket="orders-b", Key="k")["Body"].read().decode() == sent


def test_streams_are_text_and_times_are_rfc_3339(aws: None) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="orders-b", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert isinstance(post("s3:putObject", {"Bucket": "orders-b", "Key": "k", "Body": "grüße"}), Returned)
    found = post("s3:getObject", {"Bucket": "orders-b", "Key": "k"})
    assert isinstance(found, Returned)
    assert found.value["Body"] == "grüße"
    assert datetime.fromisoformat(found.value["LastModified"]).tzinfo is not None
    assert "ResponseMetadata" not in found.value
    s3.put_object(Bucket="orders-b", Key="raw", Body=b"\xff\xfe")
    raw = post("s3:getObject", {"Bucket": "orders-b", "Key": "raw"})
    assert isinstance(raw, Returned)
    assert raw.value["Body"] == "//4="
    s3.put_object(Bucket="orders-b", Key="large", Body=b"x" * (MAX_ANSWER_BYTES + 1))
    large = post("s3:getObject", {"Bucket": "orders-b", "Key": "large"})
    assert large == Returned(too_large=f"the answer is larger than {MAX_ANSWER_BYTES} bytes")


def test_a_map_is_sent_as_json_where_text_is_wanted(aws: None) -> None:
    url = boto3.client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    sent = post("sqs:sendMessage", {"QueueUrl": url, "MessageBody": {"order": 7}})
    assert isinstance(sent, Returned)
    (message,) = boto3.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"order": 7}


def test_a_query_is_looked_at_until_it_has_ended(aws: None) -> None:
    args = {"QueryString": "SELECT 1", "ResultConfiguration": {"OutputLocation": "s3://orders-b/"}}
    started = post("athena:startQueryExecution.sync", args)
    assert isinstance(started, Unfinished)
    address, _, asked = started.location.partition(" ")
    assert address == "athena:startQueryExecution.sync"
    assert json.loads(asked).keys() == {"QueryExecutionId"}
    replies = [post(started.location, {}) for _ in range(4)]
    ended = next(one for one in replies if isinstance(one, Returned))
    assert ended.value["QueryExecution"]["Status"]["State"] == "SUCCEEDED"
    assert ended.value["QueryExecution"]["Query"] == "SELECT 1"
    assert all(one == Unfinished(started.location, 5_000) for one in replies[: replies.index(ended)])


def test_a_role_is_assumed_once_for_its_credentials(aws: None) -> None:
    table()
    asked: list[str] = []
    at = int(datetime.now(UTC).timestamp() * 1000)

    def connect(service: str, **options: Any) -> Any:
        asked.append(f"{service} {options.get('aws_access_key_id', 'own')[:4]}")
        return boto3.session.Session().client(service, **options)

    clients = Clients(lambda: at, {}, connect)
    get = {"TableName": "orders", "Key": {"id": {"S": "o-1"}}}
    for _ in range(2):
        assert post("dynamodb:getItem", get, clients, role=ROLE) == Returned({})
    assert asked == ["sts own", "dynamodb ASIA"]
    at = int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
    assert post("dynamodb:getItem", get, clients, role=ROLE) == Returned({})
    assert asked == ["sts own", "dynamodb ASIA"] * 2


def test_a_role_is_assumed_for_its_namespace() -> None:
    expires = datetime.now(UTC) + timedelta(hours=1)
    credentials = {"AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": expires}
    fake = Fake([{"Credentials": credentials}, {}])
    assert post("dynamodb:getItem", GET, fake.clients(), role=ROLE) == Returned({})
    asked = {"RoleArn": ROLE, "RoleSessionName": "echoer-default", "ExternalId": "default"}
    assert fake.asked[0] == ("assume_role", asked)


def test_a_container_keeps_a_bounded_number_of_clients() -> None:
    made: list[str] = []

    def connect(service: str, **_: Any) -> Any:
        made.append(service)
        return Fake([])

    clients = Clients(lambda: NOW, {}, connect)
    for number in range(MAX_CLIENTS):
        clients.client("s3", "", "default", 1_000 + number)
    clients.client("s3", "", "default", 1_000)
    assert len(made) == MAX_CLIENTS
    clients.client("s3", "", "default", 1)
    clients.client("s3", "", "default", 1_000)
    assert len(made) == MAX_CLIENTS + 1
    clients.client("s3", "", "default", 1_001)
    assert len(made) == MAX_CLIENTS + 2


# ── answers of our own ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Fake:
    """A client of botocore that gives the answers in turn, and records what it was asked."""

    answers: list[Any]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def meta(self) -> Any:
        return boto3.client("s3", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="y").meta

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(**given: Any) -> Any:
            self.asked.append((name, given))
            found = self.answers.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        return answer

    def clients(self) -> Clients:
        return Clients(lambda: NOW, {}, lambda _, **__: self)


def failed(code: str, status: int, **headers: str) -> ClientError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    meta: Any = {"HTTPStatusCode": status, "HTTPHeaders": named}
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": meta}, "Operation")


GET: Final = {"TableName": "orders", "Key": {}}


@pytest.mark.parametrize(
    ("problem", "reply"),
    [
        (failed("ThrottlingException", 400), ("DynamoDB.ThrottlingException", 0)),
        (failed("ProvisionedThroughputExceededException", 400), ("DynamoDB.ProvisionedThroughputExceededException", 0)),
        (failed("InternalServerError", 500), ("DynamoDB.InternalServerError", 0)),
        (failed("SlowDown", 503, retry_after="7"), ("DynamoDB.SlowDown", 7000)),
    ],
)
def test_throttles_and_5xx_are_delivered_again(problem: ClientError, reply: tuple[str, int]) -> None:
    found = post("dynamodb:getItem", GET, Fake([problem]).clients())
    assert isinstance(found, NotTaken)
    assert (found.final, found.name, found.retry_after) == (False, *reply)


@pytest.mark.parametrize("problem", [EndpointConnectionError(endpoint_url="x"), ConnectTimeoutError(endpoint_url="x")])
def test_a_service_that_does_not_answer_is_asked_again(problem: Exception) -> None:
    found = post("dynamodb:getItem", GET, Fake([problem]).clients())
    assert isinstance(found, NotTaken)
    assert not found.final


@pytest.mark.parametrize(
    ("address", "args", "reason"),
    [
        ("dynamodb:getItem", {"TableName": 7, "Key": {}}, "invalid type for parameter TableName"),
        ("dynamodb:getItem", {"TableName": "orders"}, 'missing required parameter in input: "Key"'),
        ("dynamodb:getItem", {**GET, "Tabel": 1}, "has no parameter 'Tabel'"),
        ("dynamodb:getItem", {**GET, "tableName": "x"}, "tableName is given twice"),
        ("dynamodb:getItem", {"TableName": "orders", "Key": {"id": {"X": "o"}}}, "Key.id has no parameter 'X'"),
        ("dynamodb:getItem", [1], "the args of dynamodb:GetItem must be a map"),
    ],
)
def test_args_that_do_not_fit_are_an_error_of_the_expression(address: str, args: Json, reason: str) -> None:
    fake = Fake([])
    found = post(address, args, fake.clients())
    assert isinstance(found, NotTaken)
    assert (found.final, found.name) == (True, "ExpressionFailed")
    assert reason in found.error
    assert fake.asked == []


def test_idempotency_tokens_are_the_activations_uuid() -> None:
    fake = Fake([{"QueryExecutionId": "q"}, {"QueryExecutionId": "q"}])
    args = {"QueryString": "SELECT 1"}
    assert post("athena:startQueryExecution", args, fake.clients()) == Returned({"QueryExecutionId": "q"})
    post("athena:startQueryExecution", {**args, "clientRequestToken": "mine" * 10}, fake.clients())
    assert [given["ClientRequestToken"] for _, given in fake.asked] == [UUID, "mine" * 10]


def test_members_of_answers_begin_with_a_capital_letter_but_not_the_keys_of_maps() -> None:
    answer = {"executionArn": "a", "startDate": datetime(2026, 11, 26, 12, tzinfo=UTC)}
    found = post("stepfunctions:startExecution", {"stateMachineArn": "m"}, Fake([answer]).clients())
    assert found == Returned({"ExecutionArn": "a", "StartDate": "2026-11-26T12:00:00Z"})
    item = {"Item": {"id": {"S": "x"}}, "ResponseMetadata": {}}
    assert post("dynamodb:getItem", GET, Fake([item]).clients()) == Returned({"Item": {"id": {"S": "x"}}})


@pytest.mark.parametrize(
    ("body", "error", "reply"),
    [
        (b'{"n": 1}', None, Returned({"StatusCode": 200, "Payload": {"n": 1}})),
        (b"", None, Returned({"StatusCode": 200, "Payload": None})),
        (b"no json", None, Returned({"StatusCode": 200, "Payload": "no json"})),
        (b"[" * 70 + b"]" * 70, None, Returned({"StatusCode": 200, "Payload": "[" * 70 + "]" * 70})),
        (
            b'{"errorType": "CardExpired", "errorMessage": "in 2026"}',
            "Unhandled",
            Raised("CardExpired", "in 2026", {"errorType": "CardExpired", "errorMessage": "in 2026"}),
        ),
        (b"died", "Unhandled", Raised("Lambda.Unknown", "died", "died")),
    ],
)
def test_a_functions_payload_is_json_and_its_error_is_the_actions(body: bytes, error: str | None, reply: Reply) -> None:
    answer = {"StatusCode": 200, "Payload": io.BytesIO(body), **({"FunctionError": error} if error else {})}
    fake = Fake([answer])
    assert post("lambda:invoke", {"FunctionName": "f", "Payload": {"x": [1]}}, fake.clients()) == reply
    assert fake.asked == [("invoke", {"FunctionName": "f", "Payload": b'{"x":[1]}'})]


@pytest.mark.parametrize(
    ("address", "body"),
    [("bedrock:invokeModel", {"a": 1}), ("aws-sdk:bedrockruntime:invokeModel", '{"a": 1}')],
)
def test_the_body_of_a_model_is_read_as_step_functions_reads_it(address: str, body: Json) -> None:
    fake = Fake([{"body": io.BytesIO(b'{"a": 1}'), "contentType": "application/json"}])
    found = post(address, {"ModelId": "m", "Body": {"prompt": "x"}}, fake.clients())
    assert found == Returned({"Body": body, "ContentType": "application/json"})


@pytest.mark.parametrize(
    ("address", "args", "started", "looked", "reply"),
    [
        (
            "batch:submitJob.sync",
            {"JobName": "j", "jobQueue": "q", "jobDefinition": "d"},
            {"jobId": "1"},
            {"jobs": [{"jobId": "1", "status": "FAILED", "statusReason": "no memory"}]},
            Raised("TaskFailed", "no memory", {"JobId": "1", "Status": "FAILED", "StatusReason": "no memory"}),
        ),
        (
            "glue:startJobRun.sync",
            {"JobName": "j"},
            {"JobRunId": "1"},
            {"JobRun": {"Id": "1", "JobRunState": "SUCCEEDED"}},
            Returned({"Id": "1", "JobRunState": "SUCCEEDED"}),
        ),
        (
            "states:startExecution.sync:2",
            {"StateMachineArn": "m", "Input": {"n": 1}},
            {"executionArn": "a"},
            {"status": "SUCCEEDED", "output": '{"ok": true}', "input": "x"},
            Returned({"Status": "SUCCEEDED", "Output": {"ok": True}, "Input": "x"}),
        ),
        (
            "states:startExecution.sync",
            {"StateMachineArn": "m"},
            {"executionArn": "a"},
            {"status": "ABORTED", "output": "1"},
            Raised("TaskFailed", "the job has ended in state ABORTED", {"Status": "ABORTED", "Output": "1"}),
        ),
        (
            "ecs:runTask.sync",
            {"TaskDefinition": "d"},
            {"tasks": [{"taskArn": "t"}], "failures": []},
            {"tasks": [{"lastStatus": "STOPPED", "containers": [{"exitCode": 0}]}]},
            Returned({"LastStatus": "STOPPED", "Containers": [{"ExitCode": 0}]}),
        ),
        (
            "ecs:runTask.sync",
            {"TaskDefinition": "d"},
            {"tasks": [{"taskArn": "t"}], "failures": []},
            {"tasks": [{"lastStatus": "STOPPED", "stoppedReason": "exit", "containers": [{"exitCode": 1}, {}]}]},
            Raised(
                "TaskFailed",
                "exit",
                {"LastStatus": "STOPPED", "StoppedReason": "exit", "Containers": [{"ExitCode": 1}, {}]},
            ),
        ),
    ],
)
def test_a_job_is_answered_when_it_has_ended(
    address: str, args: Json, started: Json, looked: Json, reply: Reply
) -> None:
    begun = post(address, args, Fake([started]).clients())
    assert isinstance(begun, Unfinished)
    assert post(begun.location, {}, Fake([looked]).clients()) == reply


def test_a_job_that_runs_is_looked_at_again_also_after_a_throttled_look() -> None:
    at = 'ecs:runTask.sync {"tasks":["t"]}'
    running = {"tasks": [{"lastStatus": "RUNNING", "containers": [{}]}]}
    assert post(at, {}, Fake([running]).clients()) == Unfinished(at, 10_000)
    assert post(at, {}, Fake([failed("ThrottlingException", 400)]).clients()) == Unfinished(at, 10_000)
    gone = post(at, {}, Fake([failed("ClusterNotFoundException", 400)]).clients())
    assert gone == Raised("ECS.ClusterNotFoundException", "no")


def test_a_job_that_was_not_started_has_failed() -> None:
    answer = {"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]}
    found = post("ecs:runTask.sync", {"TaskDefinition": "d"}, Fake([answer]).clients())
    assert found == Raised("TaskFailed", "RESOURCE:MEMORY")


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_listed_is_refused_when_it_is_called(aws: None) -> None:
    caller = OperationCaller(MODELS, Clients(lambda: NOW, {}), AllowedCalls(["s3:*"]), OwnResources())
    found = caller.post(a_call("dynamodb:getItem", GET))
    assert isinstance(found, NotTaken)
    assert (found.final, found.name) == (True, "Forbidden")
    assert "dynamodb:GetItem is not among ECHOER_AWS_CALLS of namespace 'default'" in found.error


def test_echoers_own_table_is_refused(aws: None) -> None:
    found = post("dynamodb:getItem", {"TableName": "echoer", "Key": {}})
    assert isinstance(found, NotTaken)
    assert (found.final, found.name) == (True, "Forbidden")


def test_no_arg_makes_a_request_to_a_host_that_is_not_awss(aws: None) -> None:
    args = {"MLModelId": "m", "Record": {}, "PredictEndpoint": "http://127.0.0.1:1/"}
    found = post("machinelearning:predict", args)
    assert isinstance(found, NotTaken)
    assert (found.final, found.name) == (True, "Forbidden")
    assert "127.0.0.1 is not a host of AWS" in found.error


def test_a_role_that_cannot_be_assumed() -> None:
    found = post("dynamodb:getItem", GET, Fake([failed("AccessDenied", 403)]).clients(), role=ROLE)
    assert found == Raised("STS.AccessDenied", "no")
