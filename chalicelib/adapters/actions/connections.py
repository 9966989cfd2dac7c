"""HTTP connections with one time limit for all operations, and with exactly the trusted certificates that were given.

- A socket's time-out covers a single read, so a server that sends one byte per second never exceeds it. `_Clocked`
  wraps a connection's socket and gives every read and write only the rest of the total time.
- The SSL context alone decides which certificates are trusted. `requests.Session` would add its default certificates,
  and take more of them, proxies and passwords from the environment. So the pools of urllib3 below it are used; nothing
  follows redirects or keeps cookies either.
- The peer may close an idle connection at the moment it is used again. If no byte of a response was received, this says
  nothing about the service: `Stale`.
- A host name can resolve to other addresses each time. It is resolved once per connection, and the socket connects to
  the very addresses that the egress policy has checked. If the policy refuses one of them, it refuses the host.
"""

from __future__ import annotations

import base64
import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from functools import cache, partial
from http import HTTPStatus
from typing import Any, Final, cast

from requests.adapters import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, PoolManager, Timeout
from urllib3 import exceptions as urllib3_errors
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import parse_url

from chalicelib.adapters.actions.egress import ANYWHERE, EgressPolicy, Forbidden

MAX_IDLE_S: Final = 60.0
"""An idle connection is not used after this time, since a device on the way may have dropped it."""

_GONE: Final = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class Stale(ConnectionResetError):
    """A reused connection was closed before a byte of the response was received."""


class _Clocked:
    """A connected socket with a time-out that covers all reads and writes until it is set again."""

    def __init__(self, sock: socket.socket, seconds: float | None) -> None:
        self._sock = sock
        self.received = 0
        self.settimeout(seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def settimeout(self, seconds: float | None) -> None:
        self._due = None if seconds is None else time.monotonic() + seconds

    def hurry(self) -> None:
        """Give the next operation the rest of the time. Raises TimeoutError if none is left."""
        if self._due is None:
            return
        left = self._due - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), 16384):
            self.hurry()
            self._sock.sendall(view[start : start + 16384])

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self, cast(io.RawIOBase, self._sock.makefile("rb", buffering=0))))


class _Reads(io.RawIOBase):
    def __init__(self, clocked: _Clocked, raw: io.RawIOBase) -> None:
        self._clocked, self._raw = clocked, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._clocked.hurry()
        count = cast("int | None", self._raw.readinto(buffer))
        self._clocked.received += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _FinalResponse(http.client.HTTPResponse):
    """Skips interim responses (RFC 9110, 15.2), such as 103 Early Hints. 101 is final: it changes the protocol."""

    def begin(self) -> None:
        super().begin()
        while self.status // 100 == 1 and self.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]  # `begin` reads a response only without these
            super().begin()


class _Connection(HTTPConnection):
    """The `timeout` given to the constructor limits connecting; urllib3 later sets it to the total limit."""

    response_class = _FinalResponse

    def __init__(self, *args: Any, egress: EgressPolicy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._egress = egress
        self._connect_timeout = self.timeout or 0.0
        self._used_at: float | None = None

    def _new_conn(self) -> socket.socket:
        """Connect to the first address of the host that accepts. Each address gets an equal share of the time."""
        due = time.monotonic() + self._connect_timeout
        try:
            found = _resolve(self._dns_host, self.port or self.default_port, self._connect_timeout)
            for *_, address in found:
                if reason := self._egress.refuses(str(address[0]), self._dns_host):
                    raise Forbidden(address[0], reason)
            for number, (family, kind, protocol, _, address) in enumerate(found):
                sock = socket.socket(family, kind, protocol)
                try:
                    sock.settimeout(max((due - time.monotonic()) / (len(found) - number), 0.001))
                    for option in self.socket_options or ():
                        sock.setsockopt(*option)
                    sock.connect(address)
                except OSError:
                    sock.close()
                    if number == len(found) - 1:
                        raise
                else:
                    sock.settimeout(self._connect_timeout)
                    return sock
        except TimeoutError as exc:
            raise urllib3_errors.ConnectTimeoutError(self, "connecting timed out") from exc
        except OSError as exc:
            raise urllib3_errors.NewConnectionError(self, str(exc)) from exc
        raise urllib3_errors.NewConnectionError(self, "the host has no address")

    def connect(self) -> None:
        begun, self._used_at = time.monotonic(), None
        try:
            super().connect()
        except TimeoutError as exc:  # in the TLS handshake
            raise urllib3_errors.ConnectTimeoutError(self, "the handshake timed out") from exc
        left = None if self.timeout is None else self.timeout - (time.monotonic() - begun)
        self.sock = cast(socket.socket, _Clocked(cast(socket.socket, self.sock), left))

    @property
    def is_connected(self) -> bool:
        """Whether the pool may use it again."""
        fresh = self._used_at is None or time.monotonic() - self._used_at < MAX_IDLE_S
        return fresh and super().is_connected

    def request(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().request(*args, **kwargs)
        except (BrokenPipeError, ConnectionResetError):
            raise  # urllib3 then calls `getresponse`: a response may have been received
        except _GONE as exc:
            if self._used_at is None:
                raise
            raise Stale from exc

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        clocked = cast(_Clocked, self.sock)
        before = clocked.received
        try:
            response = super().getresponse()
        except _GONE as exc:
            if self._used_at is None or clocked.received != before:
                raise
            raise Stale from exc
        self._used_at = time.monotonic()
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _resolve(host: str, port: int, seconds: float) -> list[Any]:
    """Resolve the host. The system's resolver has no time-out, so it runs in another thread."""
    outcome: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def look_up(flags: int = 0) -> None:
        try:
            outcome.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)))
        except OSError as exc:
            outcome.put(exc)
        except UnicodeError:  # not a valid host name, such as `a..b`
            outcome.put(socket.gaierror(socket.EAI_NONAME, "not a host's name"))

    look_up(socket.AI_NUMERICHOST)
    found = outcome.get()
    if isinstance(found, Exception):
        threading.Thread(target=look_up, daemon=True).start()
        try:
            found = outcome.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError("the look-up timed out") from None
    if isinstance(found, Exception):
        raise found
    return found


class Connections:
    """The connections of one thread that share an SSL context."""

    def __init__(self, context: ssl.SSLContext, connect_timeout: float, egress: EgressPolicy = ANYWHERE) -> None:
        self._pools = PoolManager(num_pools=32, maxsize=1, ssl_context=context, timeout=connect_timeout)
        self._pools.pool_classes_by_scheme = {  # pools pass unknown arguments on to their connections
            "http": partial(_Pool, egress=egress),  # type: ignore[dict-item]  # the stub knows classes only
            "https": partial(_TlsPool, egress=egress),  # type: ignore[dict-item]
        }

    def send(
        self, verb: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: Timeout
    ) -> BaseHTTPResponse:
        """Return the response, of which the body is not read yet. Raises errors of urllib3. `url` is normalized."""
        parts = parse_url(url)
        pool = self._pools.connection_from_host(parts.host, parts.port, parts.scheme)
        return pool.urlopen(
            verb,
            parts.request_uri,
            body,
            headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=timeout,
            preload_content=False,
            decode_content=False,
        )

    def close(self) -> None:
        """Close all idle connections."""
        self._pools.clear()


def context_of(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a context that trusts only `ca_bundle` (PEM in base64); None: requests' default. Raises ValueError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_bundle is None:
        context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
        return context
    try:
        context.load_verify_locations(
            cadata=base64.b64decode("".join(ca_bundle.split()), validate=True).decode("ascii")
        )
    except ssl.SSLError as exc:
        raise ValueError("not a PEM bundle") from exc
    return context


usual_context = cache(lambda: context_of(None))  # loading the default certificates takes milliseconds
