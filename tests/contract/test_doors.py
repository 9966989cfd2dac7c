"""The same answers through API Gateway and through the Function URL give the same responses and the same runs.

Two hosts start alike: one gets each request as an event of a REST API, the other one in payload format 2.0. Requests
are answers to steps, spoiled in up to two places. `ECHOER_CONTRACT_CASES=1000 pytest tests/contract` sends more.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.config import Access, Backend, Settings
from chalicelib.entrypoints.http.audit import LOG
from chalicelib.model.step_token import StepToken
from chalicelib.service.security.tokens import sha256
from tests.entrypoints import gateway
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import Reply
from tests.hosts import Host, accept

CASES: Final = int(os.environ.get("ECHOER_CONTRACT_CASES", "25")) * 4
ADMIN: Final = "the token of the doors' admin, long enough"
AS_ADMIN: Final = {"Authorization": f"Bearer {ADMIN}"}
SIGNER: Final = "arn:aws:iam::123456789012:user/billing"
NAMESPACE: Final = "x-echoer-namespace"

TOKENS: Final = Settings(backend=Backend.MEMORY, auth=Access.TOKEN, admin_token_sha256=sha256(ADMIN))
KINDS: Final = {
    "open": Settings(backend=Backend.MEMORY, on_lambda=True),
    "open to pages": Settings(backend=Backend.MEMORY, on_lambda=True, origins=("https://console.example",)),
    "token": TOKENS,
    "token for callbacks": replace(TOKENS, callbacks=Access.TOKEN),
    "iam": Settings(backend=Backend.MEMORY, auth=Access.IAM),
    "iam for callbacks": Settings(backend=Backend.MEMORY, auth=Access.IAM, callbacks=Access.TOKEN),
}
DEFINITIONS: Final = "\n/\n".join(
    [
        WORK,
        TWO,
        'action sealed addr = "http://work.test/"; return = (OK | FAIL); callback = signed; action_end',
        'action bare addr = "http://work.test/"; return = (OK | FAIL); callback = none; action_end',
        "action ask method = human; return = (YES | NO); action_end",
        """flow three
    fork All => (DONE -> done) {
        branch a { step Sealed => (OK -> done | FAIL -> stopped) { action = sealed; }; };
        branch b { step Bare => (OK -> done | FAIL -> stopped) { action = bare; }; };
        branch c { deci Ask => (YES -> done | NO -> stopped) { action = ask; }; };
    };
flow_end""",
    ]
)


@dataclass(frozen=True)
class Request:
    """A request to either door."""

    method: str
    url: str
    body: str | None
    raw: bytes | None
    headers: Mapping[str, str]
    arn: str | None

    def through(self, door: Callable[..., Reply]) -> Reply:
        return door(self.method, self.url, self.body, raw=self.raw, headers=self.headers, arn=self.arn)


class Doors:
    """Two hosts with the same runs."""

    def __init__(self, under: Settings) -> None:
        self.hosts = [Host(accept, settings=under), Host(accept, settings=under)]
        self.activations: list[dict[str, str]] = []
        for host in self.hosts:
            host.submit(DEFINITIONS)
            runs = [host.start("two", name=f"two-{number}", order="o") for number in range(4)]
            runs.append(host.start("three", name="three"))
            self.activations = [
                {"flowId": run.name, "stepName": token.step, "uuid": token.activation.uuid}
                for run in runs
                for token in run.tokens
                if token.activation is not None
            ]

    def compare(self, request: Request, caplog: pytest.LogCaptureFixture) -> Reply:
        """Send the request through both doors, and compare responses, runs and lines of the audit."""
        replies, lines = [], []
        for host, door in zip(self.hosts, (gateway.call, gateway.answer), strict=True):
            hosting.use(host.services)
            caplog.clear()
            replies.append(request.through(door))
            lines.append([(line.name, line.getMessage()) for line in caplog.records if line.name == LOG.name])
        first, second = replies
        assert (first.status, first.text) == (second.status, second.text), request
        assert dict(first.headers) == dict(second.headers), request
        assert lines[0] == lines[1], request
        heads = [[host.services.runs.load("default", one["flowId"]) for one in self.activations] for host in self.hosts]
        assert heads[0] == heads[1], request
        assert self.hosts[0].queue.sent == self.hosts[1].queue.sent, request
        return first


@pytest.fixture
def forgotten() -> Iterator[None]:
    yield
    hosting.forget()


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORD: Final = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
FIELD: Final = st.sampled_from(
    ["flowId", "stepName", "uuid", "ackState", "done", "data", "globalVariables", "error", "taskToken", "output", "x"]
)
PAIR: Final = st.tuples(
    st.sampled_from(["namespace", "namespce", "a", ""]), TEXT | st.sampled_from(["default", "team-a"])
)
SPOILED_HEADERS: Final = st.dictionaries(
    st.sampled_from(
        ["Authorization", NAMESPACE, "X-Amz-Target", "webhook-id", "webhook-signature", "traceparent", "x"]
    ),
    WORD | st.sampled_from(["default", "team-a", "Bearer x", "Basic eA==", "AWS4-HMAC-SHA256 x", ""]),
    min_size=1,
    max_size=2,
)
HARMLESS_HEADERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(["application/json", "text/plain", "application/octet-stream", "x"]),
        "Origin": st.sampled_from(["https://console.example", "https://evil.example", "null"]),
        "Sec-Fetch-Site": st.sampled_from(["same-origin", "cross-site", "none"]),
        "X-Request-Id": WORD,
        "traceparent": st.just("00-" + "a" * 32 + "-" + "b" * 16 + "-01"),
        "Cookie": st.just("a=1; b=2"),
    },
)


PLACES: Final = ("field", "missing", "body", "path", "query", "headers", "binary", "page")


def token_of(named: dict[str, str]) -> str:
    return StepToken("default", named["flowId"], named["uuid"]).encode()


@st.composite
def answers(draw: st.DrawFn, named: dict[str, str]) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Draw the path, the body and the headers of an answer to this activation."""
    form = draw(st.sampled_from(["names", "names", "token", "SDK"]))
    if form == "SDK":
        operation = draw(st.sampled_from(["SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"]))
        more = {"output": json.dumps(draw(JSON))} if operation == "SendTaskSuccess" else {}
        return "/", {"taskToken": token_of(named), **more}, {"X-Amz-Target": f"AWSStepFunctions.{operation}"}
    final = {"ackState": draw(st.sampled_from(["OK", "OK", "FAIL", "YES"])), "done": True, "data": draw(JSON)}
    progress = {"done": False, "data": draw(JSON), "globalVariables": draw(st.dictionaries(WORD, JSON, max_size=2))}
    fields: dict[str, Any] = draw(st.sampled_from([final, progress]))
    return ("/step", {**named, **fields}, {}) if form == "names" else (f"/step/{token_of(named)}", fields, {})


@st.composite
def requests_to(draw: st.DrawFn, activations: list[dict[str, str]]) -> Request:
    """Draw a request that answers one of the activations, spoiled in up to two places."""
    path, fields, headers = draw(answers(draw(st.sampled_from(activations))))
    headers |= draw(st.sampled_from([AS_ADMIN, AS_ADMIN, {}]))
    spoiled = draw(
        st.lists(
            st.sampled_from(["field", "missing", "body", "path", "query", "headers", "binary", "page"]), max_size=2
        )
    )
    if "field" in spoiled:
        fields = {**fields, draw(FIELD): draw(JSON)}
    if "missing" in spoiled:
        fields.pop(draw(st.sampled_from(sorted(fields))))
    body: str | None = json.dumps(fields, ensure_ascii=draw(st.booleans()))
    if "body" in spoiled:
        body = draw(st.none() | TEXT | JSON.map(json.dumps))
    if "path" in spoiled:
        path = f"/step/{quote(draw(WORD), safe='')}"
    if "query" in spoiled:
        pairs = draw(st.lists(PAIR, min_size=1, max_size=2))
        path += "?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
    if "headers" in spoiled:
        headers |= draw(SPOILED_HEADERS)
    if "page" in spoiled:
        headers |= draw(HARMLESS_HEADERS)
    raw = body.encode() if body is not None and draw(st.booleans()) else None
    if "binary" in spoiled:
        raw = draw(st.binary(max_size=20))
    arn = draw(st.sampled_from([None, SIGNER]))
    return Request("POST", path, None if raw is not None else body, raw, headers, arn)


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("kind", KINDS)
def test_both_doors_respond_alike(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    doors, statuses = Doors(KINDS[kind]), Counter[int]()
    caplog.set_level(logging.INFO, LOG.name)

    @settings(
        max_examples=CASES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),  # the hosts have state, so a failing request cannot be shrunk
        suppress_health_check=list(HealthCheck),
    )
    @given(request=requests_to(doors.activations))
    def send(request: Request) -> None:
        statuses[doors.compare(request, caplog).status] += 1

    send()
    assert set(statuses) <= {200, 400, 401, 403, 404, 405, 409, 413, 422, 429}, statuses
    assert statuses[200], statuses
    logging.getLogger("echoer.contract").info("%s: %s", kind, dict(statuses))
