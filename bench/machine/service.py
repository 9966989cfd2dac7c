"""The service that all systems call: one thread that answers at once.

`python -m bench.machine.service` prints its URL and serves until it is ended. The last part of a path says how it
answers. `inline` is Echoer's form. Three take the work and post the answer afterwards, as the system wants it:
`callback` to Echoer's `callbackUrl`, `later` to the `url` of the request, `token` to that `url` as Step Functions'
SendTaskSuccess. `requests` says how many there were of all these. Everything else is plain REST.
"""

import json
import selectors
import socket
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from bench.machine import wire

DATA: Final = {"n": 1}
AWS_HEADERS: Final = (
    "Content-Type: application/x-amz-json-1.0\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/states/aws4_request, "
    "SignedHeaders=host, Signature=none\r\n"
    "X-Amz-Target: AWSStepFunctions.{}\r\n"
)

_PLAIN: Final = json.dumps(DATA).encode()
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_Answer: TypeAlias = Callable[[dict[str, Any]], tuple[str, bytes, str]]


def _response(value: object) -> bytes:
    body = json.dumps(value).encode()
    return _HEAD % len(body) + body


def _to_echoer(given: dict[str, Any]) -> tuple[str, bytes, str]:
    named = {name: given[name] for name in ("flowId", "stepName", "uuid")}
    return given["callbackUrl"], json.dumps({**named, "ackState": "OK", "done": True, "data": DATA}).encode(), ""


def _to_url(given: dict[str, Any]) -> tuple[str, bytes, str]:
    return given["url"], _PLAIN, ""


def _to_step_functions(given: dict[str, Any]) -> tuple[str, bytes, str]:
    body = {"taskToken": given["token"], "output": json.dumps(DATA)}
    return given["url"], json.dumps(body).encode(), AWS_HEADERS.format("SendTaskSuccess")


LATER: Final[dict[bytes, _Answer]] = {b"callback": _to_echoer, b"later": _to_url, b"token": _to_step_functions}
"""What is posted after the work, by the last part of the path: URL, body and headers."""

_TAKEN: Final = _response({})
_INLINE: Final = _response({"ackState": "OK", "data": DATA})
_REST: Final = _response(DATA)


class Service:
    """All connections, in one thread. The sockets block, which small messages that are there never do."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._idle: dict[str, list[_Outgoing]] = defaultdict(list)
        self.requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Serve until the process is ended."""
        while True:
            for key, _ in self._selector.select():
                key.data()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming = _Incoming(self, connection)
        self._selector.register(connection, selectors.EVENT_READ, incoming.read)

    def close(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()

    def post(self, url: str, body: bytes, headers: str) -> None:
        """Send JSON over a connection that is idle, or a new one; the response is only checked."""
        parts = urlsplit(url)
        sent = wire.request("POST", parts.netloc, parts.path or "/", body, headers)
        idle = self._idle[parts.netloc]
        (idle.pop() if idle else _Outgoing(self, parts.netloc)).send(sent)

    def watch(self, connection: socket.socket, read: Callable[[], None]) -> None:
        self._selector.register(connection, selectors.EVENT_READ, read)

    def keep(self, outgoing: "_Outgoing") -> None:
        self._idle[outgoing.place].append(outgoing)

    def forget(self, outgoing: "_Outgoing") -> None:
        if outgoing in self._idle[outgoing.place]:
            self._idle[outgoing.place].remove(outgoing)


class _Incoming:
    """A connection of a system: requests are answered in order."""

    __slots__ = ("_connection", "_received", "_service")

    def __init__(self, service: Service, connection: socket.socket) -> None:
        self._service = service
        self._connection = connection
        self._received = b""

    def read(self) -> None:
        try:
            more = self._connection.recv(wire.BUFFER)
        except ConnectionError:
            more = b""
        if not more:
            self._service.close(self._connection)
            return
        self._received += more
        while request := wire.first_message(self._received):
            self._received = self._received[request.size :]
            self._answer(request.head.split(b" ", 2)[1].rstrip(b"/").rpartition(b"/")[2], request.body)

    def _answer(self, name: bytes, body: bytes) -> None:
        if name == b"requests":
            self._connection.sendall(_response(self._service.requests))
            return
        self._service.requests += 1
        later = LATER.get(name)
        if later is None:
            self._connection.sendall(_INLINE if name == b"inline" else _REST)
            return
        self._connection.sendall(_TAKEN)
        try:
            self._service.post(*later(json.loads(body)))
        except OSError as error:
            _complain(repr(error))


class _Outgoing:
    """A connection to a system's own API: one exchange at a time. One that the system closed is replaced once."""

    __slots__ = ("_again", "_connection", "_received", "_sent", "_service", "place")

    def __init__(self, service: Service, place: str) -> None:
        self._service = service
        self.place = place
        self._connection: socket.socket | None = None
        self._sent = self._received = b""
        self._again = False

    def send(self, request: bytes) -> None:
        self._again = self._connection is not None
        if self._connection is None:
            self._connection = wire.connect(self.place)
            self._service.watch(self._connection, self.read)
        self._sent, self._received = request, b""
        try:
            self._connection.sendall(request)
        except ConnectionError:
            self._closed()

    def read(self) -> None:
        connection = self._connection
        assert connection  # noqa: S101 - for mypy: only an open one is watched
        try:
            more = connection.recv(wire.BUFFER)
        except ConnectionError:
            more = b""
        if not more:
            self._closed()
            return
        self._received += more
        if answer := wire.first_message(self._received):
            self._sent = b""
            if answer.status >= 300:
                _complain(f"{answer.status} {answer.body!r}")
            if answer.closes:
                self._drop()
            self._service.keep(self)

    def _drop(self) -> None:
        if self._connection is not None:
            self._service.close(self._connection)
            self._connection = None

    def _closed(self) -> None:
        self._drop()
        if not self._sent:
            self._service.forget(self)
        elif self._again:
            self.send(self._sent)
        else:
            _complain("the system closed the connection")


def _complain(reason: str) -> None:
    print(f"callback refused: {reason}", file=sys.stderr)  # noqa: T201 - into the log of the part


if __name__ == "__main__":
    service = Service()
    print(service.url, flush=True)  # noqa: T201 - to who started it
    service.serve()
