"""`HttpCaller` against real servers on the loopback: the result of each response, and of each failure to respond."""

from __future__ import annotations

import base64
import datetime
import gzip
import ipaddress
import json
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib.adapters.actions.connections import Connections, usual_context
from chalicelib.adapters.actions.http_caller import HttpCaller
from chalicelib.adapters.actions.targets import target_of
from chalicelib.service.ports.actions import Call, Caller, NotTaken, Reply, Taken

BODY = b'{"flowId":"r1"}'
NOW = int(datetime.datetime(2026, 11, 20, 12, 0, tzinfo=datetime.UTC).timestamp() * 1000)
DAY = 24 * 60 * 60 * 1000
RST = b"\1\0\0\0\0\0\0\0"
"""As SO_LINGER: closing resets the connection."""


def caller(connect: float = 0.5, total: float = 5.0) -> HttpCaller:
    return HttpCaller(lambda: NOW, connect=connect, total=total)


# ── servers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Server:
    """Runs one of `scripts` for each connection, in turn, and repeats the last one. It records the requests."""

    scripts: tuple[Callable[[Server, socket.socket], None], ...]
    tls: ssl.SSLContext | None = None
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/do"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            threading.Thread(target=self.play, args=(script, sock), daemon=True).start()

    def play(self, script: Callable[[Server, socket.socket], None], sock: socket.socket) -> None:
        try:
            with sock if self.tls is None else self.tls.wrap_socket(sock, server_side=True) as connection:
                script(self, connection)
        except OSError:
            pass  # the caller closed the connection, as many of these tests intend

    def read(self, sock: socket.socket) -> bool:
        """Read and record one request. Return False if there is none."""
        head = b""
        while b"\r\n\r\n" not in head:
            piece = sock.recv(65536)
            if not piece:
                return False
            head += piece
        head, _, body = head.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert len(headers) == len(lines), f"a header was sent twice: {lines}"
        while len(body) < int(headers.get("content-length", "0")):
            body += sock.recv(65536)
        self.requests.append((first, headers, body))
        return True


@contextmanager
def serving(*scripts: Callable[[Server, socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(scripts, tls)
    try:
        yield server
    finally:
        server.over.set()
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


def answers(status: int, body: bytes = b"", **headers: str) -> Callable[[Server, socket.socket], None]:
    """Answer every request of the connection, and keep it open."""
    named = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return lambda server, sock: loop(server, sock, f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)


def loop(server: Server, sock: socket.socket, answer: bytes) -> None:
    while server.read(sock):
        sock.sendall(answer)


def raw(answer: bytes) -> Callable[[Server, socket.socket], None]:
    """Answer one request with exactly these bytes, and close the connection."""
    return lambda server, sock: sock.sendall(answer) if server.read(sock) else None


def hang(server: Server, sock: socket.socket) -> None:
    server.read(sock)
    server.over.wait(10)


def idle(server: Server, sock: socket.socket) -> None:
    server.over.wait(10)


def sips(server: Server, sock: socket.socket) -> None:
    while not server.over.wait(0.02):
        sock.recv(65536)


def drips(start: bytes, drop: bytes = b"x") -> Callable[[Server, socket.socket], None]:
    """Each read of the caller is quick, but all of them together exceed the limit."""

    def script(server: Server, sock: socket.socket) -> None:
        server.read(sock)
        sock.sendall(start)
        while not server.over.wait(0.02):
            sock.sendall(drop)

    return script


def reset(server: Server, sock: socket.socket) -> None:
    server.read(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)


def post(*addresses: str, by: HttpCaller | None = None, ca_bundle: str | None = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (by or caller()).post(Call(addresses=addresses, body=BODY, headers=named, ca_bundle=ca_bundle))


def refusing() -> str:
    """Return an address without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}/do"


def reply_to(*scripts: Callable[[Server, socket.socket], None], total: float = 5.0) -> tuple[Reply, str]:
    with serving(*scripts) as server:
        return post(server.url, by=caller(total=total)), server.url


# ── taken ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_the_port() -> None:
    port: Caller = caller()
    assert port.post(Call(addresses=(), body=BODY)) == NotTaken("the action has no address", final=True)


def test_the_request_is_a_post_of_the_body_with_the_headers() -> None:
    with serving(answers(200, b'""')) as server:
        assert post(server.url + "?a=1", webhook_id="u1", traceparent="00-1") == Taken()
    [(first, headers, body)] = server.requests
    assert (first, body) == ("POST /do?a=1 HTTP/1.1", BODY)
    expected = {"content-type": "application/json", "webhook-id": "u1", "traceparent": "00-1", "content-length": "15"}
    assert headers.items() >= expected.items()


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"ackState": "SUCCESS", "data": [1, null]}', {"ackState": "SUCCESS", "data": [1, None]}),
        (b'\xef\xbb\xbf{"a": "\xc3\xa4"}', {"a": "\u00e4"}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"{}", {}),
        (b"", None),
        (b'""', None),
        (b'[{"ackState": "SUCCESS"}]', None),
        (b"null", None),
        (b"<html>", None),
        (b"\xff\xfe\x00", None),
        (b'{"a": NaN}', None),
        (b'{"a": 1e999}', None),
        (b'{"a": "\\ud800"}', None),
        (b'{"a": ' + b"9" * 5000 + b"}", None),
        (b'{"a": ' + b"[" * 100_000, None),
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, None),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_json_object_in_a_2xx_is_the_answer(body: bytes, answer: object) -> None:
    assert reply_to(answers(202, body))[0] == Taken(answer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "framing", [b'Transfer-Encoding: chunked\r\n\r\n2\r\n{"\r\n5\r\na":1}\r\n0\r\n\r\n', b'\r\n{"a":1}']
)
def test_an_answer_may_be_chunked_or_end_with_the_connection(framing: bytes) -> None:
    assert reply_to(raw(b"HTTP/1.1 200 OK\r\n" + framing))[0] == Taken({"a": 1})


@pytest.mark.parametrize("size", [256 * 1024 + 1, 8 * 1024 * 1024])
def test_more_than_256_kib_is_taken_without_its_body(size: int) -> None:
    assert reply_to(answers(200, b'{"a":"'.ljust(size - 2, b"x") + b'"}'))[0] == Taken(None)


LONG = b'{"ackState":"OK","data":"' + b"x" * (256 * 1024) + b'"}'


@pytest.mark.parametrize(
    ("body", "content_type", "problem"),
    [
        (LONG, "text/plain", "it is larger than 262144 bytes"),
        (b"x" * (256 * 1024 + 1), "application/json", "it is larger than 262144 bytes"),
        (b'{"ackState": "OK", "data": NaN}', "text/plain", "it is not JSON: "),
        (b'{"ackState": "OK"', "text/plain", "it is not JSON: "),
        (b'{"ackState": "OK", "data": "\\ud800"}', "text/plain", "it is not JSON: "),
        (b"OK", "application/json; charset=utf-8", "it is not JSON: "),
        (b"<html>", "application/problem+json", "it is not JSON: "),
        (b'{"ackState":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "text/plain", "it is nested too deeply"),
    ],
)
def test_a_body_that_looks_like_an_answer_says_why_it_is_none(body: bytes, content_type: str, problem: str) -> None:
    reply = reply_to(answers(200, body, Content_Type=content_type))[0]
    assert isinstance(reply, Taken)
    assert reply.answer is None
    assert reply.problem.startswith(problem)


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"OK", "text/plain"), (b"", "application/json"), (b" ", "application/json")]
)
def test_a_body_that_is_no_answer_needs_no_reason(body: bytes, content_type: str) -> None:
    assert reply_to(answers(200, body, Content_Type=content_type))[0] == Taken()


def test_an_answer_that_breaks_off_says_so() -> None:
    text = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b'{"ackState": "OK", '
    assert reply_to(raw(text))[0] == Taken(None, "it broke off before its end")


INTERIM = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 102 Processing\r\nServer: x\r\n\r\n"
    b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nContent-Length: 4\r\n\r\n"
)


@pytest.mark.parametrize("times", [1, 20])
def test_interim_responses_are_skipped_and_the_connection_is_used_again(times: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n" + b'{"ackState":"OK"}'
    with serving(lambda server, sock: loop(server, sock, INTERIM * times + answer)) as server:
        one = caller()
        for _ in range(2):
            assert post(server.url, by=one) == Taken({"ackState": "OK"})
        assert server.connections == 1


def test_interim_responses_without_end_exceed_the_time_limit() -> None:
    def hints(server: Server, sock: socket.socket) -> None:
        server.read(sock)
        while not server.over.wait(0.01):
            sock.sendall(INTERIM)

    reply, url = reply_to(hints, total=0.3)
    assert reply == NotTaken(f"{url} did not answer within 0.3 s", final=False)


def test_switching_protocols_is_a_final_response() -> None:
    reply, url = reply_to(answers(101))
    assert reply == NotTaken(f"{url} answered 101", final=True, status=101)


def test_256_kib_are_read() -> None:
    body = b'{"a":"'.ljust(256 * 1024 - 2, b"x") + b'"}'
    reply, _ = reply_to(answers(200, body))
    assert isinstance(reply, Taken)
    assert reply.answer == json.loads(body)


def test_an_endless_answer_is_not_read_on() -> None:
    reply, _ = reply_to(drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 300_000))
    assert reply == Taken(None)


def test_a_compressed_answer_is_understood_within_the_same_bound() -> None:
    packed, bomb = gzip.compress(b'{"a": 1}'), gzip.compress(b'{"a":"' + b"x" * 50_000_000 + b'"}')
    assert len(bomb) < 256 * 1024
    assert reply_to(answers(200, packed, Content_Encoding="gzip"))[0] == Taken({"a": 1})
    assert reply_to(answers(200, bomb, Content_Encoding="gzip"))[0] == Taken(None)
    assert reply_to(answers(200, b"no gzip", Content_Encoding="gzip"))[0] == Taken(None)
    reply, url = reply_to(answers(400, bomb, Content_Encoding="gzip"))
    assert reply == NotTaken(f'{url} answered 400: {{"a":"' + "x" * 994, final=True, status=400)


def test_a_compressed_answer_is_not_unpacked_beyond_the_bound() -> None:
    with serving(answers(200, gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip")) as server:
        tracemalloc.start()
        assert post(server.url) == Taken(None)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 5_000_000


# ── refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 600])
def test_any_other_status_is_final_and_tells_the_body(status: int) -> None:
    reply, url = reply_to(answers(status, "no such projet\u00e9\n".encode() + b"y" * 3000))
    assert reply == NotTaken(f"{url} answered {status}: no such projet\u00e9\n" + "y" * 984, final=True, status=status)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_some_statuses_are_tried_again(status: int) -> None:
    reply, url = reply_to(answers(status))
    assert reply == NotTaken(f"{url} answered {status}", final=False, status=status)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with serving(answers(200)) as other:
        reply, url = reply_to(answers(status, b"moved", Location=other.url))
    text = f"{url} answered {status} and redirects to {other.url}; redirects are not followed: moved"
    assert reply == NotTaken(text, final=True, status=status)
    assert other.requests == []


def test_a_refusal_is_final_even_if_its_body_breaks_off() -> None:
    reply, url = reply_to(raw(b"HTTP/1.1 404 X\r\nContent-Length: 100\r\n\r\nno such"))
    assert reply == NotTaken(f"{url} answered 404: no such", final=True, status=404)


@pytest.mark.parametrize(
    ("value", "date", "wait"),
    [
        ("7", "", 7000),
        ("0", "", 0),
        ("9" * 30, "", DAY),
        ("-5", "", 0),
        ("soon", "", 0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", "", 30_000),
        ("Fri, 20 Nov 2026 11:00:00 GMT", "", 0),
        ("Fri, 20 Nov 2099 11:00:00 GMT", "", DAY),
        ("Fri, 99 Nov 99999999 11:00:00 GMT", "", 0),
        ("Sat, 21 Nov 2026 09:00:10 GMT", "Sat, 21 Nov 2026 09:00:00 GMT", 10_000),
        ("Fri, 20 Nov 2026 12:00:30 GMT", "yesterday", 30_000),
    ],
)
def test_retry_after_is_honoured(value: str, date: str, wait: int) -> None:
    """`Retry-After` is in seconds or a date. A date is relative to the service's own clock if `Date` is sent."""
    reply, url = reply_to(answers(503, Retry_After=value, Date=date))
    assert reply == NotTaken(f"{url} answered 503", final=False, retry_after=wait, status=503)


# ── not reached, not answered ────────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_connection() -> None:
    url = refusing()
    assert post(url) == NotTaken(f"{url} refused the connection", final=False)


def test_an_unknown_host() -> None:
    for host in ("nowhere.invalid", "a..b", "x" * 80):
        url = f"http://{host}/do"
        assert post(url) == NotTaken(f"{url} could not be reached: there is no such host", final=False)


def test_a_host_that_takes_no_connection() -> None:
    """Open a listener with a full queue: new connections wait in the kernel."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            waiting.append(sock)
        url = f"http://127.0.0.1:{port}/do"
        assert post(url, by=caller(connect=0.2)) == NotTaken(f"{url} could not be reached within 0.2 s", final=False)
        for sock in waiting:
            sock.close()


@pytest.mark.parametrize(
    "script",
    [
        hang,
        drips(b"", b"H"),
        drips(b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "status", "headers", "continue"],
)
def test_the_time_limit_is_a_total(script: Callable[[Server, socket.socket], None]) -> None:
    begun = time.monotonic()
    reply, url = reply_to(script, total=0.2)
    assert reply == NotTaken(f"{url} did not answer within 0.2 s", final=False)
    assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize(
    "script",
    [
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ],
    ids=["dripping", "dripping chunks", "half", "chunks"],
)
def test_any_2xx_is_taken_even_if_its_body_never_ends(script: Callable[[Server, socket.socket], None]) -> None:
    begun = time.monotonic()
    reply, _ = reply_to(script, total=0.2)
    assert reply == Taken()
    assert time.monotonic() - begun < 1.5


def test_a_refusal_whose_body_drips_is_a_refusal() -> None:
    reply, url = reply_to(drips(b"HTTP/1.1 503 X\r\nRetry-After: 3\r\n\r\n", b""), total=0.2)
    assert reply == NotTaken(f"{url} answered 503", final=False, retry_after=3000, status=503)


def test_the_time_limit_holds_for_sending_too() -> None:
    """The server reads slowly: no single write is late, but all of them together are."""
    begun = time.monotonic()
    with serving(sips) as server:
        call = Call(addresses=(server.url,), body=b"x" * 30_000_000)
        assert caller(total=0.3).post(call) == NotTaken(f"{server.url} did not answer within 0.3 s", final=False)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (reset, "closed the connection without an answer"),
        (raw(b""), "closed the connection without an answer"),
        (raw(b"220 mail.example ESMTP\r\n"), "did not answer in HTTP"),
        (raw(b"\0\xff" * 50_000), "did not answer in HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500 + b"\r\n"), "did not answer in HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\na: b\r\n"), "closed the connection without an answer"),
        (drips(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 5000), "did not answer in HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "), "did not answer in HTTP"),
    ],
    ids=["reset", "nothing", "mail", "noise", "headers", "half", "endless headers", "two lengths"],
)
def test_what_is_no_answer_is_tried_again(script: Callable[[Server, socket.socket], None], said: str) -> None:
    reply, url = reply_to(script)
    assert reply == NotTaken(f"{url} {said}", final=False)


@pytest.mark.parametrize(
    "address", ["", "ftp://x/y", "localhost:18080/ci", "http://", "http://x:99999/", "http://[::1"]
)
def test_what_is_no_address_is_final(address: str) -> None:
    assert post(address) == NotTaken(f"{address} is not an http:// or https:// address", final=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a", "b\r\nc: d"),
        ("a", "b\nc: d"),
        ("a", "b\rc: d"),
        ("a", "b\r\n\r\nGET / HTTP/1.1"),
        ("a", "b\n"),
        ("a", "b\0c"),
        ("a", "b\x7f"),
        ("a", " b"),
        ("a", "\u2603"),
        ("a", "b\u2028c"),
        ("a", "\u560a\u560dc: d"),  # with the low bytes of a line break
        ("a", "b\x85c"),
        ("a\r\nb", "c"),
        ("a: b", "c"),
        ("a b", "c"),
        ("\u00e4", "b"),
        ("", ""),
    ],
)
def test_a_header_that_cannot_be_sent_is_final(name: str, value: str) -> None:
    with serving(answers(200)) as server:
        reply = caller().post(Call(addresses=(server.url,), body=BODY, headers={name: value}))
    assert isinstance(reply, NotTaken)
    assert (reply.final, server.requests) == (True, [])


def test_an_action_cannot_set_headers_that_frame_the_request() -> None:
    """An action cannot set Content-Length, Host and the like, in upper or lower case."""
    theirs = {
        "Host": "evil.example",
        "CONTENT-LENGTH": "3",
        "content-Length": "0",
        "Transfer-Encoding": "chunked",
        "content-type": "text/plain",
        "Content-Encoding": "gzip",
        "Connection": "close",
        "expect": "100-continue",
        "Upgrade": "h2c",
        "X-Team": "payments",
        "user-agent": "theirs",
    }
    with serving(answers(200, b"{}")) as server:
        one = caller()
        for _ in range(2):
            assert one.post(Call(addresses=(server.url,), body=BODY, headers=theirs)) == Taken({})
        assert server.connections == 1
    (_, headers, body), _ = server.requests
    assert body == BODY
    ours = {"host": f"127.0.0.1:{server.port}", "content-length": "15", "content-type": "application/json"}
    assert headers.items() >= ours.items() | {("x-team", "payments"), ("user-agent", "theirs")}
    assert not headers.keys() & {"transfer-encoding", "content-encoding", "connection", "expect", "upgrade"}


def test_a_password_in_the_address_is_used_and_not_shown() -> None:
    with serving(answers(503)) as server:
        reply = post(server.url.replace("//", "//me:secret@"))
    assert reply == NotTaken(f"{server.url} answered 503", final=False, status=503)
    assert server.requests[0][1]["authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()


# ── several addresses ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("script", [answers(503), answers(429), hang, reset])
def test_the_next_address_is_tried_at_once(script: Callable[[Server, socket.socket], None]) -> None:
    with serving(script) as bad, serving(answers(200, b'{"a":1}')) as good:
        assert post(refusing(), bad.url, good.url, by=caller(total=0.5)) == Taken({"a": 1})
    assert [request[2] for request in bad.requests + good.requests] == [BODY, BODY]


def test_a_final_answer_ends_the_search() -> None:
    with serving(answers(404)) as bad, serving(answers(200)) as good:
        assert post(bad.url, good.url) == NotTaken(f"{bad.url} answered 404", final=True, status=404)
    assert good.requests == []


def test_the_last_failure_decides() -> None:
    with serving(answers(503, Retry_After="9")) as bad:
        assert post(refusing(), bad.url) == NotTaken(
            f"{bad.url} answered 503", final=False, retry_after=9000, status=503
        )
        last = refusing()
        assert post(bad.url, last) == NotTaken(f"{last} refused the connection", final=False)


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_connections_are_kept_for_every_thread() -> None:
    with serving(answers(200, b"{}")) as server:
        one = caller()
        assert [post(server.url, by=one) for _ in range(3)] == [Taken({})] * 3
        other = threading.Thread(target=lambda: post(server.url, by=one))
        other.start()
        other.join()
        assert (server.connections, len(server.requests)) == (1, 4)


def test_a_connection_carries_one_request_at_a_time() -> None:
    """The server answers neither of two requests before it has received both."""
    both = threading.Barrier(2)

    def together(server: Server, sock: socket.socket) -> None:
        while server.read(sock):
            both.wait(5)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with serving(together) as server:
        one = caller()
        for _ in range(3):
            threads = [threading.Thread(target=lambda: post(server.url, by=one)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert (server.connections, len(server.requests)) == (2, 6)


def test_few_idle_connections_are_kept() -> None:
    """The one that was unused longest is closed."""
    connections = Connections(usual_context, max_idle=1)
    with serving(answers(200, b"{}")) as first, serving(answers(200, b"{}")) as second:
        for server in (first, second, second, first):
            request = f"GET / HTTP/1.1\r\nHost: {server.port}\r\n\r\n".encode()
            found = connections.send(target_of(server.url), request, connect=5, total=5, most=9)
            assert (found.body, found.is_kept) == (b"{}", True)
        assert (first.connections, second.connections) == (2, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a": 66}',
        b"HTTP/1.1 204 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["another response", "a body of 204", "close", "two lengths", "HTTP/1.0"],
)
def test_a_connection_is_not_used_again_after_a_response_that_does_not_promise_it(answer: bytes) -> None:
    with serving(lambda server, sock: loop(server, sock, answer)) as server:
        one = caller()
        assert [post(server.url, by=one) in (Taken({}), Taken(None)) for _ in range(3)] == [True] * 3
        assert (server.connections, len(server.requests)) == (3, 3)


def sends_more(more: bytes, sent: threading.Event) -> Callable[[Server, socket.socket], None]:
    """Send more after the caller has read the first response."""

    def script(server: Server, sock: socket.socket) -> None:
        server.read(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        server.over.wait(0.05)
        if more:
            sock.sendall(more)
        else:
            sock.shutdown(socket.SHUT_WR)
        sent.set()
        server.over.wait(10)

    return script


UNASKED = {
    "a second response": b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a": 66}',
    "more than the length": b"{}",
    "a late 100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "the end": b"",
}


@pytest.mark.parametrize("more", UNASKED.values(), ids=UNASKED)
def test_a_response_that_comes_unasked_is_never_an_answer(more: bytes) -> None:
    sent = threading.Event()
    with serving(sends_more(more, sent), answers(200, b'{"a": 1}')) as server:
        one = caller()
        assert post(server.url, by=one) == Taken({})
        assert sent.wait(5)
        assert post(server.url, by=one) == Taken({"a": 1})
        assert (server.connections, len(server.requests)) == (2, 2)


def test_a_refusal_that_comes_before_the_whole_request_is_the_answer() -> None:
    def early(server: Server, sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 413 X\r\nContent-Length: 3\r\n\r\nbig")
        sock.shutdown(socket.SHUT_WR)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)

    with serving(early) as server:
        call = Call(addresses=(server.url,), body=b"x" * 30_000_000)
        assert caller().post(call) == NotTaken(f"{server.url} answered 413: big", final=True, status=413)


@pytest.mark.parametrize(
    "end", [lambda sock: None, lambda sock: sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)]
)
def test_a_stale_connection_is_no_failed_delivery(end: Callable[[socket.socket], None]) -> None:
    """The server closes the kept connection during the second request, and answers on a new one."""

    def once(server: Server, sock: socket.socket) -> None:
        server.read(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        server.read(sock)
        end(sock)

    with serving(once, answers(200, b'{"a":1}')) as server:
        one = caller()
        assert post(server.url, by=one) == Taken({})
        assert post(server.url, by=one) == Taken({"a": 1})
        assert len(server.requests) == 3


def test_a_kept_connection_that_ends_within_an_answer_is_a_failed_delivery() -> None:
    def half(server: Server, sock: socket.socket) -> None:
        server.read(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        server.read(sock)
        sock.sendall(b"HTTP/1")
        server.over.wait(0.05)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)

    without = "closed the connection without an answer"
    with serving(half, answers(200)) as server:
        one = caller()
        assert post(server.url, by=one) == Taken({})
        assert post(server.url, by=one) == NotTaken(f"{server.url} {without}", final=False)
        assert len(server.requests) == 2


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.adapters.actions.connections.MAX_IDLE_S", 0.0)
    with serving(answers(200, b"{}")) as server:
        one = caller()
        assert [post(server.url, by=one) for _ in range(2)] == [Taken({})] * 2
        assert server.connections == 2


def test_all_addresses_of_a_host_are_tried() -> None:
    """`localhost` is often `::1` first, which has no listener."""
    with serving(answers(200)) as server:
        assert post(server.url.replace("127.0.0.1", "localhost")) == Taken()


def test_nothing_of_one_answer_shows_in_the_next_request() -> None:
    with serving(answers(200, b"{}", Set_Cookie="a=b; Path=/")) as server:
        one = caller()
        post(server.url, by=one)
        post(server.url, by=one)
    assert all("cookie" not in headers for _, headers, _ in server.requests)


def test_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    for name, value in (("NETRC", str(netrc)), ("http_proxy", refusing()), ("ALL_PROXY", refusing())):
        monkeypatch.setenv(name, value)
    with serving(answers(200)) as server:
        assert post(server.url) == Taken()
    assert "authorization" not in server.requests[0][1]


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Authority:
    """Create a CA, and a server's TLS context with a certificate from it for 127.0.0.1."""

    folder: Path

    def __post_init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        root = self.certificate(self.folder.name, key.public_key(), key, None)
        self.pem = root.public_bytes(serialization.Encoding.PEM)
        self.ca_bundle = base64.b64encode(self.pem).decode()
        self.server = self.context(key, "127.0.0.1")
        self.stranger = self.context(key, "127.9.9.9")

    def context(self, root: ec.EllipticCurvePrivateKey, ip: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ip))])
        pem = self.certificate("server", key.public_key(), root, name).public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self.folder / f"{ip}.pem"
        path.write_bytes(private + pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def certificate(
        self,
        subject: str,
        key: ec.EllipticCurvePublicKey,
        by: ec.EllipticCurvePrivateKey,
        name: x509.SubjectAlternativeName | None,
    ) -> x509.Certificate:
        begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.folder.name)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=name is None, path_length=None), critical=True)
        )
        return (builder.add_extension(name, critical=False) if name else builder).sign(by, hashes.SHA256())


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"))


def test_own_roots_are_trusted(ours: Authority) -> None:
    with serving(answers(200, b'{"a":1}'), tls=ours.server) as server:
        one = caller()
        assert [post(server.url, by=one, ca_bundle=ours.ca_bundle) for _ in range(2)] == [Taken({"a": 1})] * 2
        assert server.connections == 1


def test_other_roots_are_not_trusted(ours: Authority, theirs: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default roots, another bundle and the environment's are rejected, even if a trusted connection is open."""
    bundle = ours.folder / "bundle.pem"
    bundle.write_bytes(ours.pem)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(bundle))
    with serving(answers(200), tls=ours.server) as server:
        one = caller()
        assert post(server.url, by=one, ca_bundle=ours.ca_bundle) == Taken()
        for ca_bundle in (None, theirs.ca_bundle):
            reply = post(server.url, by=one, ca_bundle=ca_bundle)
            text = f"{server.url} has a certificate that is not trusted (unable to get local issuer certificate)"
            assert reply == NotTaken(text, final=True)
        assert len(server.requests) == 1


def test_own_roots_replace_the_usual_ones(ours: Authority, theirs: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """This test makes the server's CA the default root."""
    bundle = ours.folder / "usual.pem"
    bundle.write_bytes(ours.pem)
    monkeypatch.setattr("certifi.where", lambda: str(bundle))
    with serving(answers(200), tls=ours.server) as server:
        reply = post(server.url, ca_bundle=theirs.ca_bundle)
    assert isinstance(reply, NotTaken)
    assert reply.final


def test_a_certificate_for_another_host_is_not_trusted_and_the_next_address_is_tried(ours: Authority) -> None:
    with serving(answers(200), tls=ours.stranger) as bad, serving(answers(200), tls=ours.server) as good:
        reply = post(bad.url, ca_bundle=ours.ca_bundle)
        assert isinstance(reply, NotTaken)
        assert (reply.final, "127.0.0.1" in reply.error) == (True, True)
        assert post(bad.url, good.url, ca_bundle=ours.ca_bundle) == Taken()


@pytest.mark.parametrize(
    "ca_bundle", ["", "no base64!", base64.b64encode(b"no PEM").decode(), base64.b64encode(b"\xff").decode()]
)
def test_roots_that_are_none_are_final(ca_bundle: str) -> None:
    text = "the action's CA bundle is invalid: it must be a PEM bundle in base64"
    assert post("https://127.0.0.1:1/", ca_bundle=ca_bundle) == NotTaken(text, final=True)


def test_a_server_without_tls_is_tried_again(ours: Authority) -> None:
    with serving(lambda server, sock: sock.sendall(b"HTTP/1.1 400 plain\r\n\r\n")) as server:
        url = server.url.replace("http:", "https:")
        assert post(url, ca_bundle=ours.ca_bundle) == NotTaken(f"{url} could not be reached by TLS", final=False)


def test_a_handshake_that_hangs(ours: Authority) -> None:
    with serving(idle) as server:
        url = server.url.replace("http:", "https:")
        reply = post(url, by=caller(connect=0.2), ca_bundle=ours.ca_bundle)
        assert reply == NotTaken(f"{url} could not be reached within 0.2 s", final=False)


def test_the_time_limit_is_a_total_under_tls_too(ours: Authority) -> None:
    with serving(drips(b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"), tls=ours.server) as server:
        reply = post(server.url, by=caller(total=0.4), ca_bundle=ours.ca_bundle)
        assert reply == NotTaken(f"{server.url} did not answer within 0.4 s", final=False)
    with serving(sips, tls=ours.server) as server:
        call = Call(addresses=(server.url,), body=b"x" * 30_000_000, ca_bundle=ours.ca_bundle)
        assert caller(total=0.4).post(call) == NotTaken(f"{server.url} did not answer within 0.4 s", final=False)


def test_a_stale_connection_is_no_failed_delivery_under_tls_either(ours: Authority) -> None:
    def once(server: Server, sock: socket.socket) -> None:
        server.read(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        server.read(sock)

    with serving(once, answers(200, b'{"a":1}'), tls=ours.server) as server:
        one = caller()
        assert post(server.url, by=one, ca_bundle=ours.ca_bundle) == Taken({})
        assert post(server.url, by=one, ca_bundle=ours.ca_bundle) == Taken({"a": 1})


@pytest.mark.parametrize("more", UNASKED.values(), ids=UNASKED)
def test_a_response_that_comes_unasked_under_tls_is_never_an_answer(ours: Authority, more: bytes) -> None:
    sent = threading.Event()
    with serving(sends_more(more, sent), answers(200, b'{"a": 1}'), tls=ours.server) as server:
        one = caller()
        assert post(server.url, by=one, ca_bundle=ours.ca_bundle) == Taken({})
        assert sent.wait(5)
        assert post(server.url, by=one, ca_bundle=ours.ca_bundle) == Taken({"a": 1})
        assert (server.connections, len(server.requests)) == (2, 2)
