"""Requests as they are read from a connection, and the responses to those that cannot be read.

Ambiguous framing is refused (RFC 9112, 6.1 and 6.3), and so are endless lines in a chunked body. Waitress takes both.
"""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from functools import cache, lru_cache
from typing import Final

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask
from waitress.utilities import BadRequest, RequestEntityTooLarge

from fsl.local.http.gateway import BODILESS, GatewayResponse, problem, reason_of
from fsl.local.shapes import HttpRequest

MAX_HEADER_BYTES: Final = 64 * 1024
"""The largest first line and headers of a request, together."""

MAX_PLAIN_BODY_BYTES: Final = 64 * 1024
"""The largest body of a request that is read here."""

_FIRST_LINE: Final = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/(?!/)[!-\"$-~]*) HTTP/1\.1\r\n")
_HEADER: Final = re.compile(r"([A-Za-z0-9-]+):[ \t]*([!-~]|[!-~][ -~]*[!-~])[ \t]*\r\n")
_LENGTH: Final = re.compile(r"[0-9]{1,5}")
_UNUSUAL: Final = frozenset(
    {"Transfer-Encoding", "Expect", "Upgrade", "Te", "Trailer", "Forwarded"}
    | {f"X-Forwarded-{name}" for name in ("For", "Host", "Proto", "Port", "By")}
)
"""Headers that frame a request, or that waitress takes out, because any client can write them."""

_MAX_CHUNK_LINE_BYTES: Final = 1_024
_MAX_TRAILER_BYTES: Final = 16 * 1024
_ENCODINGS: Final = re.compile(rb"(?ims)^transfer-encoding:(?:[^\r\n]*,|.*^transfer-encoding:)")
"""Two encodings of a request, in one header or two."""

_CODES: Final = {400: "bad-request-error", 408: "request-timeout", 413: "too-large", 431: "too-large"}


class PlainRequest:
    """A request without anything unusual, as most clients send it. It has what waitress asks of requests."""

    error = None
    expect_continue = False

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.command = request.method
        self.body_bytes_received = len(request.body)

    def close(self) -> None:
        """It holds nothing."""


def plain_request(data: bytes, client: str) -> PlainRequest | int:
    """Return the request that these bytes are, or how many bytes are missing; 0: it is not plain.

    Whatever is not plain is left to waitress: unusual characters, headers that were sent twice or frame the request,
    chunks, the absolute form of a target, requests that are sent ahead.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = data[: end + 2].decode("latin-1")
    first = _FIRST_LINE.match(head)
    if first is None:
        return 0
    headers: dict[str, str] = {}
    place = first.end()
    while found := _HEADER.match(head, place):
        name = _title(found[1])
        if name in headers or name in _UNUSUAL:
            return 0
        headers[name] = found[2]
        place = found.end()
    length = headers.get("Content-Length", "0")
    is_kept = headers.get("Connection", "keep-alive").lower() == "keep-alive"
    if place != len(head) or end + 4 > MAX_HEADER_BYTES or not is_kept or not _LENGTH.fullmatch(length):
        return 0
    size = end + 4 + int(length)
    if int(length) > MAX_PLAIN_BODY_BYTES or len(data) > size:
        return 0
    if len(data) < size:
        return size - len(data)
    path, _, query = first[2].partition("?")
    return PlainRequest(HttpRequest(first[1], path, query, headers, data[end + 4 :], client, "HTTP/1.1"))


def response_bytes(answer: GatewayResponse) -> bytes:
    """Return the response as it is sent, on a connection that is kept. Waitress sends others in the same form."""
    lines = [_status_line(answer.status), *[f"{_title(name)}: {value}" for name, value in answer.headers]]
    has_body = answer.status not in BODILESS
    if has_body:
        lines.append(f"Content-Length: {len(answer.body)}")
    lines += ("Server: echoer", _date(int(time.time())), "", "")
    return "\r\n".join(lines).encode("latin-1") + (answer.body if has_body else b"")


@lru_cache(maxsize=1024)
def _title(name: str) -> str:
    return name.title()


@cache
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {reason_of(status)}"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}"


class RequestParser(HTTPRequestParser):  # type: ignore[misc] # waitress has no type hints
    completed: bool

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as exc:  # a length with thousands of digits
            raise ParsingError("Content-Length is too long") from exc
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("the version must be HTTP/1.1 or HTTP/1.0")
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("a request has either Content-Length or, in HTTP/1.1, Transfer-Encoding")
        if _ENCODINGS.search(header_plus):
            raise ParsingError("a request has at most one Transfer-Encoding")

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        body = self.body_rcv
        if self.chunked and body is not None and not self.completed:
            if len(body.control_line) > _MAX_CHUNK_LINE_BYTES or len(body.trailer) > _MAX_TRAILER_BYTES:
                self.error = BadRequest("a line or the trailer of the chunked body is too long")
            elif body.chunk_remainder > self.adj.max_request_body_size:
                self.error = RequestEntityTooLarge(f"exceeds max_body of {self.adj.max_request_body_size}")
            self.completed = self.error is not None
        return consumed


class RefusalTask(ErrorTask):  # type: ignore[misc]
    """Gives the errors of waitress the form of the API's errors."""

    def execute(self) -> None:
        error = self.request.error
        code = _CODES.get(error.code, error.reason.lower().replace(" ", "-"))
        answer = problem(error.code, code, f"{error.reason}: {error.body}")
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(answer.headers)
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.channel.lingers = True
        self.write(answer.body)


def timed_out(seconds: float) -> GatewayResponse:
    """Return the response to a request that has not arrived in time."""
    return problem(408, _CODES[408], f"the request has not arrived completely within {seconds:g} s")


def closing(answer: GatewayResponse, *, with_body: bool = True) -> bytes:
    """Return the response as it is sent, with the announcement that the connection is closed."""
    headers = [*answer.headers, ("Content-Length", str(len(answer.body))), ("Connection", "close")]
    lines = [f"HTTP/1.1 {answer.status} {reason_of(answer.status)}", *(": ".join(header) for header in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (answer.body if with_body else b"")
