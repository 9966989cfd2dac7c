"""Calls of action services over HTTP: one request and one reply, within a fixed time limit.

`connections` enforces the time limit and the trusted certificates; this module interprets responses and errors.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

import requests
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse, Timeout
from urllib3 import exceptions as urllib3_errors

from chalicelib.adapters.actions.answers import taken
from chalicelib.adapters.actions.connections import Connections, Stale, context_of, usual_context
from chalicelib.adapters.actions.egress import ANYWHERE, EgressPolicy, Forbidden
from chalicelib.model.addresses import without_password
from chalicelib.model.run_error import ErrorName
from chalicelib.model.times import Instant
from chalicelib.service.ports.actions import MAX_ANSWER_BYTES, Call, NotTaken, Reply, Response, brief_refusal

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
_ERRORS: Final = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
    RuntimeError,
)

# Kinds of errors, the most specific first, with the message and whether a retry is useless.
_FAILURES: Final[tuple[tuple[type[BaseException], str, bool], ...]] = (
    (Forbidden, "{address} resolves to {words}; add it to ECHOER_OUTBOUND_ALLOW", True),
    (ssl.SSLCertVerificationError, "{address} has a certificate that is not trusted{detail}", True),
    (socket.gaierror, "{address} could not be reached: there is no such host", False),
    (ConnectionRefusedError, "{address} refused the connection", False),
    (urllib3_errors.NewConnectionError, "{address} could not be reached{detail}", False),
    (urllib3_errors.ConnectTimeoutError, "{address} could not be reached within {connect:g} s", False),
    (urllib3_errors.TimeoutError, "{address} did not answer within {total:g} s", False),
    (TimeoutError, "{address} did not answer within {total:g} s", False),
    (ssl.SSLError, "{address} could not be reached by TLS", False),
    (ConnectionError, "{address} closed the connection without an answer", False),
    (http.client.HTTPException, "{address} did not answer in HTTP", False),
    (Exception, "{address} could not be reached{detail}", False),
)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
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
        self._threads = threading.local()

    def post(self, call: Call) -> Reply:
        """Deliver to the first address that accepts. The reply is that of the last address that was tried."""
        for name, value in call.headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                shown = re.sub(r"[^!-~]", "?", name)[:100]
                return NotTaken.own(f"the header {shown} is not a valid HTTP header", final=True)
        try:
            adapter = self._adapter(call.ca_bundle)
        except ValueError:
            return NotTaken.own("the action's CA bundle is invalid: it must be a PEM bundle in base64", final=True)
        reply = NotTaken.own("the action has no address", final=True)
        total = call.timeout / 1000 if self._total is None else self._total
        for address in call.addresses:
            shown = without_password(call.shown or address)
            try:
                answer = self._exchange(adapter, address, call, total)
            except _ERRORS as exc:
                reply = replace(self._failure(shown, exc, total), address=shown)
                continue
            if call.direct:
                return self._response(answer)
            if answer.is_success:
                found = taken(answer.body, answer.headers.get("Content-Type", ""), broken_off=answer.broken_off)
                return replace(found, status=answer.status, address=shown)
            reply = replace(self._refusal(shown, answer), address=shown)
            if reply.final:
                break
        return reply

    def _adapter(self, ca_bundle: str | None) -> Connections:
        """Return this thread's connections that trust this bundle. Raises ValueError if it is invalid."""
        adapters: dict[str | None, Connections] = self._threads.__dict__.setdefault("adapters", {})
        adapter = adapters.pop(ca_bundle, None)
        if adapter is None:
            context = usual_context() if ca_bundle is None else context_of(ca_bundle)
            connect = self._connect if self._total is None else min(self._connect, self._total)
            adapter = Connections(context, connect, self._egress)
        adapters[ca_bundle] = adapter  # the latest used is the last
        if len(adapters) > MAX_CA_BUNDLES:
            adapters.pop(next(iter(adapters))).close()
        return adapter

    def _exchange(self, adapter: Connections, address: str, call: Call, total: float) -> _Answer:
        if not address.lower().startswith(("http://", "https://")):
            raise requests.exceptions.InvalidURL
        url, authorization = _normalized(address)
        body = call.body if call.content_type else None
        headers = CaseInsensitiveDict({**_headers(call), **authorization})  # the last of two spellings counts
        due = time.monotonic() + total
        for attempts_left in (1, 0):
            limit = Timeout(total=max(due - time.monotonic(), 0.001))
            try:
                response = adapter.send(call.verb, url, headers, body, limit)
                break
            except _ERRORS as exc:
                if not attempts_left or not any(isinstance(cause, Stale) for cause in _causes(exc)):
                    raise
        try:
            return _read(response)
        finally:
            response.close()
            response.release_conn()

    def _response(self, answer: _Answer) -> Response:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        wait = _retry_after(answer.headers, self._now) if "retry-after" in headers else None
        return Response(answer.status, headers, answer.body, answer.broken_off, wait)

    def _failure(self, address: str, exc: Exception, total: float) -> NotTaken:
        if isinstance(exc, requests.exceptions.InvalidURL):
            return NotTaken.own(f"{address} is not an http:// or https:// address", final=True)
        causes = _causes(exc)
        text, final = next(
            (text, final) for kind, text, final in _FAILURES if any(isinstance(cause, kind) for cause in causes)
        )
        texts = [getattr(cause, "verify_message", None) or getattr(cause, "strerror", None) for cause in causes]
        words = next((words for words in texts if isinstance(words, str)), "")
        values = {
            "words": words,
            "detail": f" ({words})" if words else "",
            "connect": self._connect,
            "total": total,
        }
        name = ErrorName.FORBIDDEN if any(isinstance(cause, Forbidden) for cause in causes) else ""
        return NotTaken.own(text.format(address=address, **values), final=final, name=name)

    def _refusal(self, address: str, answer: _Answer) -> NotTaken:
        text = f"{address} answered {answer.status}"
        if 300 <= answer.status < 400 and "Location" in answer.headers:
            text += f" and redirects to {answer.headers['Location'][:MAX_EXCERPT_CHARS]}; redirects are not followed"
        excerpt = answer.body.decode("utf-8", "replace").strip()[:MAX_EXCERPT_CHARS]
        if excerpt:
            text += f": {excerpt}"
        brief = brief_refusal(address, answer.status, answer.headers.get("Content-Type", ""), len(answer.body))
        if answer.status not in _RETRIED:
            return NotTaken(text, final=True, status=answer.status, brief=brief)
        wait = _retry_after(answer.headers, self._now)
        return NotTaken(text, final=False, retry_after=wait, status=answer.status, brief=brief)


def _headers(call: Call) -> dict[str, str]:
    """Return the headers of the request. A direct call may have its own media type, if it has a body."""
    theirs = {name: value for name, value in call.headers.items() if not _FRAMING.fullmatch(name)}
    own = next((value for name, value in call.headers.items() if name.lower() == "content-type"), "")
    kind = own if own and call.direct and call.content_type else call.content_type
    return {"User-Agent": "echoer", **theirs, **({"Content-Type": kind} if kind else {})}


@lru_cache(maxsize=1024)
def _normalized(address: str) -> tuple[str, Mapping[str, str]]:
    """Return the URL as it is requested, and the header of the user and password in it. Raises RequestException."""
    request = requests.Request("GET", address).prepare()
    return str(request.url), dict(request.headers)


def _read(response: BaseHTTPResponse) -> _Answer:
    """Read a bounded part of the body. A body that breaks off or takes too long does not change the reply."""
    body, broken_off = b"", False
    try:
        while len(body) <= MAX_ANSWER_BYTES and (
            piece := response.read(MAX_ANSWER_BYTES + 1 - len(body), decode_content=False)
        ):
            body += piece
    except _ERRORS:
        broken_off = True
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if len(body) <= MAX_ANSWER_BYTES and encoding != "identity":
        try:  # unrequested compression; bounded here, since some versions of urllib3 do not bound it
            body = zlib.decompressobj(wbits=47).decompress(body, MAX_ANSWER_BYTES + 1)
        except zlib.error:
            body, broken_off = b"", True
    return _Answer(response.status, response.headers, body, broken_off)


def _retry_after(headers: Mapping[str, str], now: Callable[[], Instant]) -> int:
    """Return the milliseconds in the Retry-After header: seconds or a date (RFC 9110, 10.2.3)."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(int(asked[:100]) * 1000, MAX_RETRY_AFTER_MS)
    then, here = _moment(asked), _moment(headers.get("Date", ""))
    if then is None:
        return 0
    return min(max(then - (now() if here is None else here), 0), MAX_RETRY_AFTER_MS)


def _moment(date: str) -> Instant | None:
    try:
        parsed = parsedate_to_datetime(date)
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None


def _causes(exc: BaseException) -> list[BaseException]:
    """Return the error and all errors that requests and urllib3 wrapped in it."""
    found: list[BaseException] = []
    todo: list[object] = [exc]
    while todo:
        one = todo.pop(0)
        if isinstance(one, BaseException) and not any(one is known for known in found):
            found.append(one)
            todo += [getattr(one, "reason", None), *one.args, one.__cause__, one.__context__]
    return found
