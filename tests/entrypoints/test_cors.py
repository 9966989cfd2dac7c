"""Pages of other origins: which may call the API, and which headers they get (ECHOER_ORIGINS)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests
from chalice.app import Chalice
from msgspec.structs import replace

from chalicelib.config import Access
from chalicelib.entrypoints.http import register, routes
from chalicelib.hosting.virtual import IN_MEMORY
from fsl.local.http.gateway import Gateway
from fsl.local.server import LocalServer
from fsl.local.shapes import HttpRequest
from tests.entrypoints.gateway import Context, call, rest_event
from tests.entrypoints.test_access import ADMIN, GUARDED, under
from tests.hosts import Host

CONSOLE = "https://console.example"
OTHER = "https://evil.example"
READABLE = {
    "Access-Control-Allow-Origin": CONSOLE,
    "Access-Control-Expose-Headers": "x-next-cursor, x-request-id, retry-after",
    "Vary": "Origin",
}
PREFLIGHT = {
    "Access-Control-Allow-Headers": "authorization, content-type, x-echoer-namespace",
    "Access-Control-Max-Age": "7200",
}


@pytest.fixture
def permitting(host: Host) -> Host:
    """Require tokens, and permit calls of one origin."""
    return under(host, replace(GUARDED, origins=(CONSOLE,)))


def cross_origin(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("Access-Control") or name == "Vary"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/flowrun", ADMIN, 200),
        ("GET", "/flowrun", {}, 401),
        ("GET", "/flowrun/none", ADMIN, 404),
        ("POST", "/fsl", ADMIN, 400),
        ("GET", "/healthz", {}, 200),
    ],
)
def test_every_response_is_readable_for_a_permitted_origin_and_no_other(
    permitting: Host, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    reply = call(method, path, headers={**headers, "Origin": CONSOLE})
    assert (reply.status, cross_origin(reply.headers)) == (status, READABLE)
    for origin in (OTHER, "http://console.example", "null"):
        assert cross_origin(call(method, path, headers={**headers, "Origin": origin}).headers) == {"Vary": "Origin"}
    assert cross_origin(call(method, path, headers=headers).headers) == {"Vary": "Origin"}


def test_a_response_that_varies_varies_by_origin_too(permitting: Host) -> None:
    assert call("GET", "/", headers={"Accept": "text/html", "Origin": OTHER}).headers["Vary"] == "Accept, Origin"


def test_without_the_setting_no_header_is_sent(host: Host) -> None:
    assert cross_origin(call("GET", "/healthz", headers={"Origin": CONSOLE}).headers) == {}


def test_an_open_server_takes_requests_of_pages_of_permitted_origins(host: Host) -> None:
    under(host, replace(IN_MEMORY, origins=(CONSOLE,)))
    own = {"Origin": CONSOLE, "Sec-Fetch-Site": "cross-site"}
    assert call("GET", "/flowrun", headers=own).status == 200
    assert call("GET", "/flowrun", headers={**own, "Origin": OTHER}).status == 403


def test_a_preflight_of_every_call_is_answered_without_a_token(permitting: Host) -> None:
    """On Lambda, API Gateway forwards it to the app."""
    app = Chalice("preflights", configure_logs=False)
    app.register_blueprint(register.blueprint(None, Access.TOKEN, has_preflights=True))
    for route in routes.ROUTES:
        event = rest_event("OPTIONS", route.path.replace("{", "").replace("}", ""), headers={"Origin": CONSOLE})
        answer: Any = app(event, Context())
        assert (answer["statusCode"], answer["body"]) == (204, "")
        headers = answer["headers"]
        assert cross_origin(headers) == {
            **READABLE,
            **PREFLIGHT,
            "Access-Control-Allow-Methods": headers["Allow"],
        }
        assert route.method in headers["Allow"].split(", ")
    refused: Any = app(rest_event("OPTIONS", "/flowrun", headers={"Origin": OTHER}), Context())
    assert cross_origin(refused["headers"]) == {"Vary": "Origin"}


def test_the_local_server_answers_preflights_and_lets_refusals_be_read() -> None:
    with LocalServer(replace(IN_MEMORY, port=0, origins=(CONSOLE,))) as running:
        asked = {"Origin": CONSOLE, "Sec-Fetch-Site": "cross-site", "Access-Control-Request-Method": "POST"}
        preflight = requests.options(f"{running.url}/flow/x/runs", headers=asked, timeout=5)
        methods = {"Access-Control-Allow-Methods": "OPTIONS, POST"}
        assert (preflight.status_code, cross_origin(preflight.headers)) == (204, {**READABLE, **PREFLIGHT, **methods})
        for method, path, status in (("GET", "/nowhere", 404), ("PUT", "/flowrun", 405), ("GET", "/flow/x", 404)):
            reply = requests.request(method, f"{running.url}{path}", headers={"Origin": CONSOLE}, timeout=5)
            assert (reply.status_code, cross_origin(reply.headers)) == (status, READABLE)
        refused = requests.options(f"{running.url}/flow/x/runs", headers={**asked, "Origin": OTHER}, timeout=5)
        assert (refused.status_code, cross_origin(refused.headers)) == (403, {"Vary": "Origin"})


def test_the_local_server_answers_options_as_before_without_origins() -> None:
    app = Chalice("none", configure_logs=False)
    app.register_blueprint(register.blueprint(None, Access.OPEN))
    gateway = Gateway(app, threading.Event())
    answer = gateway.answer(HttpRequest("OPTIONS", "/flowrun", "", {"Origin": CONSOLE}, b""))
    assert (answer.status, answer.headers) == (200, [("Allow", "GET, HEAD, OPTIONS, POST")])
