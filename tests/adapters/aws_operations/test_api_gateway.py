"""`apigateway:invoke`: what is sent to an API of API Gateway, and what its response means."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ReadTimeoutError

from chalicelib.adapters.aws_operations.allowed import AllowedCalls, OwnResources
from chalicelib.adapters.aws_operations.caller import OperationCaller
from chalicelib.adapters.aws_operations.clients import Clients
from chalicelib.model.json_values import Json
from chalicelib.model.run_error import ErrorName
from chalicelib.service.ports.actions import MAX_ANSWER_BYTES, NotTaken, Raised, Reply, Returned
from tests.adapters.aws_operations.test_caller import MODELS, ROLE, a_call, aws

HOST: Final = "abc123.execute-api.eu-west-1.amazonaws.com"
__all__ = ["aws"]


@dataclass
class Answer:
    status_code: int = 200
    content: bytes = b'{"pets": []}'
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class Api:
    """Records requests, and answers each of them alike."""

    def __init__(self, answer: Answer | Exception | None = None) -> None:
        self.answer = answer or Answer()
        self.requests: list[AWSPreparedRequest] = []

    def send(self, request: AWSPreparedRequest, seconds: float) -> Answer:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def post(api: Api, allowed: list[str] | None = None, role: str = "", **args: Json) -> Reply:
    own = OwnResources("echoer", "echoer")
    caller = OperationCaller(MODELS, Clients(lambda: 0, {}), AllowedCalls(allowed), own, api.send)
    given = {"ApiEndpoint": HOST, "Method": "POST", **args}
    return caller.post(a_call("apigateway:invoke", given, role=role, timeout=5_000))


def test_the_request_is_that_of_step_functions() -> None:
    api = Api()
    found = post(
        api,
        stage="prod",
        Path="/orders/a b",
        Headers={"X-Team": ["a", "b"]},
        QueryParameters={"tag": ["x", "y z"]},
        RequestBody={"id": 1, "note": None},
    )
    (request,) = api.requests
    assert (request.method, request.url) == ("POST", f"https://{HOST}/prod/orders/a%20b?tag=x&tag=y%20z")
    assert json.loads(request.body) == {"id": 1}
    assert request.headers["X-Team"] in ("a, b", b"a, b")
    assert "Authorization" not in request.headers
    assert found == Returned(
        {
            "Headers": {"Content-Type": ["application/json"]},
            "ResponseBody": {"pets": []},
            "StatusCode": 200,
            "StatusText": "OK",
        }
    )


def test_null_is_sent_where_it_is_allowed() -> None:
    api = Api()
    post(api, RequestBody={"note": None}, AllowNullValues=True)
    assert json.loads(api.requests[0].body) == {"note": None}


def test_an_iam_role_signs_for_the_region_of_the_host(aws: None) -> None:
    api = Api()
    post(api, AuthType="IAM_ROLE")
    header = api.requests[0].headers["Authorization"]
    text = header.decode() if isinstance(header, bytes) else header
    assert text.startswith("AWS4-HMAC-SHA256 Credential=")
    assert "/eu-west-1/execute-api/aws4_request" in text


def test_the_role_of_the_action_signs(aws: None) -> None:
    api = Api()
    post(api, role=ROLE, AuthType="IAM_ROLE")
    assert "X-Amz-Security-Token" in api.requests[0].headers


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(403, b'{"message":"Missing"}'), Raised("ApiGateway.403", '{"message":"Missing"}')),
        (
            Answer(200, b"plain", {}),
            Returned({"Headers": {}, "ResponseBody": "plain", "StatusCode": 200, "StatusText": "OK"}),
        ),
        (
            Answer(204, b"", {}),
            Returned({"Headers": {}, "ResponseBody": "", "StatusCode": 204, "StatusText": "No Content"}),
        ),
        (
            Answer(200, b"x" * (MAX_ANSWER_BYTES + 1), {}),
            Returned(too_large=f"the answer of apigateway:Invoke is larger than {MAX_ANSWER_BYTES} bytes"),
        ),
    ],
)
def test_what_a_response_means(answer: Answer, expected: Reply) -> None:
    assert post(Api(answer)) == expected


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_api_is_asked_again(status: int) -> None:
    found = post(Api(Answer(status, b"later")))
    assert isinstance(found, NotTaken)
    assert (found.final, found.name, found.status) == (False, f"ApiGateway.{status}", status)


def test_an_api_that_does_not_answer_is_asked_again() -> None:
    found = post(Api(ReadTimeoutError(endpoint_url=f"https://{HOST}/")))
    assert isinstance(found, NotTaken)
    assert not found.final


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"Headers": {"a": "text"}}, ErrorName.EXPRESSION_FAILED),
        ({"Headers": {"Authorization": ["x"]}}, ErrorName.EXPRESSION_FAILED),
        ({"Headers": {"x-amz-date": ["x"]}}, ErrorName.EXPRESSION_FAILED),
        ({"Stage": "a/b"}, ErrorName.EXPRESSION_FAILED),
        ({"ApiEndpoint": "169.254.169.254"}, ErrorName.FORBIDDEN),
        ({"ApiEndpoint": f"{HOST}.evil.example"}, ErrorName.FORBIDDEN),
        ({"ApiEndpoint": f"evil.example/{HOST}"}, ErrorName.FORBIDDEN),
        ({"ApiEndpoint": f"evil.example#{HOST}"}, ErrorName.FORBIDDEN),
        ({"Method": "BREW"}, ErrorName.EXPRESSION_FAILED),
        ({"Method": None}, ErrorName.EXPRESSION_FAILED),
    ],
)
def test_what_is_refused_is_not_sent(args: dict[str, Any], error: ErrorName) -> None:
    api = Api()
    found = post(api, **args)
    assert isinstance(found, NotTaken)
    assert (found.final, found.name) == (True, error)
    assert api.requests == []


def test_a_namespace_must_be_allowed_to_invoke() -> None:
    api = Api()
    assert isinstance(post(api, allowed=["dynamodb:*"]), NotTaken)
    assert api.requests == []
    assert isinstance(post(api, allowed=["apigateway:invoke"]), Returned)


def test_a_response_that_runs_cannot_hold_is_too_large() -> None:
    found = post(Api(Answer(200, b"[" * 400 + b"]" * 400)))
    assert isinstance(found, Returned)
    assert "nested too deeply" in found.too_large
