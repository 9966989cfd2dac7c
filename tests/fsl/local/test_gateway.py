"""The local HTTP server, which does the work of API Gateway."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import uuid
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import requests
from chalice.app import Chalice, Response

from chalicelib import hosting
from chalicelib.adapters.actions.http_caller import HttpCaller
from chalicelib.config import Access, Settings
from chalicelib.entrypoints.http import register
from chalicelib.hosting.virtual import VirtualHost
from fsl.client import Client
from fsl.local.http.gateway import MAX_BODY_BYTES, MAX_EVENT_BYTES, Gateway, Serve
from fsl.local.http.routing import Routes
from fsl.local.server import LocalServer, load_app
from fsl.local.shapes import HttpRequest, api_event

GET = HttpRequest("GET", "/", "", {}, b"")


def ask(gateway: Gateway, method: str, path: str, query: str = "", body: bytes = b"") -> Any:
    return gateway.answer(HttpRequest(method, path, query, {"User-Agent": "test"}, body))


@pytest.fixture(scope="module")
def echo() -> Gateway:
    """Start the server with an app that returns its event."""
    app = Chalice("echo", configure_logs=False)

    @app.route("/thing/{name}", methods=["GET", "POST"], content_types=["*/*"])
    def thing(name: str) -> dict[str, Any]:
        request: Any = app.current_request
        return {"name": name, **{key: request.to_original_event()[key] for key in ("body", "path", "isBase64Encoded")}}

    @app.route("/thing/own")
    def own() -> dict[str, Any]:
        request: Any = app.current_request
        return {"query": request.to_original_event()["multiValueQueryStringParameters"]}

    @app.route("/thing/{name}/{uuid}", methods=["DELETE"])
    def remove(name: str, uuid: str) -> dict[str, Any]:
        return {"name": name, "uuid": uuid}

    return Gateway(app, threading.Event())


def test_fixed_parts_of_a_path_go_before_parameters() -> None:
    """`/a/own` takes precedence over `/a/{name}`. An empty segment matches no parameter."""
    routes = Routes(["/a/{name}", "/a/own", "/{kind}/own", "/"])
    assert routes.find("/a/own") == ("/a/own", {})
    assert routes.find("/a/b") == ("/a/{name}", {"name": "b"})
    assert routes.find("/c/own/") == ("/{kind}/own", {"kind": "c"})
    assert routes.find("/") == ("/", {})
    assert routes.find("/a//") is None
    assert routes.find("/a/b/c") is None


def test_path_parameters_stay_encoded_as_in_a_rest_api(echo: Gateway) -> None:
    """Path segments are passed on as they were sent."""
    assert b'"name":"a%2Fb"' in ask(echo, "GET", "/thing/a%2Fb").body


def test_query_parameters_are_decoded_and_kept_together(echo: Gateway) -> None:
    """Each parameter has all its values."""
    answer = json.loads(ask(echo, "GET", "/thing/own", "a=1&a=%C3%A4&b=").body)
    assert answer == {"query": {"a": ["1", "ä"], "b": [""]}}


@pytest.mark.parametrize(
    ("sent", "said"), [(b"", (None, False)), ("ä".encode(), ("ä", False)), (b"\xff", ("/w==", True))]
)
def test_a_body_is_text_or_base64(echo: Gateway, sent: bytes, said: tuple[str | None, bool]) -> None:
    """A body that is not UTF-8 is passed as base64."""
    answer = json.loads(ask(echo, "POST", "/thing/a", body=sent).body)
    assert (answer["body"], answer["isBase64Encoded"]) == said


def test_unknown_path_in_the_shape_of_all_errors(echo: Gateway) -> None:
    """404 with message, code and detail."""
    answer = ask(echo, "GET", "/nowhere")
    assert answer.status == 404
    assert b'"code": "not-found"' in answer.body


def test_other_methods_are_refused_with_the_allowed_ones(echo: Gateway) -> None:
    """405 with Allow. OPTIONS returns the same methods with a success."""
    refused = ask(echo, "DELETE", "/thing/a")
    assert (refused.status, dict(refused.headers)["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    asked = ask(echo, "OPTIONS", "/thing/a")
    assert (asked.status, dict(asked.headers)["Allow"], asked.body) == (200, "GET, HEAD, OPTIONS, POST", b"")


def test_a_command_that_is_none_is_not_found(echo: Gateway) -> None:
    """`POST /thing/a/retyr` is 404 and not 405, though `DELETE /thing/a/UUID` is a call."""
    for method in ("POST", "GET", "PUT"):
        refused = ask(echo, method, "/thing/a/retyr")
        assert refused.status == 404
        assert f"there is no call {method} /thing/a/retyr" in json.loads(refused.body)["message"]


FLOW = b"flow f step A => (OK -> done) { action = a; }; flow_end\n/\naction a method = human; return = (OK); action_end"
REQUESTS = [
    HttpRequest("GET", "/", "", {"Host": "localhost"}, b""),
    HttpRequest("HEAD", "/healthz", "", {"Host": "localhost"}, b""),
    HttpRequest("POST", "/fsl", "", {"Host": "localhost", "Content-Type": "text/plain"}, FLOW),
    HttpRequest("GET", "/flow", "limit=1", {"Host": "localhost", "X-Request-Id": "mine"}, b""),
    HttpRequest("GET", "/flow", "limit=x", {"Host": "localhost"}, b""),
    HttpRequest("POST", "/flow/f/runs", "", {"Host": "localhost"}, b'{"name": "r%2F", "input": {}}'),
    HttpRequest("POST", "/flow/f/runs", "", {"Host": "localhost"}, b'{"name": "r", "input": {}}'),
    HttpRequest("GET", "/flowrun/r", "", {"Host": "localhost"}, b""),
    HttpRequest("GET", "/flowrun/%72", "", {"Host": "localhost"}, b""),
    HttpRequest("GET", "/flowrun/none", "", {"Host": "localhost", "Accept": "image/png"}, b""),
    HttpRequest("GET", "/flowrun/r/graph", "", {"Host": "localhost"}, b""),
    HttpRequest("POST", "/step", "", {"Host": "localhost"}, b'{"flowId": "r"}'),
    HttpRequest("POST", "/step", "", {"Host": "localhost"}, b"\xff"),
    HttpRequest("POST", "/step", "", {"Host": "localhost", "Origin": "https://other.example"}, b"{}"),
    HttpRequest("PUT", "/step", "", {"Host": "localhost"}, b""),
    HttpRequest("OPTIONS", "/step", "", {"Host": "localhost"}, b""),
    HttpRequest("GET", "/nowhere", "", {"Host": "localhost"}, b""),
    HttpRequest("GET", "/openapi.json", "", {"Host": "localhost"}, b""),
    HttpRequest("GET", "/docs", "", {"Host": "localhost"}, b""),
]
STATUSES = [200, 200, 200, 200, 400, 201, 201, 200, 200, 404, 200, 400, 400, 403, 405, 200, 404, 200, 200]


def test_calls_are_served_without_chalice_as_with_it() -> None:
    """Both give the same status, headers and body, but for the id of the request."""

    def answers(serve: Serve | None) -> list[tuple[int, list[tuple[str, str]], bytes]]:
        hosting.use(VirtualHost(HttpCaller(lambda: 0)).services)
        gateway = Gateway(load_app(), threading.Event(), serve=serve)
        try:
            found = [gateway.answer(request) for request in REQUESTS]
        finally:
            hosting.forget()
        return [
            (one.status, sorted(pair for pair in one.headers if pair[0] != "x-request-id"), one.body) for one in found
        ]

    directly = answers(register.serve)
    assert directly == answers(None)
    assert [status for status, *_ in directly] == STATUSES


def test_a_response_whose_header_cannot_be_sent_is_a_defect() -> None:
    def serve(*_: object) -> Response:
        return Response("x", {"A": "b\r\nc: d"})

    app = Chalice("app", configure_logs=False)
    app.route("/")(lambda: "x")
    answer = Gateway(app, threading.Event(), serve=serve).answer(GET)
    assert (answer.status, dict(answer.headers).get("c")) == (500, None)


def test_a_stopping_server_turns_requests_away() -> None:
    """503, so that clients retry."""
    stopping = threading.Event()
    stopping.set()
    answer = Gateway(Chalice("app", configure_logs=False), stopping).answer(GET)
    assert (answer.status, dict(answer.headers)["Retry-After"]) == (503, "1")


def test_head_says_how_long_the_body_would_be(server: LocalServer) -> None:
    """HEAD is GET without the body."""
    got, asked = requests.get(f"{server.url}/healthz", timeout=5), requests.head(f"{server.url}/healthz", timeout=5)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["Content-Length"] == str(len(got.content))


def test_a_connection_is_kept(server: LocalServer) -> None:
    """One connection serves many requests."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=5)
    connection.connect()
    mine = connection.sock
    for _ in range(3):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
    assert connection.sock is mine
    connection.close()


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 7 * MAX_BODY_BYTES])
def test_a_large_body_is_refused(server: LocalServer, size: int) -> None:
    """413 above API Gateway's limit, in the shape of all errors; far above it before it is read."""
    answer = requests.post(f"{server.url}/fsl", data=b" " * size, timeout=30)
    assert answer.status_code == 413
    assert answer.json()["error"]["detail"]


@pytest.mark.parametrize("sign", ["x", '"', "ä"])
def test_a_request_is_as_large_as_lambda_takes_it_and_no_larger(echo: Gateway, sign: str) -> None:
    """The limit applies to the event for Lambda, in which the body is a JSON string."""
    request = HttpRequest("POST", "/thing/a", "", {"User-Agent": "test"}, b"x")
    event = api_event(request, "POST", "/thing/{name}", {"name": "a"}, str(uuid.UUID(int=1)))
    room = MAX_EVENT_BYTES - len(msgspec.json.encode(event)) + 1
    fitting = sign * (room // (len(msgspec.json.encode(sign)) - 2))
    assert ask(echo, "POST", "/thing/a", body=fitting.encode()).status == 200
    refused = ask(echo, "POST", "/thing/a", body=(fitting + sign * 2).encode())
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (413, "too-large")


def test_what_is_no_http_is_refused(server: LocalServer) -> None:
    """400, and the server continues."""
    host, _, port = urlsplit(server.url).netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nContent-Length: many\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert requests.get(f"{server.url}/healthz", timeout=5).ok


def test_long_polls_do_not_block_other_requests(server: LocalServer, client: Client, asking: str) -> None:
    """While 80 requests wait for changes of a run, others are answered. A change answers all 80."""
    run = client.start(asking, {"name": "watched"})["metadata"]["name"]
    after = client.history(run)[-1]["seq"] + 100
    waiting = threading.Barrier(81)
    ended: list[int] = []

    def wait() -> None:
        waiting.wait()
        url = f"{server.url}/flowrun/{run}/watch"
        ended.append(requests.get(url, params={"after": str(after), "wait": "2"}, timeout=20).status_code)

    threads = [threading.Thread(target=wait) for _ in range(80)]
    for thread in threads:
        thread.start()
    waiting.wait()
    assert [client.get("flowrun", run)["spec"]["status"] for _ in range(20)] == ["running"] * 20
    assert len(ended) < 80, "the others had ended before"
    for thread in threads:
        thread.join(20)
    assert ended == [200] * 80


# ── who may ask a server without authentication ──────────────────────────────────────────────────────────────────────


def test_a_server_without_authentication_answers_to_its_own_names_alone(server: LocalServer) -> None:
    """DNS rebinding: the page's own name resolves to this machine, so only `Host` says whose page it is. Every path."""
    port = urlsplit(server.url).port
    for path in ("/", "/healthz", "/docs", "/openapi.json", "/flowrun", "/nowhere"):
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1"):
            refused = requests.get(f"{server.url}{path}", headers={"Host": host}, timeout=5)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden"), (path, host)
            assert host in refused.json()["message"]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"127.9.9.9:{port}", f"[::1]:{port}"):
        assert requests.get(f"{server.url}/flowrun", headers={"Host": host}, timeout=5).ok, host


def test_the_host_of_an_absolute_target_counts(server: LocalServer) -> None:
    """RFC 9112, 3.2.2. The header may say what it likes."""
    host, port = urlsplit(server.url).netloc.split(":")
    own, other = f"{host}:{port}", "evil.example"
    for target, header, status in (
        (f"http://{own}/flowrun", own, b"200"),
        (f"http://{own}/flowrun", other, b"200"),
        (f"http://{other}/flowrun", own, b"403"),
        (f"http://{own}@{other}/flowrun", own, b"400"),
        (f"/a://{own}/flowrun", other, b"403"),
        (f"/http://{own}/flowrun", other, b"403"),
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            sent = f"GET {target} HTTP/1.1\r\nHost: {header}\r\nConnection: close\r\n\r\n"
            connection.sendall(sent.encode())
            assert connection.recv(12) == b"HTTP/1.1 " + status


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_pages_of_other_origins_are_refused_whatever_they_ask(server: LocalServer, method: str) -> None:
    """Another port is another origin. Programs send neither header."""
    port = urlsplit(server.url).port
    others = [{"Origin": origin} for origin in ("http://127.0.0.1:9999", "https://evil.example", "null")]
    for headers in (*others, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        for path in ("/flowrun", "/healthz", "/nowhere"):
            assert requests.request(method, f"{server.url}{path}", headers=headers, timeout=5).status_code == 403
    for headers in ({}, {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}):
        assert requests.request(method, f"{server.url}/flowrun", headers=headers, timeout=5).status_code != 403


def test_an_address_that_a_person_opens_in_a_browser_is_answered(server: LocalServer) -> None:
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}
    assert requests.get(f"{server.url}/docs", headers=headers, timeout=5).ok
    linked = {**headers, "Sec-Fetch-Site": "cross-site"}
    assert requests.get(f"{server.url}/docs", headers=linked, timeout=5).status_code == 403


def test_a_signed_link_is_opened_from_a_mail_in_the_browser(server: LocalServer) -> None:
    linked = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    reply = requests.get(f"{server.url}/task/x.y", headers=linked, timeout=5)
    assert (reply.status_code, "this link is not valid" in reply.text) == (403, True)
    for method, path, more in (
        ("POST", "/task/x.y/answer", {}),
        ("GET", "/task", {}),
        ("GET", "/task/x.y", {"Origin": "https://evil.example"}),
        ("GET", "/task/x.y", {"Sec-Fetch-Mode": "cors"}),
    ):
        refused = requests.request(method, f"{server.url}{path}", headers={**linked, **more}, timeout=5)
        assert (refused.status_code, "pages of" in refused.text) == (403, True)


def test_the_configured_address_is_accepted_and_with_tokens_every_address() -> None:
    for settings, status in (
        (Settings(port=0, url="https://flows.example", db=":memory:"), {"flows.example": 200, "evil.example": 403}),
        (Settings(port=0, db=":memory:", auth=Access.TOKEN), {"flows.example": 200, "evil.example": 200}),
    ):
        with LocalServer(settings) as running:
            for host, expected in status.items():
                headers = {"Host": host, "Origin": f"https://{host}"}
                assert requests.get(f"{running.url}/healthz", headers=headers, timeout=5).status_code == expected
