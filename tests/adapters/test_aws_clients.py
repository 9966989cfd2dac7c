"""The clients of DynamoDB and SQS: signatures, the first attempt, and what is left to botocore."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError
from botocore.loaders import Loader

from chalicelib.adapters.aws_clients import addresses, clients
from chalicelib.adapters.aws_clients.client import Client
from chalicelib.adapters.aws_clients.clients import Clients
from chalicelib.adapters.aws_clients.first_attempt import READERS
from chalicelib.adapters.aws_clients.signature import Signer

REGION = "us-east-1"

GET = {"TableName": "t", "Key": {"k": {"S": "k"}}}

LIMITS: Final[dict[str, Any]] = {"connect_timeout": 1, "read_timeout": 1, "connections": 1}

_ITEM: Final = {"k": {"S": "ä"}, "r": {"B": b"\x00\xff"}, "v": {"N": "7"}, "t": {"BOOL": True}}
_STORED: Final = b'{"k": {"S": "\xc3\xa4"}, "r": {"B": "AP8="}, "v": {"N": "7"}, "t": {"BOOL": true}}'
REQUESTS: Final = [
    ("dynamodb", "GetItem", GET, b'{"Item": %b}' % _STORED),
    ("dynamodb", "GetItem", GET, b"{}"),
    ("dynamodb", "PutItem", {"TableName": "t", "Item": _ITEM}, b"{}"),
    (
        "dynamodb",
        "Query",
        {"TableName": "t", "Limit": 1, "ExclusiveStartKey": {"k": {"S": "k"}}},
        b'{"Items": [%b], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": {"k": {"S": "k"}}}' % _STORED,
    ),
    (
        "dynamodb",
        "BatchGetItem",
        {"RequestItems": {"t": {"Keys": [GET["Key"]], "ConsistentRead": True}}},
        b'{"Responses": {"t": [%b]}, "UnprocessedKeys": {"t": {"Keys": [{"k": {"S": "k"}}]}}}' % _STORED,
    ),
    (
        "sqs",
        "SendMessageBatch",
        {"QueueUrl": "https://sqs/1/q", "Entries": [{"Id": "0", "MessageBody": "ä", "DelaySeconds": 1}]},
        b'{"Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "d0e4fbd2ec0d1bd1ee64bf4fd0ac0f1f"}]}',
    ),
    ("sqs", "GetQueueUrl", {"QueueName": "q"}, b'{"QueueUrl": "https://sqs/1/q"}'),
]
"""Service, operation, parameters, and the JSON of the response."""


class TestSignature:
    """A signature is that of botocore."""

    @pytest.mark.parametrize("token", [None, "a session's token"])
    @pytest.mark.parametrize("url", ["https://sqs.eu-west-1.amazonaws.com/", "http://localhost:4566/", "http://x:80/"])
    def test_it_is_the_one_of_botocore(self, url: str, token: str | None) -> None:
        credentials = Credentials("AKIDEXAMPLE", "secret", token)
        headers = {
            "X-Amz-Target": "AmazonSQS.SendMessage",
            "Content-Type": " application/x-amz-json-1.0",
            "User-Agent": "x",
        }
        request = AWSRequest("POST", url, headers=headers, data=b'{"text": "\xc3\xa4"}')
        SigV4Auth(credentials, "sqs", "eu-west-1").add_auth(request)
        date = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        signer = Signer("sqs", "eu-west-1")
        for _ in range(2):  # with a new signing key, and with the one that is kept
            signed = signer.sign(
                url, headers, b'{"text": "\xc3\xa4"}', credentials.get_frozen_credentials(), date.timestamp()
            )
            assert signed == dict(request.headers)

    def test_the_signing_key_follows_the_day_and_the_credentials(self) -> None:
        signer, found = Signer("sqs", "eu-west-1"), set()
        for secret, at in (("a", 0), ("a", 86_400), ("b", 86_400)):
            for _ in range(2):
                signed = signer.sign("https://x/", {}, b"", Credentials("id", secret).get_frozen_credentials(), at)
                found.add(signed["Authorization"])
        assert len(found) == 3


class Service:
    """Answers requests as AWS would: with each reply in turn, and with the last one from then on."""

    def __init__(self, made: Clients, *replies: tuple[int, bytes] | Exception) -> None:
        self._replies = list(replies)
        self.requests: list[Any] = []
        made._session.get_component("event_emitter").register("before-send", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.requests.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        status, body = reply
        return AWSResponse(request.url, status, {"x-amzn-RequestId": "r-1"}, _Body(body))


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content


OK = (200, b'{"Item": {"k": {"S": "k"}, "r": {"B": "AAE="}, "v": {"N": "7"}}}')
REFUSED = (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no"}')
THROTTLED = (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow"}')
MISSING = (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "no table"}')


@pytest.fixture
def paused() -> list[float]:
    return []


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in addresses.DECIDING:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    return monkeypatch


Connect: TypeAlias = "Callable[..., tuple[Client, Service]]"


@pytest.fixture
def connect(environment: pytest.MonkeyPatch, paused: list[float]) -> Connect:
    def make(*replies: Any, service: str = "dynamodb", attempts: int = 2) -> tuple[Client, Service]:
        made = Clients(paused.append)
        made._session = clients._session()
        return made.connect(service, REGION, None, **LIMITS, attempts=attempts), Service(made, *replies)

    return make


class TestFirstAttempt:
    def test_a_success_is_what_botocore_returns(self, connect: Connect, paused: list[float]) -> None:
        client, service = connect(OK)
        found = client._make_api_call("GetItem", GET)
        metadata = found.pop("ResponseMetadata")
        assert found == {"Item": {"k": {"S": "k"}, "r": {"B": b"\x00\x01"}, "v": {"N": "7"}}}
        assert (metadata["HTTPStatusCode"], metadata["RequestId"], metadata["RetryAttempts"]) == (200, "r-1", 0)
        assert (len(service.requests), paused) == (1, [])
        assert not _is_made(client)

    @pytest.mark.parametrize(("service", "operation", "parameters", "reply"), REQUESTS)
    def test_request_and_result_are_those_of_botocore(
        self, connect: Connect, service: str, operation: str, parameters: dict[str, Any], reply: bytes
    ) -> None:
        client, at_service = connect((200, reply), service=service, attempts=3)
        found = client._make_api_call(operation, parameters)
        assert not _is_made(client)
        assert client.meta.region_name == REGION  # botocore's client is made, and makes all requests from now on
        assert client._make_api_call(operation, parameters) == found
        own, botocores = at_service.requests
        assert own.url == botocores.url
        assert json.loads(own.body) == json.loads(botocores.body)
        for name in ("X-Amz-Target", "Content-Type", "x-amzn-query-mode"):
            assert own.headers.get(name) == _text(botocores.headers.get(name))
        assert own.headers["User-Agent"].startswith("Botocore/")

    def test_a_condition_that_did_not_hold_is_not_repeated(self, connect: Connect, paused: list[float]) -> None:
        client, service = connect(REFUSED)
        with pytest.raises(ClientError, match="no") as raised:
            client._make_api_call("PutItem", {"TableName": "t", "Item": {"k": {"S": "k"}}})
        assert raised.value.response["Error"] == {"Code": "ConditionalCheckFailedException", "Message": "no"}
        assert (len(service.requests), paused) == (1, [])

    @pytest.mark.parametrize(
        "failure",
        [THROTTLED, (500, b"{}"), (503, b"no JSON"), (429, b""), EndpointConnectionError(endpoint_url="x", error="y")],
    )
    def test_botocore_repeats_what_failed_after_a_pause(
        self, connect: Connect, paused: list[float], failure: Any
    ) -> None:
        client, service = connect(failure, OK)
        for requests in (2, 3):
            assert client._make_api_call("GetItem", GET)["Item"]["v"] == {"N": "7"}
            assert len(service.requests) == requests
        assert len(paused) == 1
        assert 0 <= paused[0] <= 1

    def test_it_counts_as_one_of_the_attempts(self, connect: Connect) -> None:
        for attempts in (1, 2):
            client, service = connect(THROTTLED, attempts=attempts)
            with pytest.raises(ClientError, match="ThrottlingException"):
                client._make_api_call("GetItem", GET)
            assert len(service.requests) == attempts

    def test_other_errors_are_those_of_botocore(self, connect: Connect, paused: list[float]) -> None:
        client, _ = connect(MISSING)
        with pytest.raises(client.exceptions.ResourceNotFoundException, match="no table"):
            client._make_api_call("GetItem", GET)
        assert paused == []

    def test_other_operations_are_left_to_botocore(self, connect: Connect) -> None:
        client, _ = connect((200, b'{"QueueUrls": ["https://sqs/1/q"]}'), service="sqs")
        assert client.list_queues()["QueueUrls"] == ["https://sqs/1/q"]
        assert _is_made(client)

    def test_handlers_of_a_client_see_all_its_requests(self, connect: Connect) -> None:
        client, _ = connect(OK)
        client._make_api_call("GetItem", GET)
        seen = list[str]()
        client.meta.events.register("before-call.dynamodb", lambda model, **_: seen.append(model.name))
        client._make_api_call("GetItem", GET)
        assert seen == ["GetItem"]

    @pytest.mark.parametrize("missing", ["credentials", "region"])
    def test_what_is_missing_is_reported_by_botocore(self, environment: pytest.MonkeyPatch, missing: str) -> None:
        names = {"credentials": ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"), "region": ("AWS_REGION", "AWS_DEFAULT_REGION")}
        for name in names[missing]:
            environment.delenv(name, raising=False)
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        client = Clients().connect("sqs", None if missing == "region" else REGION, None, **LIMITS, attempts=2)
        with pytest.raises((NoCredentialsError, NoRegionError)):
            client.get_queue_url(QueueName="q")


def _is_made(client: Client) -> bool:
    """Whether botocore's client is made."""
    return client._made is not None


def _text(value: str | bytes | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value


class TestAddresses:
    """Where requests go is where botocore sends them; where other rules may decide, botocore is asked."""

    @pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso"])
    def test_of_every_region(self, partition: str) -> None:
        session = clients._session()
        for service in ("dynamodb", "sqs"):
            regions = session.get_available_regions(service, partition)
            assert regions
            for region in regions:
                found = addresses.url_of(service, region, None, {}, {})
                assert bool(found) == (partition == "aws"), region
                if found:
                    resolver = session.get_component("endpoint_resolver")
                    assert resolver.construct_endpoint(service, region)["hostname"] == urlsplit(found).netloc

    def test_of_a_client(self, environment: pytest.MonkeyPatch) -> None:
        for region in ("us-east-1", "eu-central-1", "ap-southeast-7"):
            for service in ("dynamodb", "sqs"):
                client = Clients().connect(service, region, None, **LIMITS, attempts=2)
                assert f"{client.meta.endpoint_url}/" == addresses.url_of(service, region, None, {}, dict(os.environ))

    @pytest.mark.parametrize(
        ("endpoint", "url"),
        [
            ("http://127.0.0.1:4566", "http://127.0.0.1:4566/"),
            ("https://dynamodb.us-east-1.amazonaws.com/", "https://dynamodb.us-east-1.amazonaws.com/"),
            ("http://x/path", ""),
            ("http://x/?y=1", ""),
            ("dynamodb.us-east-1.amazonaws.com", ""),
        ],
    )
    def test_of_an_endpoint_that_is_set(self, endpoint: str, url: str) -> None:
        assert addresses.url_of("dynamodb", "us-east-1", endpoint, {}, {}) == url

    @pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_USE_FIPS_ENDPOINT", "https_proxy", "AWS_ACCOUNT_ID"])
    def test_variables_decide(self, name: str) -> None:
        assert addresses.url_of("sqs", "us-east-1", None, {}, {name: "x"}) == ""

    def test_a_profile_decides(self) -> None:
        assert addresses.url_of("sqs", "us-east-1", None, {"services": "mine"}, {}) == ""
        assert addresses.url_of("sqs", "us-east-1", None, {"region": "us-east-1"}, {}) != ""


class TestModels:
    @pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2"])
    def test_they_are_what_botocore_reads(self, kind: str) -> None:
        fast = clients._Loader(file_loader=clients._Files())
        assert fast.load_service_model("dynamodb", kind) == Loader().load_service_model("dynamodb", kind)

    def test_the_endpoints_are_those_of_botocore_without_other_services(self) -> None:
        fast, whole = (
            loader.load_data("endpoints") for loader in (clients._Loader(file_loader=clients._Files()), Loader())
        )
        for partition in whole["partitions"]:
            services = partition["services"]
            partition["services"] = {name: services[name] for name in ("dynamodb", "sqs") if name in services}
        assert fast == whole

    def test_botocore_reads_the_models_of_the_environment_itself(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
        assert type(clients._session().get_component("data_loader")) is Loader

    def test_every_operation_of_first_attempts_is_compared_with_botocore(self) -> None:
        assert {operation for _, operation, *_ in REQUESTS} == READERS.keys()
