"""Calls of action services over HTTP: one request and one reply, within a fixed time limit.

`connections` enforces the time limit and the trusted certificates; this module interprets responses and errors.
"""

from __future__ import annotations

import re
import socket
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC
from functools import lru_cache
from threading import Lock
from typing import Final

import msgspec

from chalicelib.adapters.actions.answers import taken
from chalicelib.adapters.actions.connections import (
    Connections,
    ConnectTimeout,
    NotConnected,
    context_of,
    usual_context,
)
from chalicelib.adapters.actions.egress import ANYWHERE, EgressPolicy, Forbidden
from chalicelib.adapters.actions.responses import NotHttp, Received
from chalicelib.adapters.actions.targets import NoAddress, Target, target_of
from chalicelib.model.addresses import without_password
from chalicelib.model.run_error import ErrorName
from chalicelib.model.times import Instant
from chalicelib.service.ports.actions import (
    MAX_ANSWER_BYTES,
    Call,
    NotTaken,
    Reply,
    Response,
    Taken,
    brief_refusal,
)

MAX_EXCERPT_CHARS: Final = 1000
"""The part of an error response's body that is stored."""
MAX_RETRY_AFTER_MS: Final = 24 * 60 * 60 * 1000
MAX_CA_BUNDLES: Final = 16

_RETRIED: Final = frozenset({408, 425, 429, *range(500, 600)})
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING: Final = re.compile(
    r"connection|content-(encoding|length|type)|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade",
    re.IGNORECASE,
)
"""Headers that frame or route a request: actions cannot set them."""
_HEADER_VALUE: Final = re.compile(r"([!-~\xa1-\xff][\t -~\xa0-\xff]*)?")

# Kinds of errors, the most specific first, with the message and whether a retry is useless.
_FAILURES: Final[tuple[tuple[type[Exception], str, bool], ...]] = (
    (NoAddress, "{address} is not an http:// or https:// address", True),
    (Forbidden, "{address} resolves to {words}; add it to ECHOER_OUTBOUND_ALLOW", True),
    (ssl.SSLCertVerificationError, "{address} has a certificate that is not trusted{detail}", True),
    (socket.gaierror, "{address} could not be reached: there is no such host", False),
    (ConnectionRefusedError, "{address} refused the connection", False),
    (NotConnected, "{address} could not be reached{detail}", False),
    (ConnectTimeout, "{address} could not be reached within {connect:g} s", False),
    (TimeoutError, "{address} did not answer within {total:g} s", False),
    (ssl.SSLError, "{address} could not be reached by TLS", False),
    (ConnectionError, "{address} closed the connection without an answer", False),
    (NotHttp, "{address} did not answer in HTTP", False),
    (Exception, "{address} could not be reached{detail}", False),
)


class _Answer(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    """The names are in lower case."""
    body: bytes
    """The received part of it, at most one byte more than `MAX_ANSWER_BYTES`."""
    broken_off: bool
    """Whether the body ended before its end."""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class HttpCaller:
    """Implements `ports.Caller`.

    `now` returns milliseconds since 1970; it is used only if `Retry-After` is a date and the response has no `Date`.
    `connect` and `total` are time limits in seconds per address: for the connection, and for everything; None: the
    limit is that of the call. `egress` restricts the addresses of actions.
    """

    def __init__(
        self,
        now: Callable[[], Instant],
        *,
        connect: float = 3.0,
        total: float | None = None,
        egress: EgressPolicy = ANYWHERE,
    ) -> None:
        self._now, self._connect, self._total, self._egress = now, connect, total, egress
        self._lock = Lock()
        self._connections: dict[str | None, Connections] = {}

    def post(self, call: Call) -> Reply:
        """Deliver to the first address that accepts. The reply is that of the last address that was tried."""
        for name, value in call.headers.items():
            if not _is_name(name) or not _HEADER_VALUE.fullmatch(value):
                shown = re.sub(r"[^!-~]", "?", name)[:100]
                return NotTaken.own(f"the header {shown} is not a valid HTTP header", final=True)
        try:
            connections = self._connections_of(call.ca_bundle)
        except ValueError:
            return NotTaken.own("the action's CA bundle is invalid: it must be a PEM bundle in base64", final=True)
        reply = NotTaken.own("the action has no address", final=True)
        total = call.timeout / 1000 if self._total is None else self._total
        for address in call.addresses:
            try:
                answer = self._exchange(connections, address, call, total)
            except (OSError, ValueError, RuntimeError) as exc:
                shown = without_password(call.shown or address)
                reply = replace(self._failure(shown, exc, total), address=shown)
                continue
            if call.direct:
                return self._response(answer)
            shown = without_password(call.shown or address)
            if answer.is_success:
                found = taken(answer.body, answer.headers.get("content-type", ""), broken_off=answer.broken_off)
                return Taken(found.answer, found.problem, answer.status, shown)
            reply = replace(self._refusal(shown, answer), address=shown)
            if reply.final:
                break
        return reply

    def _connections_of(self, ca_bundle: str | None) -> Connections:
        """Return the connections that trust this bundle. Raises ValueError if it is invalid."""
        with self._lock:
            found = self._connections.pop(ca_bundle, None)
            if found is None:
                context = None if ca_bundle is None else context_of(ca_bundle)
                found = Connections(usual_context if context is None else lambda: context, self._egress)
            self._connections[ca_bundle] = found  # the latest used is the last
            if len(self._connections) > MAX_CA_BUNDLES:
                self._connections.pop(next(iter(self._connections))).close()
        return found

    def _exchange(self, connections: Connections, address: str, call: Call, total: float) -> _Answer:
        target = target_of(address)
        request = _request(call, target)
        limit = MAX_ANSWER_BYTES + 1
        found = connections.send(target, request, connect=self._connect, total=total, most=limit)
        return _answer(found)

    def _response(self, answer: _Answer) -> Response:
        wait = _retry_after(answer.headers, self._now) if "retry-after" in answer.headers else None
        return Response(answer.status, answer.headers, answer.body, answer.broken_off, wait)

    def _failure(self, address: str, exc: Exception, total: float) -> NotTaken:
        text, final = next((text, final) for kind, text, final in _FAILURES if isinstance(exc, kind))
        words = getattr(exc, "verify_message", None) or getattr(exc, "strerror", None) or ""
        values = {
            "words": words,
            "detail": f" ({words})" if words else "",
            "connect": min(self._connect, total),
            "total": total,
        }
        name = ErrorName.FORBIDDEN if isinstance(exc, Forbidden) else ""
        return NotTaken.own(text.format(address=address, **values), final=final, name=name)

    def _refusal(self, address: str, answer: _Answer) -> NotTaken:
        text = f"{address} answered {answer.status}"
        if 300 <= answer.status < 400 and "location" in answer.headers:
            text += f" and redirects to {answer.headers['location'][:MAX_EXCERPT_CHARS]}; redirects are not followed"
        excerpt = answer.body.decode("utf-8", "replace").strip()[:MAX_EXCERPT_CHARS]
        if excerpt:
            text += f": {excerpt}"
        brief = brief_refusal(address, answer.status, answer.headers.get("content-type", ""), len(answer.body))
        if answer.status not in _RETRIED:
            return NotTaken(text, final=True, status=answer.status, brief=brief)
        wait = _retry_after(answer.headers, self._now)
        return NotTaken(text, final=False, retry_after=wait, status=answer.status, brief=brief)


@lru_cache(maxsize=1024)
def _is_name(name: str) -> bool:
    return _HEADER_NAME.fullmatch(name) is not None


@lru_cache(maxsize=1024)
def _frames(name: str) -> bool:
    return _FRAMING.fullmatch(name) is not None


def _request(call: Call, target: Target) -> bytes:
    """Return the request. Of two spellings of a header the last counts."""
    body = call.body if call.content_type else None
    headers = {"user-agent": ("User-Agent", "echoer"), "accept-encoding": ("Accept-Encoding", "identity")}
    headers |= {name.lower(): (name, value) for name, value in call.headers.items() if not _frames(name)}
    headers |= {name.lower(): (name, value) for name, value in target.headers.items()}
    if body is not None or call.verb.has_body:
        headers["content-length"] = ("Content-Length", str(len(body or b"")))
    if call.content_type:
        headers["content-type"] = ("Content-Type", _media_type(call))
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.values()])
    head = f"{call.verb} {target.path} HTTP/1.1\r\n{lines}\r\n"
    return head.encode("latin-1") + (body or b"")


def _media_type(call: Call) -> str:
    """Return the media type of the body. A direct call may have its own."""
    own = next((value for name, value in call.headers.items() if name.lower() == "content-type"), "")
    return own if own and call.direct else call.content_type


def _answer(received: Received) -> _Answer:
    """Return the answer with its body unpacked. A body that breaks off or takes too long does not change the reply."""
    body, broken_off = received.body, not received.is_whole and len(received.body) <= MAX_ANSWER_BYTES
    headers = received.head.headers
    encoding = headers.get("content-encoding", "identity").lower()
    if len(body) <= MAX_ANSWER_BYTES and encoding != "identity":
        try:  # unrequested compression
            body = zlib.decompressobj(wbits=47).decompress(body, MAX_ANSWER_BYTES + 1)
        except zlib.error:
            body, broken_off = b"", True
    return _Answer(received.head.status, headers, body, broken_off)


def _retry_after(headers: Mapping[str, str], now: Callable[[], Instant]) -> int:
    """Return the milliseconds in the Retry-After header: seconds or a date (RFC 9110, 10.2.3)."""
    asked = headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        return min(int(asked[:100]) * 1000, MAX_RETRY_AFTER_MS)
    then, here = _moment(asked), _moment(headers.get("date", ""))
    if then is None:
        return 0
    return min(max(then - (now() if here is None else here), 0), MAX_RETRY_AFTER_MS)


def _moment(date: str) -> Instant | None:
    from email.utils import parsedate_to_datetime  # few responses have a date that counts

    try:
        parsed = parsedate_to_datetime(date)
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None
