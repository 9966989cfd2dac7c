"""The Lambda authorizer that API Gateway calls before the API, and the API under ECHOER_AUTH=iam."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chalicelib import config, hosting
from chalicelib.config import Access, BadSetting, Settings
from chalicelib.entrypoints import authorizer
from chalicelib.entrypoints.http.register import requires_caller
from chalicelib.entrypoints.http.routes import ROUTES
from chalicelib.model.step_token import StepToken
from chalicelib.service.errors import Busy
from chalicelib.service.security.roles import Role
from chalicelib.service.security.tokens import TOKEN_CACHE_MS, sha256
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import Reply, call
from tests.entrypoints.steps import answered
from tests.entrypoints.test_access import ADMIN, FIRST, guarded, made, under
from tests.hosts import Host

__all__ = ["guarded"]  # a fixture

ROOT = Path(__file__).parents[2]
API = "arn:aws:execute-api:eu-central-1:123456789012:abc/api"


def told(said: str, call_: str = "GET/flowrun") -> dict[str, Any]:
    answer: dict[str, Any] = authorizer.authorize(said, f"{API}/{call_}")
    return answer


def policy(effect: str, who: str) -> dict[str, Any]:
    """Return the policy for every call of the API."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": f"{API}/*"}
    return {"principalId": who, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


# ── the authorizer ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_is_authorized_for_every_call_and_the_api_checks_its_role(guarded: Host) -> None:
    """API Gateway caches the policy for all calls, so it must not depend on the requested one."""
    token = made(Role.VIEWER, name="ci")
    calls = [f"{route.method}{route.path}" for route in ROUTES]
    assert [told(f"Bearer {token}", one) for one in calls] == [policy("Allow", "token ci")] * len(calls)
    assert told(f"bearer {FIRST}") == policy("Allow", "admin")
    assert call("POST", "/event", {"name": "e"}, headers={"Authorization": f"Bearer {token}"}).status == 403


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer x", f"Basic {FIRST}", f"Bearer ech_{'0' * 16}_{'0' * 64}", FIRST]
)
def test_without_a_valid_token_every_call_is_denied(guarded: Host, said: str) -> None:
    assert told(said) == policy("Deny", "nobody")


def test_the_api_does_not_rely_on_the_authorizers_cache(guarded: Host) -> None:
    token = made(Role.VIEWER, name="ci")
    gateway = guarded.services
    assert told(f"Bearer {token}") == policy("Allow", "token ci")
    under(guarded, gateway.settings)  # the container of the API
    call("DELETE", f"/token/{token.split('_')[1]}", headers=ADMIN)
    assert call("GET", "/flowrun", headers={"Authorization": f"Bearer {token}"}).status == 401
    hosting.use(gateway)
    assert told(f"Bearer {token}") == policy("Allow", "token ci")
    guarded.clock.advance(TOKEN_CACHE_MS)
    assert told(f"Bearer {token}") == policy("Deny", "nobody")
    assert authorizer.CACHE_S * 1000 == TOKEN_CACHE_MS


def test_a_refusal_leaves_a_line_that_no_path_can_forge_and_no_token_is_in(
    guarded: Host, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "echoer.audit"):
        told(f"Bearer {'s3cret' * 8}", "DELETE/flowrun/r")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "echoer.audit"]
    assert line == "'nobody': 'DELETE /flowrun/r': the token is unknown"


def test_a_failing_lookup_is_an_error_and_not_a_refusal(guarded: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """API Gateway caches refusals, but not errors."""

    def fails(*_: object) -> None:
        raise Busy("throttled")

    monkeypatch.setattr(guarded.services.adapters.store.versioned_values, "read", fails)
    with pytest.raises(Busy):
        told(f"Bearer ech_{'0' * 16}_{'0' * 64}")


@pytest.mark.parametrize("callbacks", [Access.OPEN, Access.TOKEN])
def test_public_calls_skip_the_authorizer(callbacks: Access) -> None:
    free = {route.call for route in ROUTES if not requires_caller(route, callbacks)}
    public = {route.call for route in ROUTES if route.role is None}
    callback = {("POST", "/step"), ("POST", "/step/{name}")}
    assert free == public | (callback if callbacks is Access.OPEN else set())


GATES = """
import json, app
routes = {f"{m} {p}": type(entry.authorizer).__name__ for p, of in app.app.routes.items() for m, entry in of.items()}
print(json.dumps([sorted(set(routes.values())), routes["POST /step"], [a.name for a in app.app.builtin_auth_handlers]]))
"""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, [["NoneType"], "NoneType", []]),
        ({"AUTH": "token"}, [["ChaliceAuthorizer", "NoneType"], "NoneType", ["authorize"]]),
        ({"AUTH": "token", "AUTHORIZER": "off"}, [["NoneType"], "NoneType", []]),
        ({"AUTH": "token", "BACKEND": "sqlite"}, [["NoneType"], "NoneType", []]),
        ({"AUTH": "iam"}, [["IAMAuthorizer", "NoneType"], "NoneType", []]),
        ({"AUTH": "iam", "CALLBACKS": "token"}, [["IAMAuthorizer", "NoneType"], "IAMAuthorizer", []]),
    ],
)
def test_the_settings_select_the_authorizer(environment: Mapping[str, str], expected: list[object]) -> None:
    said = {f"ECHOER_{name}": value for name, value in {"BACKEND": "aws", **environment}.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ECHOER_")}
    shown = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", GATES], cwd=ROOT, env={**kept, **said}, capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout) == expected


def test_the_authorizer_is_called_as_lambda_calls_it() -> None:
    code = """
import json, app
from chalicelib import hosting
from chalicelib.config import Backend; from chalicelib.config import Settings
made = Settings(backend=Backend.MEMORY)
hosting.use(hosting.assemble(made, hosting.adapters_for(made)))
event = {"type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": "arn:aws:execute-api:r:1:abc/api/GET/flow"}
print(json.dumps(app.authorize(event, None)))
"""
    said = {"ECHOER_BACKEND": "aws", "ECHOER_AUTH": "token"}
    shown = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **said}, capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout)["policyDocument"]["Statement"][0]["Effect"] == "Deny"


def test_the_authorizers_pattern_accepts_every_valid_token(guarded: Host) -> None:
    for token in (made(Role.VIEWER), FIRST):
        assert re.search(authorizer.TOKEN_PATTERN, f"Bearer {token}")
        assert call("GET", "/flowrun", headers={"Authorization": f"Bearer {token}"}).status == 200


# ── IAM ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

ARN = "arn:aws:sts::123456789012:assumed-role/ci/session"


@pytest.fixture
def by_iam(host: Host) -> Host:
    return under(host, Settings(auth=Access.IAM, namespace="here", admin_token_sha256=sha256(FIRST)))


def signed(method: str, url: str, body: Any = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return call(method, url, body, headers={"Authorization": "AWS4-HMAC-SHA256 Credential=...", **named}, arn=ARN)


def test_the_signing_identity_is_in_history_and_audit(by_iam: Host, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "echoer.audit"):
        assert signed("POST", "/fsl", f"{WORK}\n/\n{TWO}").status == 200
        assert signed("POST", "/flow/two/runs", {"name": "r", "input": {"order": "o"}}).status == 201
    assert signed("GET", "/flowrun/r/history").json[0]["by"] == ARN
    lines = [record.getMessage() for record in caplog.records if record.name == "echoer.audit"]
    assert len(lines) == 2
    assert all(line.startswith(f"{ARN!r} in here: ") for line in lines)


@pytest.mark.parametrize("said", [{}, ADMIN, {"Authorization": f"AWS4-HMAC-SHA256 userArn={ARN}", "userArn": ARN}])
def test_only_api_gateway_can_say_who_signed(by_iam: Host, said: dict[str, str]) -> None:
    for url in ("/flowrun", "/token"):
        reply = call("GET", url, headers=said)
        assert (reply.status, reply.code) == (401, "unauthorized")
    assert call("GET", "/healthz", headers=said).status == 200


def test_an_identity_acts_in_the_one_namespace(by_iam: Host) -> None:
    assert signed("GET", "/flowrun", X_Echoer_Namespace="here").status == 200
    assert signed("GET", "/flowrun", X_Echoer_Namespace="there").status == 403


def test_answers_to_steps_need_no_iam_signature_by_default(by_iam: Host) -> None:
    signed("POST", "/fsl", f"{WORK}\n/\n{TWO}")
    run = signed("POST", "/flow/two/runs", {"name": "r", "input": {"order": "o"}}).json
    assert call("POST", "/step", answered(run, done=False)).json == {"outcome": "progress"}
    under(by_iam, Settings(auth=Access.IAM, callbacks=Access.TOKEN, namespace="here"))
    assert call("POST", "/step", answered(run)).status == 401
    assert signed("POST", "/step", answered(run)).json == {"outcome": "advanced"}


def test_a_person_s_answer_needs_a_signature_or_a_link(by_iam: Host) -> None:
    """Never the bare uuid, though answers of services need no signature."""
    signed(
        "POST",
        "/fsl",
        """action ask method = human; return = (YES | NO); action_end
        /
        flow f step Ask => (YES -> done | NO -> stopped) { action = ask; }; flow_end""",
    )
    signed("POST", "/flow/f/runs", {"name": "r"})
    (task,) = signed("GET", "/task").json
    answer = {"flowId": "r", "stepName": "Ask", "uuid": task["uuid"], "ackState": "YES", "done": True}
    token = StepToken("here", "r", task["uuid"]).encode()
    for url, body in (("/step", answer), (f"/step/{token}", {"ackState": "YES"})):
        refused = call("POST", url, body)
        assert (refused.status, refused.code) == (401, "unauthorized")
        assert "'Ask' is answered by a person: use a signed link" in refused.json["message"]
    under(by_iam, Settings(auth=Access.IAM, callbacks=Access.TOKEN, namespace="here"))
    assert signed("POST", "/step", answer).json == {"outcome": "advanced"}


def test_settings_of_the_authorizer_are_read() -> None:
    read = config.from_environment({"ECHOER_AUTH": "iam", "ECHOER_BACKEND": "aws", "ECHOER_AUTHORIZER": "off"})
    assert (read.auth, read.gate, read.notices) == (Access.IAM, Access.IAM, ())
    for wrong in ({"ECHOER_AUTHORIZER": "maybe"}, {"ECHOER_CALLBACKS": "iam"}):
        with pytest.raises(BadSetting, match=next(iter(wrong))):
            config.from_environment(wrong)
