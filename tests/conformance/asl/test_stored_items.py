"""ItemReader and ResultWriter on S3, as moto has it: machines are converted, and their flows read and write objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws

from chalicelib.adapters.aws_operations.allowed import AllowedCalls, OwnResources
from chalicelib.adapters.aws_operations.caller import OperationCaller
from chalicelib.adapters.aws_operations.clients import Clients
from chalicelib.asl.convert import convert
from chalicelib.asl.problems import has_errors
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.run import Run
from chalicelib.service.runs.start import StartOrder
from tests.conformance.asl.recorded import MODELS

BUCKET: Final = "orders"
GET: Final = "arn:aws:states:::s3:getObject"
LIST: Final = "arn:aws:states:::s3:listObjectsV2"
PUT: Final = "arn:aws:states:::s3:putObject"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "y"),
    ):
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


def machine(resource: str, reader: dict[str, Any], **more: Any) -> dict[str, Any]:
    item = {"Type": "Pass", "End": True}
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I"}
    parameters = {"Bucket": BUCKET, **({"Key": "items"} if resource == GET else {"Prefix": "a/"})}
    state = {
        "Type": "Map",
        "ItemReader": {"Resource": resource, "Parameters": parameters, **reader},
        "ItemProcessor": {**processor, "States": {"I": item}},
        "End": True,
        **more,
    }
    return {"StartAt": "Each", "States": {"Each": state}}


def executed(definition: dict[str, Any]) -> Run:
    conversion = convert(definition, "machine", {})
    assert not has_errors(conversion.problems), conversion.problems
    caller = OperationCaller(MODELS, Clients(lambda: 0, {}), AllowedCalls(["s3:*"]), OwnResources("echoer", "echoer"))
    host = VirtualHost(caller)
    host.services.submitter.submit(host.namespace, conversion.text)
    host.services.starter.start(host.namespace, StartOrder(flow=conversion.name, name="run", input={}))
    assert host.run_until()
    return host.services.reader.run(host.namespace, "run")


@pytest.mark.parametrize(
    ("config", "body", "items"),
    [
        ({"InputType": "JSON"}, '[{"id": 1}, {"id": 2}]', [{"id": 1}, {"id": 2}]),
        ({"InputType": "JSONL"}, '{"id": 1}\n{"id": 2}\n', [{"id": 1}, {"id": 2}]),
        (
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "id,n\n1,a\n2,b\n",
            [{"id": "1", "n": "a"}, {"id": "2", "n": "b"}],
        ),
        ({"InputType": "JSON", "MaxItems": 1}, '[{"id": 1}, {"id": 2}]', [{"id": 1}]),
    ],
)
def test_items_are_read_from_an_object(s3: Any, config: dict[str, Any], body: str, items: list[Any]) -> None:
    s3.put_object(Bucket=BUCKET, Key="items", Body=body.encode())
    assert executed(machine(GET, {"ReaderConfig": config})).output == items


def test_objects_are_items_all_pages_of_them(s3: Any) -> None:
    keys = [f"a/{number:04}" for number in range(1_001)]  # a page has 1,000
    for key in (*keys, "b/0"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert [one["Key"] for one in executed(machine(LIST, {})).output] == keys


def test_an_object_that_is_not_there_fails_the_run(s3: Any) -> None:
    error = executed(machine(GET, {"ReaderConfig": {"InputType": "JSON"}})).error
    assert error is not None
    assert error.name in ("S3.NoSuchKey", "ItemReaderFailed")


def test_results_are_written_to_an_object(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="items", Body=b'[{"id": 1}]')
    writer = {"Resource": PUT, "Parameters": {"Bucket": BUCKET, "Prefix": "out"}}
    run = executed(machine(GET, {"ReaderConfig": {"InputType": "JSON"}}, ResultWriter=writer))
    assert run.error is None
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix="out")["Contents"]]
    written = [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]
    assert '"id"' in json.dumps(written).replace("\\", "")
