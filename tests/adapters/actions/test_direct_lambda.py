"""Lambda functions that are invoked and waited for: botocore itself against a stand-in for Lambda, and moto."""

from __future__ import annotations

import json
from collections.abc import Iterator

import botocore.session
import pytest
import requests
from moto import mock_aws

from chalicelib.adapters.actions.dispatch import Dispatcher
from chalicelib.model.actions import Method
from chalicelib.model.json_values import Json
from chalicelib.service.ports.actions import Call, NotTaken, Raised, Reply, Returned
from tests.adapters.actions.test_http_caller import Server, answers, serving

REGION = "eu-central-1"
ROLE = {"Version": "2012-10-17", "Statement": []}


@pytest.fixture(autouse=True)
def _in_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DEFAULT_REGION": REGION, "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


def invoked(server: Server, monkeypatch: pytest.MonkeyPatch, *, timeout: int = 5_000) -> Reply:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{server.port}")
    call = Call(("charge:live",), b'{"n":7}', {"X-No": "no"}, method=Method.LAMBDA, direct=True, timeout=timeout)
    return Dispatcher(lambda: 0).post(call)


def reply_to(monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, **headers: str) -> Reply:
    with serving(answers(status, body, **headers)) as server:
        return invoked(server, monkeypatch)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'"text"', "text"),
        (b"null", None),
        (b"", None),
        (b"[" * 70 + b"]" * 70, "[" * 70 + "]" * 70),
        (b'{"\\u0000sealed": "x"}', '{"\\u0000sealed": "x"}'),
    ],
)
def test_what_the_function_returns_is_the_value(body: bytes, value: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reply_to(monkeypatch, 200, body) == Returned(value)


def test_the_function_gets_the_body_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answers(200, b"1")) as server:
        assert invoked(server, monkeypatch) == Returned(1)
    [(first, headers, body)] = server.requests
    assert first == "POST /2015-03-31/functions/charge%3Alive/invocations HTTP/1.1"
    assert body == b'{"n":7}'
    assert headers["x-amz-invocation-type"] == "RequestResponse"
    assert "x-no" not in headers


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            b'{"errorType": "CardExpired", "errorMessage": "in 2026", "stackTrace": []}',
            Raised("CardExpired", "in 2026", {"errorType": "CardExpired", "errorMessage": "in 2026", "stackTrace": []}),
        ),
        (
            b'{"errorMessage": "Task timed out"}',
            Raised("Lambda.Unknown", "Task timed out", {"errorMessage": "Task timed out"}),
        ),
        (b"segfault", Raised("Lambda.Unknown", "segfault", "segfault")),
    ],
)
def test_a_function_that_fails_says_why(body: bytes, error: Raised, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reply_to(monkeypatch, 200, body, X_Amz_Function_Error="Unhandled") == error


def test_a_value_that_is_too_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "what charge:live returned is larger than 262144 bytes"
    large = b'"' + b"x" * 256 * 1024 + b'"'
    assert reply_to(monkeypatch, 200, large) == Returned(None, text)
    assert reply_to(monkeypatch, 200, large, X_Amz_Function_Error="Handled") == Raised("TooLarge", text)


@pytest.mark.parametrize(
    ("status", "code", "final"),
    [
        (429, "TooManyRequestsException", False),
        (500, "ServiceException", False),
        (502, "EC2ThrottledException", False),
        (404, "ResourceNotFoundException", True),
        (403, "AccessDeniedException", True),
    ],
)
def test_a_throttled_invocation_is_tried_again(
    status: int, code: str, monkeypatch: pytest.MonkeyPatch, *, final: bool
) -> None:
    body = json.dumps({"Type": "User", "Message": "no"}).encode()
    reply = reply_to(monkeypatch, status, body, x_amzn_ErrorType=code, Retry_After="3")
    assert isinstance(reply, NotTaken)
    assert (reply.final, reply.retry_after) == (final, 0 if final else 3_000)


def test_the_timeout_of_the_call_bounds_the_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(server: Server, sock: object) -> None:
        server.over.wait(10)

    with serving(silent) as server:
        reply = invoked(server, monkeypatch, timeout=300)
    assert isinstance(reply, NotTaken)
    assert (reply.final, "Read timeout" in reply.error) == (False, True)


@pytest.fixture
def function() -> Iterator[str]:
    """Provide a function of moto, which returns a fixed value."""
    with mock_aws(config={"lambda": {"use_docker": False}}):
        session = botocore.session.get_session()
        iam, client = (session.create_client(service, region_name=REGION) for service in ("iam", "lambda"))
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(ROLE))["Role"]["Arn"]
        client.create_function(
            FunctionName="charge", Runtime="python3.12", Role=role, Handler="a.b", Code={"ZipFile": b"PK"}
        )
        requests.post(
            "http://motoapi.amazonaws.com/moto-api/static/lambda-simple/response",
            json={"results": [json.dumps({"id": "ch-1"})], "region": REGION},
            timeout=5,
        )
        yield "charge"


def test_a_function_of_moto_is_invoked_and_waited_for(function: str) -> None:
    call = Call((function,), b"{}", method=Method.LAMBDA, direct=True)
    assert Dispatcher(lambda: 0).post(call) == Returned({"id": "ch-1"})
