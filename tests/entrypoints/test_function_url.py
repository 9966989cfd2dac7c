"""The door of the Function URL: payload format 2.0, what it serves, and events that are no requests.

`tests/contract/test_doors.py` compares its responses with those through API Gateway.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib import config, hosting
from chalicelib.config import Access, Backend, BadSetting
from chalicelib.entrypoints.http import function_url
from chalicelib.entrypoints.http.routes import ROUTES, UNDOCUMENTED
from chalicelib.hosting.virtual import IN_MEMORY
from chalicelib.service.security.roles import Role
from tests.entrypoints.gateway import URL_HOST, Context, answer, call, url_event
from tests.entrypoints.steps import answered, started
from tests.entrypoints.test_access import bearer, guarded, made, under
from tests.hosts import Host, accept

__all__ = ["guarded"]  # a fixture

ROOT: Final = Path(__file__).parents[2]

SERVED: Final = {(route.method, route.path) for route in (*ROUTES, *UNDOCUMENTED) if route.is_callback}


def served(event: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return the status, the body and the headers of the response to an event."""
    made_ = function_url.serve(event, Context())
    assert made_.keys() == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert all(isinstance(value, str) for value in made_["headers"].values())
    json.dumps(made_).encode()  # as Lambda does
    return made_["statusCode"], json.loads(made_["body"]), made_["headers"]


def detail(event: Any) -> str:
    """Return the message of the refusal of an event."""
    status, body, headers = served(event)
    assert (status, body["error"]["code"], headers["x-request-id"]) == (400, "malformed", "req-1"), body
    assert body["message"] == body["error"]["detail"]
    return str(body["message"])


# ── what is served ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_goes_to_its_end_by_answers_to_the_function_url(host: Host) -> None:
    run = started()
    assert answer("POST", "/step", answered(run)).json == {"outcome": "advanced"}
    assert answer("POST", "/step", answered(run)).json == {"outcome": "duplicate"}
    run = call("GET", "/flowrun/r").json
    assert answer("POST", "/step", answered(run, done=False, ackState=None)).json == {"outcome": "progress"}
    assert answer("POST", "/step", answered(run)).status == 200
    assert call("GET", "/flowrun/r").json["spec"]["status"] == "succeeded"


@pytest.mark.parametrize("path", ["/step/", "//step", "/step//"])
def test_slashes_at_the_ends_do_not_matter(host: Host, path: str) -> None:
    assert answer("POST", path, answered(started())).json == {"outcome": "advanced"}


def test_a_body_may_be_base64(host: Host) -> None:
    body = json.dumps(answered(started(), data="ü")).encode()
    assert answer("POST", "/step", raw=body).json == {"outcome": "advanced"}
    assert answer("POST", "/step", raw=b"\xff").code == "malformed"


@pytest.mark.parametrize(("coding", "bits"), [("gzip", 31), ("deflate", 15), ("GZIP ", 31)])
def test_a_body_may_be_compressed_as_behind_api_gateway(host: Host, coding: str, bits: int) -> None:
    """API Gateway decompresses it, because the stage sets `minimum_compression_size`."""
    body = compressed(json.dumps(answered(started())).encode(), bits)
    headers = {"Content-Encoding": coding}
    assert answer("POST", "/step", raw=body, headers=headers).json == {"outcome": "advanced"}
    for broken in (body[:-9], b"x", b""):
        reply = answer("POST", "/step", raw=broken, headers=headers)
        assert (reply.status, reply.code) == (400, "malformed"), broken
        assert "as `Content-Encoding` says: " in reply.json["message"]
    reply = answer("POST", "/step", "{}", headers={"Content-Encoding": "identity"})
    assert reply.json["message"] == "`flowId` is missing"


def test_a_body_in_an_unknown_coding_is_refused(host: Host) -> None:
    reply = answer("POST", "/step", raw=b"x", headers={"Content-Encoding": "br"})
    assert (reply.status, reply.code) == (415, "unsupported-media-type")


def test_a_decompressed_body_has_a_limit(host: Host) -> None:
    headers = {"Content-Encoding": "gzip"}
    most = b" " * function_url.MAX_BODY_BYTES
    reply = answer("POST", "/step", raw=compressed(most, 31), headers=headers)
    assert reply.json["message"].startswith("the body is empty")
    reply = answer("POST", "/step", raw=compressed(most + b" ", 31), headers=headers)
    assert (reply.status, reply.code) == (413, "too-large")


def compressed(body: bytes, bits: int) -> bytes:
    compressor = zlib.compressobj(wbits=bits)
    return compressor.compress(body) + compressor.flush()


def test_the_callback_url_may_name_the_namespace(guarded: Host) -> None:
    under(guarded, replace(guarded.services.settings, callbacks=Access.OPEN))
    token = bearer(made(Role.ADMIN, "team-a"))
    defined = 'action w addr = "http://work.test/"; return = (OK); action_end\n/\n'
    defined += "flow f step A => (OK -> done) { action = w; }; flow_end"
    call("POST", "/fsl", defined, headers=token)
    run = call("POST", "/flow/f/runs", {"name": "r"}, headers=token).json
    assert answer("POST", "/step", answered(run)).status == 404
    assert answer("POST", "/step?namespace=team-a", answered(run)).json == {"outcome": "advanced"}


NOT_SERVED: Final = sorted({(route.method, route.path) for route in ROUTES} - SERVED)


@pytest.mark.parametrize(("method", "path"), NOT_SERVED)
def test_no_other_call_is_served(guarded: Host, method: str, path: str) -> None:
    """The first admin's token does not help."""
    reply = answer(method, path.replace("{", "").replace("}", ""), headers=bearer("x" * 40))
    is_callback = path in {of for _, of in SERVED}
    assert (reply.status, reply.code) == ((405, "method-not-allowed") if is_callback else (404, "not-found"))
    assert reply.headers.get("Allow") == ("POST" if is_callback else None)
    assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/step/a/b", "", "/steps", "/STEP", "/step%2F", "/../step", "/task/x/answer", "/ü"])
def test_a_path_that_is_nearly_one_is_not_served(host: Host, path: str) -> None:
    reply = answer("POST", path, {})
    assert reply.status == (405 if path == "" else 404)  # the root is the path of AWS's SDK


def test_pages_of_permitted_origins_may_answer(host: Host) -> None:
    page = {"Origin": "https://console.example"}
    assert answer("OPTIONS", "/step", headers=page).status == 405
    under(host, replace(host.services.settings, origins=("https://console.example",)))
    reply = answer("OPTIONS", "/step", headers=page)
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (204, "https://console.example")
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]
    shown = answer("POST", "/nowhere", {}, headers=page).headers
    assert (shown["Access-Control-Allow-Origin"], shown["Vary"]) == ("https://console.example", "Origin")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "https://api.example/x/step"),
        ({"callback_base": f"https://{URL_HOST}/"}, f"https://{URL_HOST}/step"),
        ({"callback_base": "https://answers.example"}, "https://answers.example/step"),
    ],
)
def test_the_doctor_shows_where_actions_answer(host: Host, changes: dict[str, Any], shown: str) -> None:
    under(host, replace(IN_MEMORY, on_lambda=True, **changes))
    about = {"domainName": "api.example", "path": "/x/doctor"}
    assert call("GET", "/doctor", context=about).json["callback_url"] == shown


def test_actions_are_told_the_function_url_and_people_the_url_of_the_api() -> None:
    shown = config.from_environment(
        {"ECHOER_PUBLIC_URL": "https://api.example", "ECHOER_CALLBACK_URL": f"https://{URL_HOST}/"}
    )
    assert (shown.url, shown.callback_url) == ("https://api.example", f"https://{URL_HOST}/step")
    host = Host(accept, settings=replace(shown, backend=Backend.MEMORY))
    hosting.use(host.services)
    started()
    assert host.work() == []
    assert host.actions.requests[-1]["callbackUrl"] == f"https://{URL_HOST}/step"
    hosting.forget()


@pytest.mark.parametrize(
    "value", ["https://answers.example", "https://answers.example/step/", " https://answers.example/ "]
)
def test_the_url_of_answers_may_be_set_with_or_without_its_path(value: str) -> None:
    assert config.from_environment({"ECHOER_CALLBACK_URL": value}).callback_url == "https://answers.example/step"


@pytest.mark.parametrize("is_back", [False, True], ids=["to the API", "to the Function URL"])
def test_a_stage_is_switched_while_a_step_waits(*, is_back: bool) -> None:
    """The delivery of before is answered at the URL that it names, and the next one at its own."""
    doors = {f"https://{URL_HOST}/step": answer, "https://api.example/step": call}
    by_api = replace(IN_MEMORY, url="https://api.example")
    by_url = replace(by_api, callback_base=f"https://{URL_HOST}")
    before, after = (by_api, by_url) if is_back else (by_url, by_api)
    host = Host(accept, settings=before)
    hosting.use(host.services)
    started()
    for _ in range(2):
        assert host.work() == []
        under(host, after)
        request = host.actions.requests[-1]
        named = {name: request[name] for name in ("flowId", "stepName", "uuid")}
        reply = doors[request["callbackUrl"]]("POST", "/step", {**named, "ackState": "OK"})
        assert reply.json == {"outcome": "advanced"}
    urls = [request["callbackUrl"] for request in host.actions.requests]
    assert urls == [before.callback_url, after.callback_url]
    assert call("GET", "/flowrun/r").json["spec"]["status"] == "succeeded"
    hosting.forget()


def test_without_a_setting_actions_answer_at_the_url_of_the_server() -> None:
    for set_ in ({}, {"ECHOER_CALLBACK_URL": ""}, {"ECHOER_CALLBACK_URL": "API"}):
        assert config.from_environment(set_).callback_url == "http://127.0.0.1:8080/step"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("function-url", "only a stage on AWS has a Function URL"), ("answers", "must be an http:// or https:// URL")],
)
def test_one_machine_has_no_function_url(value: str, shown: str) -> None:
    with pytest.raises(BadSetting, match=shown):
        config.from_environment({"ECHOER_CALLBACK_URL": value})


# ── who may answer ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_has_its_rate_here_too(guarded: Host) -> None:
    under(guarded, replace(guarded.services.settings, callbacks=Access.TOKEN, rate=2))
    token = bearer(made(Role.ACTION))
    replies = [answer("POST", "/step", {}, headers=token) for _ in range(3)]
    assert [reply.status for reply in replies] == [400, 400, 429]
    assert replies[2].headers["Retry-After"]


def test_a_viewer_may_not_answer(guarded: Host) -> None:
    assert answer("POST", "/step", {}, headers=bearer(made(Role.VIEWER))).code == "forbidden"


def test_two_tokens_are_none(guarded: Host) -> None:
    """A header that is sent twice arrives as one."""
    token = made(Role.ACTION)
    assert answer("POST", "/step", {}, headers={"Authorization": f"Bearer {token},Bearer {token}"}).status == 401


def test_only_lambda_can_say_who_signed(host: Host) -> None:
    under(host, replace(IN_MEMORY, auth=Access.IAM, callbacks=Access.TOKEN))
    signer = "arn:aws:iam::123456789012:user/billing"
    assert answer("POST", "/step", {}).status == 401
    assert answer("POST", "/step", {}, headers={"authorizer": signer, "x-amzn-iam": signer}).status == 401
    event = url_event("POST", "/step", json.dumps({"requestContext": {"authorizer": {"iam": {"userArn": signer}}}}))
    assert served(event)[0] == 401
    event["requestContext"]["identity"] = {"userArn": signer}  # where a REST API has it
    assert served(event)[0] == 401
    assert answer("POST", "/step", {}, arn=signer).status == 400


def test_pages_of_other_origins_may_not_answer_where_all_may(host: Host) -> None:
    under(host, replace(IN_MEMORY, on_lambda=True))
    for origin, status in {"https://evil.example": 403, "https://api.test": 403, f"https://{URL_HOST}": 400}.items():
        assert answer("POST", "/step", {}, headers={"Origin": origin}).status == status, origin


def test_the_audit_and_the_log_name_the_request_and_the_function(
    guarded: Host, caplog: pytest.LogCaptureFixture
) -> None:
    under(guarded, replace(guarded.services.settings, callbacks=Access.OPEN))
    with caplog.at_level(logging.INFO, "echoer.audit"):
        reply = answer("POST", "/step", {"flowId": "r", "stepName": "A", "uuid": "u"}, headers={"X-Request-Id": "mine"})
    (line,) = [record for record in caplog.records if record.name == "echoer.audit"]
    assert (line.__dict__["call"], line.__dict__["who"], line.__dict__["status"]) == ("POST /step", "action", 404)
    assert reply.headers["x-request-id"] == "mine"


APP = """
import json, app
event = {"version": "2.0", "rawPath": "/step", "requestContext": {"http": {"method": "POST"}}}
print(json.dumps([app.callback(event, None)["statusCode"], [one.name for one in app.app.pure_lambda_functions]]))
"""


def test_a_stage_with_a_function_url_has_the_function() -> None:
    command = [sys.executable, "-c", APP]
    set_ = {**os.environ, "ECHOER_BACKEND": "memory", "ECHOER_FUNCTION_URL": "on"}
    shown = subprocess.run(command, cwd=ROOT, env=set_, capture_output=True, text=True, check=True)  # noqa: S603
    assert json.loads(shown.stdout) == [400, ["callback"]]
    without = subprocess.run(  # noqa: S603 - our own words
        command, cwd=ROOT, env={**set_, "ECHOER_FUNCTION_URL": "off"}, capture_output=True, text=True, check=False
    )
    assert "has no attribute 'callback'" in without.stderr


# ── events that are no requests ──────────────────────────────────────────────────────────────────────────────────────


def changed(**fields: Any) -> dict[str, Any]:
    event = url_event("POST", "/step", "{}")
    event.update(fields)
    return {name: value for name, value in event.items() if value is not ...}


NO_REQUEST: Final = "the event is no request of a Function URL in payload format 2.0: "

ODD: Final[list[tuple[Any, str]]] = [
    (None, f"{NO_REQUEST}it is no object"),
    ([], f"{NO_REQUEST}it is no object"),
    ("ping", f"{NO_REQUEST}it is no object"),
    ({}, f"{NO_REQUEST}it has no `version`"),
    (changed(version="1.0"), f"{NO_REQUEST}its `version` is '1.0'"),
    (changed(version=2.0), f"{NO_REQUEST}its `version` is 2.0"),
    (changed(version=["2.0"] * 99), f"{NO_REQUEST}its `version` is ['2.0', '2.0', '2.0', '2.0', '2.0', '2.0"),
    (changed(rawPath=...), f"{NO_REQUEST}`rawPath` is missing"),
    (changed(rawPath=None), f"{NO_REQUEST}`rawPath` must be a string, not null"),
    (changed(requestContext=...), f"{NO_REQUEST}`requestContext` is missing"),
    (changed(requestContext={}), f"{NO_REQUEST}`requestContext.http` is missing"),
    (changed(requestContext={"http": {}}), f"{NO_REQUEST}`requestContext.http.method` is missing"),
    (changed(headers=[]), f"{NO_REQUEST}`headers` must be an object, not a list"),
    (changed(headers={"a": ["b"]}), f"{NO_REQUEST}`headers[...]` must be a string, not a list"),
    (changed(headers={1: "b"}), f"{NO_REQUEST}"),
    (changed(cookies="a=b"), f"{NO_REQUEST}`cookies` must be a list, not a string"),
    (changed(body={}), f"{NO_REQUEST}`body` must be a string or null, not an object"),
    (changed(isBase64Encoded="true"), f"{NO_REQUEST}`isBase64Encoded` must be true or false, not a string"),
    (changed(rawPath="/\ud800"), f"{NO_REQUEST}its path, its query or a header is no Unicode text"),
    (changed(headers={"a": "\ud800"}), f"{NO_REQUEST}its path, its query or a header is no Unicode text"),
    (changed(body="\ud800"), "`body` has a character that it cannot have"),
    (changed(body="ü", isBase64Encoded=True), "`body` has a character that it cannot have"),
    (changed(body="e30", isBase64Encoded=True), "`body` must be base64, because `isBase64Encoded` is true: "),
    (changed(body="e3 0=", isBase64Encoded=True), "`body` must be base64, because `isBase64Encoded` is true: "),
    (changed(body=None), "the body is empty; it must be a JSON object"),
    (changed(body=..., isBase64Encoded=...), "the body is empty; it must be a JSON object"),
    (changed(body="", isBase64Encoded=True), "the body is empty; it must be a JSON object"),
    (changed(body=base64.b64encode(b"[]").decode(), isBase64Encoded=True), "the body must be an object, not a list"),
]


@pytest.mark.parametrize(("event", "shown"), ODD)
def test_an_odd_event_is_a_400_that_says_why(host: Host, event: Any, shown: str) -> None:
    assert detail(event).startswith(shown)


def test_what_a_request_need_not_have_may_be_missing(host: Host) -> None:
    event = {"version": "2.0", "rawPath": "/step", "requestContext": {"http": {"method": "POST"}}}
    event["body"] = json.dumps(answered(started()))
    assert served(event)[:2] == (200, {"outcome": "advanced"})


def test_an_error_of_the_server_shows_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    host = Host(accept)
    host.services.settings = "broken"  # type: ignore[assignment]
    hosting.use(host.services)
    status, body, headers = served(changed())
    hosting.forget()
    assert (status, body["error"]["code"], headers["x-request-id"]) == (500, "internal", "req-1")
    assert "AttributeError" not in json.dumps(body)
    assert "AttributeError" in caplog.text


VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from _places(inner, (*path, key))


def _put(event: dict[str, Any], path: tuple[Any, ...], change: Callable[[dict[str, Any], Any], object]) -> Any:
    inner = event
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return event


def _whole() -> dict[str, Any]:
    event = url_event("POST", "/step", "{}", headers={"a": "b"})
    event["cookies"] = ["a=b"]
    event["requestContext"]["authorizer"] = {"iam": {"userArn": "arn:aws:iam::1:user/x"}}
    return event


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from([place for place in _places(_whole()) if place]), value=VALUES, is_removed=st.booleans())
def test_no_value_anywhere_in_an_event_is_an_error_of_the_server(
    host: Host, path: tuple[Any, ...], value: Any, is_removed: bool
) -> None:
    def change(inner: dict[str, Any], key: Any) -> None:
        inner.pop(key) if is_removed else inner.update({key: value})

    status, body, _ = served(_put(_whole(), path, change))
    assert 400 <= status < 500, body
    assert body["error"]["detail"] == body["message"]


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(event=VALUES)
def test_any_json_value_is_refused(host: Host, event: Any) -> None:
    assert detail(event).startswith(NO_REQUEST)
