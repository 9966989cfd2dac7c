"""What actions without callback (`callback = none`) put on the wire, by the whole service against real servers."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from chalicelib.adapters.actions.egress import ANYWHERE, EgressPolicy
from chalicelib.adapters.actions.http_caller import HttpCaller
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.deliveries.direct_client import MAX_ADDRESS_CHARS
from chalicelib.service.runs.start import StartOrder
from tests.adapters.actions.test_http_caller import Server, answers, drips, raw, serving
from tests.hosts import ENCRYPTION, NS

FLOW = """
action call
    addr = "{addr}"; callback = none; {properties}
action_end
/
flow f
    input = any;
    output = ${{ {{"state": $state, "result": $result, "response": $response}} }};
    step Call => (ERROR -> stopped | else -> done) {{
        action = call; args = {args};
    }};
flow_end
"""
NAMED = "args = (any id, any more = null, any tags = null); return = (OK);"
GIVEN = "(id = ${ $input.id }, more = ${ $input.more }, tags = ${ $input.tags })"


def run_of(server: Server, path: str, properties: str, args: str, given: Json, egress: EgressPolicy = ANYWHERE) -> Run:
    """Return the run of a flow that calls the server once."""
    host = VirtualHost(HttpCaller(lambda: 0, egress=egress), encryption=ENCRYPTION)
    host.services.secrets.put(NS, "KEY", "s3cr&t 7", by="test")
    addr = f"http://127.0.0.1:{server.port}{path}"
    text = FLOW.replace("{addr}", addr).replace("{properties}", properties).replace("{args}", args)
    host.services.submitter.submit(NS, text.replace("{{", "{").replace("}}", "}"))
    host.services.starter.start(NS, StartOrder(flow="f", name="r", input=given))
    assert host.run_until(host.clock.now() + 3_600_000)
    return host.services.reader.run(NS, "r")


def sent(path: str, properties: str, args: str, given: Json) -> tuple[str, dict[str, str], bytes]:
    """Return the one request that the server receives: its first line, headers and body."""
    with serving(answers(200, b"{}", Content_Type="application/json")) as server:
        run = run_of(server, path, properties, args, given)
    assert run.error is None
    [request] = server.requests
    return request


# ── verbs and encodings ──────────────────────────────────────────────────────────────────────────────────────────────

GIVEN_VALUE = {"id": "a b", "more": {"x": [1, None]}, "tags": ["r&d", 7, True, 2.5, None, [1], {"k": "v"}]}
QUERY = "tags=r%26d&tags=7&tags=true&tags=2.5&tags=%5B1%5D&tags=%7B%22k%22%3A%22v%22%7D"
FORM = "id=a+b&more=%7B%22x%22%3A%5B1%2Cnull%5D%7D&tags=r%26d&tags=7&tags=true&tags=2.5&tags=%5B1%5D"


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
def test_the_args_that_are_left_are_the_query(verb: str) -> None:
    first, headers, body = sent("/o/{id}?v=1", f"verb = {verb}; {NAMED}", GIVEN, GIVEN_VALUE)
    more = "more=%7B%22x%22%3A%5B1%2Cnull%5D%7D&"
    assert first == f"{verb} /o/a%20b?v=1&{more}{QUERY} HTTP/1.1"
    assert body == b""
    assert "content-type" not in headers


@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH"])
def test_the_args_that_are_left_are_the_json_body(verb: str) -> None:
    first, headers, body = sent("/o/{id}", f"verb = {verb}; {NAMED}", GIVEN, GIVEN_VALUE)
    assert first == f"{verb} /o/a%20b HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"more": GIVEN_VALUE["more"], "tags": GIVEN_VALUE["tags"]}


def test_post_is_the_default_and_no_args_are_an_empty_object() -> None:
    first, _, body = sent("/o", "return = (OK);", "()", {})
    assert (first, body) == ("POST /o HTTP/1.1", b"{}")


def test_a_form_is_url_encoded() -> None:
    first, headers, body = sent("/o", f"verb = POST; body = form; {NAMED}", GIVEN, GIVEN_VALUE)
    assert first == "POST /o HTTP/1.1"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert body.decode().startswith(FORM)
    assert parse_qsl(body.decode())[0] == ("id", "a b")


@pytest.mark.parametrize("value", [None, True, 7, "text", [1, {"a": None}], {"a": 2**60}])
def test_one_value_is_the_whole_body(value: Json) -> None:
    _, _, body = sent("/o", "args = any; return = (OK);", "${ $input.v }", {"v": value})
    assert json.loads(body) == value


def test_a_group_for_one_value_is_a_map() -> None:
    _, _, body = sent("/o", "args = any; return = (OK);", "(a = 1, flowId = ${ $input.v })", {"v": 2})
    assert json.loads(body) == {"a": 1, "flowId": 2}


def test_names_that_other_requests_reserve_are_ordinary_args() -> None:
    _, _, body = sent("/o", "args = (str uuid, int flowId); return = (OK);", '(uuid = "u", flowId = 3)', {})
    assert json.loads(body) == {"uuid": "u", "flowId": 3}


def test_only_these_headers_are_sent() -> None:
    properties = 'headers = ("X-Team" = "pay", "Webhook-Id" = "no", "Authorization" = secret "KEY"); return = (OK);'
    _, headers, _ = sent("/o", properties, "()", {})
    expected = {"host", "user-agent", "accept", "content-type", "content-length", "x-team", "authorization"}
    assert headers.keys() == expected | {"idempotency-key", "traceparent", "accept-encoding"}
    assert headers["authorization"] == "s3cr&t 7"


def test_an_action_may_have_its_own_media_types() -> None:
    properties = 'verb = PATCH; headers = ("content-type" = "application/merge-patch+json", "accept" = "text/csv");'
    _, headers, _ = sent("/o", f"{properties} return = (OK);", "()", {})
    assert (headers["content-type"], headers["accept"]) == ("application/merge-patch+json", "text/csv")


# ── hostile values ───────────────────────────────────────────────────────────────────────────────────────────────────

HOSTILE = [
    "a/b",
    "a?b=c",
    "a#b",
    "a%2Fb",
    "a;b",
    "a\\b",
    "a\r\nX: y",
    "a&b=c",
    "ä€\U0001f600",
    "...",
    "a..b",
    "{id}",
    "@x:9",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_stays_within_its_place(value: str) -> None:
    given = {"id": value, "more": None, "tags": None}
    first, headers, _ = sent("/o/{id}/x?q={id}", f"verb = GET; {NAMED}", GIVEN, given)
    target = first.split(" ")[1]
    parts = urlsplit(target)
    assert [unquote(segment) for segment in parts.path.split("/")] == ["", "o", value, "x"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [("q", value)]
    assert "x" not in headers


@pytest.mark.parametrize("value", ["", ".", "..", "../admin", "a/../../admin", "..\\admin", None, [1], {"a": 1}])
def test_a_value_that_would_be_another_path_is_refused_before_anything_is_sent(value: Json) -> None:
    with serving(answers(200)) as server:
        run = run_of(server, "/o/{id}/x", f"verb = DELETE; {NAMED}", GIVEN, {"id": value, "more": 1, "tags": 1})
    assert server.requests == []
    assert run.error is not None
    assert run.error.name == "ExpressionFailed"
    assert "arg 'id' must" in run.error.cause


@pytest.mark.parametrize("value", [".", "x.", ".."])
def test_a_value_beside_other_text_is_no_dot_segment(value: str) -> None:
    with serving(answers(200)) as server:
        run = run_of(server, "/o/.{id}/x", f"verb = GET; {NAMED}", GIVEN, {"id": value, "more": 1, "tags": 1})
    assert (run.error is None) is (value == "x.")
    assert len(server.requests) == (1 if value == "x." else 0)


def test_a_secret_header_cannot_end_its_line() -> None:
    with serving(answers(200)) as server:
        host = VirtualHost(HttpCaller(lambda: 0), encryption=ENCRYPTION)
        host.services.secrets.put(NS, "KEY", "a\r\nX: y", by="test")
        text = FLOW.replace("{addr}", server.url).replace("{args}", "()").replace("{{", "{").replace("}}", "}")
        host.services.submitter.submit(
            NS, text.replace("{properties}", 'headers = ("A" = secret "KEY"); return = (OK);')
        )
        host.services.starter.start(NS, StartOrder(flow="f", name="r", input={}))
        assert host.run_until(host.clock.now() + 1_000)
    assert server.requests == []
    assert "the header A is not a valid HTTP header" in host.services.reader.run(NS, "r").last_err


@pytest.mark.parametrize(("more", "is_sent"), [(0, True), (1, False)])
def test_an_address_is_so_long_and_no_longer(more: int, *, is_sent: bool) -> None:
    with serving(answers(200)) as server:
        start = f"http://127.0.0.1:{server.port}/o?id="
        given = {"id": "x" * (MAX_ADDRESS_CHARS - len(start) + more), "more": None, "tags": None}
        run = run_of(server, "/o", f"verb = GET; {NAMED}", GIVEN, given)
    assert len(server.requests) == is_sent
    assert (run.error is None) is is_sent
    if run.error is not None:
        assert run.error.name == "TooLarge"


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def output_of(status: int, body: bytes, returns: str = "(OK | MISSING on 404)", **headers: str) -> dict[str, Json]:
    with serving(answers(status, body, **headers)) as server:
        run = run_of(server, "/o", f"verb = GET; return = {returns};", "()", {})
    assert run.error is None, run.error
    output = run.output
    assert isinstance(output, dict)
    return output


@pytest.mark.parametrize(
    ("content_type", "body", "result"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/problem+json; charset=utf-8", b"[1]", [1]),
        ("APPLICATION/VND.API+JSON", b'"x"', "x"),
        ("text/json", b"\xef\xbb\xbf7", 7),
        ("application/json", b"null", None),
        ("application/json", b"", None),
        ("application/json", b" \n", None),
        ("text/plain", b" \n", " \n"),
        ("application/json", b"<html>", "<html>"),
        ("application/json", b'{"a": NaN}', '{"a": NaN}'),
        ("application/json", b"[" * 70 + b"]" * 70, "[" * 70 + "]" * 70),
        ("application/json", b'{"\\u0000sealed": "x"}', '{"\\u0000sealed": "x"}'),
        ("text/plain", b'{"a": 1}', '{"a": 1}'),
        ("text/plain; charset=iso-8859-1", b"\xe4", "ä"),
        ("text/plain; charset=rot13", b"\xc3\xa4", "ä"),
        ("text/plain", b"\xff", "\ufffd"),
        ("image/png", b"\x89PNG", "\ufffdPNG"),
        ("", b"7", "7"),
    ],
)
def test_the_body_is_json_if_its_media_type_says_so_and_else_text(content_type: str, body: bytes, result: Json) -> None:
    headers = {"Content_Type": content_type} if content_type else {}
    assert output_of(200, body, **headers)["result"] == result


def test_the_response_has_its_status_and_its_headers_in_lower_case() -> None:
    output = output_of(404, b"", ETag='"7"', X_Long="x" * 2000)
    assert output["state"] == "MISSING"
    headers = {"content-length": "0", "etag": '"7"', "x-long": "x" * 1024}
    assert output["response"] == {"status": 404, "headers": headers}


def test_headers_that_have_no_room_are_left_out() -> None:
    headers = {f"X_{n}": "x" * 1024 for n in range(20)}
    kept = output_of(200, b"", **headers, Z="z")["response"]["headers"]
    assert kept["z"] == "z"
    assert sum(len(name) + len(value) for name, value in kept.items()) <= 8192


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with serving(answers(status, b"", Location="/other")) as server:
        run = run_of(server, "/o", "verb = GET; return = (OK);", "()", {})
    assert len(server.requests) == 1
    assert run.error is not None
    assert (run.error.name, f"answered {status} and redirects to /other" in run.error.cause) == ("Refused", True)


def test_a_redirect_that_a_state_names_is_that_state() -> None:
    output = output_of(303, b"", "(OK | MOVED on 303)", Location="/other")
    assert (output["state"], output["response"]["headers"]["location"]) == ("MOVED", "/other")


def test_a_body_that_is_too_large_is_an_error_that_keeps_the_status() -> None:
    with serving(answers(200, b"x" * (256 * 1024 + 1))) as server:
        run = run_of(server, "/o", "verb = GET; return = (OK);", "()", {})
    assert run.error is not None
    assert (run.error.name, run.error.state) == ("TooLarge", "OK")
    assert len(server.requests) == 1


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    with serving(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), answers(200, b"whole")) as server:
        run = run_of(server, "/o", "verb = GET; return = (OK);", "()", {})
    assert run.output["result"] == "whole"


def test_the_reply_timeout_bounds_one_request() -> None:
    with serving(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")) as server:
        properties = "verb = GET; reply_timeout = 200ms; retry = (max = 1); return = (OK);"
        run = run_of(server, "/o", properties, "()", {})
    assert run.error is not None
    assert run.error.name == "Undeliverable"


def test_an_error_shows_no_secret_and_no_arg_of_the_address() -> None:
    with serving(answers(500, b"bad key s3cr%26t%207 / s3cr&t 7 / s3cr%26t+7")) as server:
        properties = "verb = GET; args = (secret str key); retry = (max = 1); return = (OK);"
        run = run_of(server, "/o?key={key}", properties, '(key = secret "KEY")', {})
    assert "key=s3cr%26t%207" in server.requests[0][0]
    assert run.error is not None
    assert run.error.cause.endswith("/o?key={key} answered 500 (no media type, 44 bytes)")


# ── 202 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


JOB = 'verb = PUT; headers = ("Authorization" = secret "KEY"); args = (any id); return = (OK);'


def accepted(location: str) -> Callable[[Server, socket.socket], None]:
    """Answer one request with a 202 that has this location; PORT is the port of the server."""

    def script(server: Server, sock: socket.socket) -> None:
        if server.read(sock):
            headers = f"Location: {location.replace('PORT', str(server.port))}\r\nRetry-After: 1\r\n"
            sock.sendall(f"HTTP/1.1 202 X\r\nContent-Length: 0\r\n{headers}\r\n".encode())

    return script


@pytest.mark.parametrize(
    "location", ["/jobs/1", "../jobs/1", "//127.0.0.1:PORT/jobs/1", "HTTP://127.0.0.1:PORT/jobs/1#x", " /jobs/1 "]
)
def test_the_location_of_a_202_is_asked_with_the_headers_of_the_action(location: str) -> None:
    with serving(accepted(location), answers(200, b"made")) as server:
        run = run_of(server, "/o/{id}", JOB, "(id = 1)", {})
    assert run.output["result"] == "made"
    [_, (first, headers, body)] = server.requests
    assert (first, body) == ("GET /jobs/1 HTTP/1.1", b"")
    assert headers["authorization"] == "s3cr&t 7"
    assert "content-type" not in headers


def test_another_origin_is_asked_without_the_headers_of_the_action() -> None:
    with serving(answers(200, b"made")) as other, serving(accepted(f"http://127.0.0.1:{other.port}/x")) as server:
        run = run_of(server, "/o", JOB.replace("any id", "any id = 1"), "()", {})
    assert run.output["result"] == "made"
    [(first, headers, _)] = other.requests
    assert first == "GET /x HTTP/1.1"
    assert headers.keys() == {"host", "user-agent", "accept", "accept-encoding", "traceparent"}


@pytest.mark.parametrize(
    "location", ["ftp://127.0.0.1/x", "http://u:p@127.0.0.1:PORT/x", "http://[", "/" + "x" * 2048, "/a b"]
)
def test_a_location_that_cannot_be_asked_is_refused(location: str) -> None:
    with serving(accepted(location), answers(200)) as server:
        run = run_of(server, "/o", JOB, "(id = 1)", {})
    assert len(server.requests) == 1
    assert run.error is not None
    assert (run.error.name, "answered 202 with a Location" in run.error.cause) == ("Refused", True)


def test_a_location_that_the_egress_policy_forbids_is_not_asked() -> None:
    egress = EgressPolicy(public=True, allow=("127.0.0.1",))
    with serving(accepted("http://127.0.0.2:PORT/x"), answers(200)) as server:
        run = run_of(server, "/o", JOB, "(id = 1)", {}, egress=egress)
    assert len(server.requests) == 1
    assert run.error is not None
    assert run.error.name == "Forbidden"


def test_a_202_without_location_and_one_that_a_state_names_are_answers() -> None:
    assert output_of(202, b"x")["state"] == "OK"
    assert output_of(202, b"x", "(OK | LATER on 202)", Location="/x")["state"] == "LATER"
