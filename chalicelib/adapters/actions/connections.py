"""HTTP connections with one time limit for all operations, and with exactly the trusted certificates that were given.

- A socket's time-out covers a single read, so a server that sends one byte per second never exceeds it. Every operation
  of a connection gets only the rest of the total time.
- The SSL context alone decides which certificates are trusted. Nothing takes certificates, proxies or passwords from
  the environment, follows redirects or keeps cookies.
- The peer may close an idle connection at the moment it is used again. If no byte of a response was received, this says
  nothing about the service: `Stale`.
- A host name can resolve to other addresses each time. It is resolved once per connection, and the socket connects to
  the very addresses that the egress policy has checked. If the policy refuses one of them, it refuses the host.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
import struct
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from math import inf
from threading import Lock
from typing import Any, Final, TypeAlias

from chalicelib.adapters.actions.egress import ANYWHERE, EgressPolicy, Forbidden
from chalicelib.adapters.actions.resolver import resolve
from chalicelib.adapters.actions.responses import Received, read
from chalicelib.adapters.actions.targets import Target

MAX_IDLE_S: Final = 60.0
"""An idle connection is not used after this time, since a device on the way may have dropped it."""
MAX_IDLE: Final = 64
"""Idle connections with the same trusted certificates that are kept."""

_PIECE: Final = 16384
"""A record of TLS: a time-out covers one."""
_TIMEVAL: Final = struct.Struct("@ll")
_SHORTEST_S: Final = 0.001
"""The system takes 0 as no limit."""
_SLACK_S: Final = 0.05
"""How much later than at its time an operation may end."""
_GONE: Final = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


_Key: TypeAlias = tuple[bool, str, int]


class Stale(ConnectionResetError):
    """A reused connection was closed before a byte of the response was received."""


class NotConnected(OSError):
    """No address of the host accepted the connection; `strerror` says why."""


class ConnectTimeout(TimeoutError):
    """The connection, or its TLS handshake, took too long."""


class _Connection:
    """One connection, which carries one request at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._limits: dict[int, float] = {}
        """The time limits that the system has, in seconds."""
        self._received = 0
        self._used_at: float | None = None

    @property
    def is_usable(self) -> bool:
        """Whether it can be used again: the peer has neither closed it nor sent anything unasked."""
        fresh = self._used_at is None or time.monotonic() - self._used_at < MAX_IDLE_S
        return fresh and not self._poll.poll(0)

    def exchange(self, request: bytes, due: float, most: int) -> Received:
        """Raises errors of the connection, Stale and NotHttp."""
        self._received = 0
        try:
            is_sent = self._is_sent(request, due)
            found = read(partial(self._receive, due), most)
        except _GONE as exc:
            if self._used_at is None or self._received:
                raise
            raise Stale from exc
        self._used_at = time.monotonic()
        return found if is_sent else Received(found.head, found.body, found.is_whole, is_kept=False)

    def _is_sent(self, request: bytes, due: float) -> bool:
        """Send the request, and return whether the peer took it all.

        A response may have been received even if it did not.
        """
        try:
            self._send(memoryview(request), due)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _receive(self, due: float) -> bytes:
        piece = self._read(due)
        self._received += len(piece)
        return piece

    def _send(self, request: memoryview, due: float) -> None:
        """The system keeps the time limits of this socket: Python would ask it before each operation, in two calls."""
        while request:
            self._limit(socket.SO_SNDTIMEO, due)
            with suppress(BlockingIOError):  # the limit was reached: `_limit` says whether it is over, or sets another
                request = request[self._sock.send(request) :]

    def _read(self, due: float) -> bytes:
        while True:
            self._limit(socket.SO_RCVTIMEO, due)
            with suppress(BlockingIOError):
                return self._sock.recv(_PIECE)

    def _limit(self, option: int, due: float) -> None:
        """Bound how long the next operation may take. A bound that is set already is kept if it ends in time.

        Raises TimeoutError.
        """
        left = _left(due)
        if self._limits.get(option, inf) <= left + _SLACK_S:
            return
        self._limits[option] = left = max(left, _SHORTEST_S)
        self._sock.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(int(left), int(left % 1 * 1_000_000)))

    def close(self) -> None:
        self._sock.close()


class _TlsConnection(_Connection):
    _sock: ssl.SSLSocket

    @property
    def is_usable(self) -> bool:
        return super().is_usable and not self._sock.pending()

    def _send(self, request: memoryview, due: float) -> None:
        for start in range(0, len(request), _PIECE):
            self._sock.settimeout(_left(due))
            self._sock.sendall(request[start : start + _PIECE])

    def _read(self, due: float) -> bytes:
        self._sock.settimeout(_left(due))
        return self._sock.recv(_PIECE)


def _left(due: float) -> float:
    left = due - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class Connections:
    """The connections that share an SSL context. Threads may share it: a connection has one user at a time.

    `context` is called for each connection with TLS.
    """

    def __init__(
        self, context: Callable[[], ssl.SSLContext], egress: EgressPolicy = ANYWHERE, *, max_idle: int = MAX_IDLE
    ) -> None:
        self._context, self._egress, self._max_idle = context, egress, max_idle
        self._lock = Lock()
        self._idle: dict[_Key, list[_Connection]] = {}
        """By target; the latest used is the last, of the targets and of the connections of each."""
        self._count = 0
        self._is_closed = False
        weakref.finalize(self, _close_all, self._idle)

    def send(self, target: Target, request: bytes, *, connect: float, total: float, most: int) -> Received:
        """Return the response with at most `most` bytes of its body. The limits are in seconds.

        Raises ConnectTimeout, Forbidden, NotConnected, other errors of the connection, and NotHttp.
        """
        due = time.monotonic() + total
        if (kept := self._take(target)) is not None:
            try:
                return self._exchange(kept, target, request, due, most)
            except Stale:
                pass
        made = self._connect(target, min(time.monotonic() + connect, due))
        return self._exchange(made, target, request, due, most)

    def _exchange(self, connection: _Connection, target: Target, request: bytes, due: float, most: int) -> Received:
        is_kept = False
        try:
            found = connection.exchange(request, due, most)
            is_kept = found.is_kept
            return found
        finally:
            if is_kept:
                self._keep(target, connection)
            else:
                connection.close()

    def _take(self, target: Target) -> _Connection | None:
        """Return the connection to the target that was used last, and close those that cannot be used."""
        while True:
            with self._lock:
                if (found := self._idle.get(key := _key(target))) is None:
                    return None
                connection = found.pop()
                self._forget(key)
            if connection.is_usable:
                return connection
            connection.close()

    def _keep(self, target: Target, connection: _Connection) -> None:
        dropped = connection
        with self._lock:
            if not self._is_closed:
                found = self._idle.pop(key := _key(target), [])
                self._idle[key] = [*found, connection]
                self._count += 1
                if self._count <= self._max_idle:
                    return
                oldest = next(iter(self._idle))
                dropped = self._idle[oldest].pop(0)
                self._forget(oldest)
        dropped.close()

    def _forget(self, key: _Key) -> None:
        """Count one connection of this target less."""
        self._count -= 1
        if not self._idle[key]:
            del self._idle[key]

    def _connect(self, target: Target, due: float) -> _Connection:
        sock = self._connected(target, due)
        if not target.is_tls:
            sock.settimeout(None)
            return _Connection(sock)
        try:
            sock.settimeout(_left(due))
            return _TlsConnection(self._context().wrap_socket(sock, server_hostname=_server_name(target.host)))
        except TimeoutError as exc:
            sock.close()
            raise ConnectTimeout("the handshake timed out") from exc
        except BaseException:
            sock.close()
            raise

    def _connected(self, target: Target, due: float) -> socket.socket:
        """Connect to the first address of the host that accepts. Each address gets an equal share of the time."""
        try:
            found = resolve(target.host, target.port, _left(due))
            for *_, address in found:
                if reason := self._egress.refuses(str(address[0]), target.host):
                    raise Forbidden(address[0], reason)
            for number, one in enumerate(found):
                try:
                    return _opened(one, max((due - time.monotonic()) / (len(found) - number), 0.001))
                except OSError:
                    if number == len(found) - 1:
                        raise
        except TimeoutError as exc:
            raise ConnectTimeout("connecting timed out") from exc
        except (Forbidden, ConnectionRefusedError, socket.gaierror):
            raise
        except OSError as exc:
            raise NotConnected(exc.errno, exc.strerror) from exc
        raise NotConnected(None, "the host has no address")

    def close(self) -> None:
        """Close all idle connections, and the others after their exchange."""
        with self._lock:
            self._is_closed = True
            _close_all(self._idle)


def _close_all(idle: dict[_Key, list[_Connection]]) -> None:
    for found in idle.values():
        for one in found:
            one.close()
    idle.clear()


def _key(target: Target) -> _Key:
    return target.is_tls, target.host, target.port


def _opened(found: Any, seconds: float) -> socket.socket:
    family, kind, protocol, _, address = found
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _server_name(host: str) -> str:
    """Return the name or the address that the certificate must have."""
    return host.partition("%")[0] if ":" in host else host.rstrip(".")


def context_of(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a context that trusts only `ca_bundle` (PEM in base64); None: certifi's. Raises ValueError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if ca_bundle is None:
        import certifi

        context.load_verify_locations(cafile=certifi.where())
        return context
    try:
        context.load_verify_locations(
            cadata=base64.b64decode("".join(ca_bundle.split()), validate=True).decode("ascii")
        )
    except ssl.SSLError as exc:
        raise ValueError("not a PEM bundle") from exc
    return context


usual_context = cache(lambda: context_of(None))  # loading the default certificates takes milliseconds
