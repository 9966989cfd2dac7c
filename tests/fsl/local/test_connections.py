"""The socket layer of the local server: connections and requests that want to occupy it."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import pytest
from chalice.app import Chalice

from fsl.local.http.channel import LARGE_BODY_BYTES, MAX_UNREAD_BYTES
from fsl.local.http.connections import MAX_LARGE_REQUESTS, ConnectionLimits, HttpServer
from fsl.local.http.gateway import Gateway
from fsl.local.http.time_limit import TimeLimit
from fsl.local.http.waits import Waits
from tests.fsl.conftest import until

CLOSE: Final = b"Host: localhost\r\nConnection: close\r\n\r\n"
QUICK: Final = ConnectionLimits(threads=8, connections=20, idle_s=60, arrival_s=0.2)


class Server:
    """A server with small limits and an app whose requests end when the test lets them."""

    def __init__(self, limits: ConnectionLimits, seconds: float) -> None:
        self.limits = limits
        self.stopping, self.release = threading.Event(), threading.Event()
        self.entered, self.ended = threading.Semaphore(0), list[str]()
        self.waits = Waits(self.stopping, max_waiting=4, max_looking=2)
        self._time_limit = TimeLimit(self.stopping, seconds, check_s=0.05)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        gateway = Gateway(self._app(), self.stopping, waits=self.waits, time_limit=self._time_limit)
        self.http = HttpServer(gateway, self._listener, limits)

    def start(self) -> None:
        self._time_limit.start()
        self.http.start()

    def stop(self) -> None:
        self.release.set()
        self.stopping.set()
        self.http.finish(5)

    def _app(self) -> Chalice:
        app = Chalice("slow", configure_logs=False)

        @app.route("/ok", methods=["GET", "POST"], content_types=["*/*"])
        def ok() -> dict[str, Any]:
            request: Any = app.current_request
            return {"body": (request.raw_body or b"").decode()}

        @app.route("/seen/{part}", methods=["GET", "POST"], content_types=["*/*"])
        def seen(part: str) -> dict[str, Any]:
            request: Any = app.current_request
            event = request.to_original_event()
            named = ("path", "httpMethod", "headers", "multiValueQueryStringParameters", "body", "isBase64Encoded")
            return {"part": part, "thread": threading.get_ident(), **{name: event[name] for name in named}}

        @app.route("/slow", methods=["GET", "POST"], content_types=["*/*"])
        def slow() -> str:
            self.entered.release()
            self.release.wait(20)
            self.ended.append("slow")
            return "late"

        @app.route("/big")
        def big() -> str:
            return "x" * 300_000

        @app.route("/wait")
        def wait() -> str:
            self.entered.release()
            self.waits.until(lambda milliseconds: self.release.wait(min(milliseconds, 20) / 1_000), 20_000)
            self.ended.append("wait")
            return "waited"

        @app.route("/look")
        def look() -> str:
            while self.waits.pause(20) and not self.release.is_set():
                pass
            return "looked"

        return app

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, raw: bytes) -> tuple[int, str]:
        """Send the bytes; return status and body of the response."""
        with self.connect() as connection:
            connection.sendall(raw)
            return answer_on(connection)

    def is_well(self) -> bool:
        return self.ask(b"GET /ok HTTP/1.1\r\n" + CLOSE)[0] == 200


def answer_on(connection: socket.socket) -> tuple[int, str]:
    """Return status and body of the response on a connection that the server closes afterwards."""
    got = b""
    while more := connection.recv(65_536):
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else 0), body.decode()


@contextmanager
def serving(limits: ConnectionLimits = QUICK, seconds: float = 20.0) -> Iterator[Server]:
    server = Server(limits, seconds)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_idle_connections_lock_nobody_out(server: Server) -> None:
    """Of more connections than the server keeps, those are closed that have been idle for longest."""
    with ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(3 * QUICK.connections)]
        assert server.is_well()
        assert idle[0].recv(1) == b""
        idle[-1].sendall(b"GET /ok HTTP/1.1\r\n" + CLOSE)
        assert answer_on(idle[-1])[0] == 200, "the newest are kept"


def test_a_connection_with_a_request_is_not_closed_for_others(server: Server) -> None:
    with server.connect() as busy, ExitStack() as stack:
        busy.sendall(b"GET /slow HTTP/1.1\r\n" + CLOSE)
        assert server.entered.acquire(timeout=10)
        for _ in range(2 * QUICK.connections):
            stack.enter_context(server.connect())
        assert server.is_well()
        server.release.set()
        assert answer_on(busy) == (200, "late")
        server.release.clear()


@pytest.mark.parametrize(
    "beginning",
    [
        b"G",
        b"GET /ok HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /ok HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\nabc",
    ],
    ids=["a letter", "headers", "body"],
)
def test_a_request_that_does_not_arrive_is_given_up(server: Server, beginning: bytes) -> None:
    """408, although a byte arrives from time to time."""
    with server.connect() as connection:
        connection.sendall(beginning)
        more = threading.Event()

        def drip() -> None:
            while not more.wait(0.05):
                try:
                    connection.send(b"x")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        got = connection.recv(65_536)
        more.set()
        dripping.join(5)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]["code"] == "request-timeout"


def test_a_connection_without_a_request_is_closed_after_a_while() -> None:
    limits = ConnectionLimits(threads=2, connections=20, idle_s=0.1, arrival_s=20)
    with serving(limits) as server, server.connect() as connection:
        assert connection.recv(1) == b""


# ── requests that take long ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_that_takes_too_long_is_answered_with_504() -> None:
    """The client gets its response in time and in the shape of all errors; the request runs on."""
    with serving(seconds=1) as server:
        status, body = server.ask(b"GET /slow HTTP/1.1\r\n" + CLOSE)
        assert (status, json.loads(body)["error"]["code"]) == (504, "timeout")
        assert server.ended == []
        server.release.set()
        until(lambda: server.ended == ["slow"])
        assert server.is_well()


def test_a_request_for_which_no_thread_is_free_is_not_begun_too_late() -> None:
    """Its client has given up. Otherwise the server would work for nobody while others wait."""
    with serving(ConnectionLimits(threads=2, connections=20), seconds=1) as server, ExitStack() as stack:
        slow, queued = [stack.enter_context(server.connect()) for _ in range(2)], stack.enter_context(server.connect())
        for connection in slow:
            connection.sendall(b"GET /slow HTTP/1.1\r\n" + CLOSE)
            assert server.entered.acquire(timeout=10)
        queued.sendall(b"GET /slow HTTP/1.1\r\n" + CLOSE)
        assert [answer_on(connection)[0] for connection in slow] == [504, 504]
        (waiting,) = until(lambda: server.http.task_dispatcher.queue)
        until(lambda: time.monotonic() - waiting.arrived_at > 1)
        server.release.set()
        status, body = answer_on(queued)
        assert (status, json.loads(body)["error"]["code"]) == (503, "busy")
        until(lambda: server.ended == ["slow", "slow"])


def test_a_head_that_takes_too_long_has_no_body() -> None:
    with serving(seconds=1) as server:
        assert server.ask(b"HEAD /slow HTTP/1.1\r\n" + CLOSE) == (504, "")


def test_requests_that_wait_are_limited(server: Server) -> None:
    """The fifth that wants to wait is answered at once, with `Retry-After`; others are served as ever."""
    with ExitStack() as stack:
        waiting = [stack.enter_context(server.connect()) for _ in range(4)]
        for connection in waiting:
            connection.sendall(b"GET /wait HTTP/1.1\r\n" + CLOSE)
            assert server.entered.acquire(timeout=10)
        with server.connect() as fifth:
            until(lambda: server.waits.waiting == 4)
            fifth.sendall(b"GET /wait HTTP/1.1\r\n" + CLOSE)
            got = fifth.recv(65_536)
        assert got.startswith(b"HTTP/1.1 200 ")
        assert re.search(rb"Retry-After: [1-9]", got)
        assert server.is_well()
        server.release.set()
        assert [answer_on(connection) for connection in waiting] == [(200, "waited")] * 4
        server.release.clear()
    until(lambda: server.waits.waiting == 0)


def test_a_client_that_does_not_read_occupies_no_thread(server: Server) -> None:
    """Nor memory: what it asks for beyond what it reads is not processed, and the connection ends."""
    unread, number = MAX_UNREAD_BYTES + 400_000, 2 * QUICK.threads
    with ExitStack() as stack:
        lazy = [stack.enter_context(socket.socket()) for _ in range(number)]
        for connection in lazy:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        channels = server.http.active_channels
        until(lambda: len([one for one in list(channels.values()) if one.close_when_flushed]) == number)
        assert all(one.total_outbufs_len < unread for one in list(channels.values()))
        assert server.is_well()
        got = b"".join(iter(lambda: lazy[0].recv(1_000_000), b""))
    assert 1 <= got.count(b"HTTP/1.1 200 OK") < 50
    assert got.endswith(b"x")


def test_few_of_those_that_wait_may_look_at_many_runs(server: Server) -> None:
    """The third is answered at once, while there is room for one that waits for a single run."""
    with ExitStack() as stack:
        looking = [stack.enter_context(server.connect()) for _ in range(2)]
        for connection in looking:
            connection.sendall(b"GET /look HTTP/1.1\r\n" + CLOSE)
        until(lambda: server.waits.waiting == 2)
        assert server.ask(b"GET /look HTTP/1.1\r\n" + CLOSE) == (200, "looked")
        waiting = stack.enter_context(server.connect())
        waiting.sendall(b"GET /wait HTTP/1.1\r\n" + CLOSE)
        until(lambda: server.waits.waiting == 3)
        server.release.set()
        assert [answer_on(connection) for connection in looking] == [(200, "looked")] * 2
        assert answer_on(waiting) == (200, "waited")
        server.release.clear()
    until(lambda: server.waits.waiting == 0)
    assert server.entered.acquire(timeout=10)


@pytest.mark.parametrize("half", [False, True], ids=["closed", "half closed"])
def test_a_client_that_left_is_not_waited_for(server: Server, half: bool) -> None:
    """Its request ends soon. A client that closed its side only gets the response."""
    server.ended.clear()
    with server.connect() as connection:
        connection.sendall(b"GET /wait HTTP/1.1\r\n" + CLOSE)
        until(lambda: server.waits.waiting == 1)
        connection.shutdown(socket.SHUT_WR) if half else connection.close()
        until(lambda: server.ended == ["wait"])
        if half:
            assert answer_on(connection) == (200, "waited")
    until(lambda: server.waits.waiting == 0)


def test_few_requests_with_large_bodies_are_processed_at_a_time() -> None:
    """Each takes several times its size of memory. Those that wait for their turn occupy no thread."""
    body = b"x" * (LARGE_BODY_BYTES + 1)
    with serving(ConnectionLimits(threads=MAX_LARGE_REQUESTS + 2)) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(MAX_LARGE_REQUESTS + 4)]
        for client in clients:
            client.sendall(b"POST /slow HTTP/1.1\r\nContent-Length: %d\r\n%b%b" % (len(body), CLOSE, body))
        for _ in range(MAX_LARGE_REQUESTS):
            assert server.entered.acquire(timeout=10)
        assert server.is_well()
        assert not server.entered.acquire(blocking=False)
        server.release.set()
        assert [answer_on(client) for client in clients] == [(200, "late")] * len(clients)
        again = b"POST /ok HTTP/1.1\r\nContent-Length: %d\r\n%b%b" % (len(body), CLOSE, body)
        assert server.ask(again)[0] == 200


# ── odd requests ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /ok HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /ok HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", 400),
        (b"GET /ok HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", 400),
        (b"GET /ok HTTP/1.0\r\n\r\n", 200),
        (b"GET http://localhost/ok HTTP/1.1\r\n" + CLOSE, 200),
        (b"GET http://user@localhost/ok HTTP/1.1\r\n" + CLOSE, 400),
        (b"GET ok HTTP/1.1\r\n" + CLOSE, 400),
        (b"GET ftp://localhost/ok HTTP/1.1\r\n" + CLOSE, 400),
        (b"OPTIONS * HTTP/1.1\r\n" + CLOSE, 400),
        (b"CONNECT localhost:80 HTTP/1.1\r\n" + CLOSE, 400),
        (b"TRACE /ok HTTP/1.1\r\n" + CLOSE, 405),
        (b"A" * 60_000 + b" /ok HTTP/1.1\r\n" + CLOSE, 405),
        (b"GET /ok/\xff HTTP/1.1\r\n" + CLOSE, 400),
        (b"GET /ok\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"get /ok HTTP/1.1\r\n" + CLOSE, 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET  /ok  HTTP/1.1\r\n" + CLOSE, 400),
        (b"GET /ok HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (b"GET /ok HTTP/1.1\r\nA\r\n" + CLOSE, 400),
        (b"GET /ok HTTP/1.1\nHost: localhost\n\n\r\n\r\n", 400),
        (b"POST /ok HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n" + CLOSE + b"abc", 400),
        (b"POST /ok HTTP/1.1\r\nContent-Length: +3\r\n" + CLOSE + b"abc", 400),
        (b"POST /ok HTTP/1.1\r\nContent-Length: -3\r\n" + CLOSE + b"abc", 400),
        (b"POST /ok HTTP/1.1\r\nContent-Length: " + b"9" * 30 + b"\r\n" + CLOSE, 413),
        (b"POST /ok HTTP/1.1\r\nContent-Length: " + b"9" * 5_000 + b"\r\n" + CLOSE, 400),
        (b"POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"f" * 17 + b"\r\na", 413),
        (b"POST /ok HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"0\r\n\r\n", 400),
        (b"POST /ok HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"0\r\n\r\n", 400),
        (b"POST /ok HTTP/1.1\r\n" + b"Transfer-Encoding: chunked\r\n" * 2 + CLOSE + b"0\r\n\r\n", 400),
        (b"POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n" + CLOSE + b"0\r\n\r\n", 400),
        (b"GET /ok HTTP/1.1\r\nTE: trailers, chunked\r\nX: chunked, chunked\r\n" + CLOSE, 200),
        (b"POST /ok HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" + CLOSE + b"0\r\n\r\n", 501),
        (b"POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"3;a=b\r\nabc\r\n0\r\n\r\n", 200),
        (b"POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"x\r\nabc\r\n0\r\n\r\n", 400),
        (b"POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"3\r\nabcd\r\n0\r\n\r\n", 400),
        (b"POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"0" * 20_000, 400),
        (b"POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"0\r\n" + b"a: b\r\n" * 10_000, 400),
        (b"GET /ok HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n" + CLOSE, 431),
        (b"GET /ok?" + b"a" * 70_000 + b" HTTP/1.1\r\n" + CLOSE, 431),
        (b"GET /ok HTTP/1.1\r\n" + b"A: b\r\n" * 9_000 + CLOSE, 200),
    ],
)
def test_odd_requests(server: Server, raw: bytes, status: int) -> None:
    """What is ambiguous or too long is refused, in the shape of all errors, and the server continues."""
    got, body = server.ask(raw)
    assert got == status, body
    if status >= 400:
        told = json.loads(body)
        assert told["message"]
        assert told["error"]["code"]
    assert server.is_well()


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    """Also those after an interim response and with bodies."""
    with server.connect() as connection:
        for number in range(50):
            body = b"%d" % number
            connection.sendall(
                b"POST /ok HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
        connection.sendall(b"GET /ok HTTP/1.1\r\n" + CLOSE)
        got = b""
        while more := connection.recv(65_536):
            got += more
    assert re.findall(rb'"body":"(\d*)"', got) == [b"%d" % number for number in range(50)] + [b""]


# ── plain requests ───────────────────────────────────────────────────────────────────────────────────────────────────


def response_on(connection: socket.socket) -> tuple[int, bytes]:
    """Return status and body of the next response on a connection that is kept."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(1)
        assert more, got
        got += more
    length = int(re.search(rb"Content-Length: (\d+)", got)[1])  # type: ignore[index]
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return int(got.split()[1]), body


PLAIN: Final = [
    b"GET /seen/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /seen/%20?a=1&b=%20&a=&c HTTP/1.1\r\nhost:localhost\r\nx-A-b1:  c \t\r\nX-Empty:\r\n\r\n",
    b"GET /seen/a?b?c HTTP/1.1\r\nHost: localhost\r\nConnection: Keep-Alive\r\n\r\n",
    b"POST /seen/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n\xc3\xa4\r\n",
    b"POST /seen/a HTTP/1.1\r\nHost: localhost\r\nContent-Type:\r\nContent-Length: 2\r\n\r\n\xff\x00",
    b"POST /seen/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    b"POST /seen/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /seen/a HTTP/1.1\r\nHost: localhost\r\nX_Y: 1\r\nA: 1\r\na: 2\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
    b"GET /seen/a HTTP/1.1\r\nHost: localhost\r\nX: \xe4\r\nY: a\r\n b\r\n\r\n",
    b"GET /seen/a HTTP/1.1\r\nHost: localhost\r\nX-9a: 1\r\nA.b: 2\r\n\r\n",
    b"GET /seen/a#b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://localhost/seen/a HTTP/1.1\r\nHost: other\r\n\r\n",
    b"GET //seen/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /seen//a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /seen/a/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"PUT /seen/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx",
    b"GET /seen/a HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET /seen/a HTTP/1.1\r\nAccept: x\r\n\r\n",
]


@pytest.mark.parametrize("raw", PLAIN)
def test_a_request_is_the_same_in_any_pieces(server: Server, raw: bytes) -> None:
    """In one piece it is read without waitress, in many pieces by waitress; on a kept connection by its thread."""
    found = []
    for size in (len(raw), 1):
        with server.connect() as connection:
            for start in range(0, len(raw), size):
                connection.sendall(raw[start : start + size])
                server.stopping.wait(0.001)  # so that the pieces arrive as pieces
            found.append(response_on(connection))
            for half in (raw[: len(raw) // 2], raw[len(raw) // 2 :]):
                connection.sendall(half)
                server.stopping.wait(0.001)
            found.append(response_on(connection))
    shown = [(status, {**json.loads(body), "thread": None}) for status, body in found]
    assert shown == shown[:1] * len(shown)


def test_requests_of_every_kind_alternate_on_a_connection(server: Server) -> None:
    plain = b"POST /ok HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab"
    chunked = b"POST /ok HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    waits = b"POST /ok HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with server.connect() as connection:
        for number in range(20):
            connection.sendall(plain)
            assert response_on(connection) == (200, b'{"body":"ab"}')
            connection.sendall(chunked)
            assert response_on(connection) == (200, b'{"body":"ab"}')
            connection.sendall(plain * 3)
            assert [response_on(connection) for _ in range(3)] == [(200, b'{"body":"ab"}')] * 3
            connection.sendall(plain + chunked + plain)
            assert [response_on(connection) for _ in range(3)] == [(200, b'{"body":"ab"}')] * 3
            if number % 5 == 0:
                connection.sendall(waits)
                assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
                connection.sendall(b"ab")
                assert response_on(connection) == (200, b'{"body":"ab"}')
        connection.sendall(b"GET /ok HTTP/1.1\r\n" + CLOSE)
        assert answer_on(connection)[0] == 200


def test_100_continue_is_sent_once(server: Server) -> None:
    """The thread of waitress is woken just then, by the end of the request before, which it has read."""
    unusual = b"GET /ok HTTP/1.1\r\nHost: localhost\r\nX_Y: 1\r\n\r\n"
    waits = b"POST /ok HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with server.connect() as connection:
        for _ in range(300):
            connection.sendall(unusual)
            assert response_on(connection)[0] == 200
            connection.sendall(waits)
            assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"ab")
            assert response_on(connection) == (200, b'{"body":"ab"}')


def test_requests_one_after_the_other_have_one_thread() -> None:
    with serving(ConnectionLimits(threads=8, connections=20)) as server, server.connect() as connection:
        threads = set()
        for _ in range(20):
            connection.sendall(PLAIN[0])
            threads.add(json.loads(response_on(connection)[1])["thread"])
        assert len(threads) < 20  # one, but for waits of more than NEXT_REQUEST_MS
        assert server.is_well()


def test_connections_whose_thread_waits_for_a_request_lock_nobody_out(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(2 * QUICK.threads):
            connection = stack.enter_context(server.connect())
            connection.sendall(PLAIN[0])
            assert response_on(connection)[0] == 200
            assert server.is_well()


def test_a_plain_request_that_takes_too_long_is_answered_with_504() -> None:
    with serving(seconds=1) as server, server.connect() as connection:
        connection.sendall(PLAIN[0])
        assert response_on(connection)[0] == 200
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer_on(connection)[0] == 504
        server.release.set()
        until(lambda: server.ended == ["slow"])
        assert server.is_well()


def test_a_large_response_to_a_plain_request_is_sent_whole(server: Server) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
            server.stopping.wait(0.02)  # longer than the socket's buffer takes
            assert response_on(connection) == (200, b"x" * 300_000)


def test_clients_that_break_off_leave_nothing_behind() -> None:
    """They reset the connection within a request, after it, or while its thread waits for the next one."""
    with serving(ConnectionLimits(threads=8, connections=100)) as server:
        for number in range(60):
            with server.connect() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.sendall(PLAIN[0] if number % 3 == 0 else PLAIN[0][:20])
                if number % 6 == 0:
                    assert response_on(connection)[0] == 200
        until(lambda: not server.http.active_channels)
        until(lambda: not server.http.task_dispatcher.active_count)
        assert server.is_well()
