"""Malformed requests: the response is always a 4xx with a reason, never a 5xx."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.entrypoints.http.routes import ROUTES
from chalicelib.model.status import Status
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import NEVER, started
from tests.hosts import Host

MALFORMED: list[tuple[str, bytes]] = [
    ("no JSON", b'{"data": '),
    ("no object", b"[1, 2]"),
    ("a string", b'"x"'),
    ("not UTF-8", b'{"data": "\xff\xfe"}'),
    ("a lone surrogate", b'{"data": "\\ud800", "name": "\\ud800"}'),
    ("nested too deeply", b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ("nested far too deeply", b"[" * 100_000),
    ("NaN", b'{"data": NaN}'),
]

FIELDS = ["data", "command", "name", "key", "ttl", "input", "labels", "reason", "step"]
FIELDS += ["flowId", "stepName", "uuid", "ackState", "done", "globalVariables"]

POSTS = [route.path for route in ROUTES if route.method == "POST" and route.body is not None]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(("what", "body"), MALFORMED)
def test_a_malformed_body_is_always_a_400(host: Host, path: str, what: str, body: bytes) -> None:
    started("x")
    reply = call("POST", path.replace("{name}", "two" if path.startswith("/flow/") else "x"), raw=body)
    assert reply.status == 400, reply.text
    assert reply.code in ("malformed", "fsl-malformed")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner),
    max_leaves=12,
)


@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(POSTS), body=st.dictionaries(st.sampled_from(FIELDS), JSON).map(json.dumps) | st.text())
def test_no_body_is_ever_answered_with_a_5xx(host: Host, path: str, body: str) -> None:
    reply = call("POST", path.replace("{name}", "x"), body)
    assert reply.status < 500, reply.text


@pytest.mark.parametrize("path", ["/action", "/flow", "/flowrun", "/step", "/event", "/command"])
def test_a_missing_body_is_a_400(host: Host, path: str) -> None:
    assert call("POST", path).json["message"] == "the body is empty; it must be a JSON object"


FULL = {"flowId": "r", "stepName": "A", "uuid": NEVER, "ackState": "OK", "done": True}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/step", {**FULL, "uuid": 7}, "`uuid` must be a string, not an integer"),
        ("/step", {**FULL, "uuid": None}, "`uuid` must be a string, not null"),
        ("/step", {"flowId": "r", "stepName": "A"}, "`uuid` is missing"),
        ("/step", {**FULL, "done": "true"}, "`done` must be true, false or null, not a string"),
        ("/step", {**FULL, "ackState": ["OK"]}, "`ackState` must be a string or null, not a list"),
        ("/step", {**FULL, "ackState": None}, "`ackState` must be a string that is not empty, because `done` is true"),
        ("/step", {**FULL, "globalVariables": [1]}, "`globalVariables` must be an object or null, not a list"),
        ("/action", {"date": ""}, "`data` is missing"),
        ("/fsl", {"data": 1}, "`data` must be a string, not an integer"),
        ("/flow/two/runs", {"labels": 1}, "`labels` must be an object, not an integer"),
        ("/flow/two/runs", {"name": ""}, "`name` must be a string of at least 1 character"),
        ("/edit", {"text": "", "flow": "f", "do": []}, "`do` must be a list of at least 1 entry"),
        (
            "/event",
            {"name": "n", "ttl": -1},
            "`ttl` must be a duration such as 30s or 2h, or seconds; not -1",
        ),
        ("/flowrun/r/stop", {"reason": 1}, "`reason` must be a string, not an integer"),
        ("/command", {"command": None}, "`command` must be a string, not null"),
        ("/step", [], "the body must be an object, not a list"),
    ],
)
def test_a_body_of_the_wrong_shape_says_which_field(host: Host, path: str, body: Any, message: str) -> None:
    reply = call("POST", path, body)
    assert (reply.status, reply.json["message"]) == (400, message)


@pytest.mark.parametrize(
    "url",
    [
        "/flowrun?limit=0",
        "/flowrun?limit=1001",
        "/flowrun?limit=ten",
        "/flowrun?limit=1&limit=2",
        "/flowrun?status=happy",
        "/flowrun?label=team",
        "/flowrun?label=:x",
        "/flowrun?since=yesterday",
        "/flowrun?since=2027-01-15",
        "/flowrun?since=0001-01-01T00:00:00",
        "/flowrun?cursor=nonsense",
        "/flow?cursor=%C3%A4",
        "/flow?cursor=_w",
        "/flow?limit=-1",
        "/flow/two?version=x",
        "/flow/two/graph?version=0",
        "/flow?metadata.name=two&limit=0",
        "/action?metadata.name=work&cursor=_w",
        "/flowrun/r/history?cursor=1&after=x",
        "/flowrun/r/history?after=-1",
        "/flowrun/r/history?after=99999999999999999999",
        "/flowrun/r/watch?wait=26",
        "/step?limit=0",
        "/event?limit=x",
        "/watch",
        "/watch?resource=nothing",
        "/watch?resource=flow&version=x",
        f"/flow/{'x' * 2000}",
        f"/flowrun?flow={'x' * 2000}",
    ],
)
def test_a_bad_query_is_a_400(host: Host, url: str) -> None:
    reply = call("GET", url)
    assert (reply.status, reply.code) == (400, "malformed"), reply.text


@pytest.mark.parametrize("ttl", ["367d", 31_622_401, 1.7e308])
def test_an_event_that_is_to_be_kept_too_long_is_refused(host: Host, ttl: Any) -> None:
    reply = call("POST", "/event", {"name": "n", "ttl": ttl})
    assert (reply.status, reply.code) == (422, "invalid")
    assert reply.json["message"].startswith("`ttl` must be at most 366 days, not ")


def test_every_status_can_be_asked_for(host: Host) -> None:
    assert {call("GET", f"/flowrun?status={status}").status for status in Status} == {200}


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/action/x"),
        ("GET", "/flow/x"),
        ("GET", "/flowrun/x"),
        ("GET", "/flowrun/x/history"),
        ("GET", "/flowrun/x/watch"),
        ("GET", "/step/x"),
        ("POST", "/flow/x/runs"),
        ("POST", "/flowrun/x/pause"),
        ("POST", "/flowrun/x/continue"),
        ("POST", "/flowrun/x/stop"),
        ("POST", "/flowrun/x/retry"),
        ("DELETE", "/action/x"),
        ("DELETE", "/flow/x/y"),
        ("DELETE", "/flowrun/x/y"),
    ],
)
def test_what_is_not_there_is_a_404(host: Host, method: str, url: str) -> None:
    reply = call(method, url)
    assert (reply.status, reply.code) == (404, "not-found")
