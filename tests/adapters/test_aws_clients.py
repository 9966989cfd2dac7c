"""The clients of DynamoDB and SQS: signatures, the first attempt, and what is left to botocore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.loaders import Loader

from chalicelib.adapters.aws_clients import clients
from chalicelib.adapters.aws_clients.clients import Clients
from chalicelib.adapters.aws_clients.first_attempt import FirstAttempt
from chalicelib.adapters.aws_clients.signature import Signer

REGION = "us-east-1"

GET = {"TableName": "t", "Key": {"k": {"S": "k"}}}


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
    """Answers the requests of a client as AWS would: with each reply in turn, and with the last one from then on."""

    def __init__(self, client: Any, *replies: tuple[int, bytes] | Exception) -> None:
        self._replies = list(replies)
        self.requests: list[Any] = []
        client.meta.events.register("before-send", self._answer)

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
def connect(monkeypatch: pytest.MonkeyPatch, paused: list[float]) -> Callable[..., Any]:
    for name, value in {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)

    def make(service: str = "dynamodb", attempts: int = 2) -> Any:
        made = Clients(paused.append)
        return made.connect(service, REGION, None, connect_timeout=1, read_timeout=1, attempts=attempts, connections=1)

    return make


class TestFirstAttempt:
    def test_a_success_is_what_botocore_returns(self, connect: Callable[..., Any], paused: list[float]) -> None:
        client = connect()
        service = Service(client, OK)
        found = client.get_item(**GET)
        metadata = found.pop("ResponseMetadata")
        assert found == {"Item": {"k": {"S": "k"}, "r": {"B": b"\x00\x01"}, "v": {"N": "7"}}}
        assert (metadata["HTTPStatusCode"], metadata["RequestId"], metadata["RetryAttempts"]) == (200, "r-1", 0)
        (request,) = service.requests
        assert request.headers["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
        assert (len(service.requests), paused) == (1, [])

    def test_a_condition_that_did_not_hold_is_not_repeated(
        self, connect: Callable[..., Any], paused: list[float]
    ) -> None:
        client = connect()
        service = Service(client, REFUSED)
        with pytest.raises(client.exceptions.ConditionalCheckFailedException, match="no"):
            client.put_item(TableName="t", Item={"k": {"S": "k"}})
        assert (len(service.requests), paused) == (1, [])

    @pytest.mark.parametrize(
        "failure",
        [THROTTLED, (500, b"{}"), (503, b"no JSON"), (429, b""), EndpointConnectionError(endpoint_url="x", error="y")],
    )
    def test_botocore_repeats_what_failed_after_a_pause(
        self, connect: Callable[..., Any], paused: list[float], failure: Any
    ) -> None:
        client = connect()
        service = Service(client, failure, OK)
        assert client.get_item(**GET)["Item"]["v"] == {"N": "7"}
        assert len(service.requests) == 2
        assert len(paused) == 1
        assert 0 <= paused[0] <= 1

    def test_it_counts_as_one_of_the_attempts(self, connect: Callable[..., Any]) -> None:
        for attempts in (1, 2):
            client = connect(attempts=attempts)
            service = Service(client, THROTTLED)
            with pytest.raises(ClientError, match="ThrottlingException"):
                client.get_item(**GET)
            assert len(service.requests) == attempts

    def test_other_errors_are_those_of_botocore(self, connect: Callable[..., Any], paused: list[float]) -> None:
        client = connect()
        Service(client, MISSING)
        with pytest.raises(client.exceptions.ResourceNotFoundException, match="no table"):
            client.get_item(**GET)
        assert paused == []

    def test_other_operations_are_left_to_botocore(self, connect: Callable[..., Any]) -> None:
        client = connect("sqs")
        Service(client, (200, b'{"QueueUrl": "https://sqs/1/q"}'))
        assert client.get_queue_url(QueueName="q")["QueueUrl"] == "https://sqs/1/q"

    def test_a_client_without_credentials_is_left_to_botocore(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        client = Clients().connect("sqs", REGION, None, connect_timeout=1, read_timeout=1, attempts=2, connections=1)
        assert not [one for one in _handlers(client) if isinstance(one, FirstAttempt)]


def _handlers(client: Any) -> list[Any]:
    return list(client.meta.events._emitter._handlers.prefix_search("before-call.sqs"))


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
