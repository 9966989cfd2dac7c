"""Requests as they are read from a connection, and the responses to those that cannot be read.

Ambiguous framing is refused (RFC 9112, 6.1 and 6.3), and so are endless lines in a chunked body. Waitress takes both.
"""

from __future__ import annotations

import re
from typing import Final

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask
from waitress.utilities import BadRequest, RequestEntityTooLarge

from fsl.local.gateway import GatewayResponse, problem, reason_of

MAX_HEADER_BYTES: Final = 64 * 1024
"""The largest first line and headers of a request, together."""

_MAX_CHUNK_LINE_BYTES: Final = 1_024
_MAX_TRAILER_BYTES: Final = 16 * 1024
_ENCODINGS: Final = re.compile(rb"(?ims)^transfer-encoding:(?:[^\r\n]*,|.*^transfer-encoding:)")
"""Two encodings of a request, in one header or two."""

_CODES: Final = {400: "bad-request-error", 408: "request-timeout", 413: "too-large", 431: "too-large"}


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
