"""Unknown fields and parameters are refused, with the nearest known name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chalicelib.entrypoints.http import strict
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.routes import ROUTES
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import answered, defined, started
from tests.entrypoints.test_access import request_of
from tests.hosts import Host

GUARDED = [route for route in ROUTES if route.role is not None]
STRICT = [route for route in GUARDED if route.call not in strict.ECHOERS]
LENIENT = [route for route in GUARDED if route.call in strict.ECHOERS]


def of(routes: list[Route]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("route", routes, ids=[" ".join(route.call) for route in routes])


@of(STRICT)
def test_a_parameter_that_a_call_does_not_know_is_refused(host: Host, route: Route) -> None:
    method, url = request_of(route)
    reply = call(method, f"{url}?nonsense=1")
    assert (reply.status, reply.code) == (400, "malformed")
    assert "`nonsense`" in reply.json["message"]
    names = [parameter.name for parameter in route.query]
    assert not names or any(f"`{name}`" in reply.json["message"] for name in names) or route.is_callback


@of([route for route in STRICT if route.body is not None])
def test_a_field_that_a_call_does_not_know_is_refused(host: Host, route: Route) -> None:
    method, url = request_of(route)
    reply = call(method, url, {"nonsense": 1})
    assert (reply.status, reply.code) == (400, "malformed")
    assert "`nonsense`" in reply.json["message"]
    fields = [field.encode_name for field in msgspec.structs.fields(route.body)]
    assert not fields or any(f"`{name}`" in reply.json["message"] for name in fields)


@of(LENIENT)
def test_calls_of_echoer_ignore_what_they_do_not_know(host: Host, route: Route) -> None:
    method, url = request_of(route)
    reply = call(method, f"{url}?nonsense=1", {"nonsense": 1} if method == "POST" else None)
    assert "nonsense" not in reply.text


def test_the_echoer_calls_are_calls() -> None:
    assert {route.call for route in ROUTES} >= strict.ECHOERS


@pytest.mark.parametrize(
    ("method", "url", "body", "hint"),
    [
        ("POST", "/flow/two/runs", {"lables": {"a": 1}}, "unknown field `lables`: did you mean `labels`?"),
        ("POST", "/flow/two/runs", {"INPUT": {}}, "unknown field `INPUT`: did you mean `input`?"),
        ("POST", "/flowrun/r/stop", {"raeson": "x"}, "unknown field `raeson`: did you mean `reason`?"),
        ("POST", "/flowrun/r/pause", {"reason": "x"}, "unknown field `reason`: there are no fields"),
        ("GET", "/flowrun/r/history?ordr=desc", None, "no parameter `ordr`: did you mean `order`?"),
        ("GET", "/flowrun/count?stauts=failed", None, "no parameter `stauts`: did you mean `status`?"),
        ("GET", "/flowrun?lable=team:a", None, "no parameter `lable`: did you mean `label`?"),
        ("GET", "/flowrun?labels=team:a", None, "no parameter `labels`: did you mean `label`?"),
        ("GET", "/secret?x=1", None, "no parameter `x`"),
        ("POST", "/flowrun/r/retry", {"version": "lastest"}, "`version` cannot be 'lastest': did you mean `latest`?"),
        ("POST", "/token", {"name": "t", "role": "king"}, "`role` cannot be 'king'; it can be viewer, action, clerk, "),
        ("POST", "/batch", {"select": {"flow": "f"}, "do": "stpo"}, "`do` cannot be 'stpo': did you mean `stop`?"),
        (
            "POST",
            "/batch",
            {"select": {"flow": "f"}, "do": "stop", "with": {"raeson": "x"}},
            "unknown field `with.raeson`: did you mean `reason`?",
        ),
        ("POST", "/play", {"moves": [{"answr": {}}]}, "unknown field `moves[0].answr`: did you mean `answer`?"),
        (
            "POST",
            "/play",
            {"moves": [{"answer": {"stpe": "A"}}]},
            "unknown field `moves[0].answer.stpe`: did you mean `step`?",
        ),
        ("POST", "/step/x", {"ackSate": "OK"}, "unknown field `ackSate`: did you mean `ackState`?"),
        ("POST", "/step/x", {"ackState": "OK", "error": {"nmae": "E"}}, "field `error.nmae`: did you mean `name`?"),
    ],
)
def test_the_nearest_name_is_named(host: Host, method: str, url: str, body: Any, hint: str) -> None:
    started()
    reply = call(method, url, body)
    assert (reply.status, reply.code) == (400, "malformed"), reply.text
    assert hint in reply.json["message"]


def test_a_refused_request_changes_nothing(host: Host) -> None:
    started()
    assert call("POST", "/flow/two/runs", {"name": "s", "input": {"order": "o"}, "lables": {}}).status == 400
    assert call("POST", "/flowrun/r/stop", {"why": "x"}).status == 400
    runs = call("GET", "/flowrun").json
    assert [(run["metadata"]["name"], run["spec"]["status"]) for run in runs] == [("r", "running")]


def test_a_service_may_send_a_whole_answer_with_a_token(host: Host) -> None:
    reply = call("POST", "/step/x", {"flowId": "r", "stepName": "A", "uuid": "u", "ackState": "OK"})
    assert reply.status == 404


def test_an_answer_may_have_more_than_is_known(host: Host) -> None:
    assert call("POST", "/step", answered(started(), more=1)).status == 200


def test_a_body_that_is_no_object_is_left_to_the_call(host: Host) -> None:
    defined('action work addr = "http://work.test/"; return = (OK); action_end')
    assert call("POST", "/fsl?dry_run=true", 'config A = "x";').status == 200
    assert "must be an object" in call("POST", "/flowrun/r/stop", ["x"]).json["message"]
