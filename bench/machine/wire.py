"""HTTP/1.1 over raw sockets, with as little work per message as possible, so that the figures show the systems.

A message must have a Content-Length or no body. Only the standard library is used: peers load this module.
"""

import json
import socket
from types import TracebackType
from typing import Final

BUFFER: Final = 65_536


class Refused(RuntimeError):
    """A server answered with another status than success."""


class Message:
    """One request or response: its head in lower case, and its body."""

    __slots__ = ("body", "head", "size")

    def __init__(self, head: bytes, body: bytes, size: int) -> None:
        self.head = head
        self.body = body
        self.size = size

    @property
    def status(self) -> int:
        """Return the status of a response."""
        return int(self.head[9:12])

    @property
    def closes(self) -> bool:
        """Whether the sender of this response closes the connection after it."""
        return self.head.startswith(b"http/1.0") or _header(self.head, b"connection") == b"close"

    @property
    def retry_after(self) -> float:
        """Return the seconds after which the server wants to be asked again; 0 if it does not say."""
        return float(_header(self.head, b"retry-after") or 0)


def first_message(received: bytes) -> Message | None:
    """Return the first message of what was received; None while it is not complete.

    Raises ValueError for a body in chunks, which no system here sends.
    """
    end = received.find(b"\r\n\r\n") + 4
    if end < 4:
        return None
    head = received[:end].lower()
    length = _header(head, b"content-length")
    if length is None and _header(head, b"transfer-encoding"):
        raise ValueError("a body in chunks is not understood")
    size = end + int(length or 0)
    return Message(head, received[end:size], size) if len(received) >= size else None


def _header(head: bytes, name: bytes) -> bytes | None:
    """Return the value of a header in a head in lower case; None if it is not there."""
    _, found, rest = head.partition(b"\r\n" + name + b":")
    return rest.split(b"\r\n", 1)[0].strip() if found else None


def request(method: str, place: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
    """Return a request as it is sent; `headers` are lines that end with a line break."""
    kind = "Content-Type: application/json\r\n" if body and "Content-Type" not in headers else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: {place}\r\n{kind}{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def connect(place: str) -> socket.socket:
    """Return a connection to HOST:PORT that sends small messages at once."""
    host, _, port = place.rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Kept:
    """A connection to HOST:PORT for one thread, kept open from one exchange to the next. `with` closes it."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._connection: socket.socket | None = None

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next exchange opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def exchange(self, sent: bytes) -> Message:
        """Send a request and return the response. Raises OSError, and ConnectionError if the server closes early."""
        if self._connection is None:
            self._connection = connect(self._place)
        self._connection.sendall(sent)
        received = b""
        while (answer := first_message(received)) is None:
            more = self._connection.recv(BUFFER)
            if not more:
                raise ConnectionError("the server closed the connection")
            received += more
        if answer.closes:
            self.close()
        return answer

    def post(self, path: str, given: object, headers: str = "") -> object:
        """Send JSON and return the JSON of the response; None if it has no body. Raises Refused."""
        answer = self.exchange(request("POST", self._place, path, json.dumps(given).encode(), headers))
        if answer.status >= 300:
            raise Refused(f"POST {path}: {answer.status} {answer.body[:300]!r}")
        return json.loads(answer.body) if answer.body else None
