"""Which operations there are, and what documents may call."""

from __future__ import annotations

from typing import Final

import pytest

from chalicelib import config
from chalicelib.adapters.aws_operations.allowed import AllowedCalls, OwnResources
from chalicelib.adapters.aws_operations.checker import NamespaceOperations
from chalicelib.adapters.aws_operations.jobs import JOBS
from chalicelib.adapters.aws_operations.models import Models
from chalicelib.config import BadSetting
from chalicelib.language import UnknownOperation

MODELS: Final = Models()


@pytest.mark.parametrize(
    ("address", "action", "errors"),
    [
        ("dynamodb:putItem", "dynamodb:PutItem", "DynamoDB"),
        ("dynamodb:PutItem", "dynamodb:PutItem", "DynamoDB"),
        ("aws-sdk:sqs:sendMessage", "sqs:SendMessage", "SQS"),
        ("states:startExecution.sync:2", "stepfunctions:StartExecution", "StepFunctions"),
        ("sfn:startExecution.sync", "stepfunctions:StartExecution", "StepFunctions"),
        ("bedrock:invokeModel", "bedrock-runtime:InvokeModel", "BedrockRuntime"),
        ("cloudwatchlogs:putLogEvents", "logs:PutLogEvents", "CloudWatchLogs"),
        ("secretsmanager:getSecretValue", "secretsmanager:GetSecretValue", "SecretsManager"),
        ("rdsdata:executeStatement", "rds-data:ExecuteStatement", "RDSData"),
        ("s3:getObject", "s3:GetObject", "S3"),
    ],
)
def test_operations_are_found_by_the_names_that_step_functions_uses(address: str, action: str, errors: str) -> None:
    found = MODELS.operation(address)
    assert (found.action, found.error_prefix) == (action, errors)


@pytest.mark.parametrize(
    ("address", "reason", "known"),
    [
        ("dynamodb", "is not of the form service:operation", ""),
        ("dynamodb:putItem.wait", "is not of the form service:operation", ""),
        ("dynamobd:putItem", "names no service of AWS: dynamobd", "dynamodb"),
        ("dynamodb:putItm", "names no operation of dynamodb", "putItem"),
        ("dynamodb:PUTITEM", "names no operation of dynamodb", "putItem"),
        ("s3:selectObjectContent", "names an operation that answers with a stream of events", ""),
    ],
)
def test_an_address_that_is_none_says_why(address: str, reason: str, known: str) -> None:
    with pytest.raises(UnknownOperation, match=reason) as raised:
        MODELS.operation(address)
    assert known in (*raised.value.known, "")


def test_every_job_can_be_described() -> None:
    for action, job in JOBS.items():
        operation = MODELS.operation(f"{action}.sync")
        describing = MODELS.operation(f"{operation.service}:{job.describe}")
        members = describing.input.members if describing.input else {}
        required = describing.input.required if describing.input else frozenset()
        assert required <= job.ask.keys() <= members.keys(), action


@pytest.mark.parametrize(
    ("entries", "namespace", "action", "allowed"),
    [
        (["dynamodb:putItem"], "default", "dynamodb:PutItem", True),
        (["dynamodb:PutItem"], "team-a", "dynamodb:PutItem", True),
        (["dynamodb:putItem"], "default", "dynamodb:DeleteItem", False),
        (["dynamodb:*"], "default", "dynamodb:DeleteItem", True),
        (["s3:get*"], "default", "s3:GetObject", True),
        (["s3:get*"], "default", "s3:PutObject", False),
        (["team-a/s3:*"], "team-a", "s3:PutObject", True),
        (["team-a/s3:*"], "default", "s3:PutObject", False),
        (["*"], "default", "s3:PutObject", True),
        ([], "default", "s3:PutObject", False),
        (None, "default", "s3:PutObject", True),
    ],
)
def test_a_namespace_may_call_what_is_listed(
    entries: list[str] | None, namespace: str, action: str, allowed: bool
) -> None:
    assert AllowedCalls(entries).allows(namespace, action) is allowed


@pytest.mark.parametrize(
    ("entries", "address", "reason"),
    [
        ([], "s3:getObject", "cannot be called: calls of AWS are off"),
        (["s3:*"], "sqs:sendMessage", "is not allowed in namespace 'default'"),
        (["s3:*"], "s3:getObject.sync", "starts no job whose end is known"),
    ],
)
def test_documents_may_call_what_is_listed(entries: list[str], address: str, reason: str) -> None:
    with pytest.raises(UnknownOperation, match=reason):
        NamespaceOperations(MODELS, AllowedCalls(entries), "default").input_of(address)


OWN: Final = OwnResources("echoer", "echoer", ["/echoer/webhook-key"])


@pytest.mark.parametrize(
    ("service", "parameters", "found"),
    [
        ("dynamodb", {"TableName": "echoer"}, "echoer"),
        ("dynamodb", {"TableName": "arn:aws:dynamodb:eu-central-1:1:table/echoer"}, "arn:aws"),
        ("dynamodb", {"RequestItems": {"echoer": []}}, "echoer"),
        ("dynamodb", {"TransactItems": [{"Put": {"TableName": "echoer"}}]}, "echoer"),
        ("dynamodb", {"Statement": 'SELECT * FROM "echoer"'}, "SELECT"),
        ("dynamodb", {"TableName": "echoer-orders"}, ""),
        ("dynamodb", {"TableName": "orders", "Item": {"n": {"S": "echoer"}}}, ""),
        ("dynamodb", {"RequestItems": {"orders": [{"PutRequest": {"Item": {"echoer": {"S": "x"}}}}]}}, ""),
        ("sqs", {"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/1/echoer-wakes"}, "https"),
        ("sqs", {"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/1/echoer-orders"}, ""),
        ("ssm", {"Name": "/echoer/webhook-key"}, "/echoer"),
        ("ssm", {"Names": ["a", "echoer/webhook-key"]}, "echoer"),
        ("secretsmanager", {"SecretId": "orders"}, ""),
        ("s3", {"Bucket": "echoer"}, ""),
    ],
)
def test_what_echoer_stores_is_its_own(service: str, parameters: dict[str, object], found: str) -> None:
    assert OWN.named_by(service, parameters).startswith(found)
    assert bool(OWN.named_by(service, parameters)) is bool(found)


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("", ()),
        ("dynamodb:putItem", ("dynamodb:putItem",)),
        (" dynamodb:putItem , s3:*,team-a/sns:publish, *", ("dynamodb:putItem", "s3:*", "team-a/sns:publish", "*")),
    ],
)
def test_the_setting_lists_operations(text: str, entries: tuple[str, ...]) -> None:
    assert config.from_environment({"ECHOER_AWS_CALLS": text}).aws_calls == entries


@pytest.mark.parametrize("text", ["dynamodb", "dynamodb:put Item", "Team/s3:*", "s3:*;sns:*", "/s3:*", "a/b/s3:*"])
def test_an_entry_that_is_no_operation_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match="must be operations like dynamodb:putItem"):
        config.from_environment({"ECHOER_AWS_CALLS": text})
