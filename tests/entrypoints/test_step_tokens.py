"""Answers by the token of an activation: `POST /step/{token}`, and the task calls of AWS's own SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from standardwebhooks.webhooks import Webhook

from chalicelib.config import DEVELOPMENT_KEY, Access, Settings
from chalicelib.model.step_token import StepToken
from chalicelib.service.security.roles import Role
from chalicelib.service.security.tokens import sha256
from chalicelib.service.security.webhooks import secrets_for
from tests.entrypoints.gateway import Reply, call
from tests.entrypoints.steps import NEVER, defined
from tests.entrypoints.test_access import FIRST, Side, bearer, guarded, made, under
from tests.hosts import Host

__all__ = ["guarded"]  # a fixture

MAIL = 'action mail addr = "http://mail.test/"; args = (str token); return = (APPROVED | REFUSED); action_end'
ASKS = """flow asks
    vars = (why = "");
    step Ask => (
          APPROVED -> done
        | REFUSED -> stopped
        | ERROR -> done (output = { "why": ${ $error.name & ": " & $error.cause } })
    ) { action = mail; args = (token = ${ $step.token }); };
    output = { "why": ${ $vars.why }, "result": ${ $result } };
flow_end"""
FOREIGN = StepToken("default", "asked", NEVER).encode()
ERRORS = {"name": "CardExpired", "cause": "in 2026"}


def asked(host: Host, headers: Mapping[str, str] | None = None, name: str = "asked", action: str = MAIL) -> str:
    """Start a run of `asks`, and return the token that its action was sent."""
    assert call("POST", "/fsl", f"{action}\n/\n{ASKS}", headers=headers).status == 200
    assert call("POST", "/flow/asks/runs", {"name": name}, headers=headers).status == 201
    assert host.work() == []
    return str(host.actions.requests[-1]["token"])


def spec_of(name: str = "asked", headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = call("GET", f"/flowrun/{name}", headers=headers).json["spec"]
    return found


def post(token: str, **body: Any) -> Reply:
    return call("POST", f"/step/{token}", body)


# ── POST /step/{token} ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_answers_its_step_once(host: Host) -> None:
    token = asked(host)
    assert post(token, ackState="APPROVED", data={"by": "Ann"}).json == {"outcome": "advanced"}
    assert post(token, ackState="REFUSED").json == {"outcome": "duplicate"}
    assert spec_of()["output"] == {"why": "", "result": {"by": "Ann"}}


def test_a_token_reports_progress_and_errors(host: Host) -> None:
    token = asked(host)
    assert post(token, done=False, data="half", globalVariables={"why": "x"}).json == {"outcome": "progress"}
    assert spec_of()["steps"][0]["spec"]["data"] == "half"
    assert post(token, ackState="MAYBE").code == "state-not-routed"
    assert post(token, ackState="ERROR", error=ERRORS).json == {"outcome": "advanced"}
    assert spec_of()["output"]["why"] == "CardExpired: in 2026"


def test_every_visit_of_a_step_has_a_token_of_its_own(host: Host) -> None:
    again = ASKS.replace("REFUSED -> stopped", "REFUSED -> Ask")
    defined(MAIL, again)
    call("POST", "/flow/asks/runs", {"name": "asked"})
    host.work()
    first = host.actions.requests[-1]["token"]
    assert post(first, ackState="REFUSED").json == {"outcome": "advanced"}
    host.work()
    second = host.actions.requests[-1]["token"]
    assert first != second
    assert post(first, ackState="APPROVED").json == {"outcome": "duplicate"}
    assert post(second, ackState="APPROVED").json == {"outcome": "advanced"}


def test_the_longest_name_of_a_run_has_a_token(host: Host) -> None:
    token = StepToken("default", "漢" * 512, NEVER).encode()
    assert (post(token, ackState="APPROVED").status, post("x" * 3_000, ackState="APPROVED").status) == (404, 400)


@pytest.mark.parametrize("token", ["x", "%E2%98%83", FOREIGN, StepToken("default", "other", NEVER).encode()])
def test_a_token_that_was_never_issued_reveals_nothing(host: Host, token: str) -> None:
    asked(host)
    reply = post(token, ackState="APPROVED")
    assert (reply.status, reply.code) == (404, "never-issued")
    assert reply.json["message"] == "this token was never issued: send `$step.token` as the step sent it"


def test_a_token_of_another_run_or_namespace_needs_that_runs_uuid(host: Host) -> None:
    uuid = spec_of()["tokens"][0]["uuid"] if asked(host) else ""
    for forged in (StepToken("default", "b", uuid), StepToken("team", "asked", uuid), StepToken("a#b", "asked", uuid)):
        assert post(forged.encode(), ackState="APPROVED").code == "never-issued"
    assert spec_of()["status"] == "running"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"done": True}, "`ackState` must be a string that is not empty, because `done` is true"),
        ({"error": ERRORS}, "`error` needs an `ackState`, and `done` must not be false"),
        ({"ackState": 7}, "`ackState` must be a string or null, not an integer"),
    ],
)
def test_a_body_that_is_no_answer(host: Host, body: dict[str, Any], message: str) -> None:
    reply = post(asked(host), **body)
    assert (reply.status, reply.json["message"]) == (400, message)


def test_a_stopped_run_takes_no_answer(host: Host) -> None:
    token = asked(host)
    call("POST", "/flowrun/asked/stop")
    assert post(token, ackState="APPROVED").code == "run-is-stopped"


def test_an_answer_that_must_be_signed_is_signed_with_a_token_too(host: Host) -> None:
    defined(MAIL.replace("return", "callback = signed; return"), ASKS)
    call("POST", "/flow/asks/runs", {"name": "asked"})
    host.work()
    path, body = f"/step/{host.actions.requests[-1]['token']}", '{"ackState": "APPROVED"}'
    assert call("POST", path, body).code == "unsigned"
    (secret,), seconds = secrets_for(DEVELOPMENT_KEY.encode(), "default"), host.clock.now() // 1000
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(seconds, UTC), body)
    headers = {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(seconds), "Webhook-Signature": signature}
    assert call("POST", path, body, headers=headers).json == {"outcome": "advanced"}
    assert call("POST", path, body).code == "unsigned"
    assert call("POST", path, body, headers=headers).json == {"outcome": "duplicate"}


# ── access ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_finds_its_namespace_without_being_told(guarded: Host, caplog: pytest.LogCaptureFixture) -> None:
    side = Side("team-a")
    token = asked(guarded, side.headers)
    assert call("POST", f"/step/{token}", {"ackState": "APPROVED"}).json == {"outcome": "advanced"}
    assert spec_of(headers=side.headers)["status"] == "succeeded"
    (line,) = [record for record in caplog.records if getattr(record, "call", "").startswith("POST /step/")]
    assert (line.__dict__["namespace"], line.__dict__["names"]) == ("team-a", ["asked"])
    assert token not in caplog.text


def test_a_caller_of_another_namespace_cannot_use_a_token(guarded: Host) -> None:
    token = asked(guarded, Side("team-a").headers)
    other = bearer(made(Role.ACTION, "team-b"))
    assert call("POST", f"/step/{token}", {"ackState": "APPROVED"}, headers=other).code == "never-issued"
    own = bearer(made(Role.ACTION, "team-a"))
    assert call("POST", f"/step/{token}", {"ackState": "APPROVED"}, headers=own).status == 200


# ── AWS's SDK ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Raw:
    """The body of a response as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


def through_the_gateway(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    """Send a request of botocore through API Gateway to the app."""
    headers = {
        name: value.decode() if isinstance(value, bytes) else str(value) for name, value in request.headers.items()
    }
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    reply = call(request.method, "/" + request.url.partition("//")[2].partition("/")[2], body, headers=headers)
    return AWSResponse(request.url, reply.status, dict(reply.headers), _Raw(reply.text.encode()))


@pytest.fixture
def sfn(host: Host) -> Any:
    """A client of Step Functions whose requests reach the app."""
    client = boto3.client(
        "stepfunctions",
        endpoint_url="https://api.test",
        region_name="eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send.sfn.*", through_the_gateway)
    return client


def refusal(send: Any, **given: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        send(**given)
    response = raised.value.response
    assert response["Error"]["Message"]
    return str(response["Error"]["Code"]), int(response["ResponseMetadata"]["HTTPStatusCode"])


def test_success_is_the_first_state_that_the_action_declares(host: Host, sfn: Any) -> None:
    answer = sfn.send_task_success(taskToken=asked(host), output='{"by": "Ann", "n": [1, null]}')
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["ResponseMetadata"]["RequestId"]
    assert spec_of()["output"] == {"why": "", "result": {"by": "Ann", "n": [1, None]}}


@pytest.mark.parametrize("output", ['"{}"', '"[1]"', '"text"', "7", "null", "7.0"])
def test_the_output_is_the_value_of_its_json(host: Host, sfn: Any, output: str) -> None:
    sfn.send_task_success(taskToken=asked(host), output=output)
    found = spec_of()["output"]["result"]
    assert (json.loads(output), type(json.loads(output))) == (found, type(found))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"error": "CardExpired", "cause": "in 2026"}, "CardExpired: in 2026"),
        ({"cause": "it rained"}, "TaskFailed: it rained"),
        ({}, "TaskFailed: "),
        ({"error": "E" * 256}, "E" * 128 + ": "),
    ],
)
def test_failure_is_an_error_with_its_name(host: Host, sfn: Any, given: dict[str, str], why: str) -> None:
    sfn.send_task_failure(taskToken=asked(host), **given)
    assert spec_of()["output"]["why"] == why


def test_a_heartbeat_keeps_the_task_and_the_data_of_its_last_report(host: Host, sfn: Any) -> None:
    token = asked(host, action=MAIL.replace("return", "heartbeat = 1m; return"))
    post(token, done=False, data={"percent": 50})
    for _ in range(3):
        host.pass_time(59_000)
        sfn.send_task_heartbeat(taskToken=token)
    assert spec_of()["steps"][0]["spec"]["result"] == {"percent": 50}
    assert spec_of()["status"] == "running"


def test_the_errors_have_awss_names(host: Host, sfn: Any) -> None:
    token, output = asked(host), "{}"
    assert refusal(sfn.send_task_success, taskToken="x", output=output) == ("InvalidToken", 400)
    assert refusal(sfn.send_task_failure, taskToken=FOREIGN) == ("TaskDoesNotExist", 400)
    assert refusal(sfn.send_task_heartbeat, taskToken=FOREIGN) == ("TaskDoesNotExist", 400)
    nowhere = StepToken("default", "nowhere", NEVER).encode()
    assert refusal(sfn.send_task_success, taskToken=nowhere, output=output) == ("TaskDoesNotExist", 400)
    for broken in ("{", "NaN", "", "[" * 70 + "]" * 70):
        assert refusal(sfn.send_task_success, taskToken=token, output=broken) == ("InvalidOutput", 400)
    assert refusal(sfn.start_execution, stateMachineArn="x") == ("UnknownOperationException", 400)
    sfn.send_task_success(taskToken=token, output=output)
    assert refusal(sfn.send_task_success, taskToken=token, output=output) == ("TaskTimedOut", 400)
    assert refusal(sfn.send_task_heartbeat, taskToken=token) == ("TaskTimedOut", 400)
    stopped = asked(host, name="stopped")
    call("POST", "/flowrun/stopped/stop")
    assert refusal(sfn.send_task_failure, taskToken=stopped) == ("TaskTimedOut", 400)


def test_the_sdk_knows_the_errors_by_their_classes(host: Host, sfn: Any) -> None:
    with pytest.raises(sfn.exceptions.TaskDoesNotExist):
        sfn.send_task_heartbeat(taskToken=FOREIGN)
    with pytest.raises(sfn.exceptions.InvalidToken):
        sfn.send_task_heartbeat(taskToken="x")


def test_awss_signature_is_no_token_of_this_server(guarded: Host, sfn: Any) -> None:
    """The task token is the permission, as long as callbacks are open."""
    side = Side("team-a")
    token = asked(guarded, side.headers)
    sfn.send_task_success(taskToken=token, output="1")
    assert spec_of(headers=side.headers)["output"]["result"] == 1


def test_callbacks_that_need_a_token_refuse_the_sdk(host: Host, sfn: Any) -> None:
    under(host, Settings(auth=Access.TOKEN, callbacks=Access.TOKEN, admin_token_sha256=sha256(FIRST)))
    assert refusal(sfn.send_task_heartbeat, taskToken=FOREIGN) == ("AccessDeniedException", 400)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"taskToken": 7}', "{"])
def test_a_request_without_the_sdk(host: Host, body: str) -> None:
    headers = {"X-Amz-Target": "AWSStepFunctions.SendTaskSuccess"}
    reply = call("POST", "/", body, headers=headers)
    assert (reply.status, reply.json["__type"]) == (400, "ValidationException")
    assert call("POST", "/", body).code == "method-not-allowed"
    assert reply.headers["Content-Type"] == "application/x-amz-json-1.0"
