"""A connection of the local server: an `HTTPChannel` of waitress with the limits of `connections`.

Plain requests need little of waitress: they are read and answered without its parser and its WSGI task, and those that
follow soon on the connection by the same thread. Waitress reads and answers all others.

Sources: waitress 3.0, `channel.py`, `task.py`; RFC 9112.
"""

from __future__ import annotations

import logging
import select
import socket
import time
from contextlib import suppress
from typing import Any, Final

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import WSGITask

from fsl.local.http.framing import (
    PlainRequest,
    RefusalTask,
    RequestParser,
    closing,
    plain_request,
    response_bytes,
    timed_out,
)
from fsl.local.http.gateway import ARRIVED_AT, CLIENT_LEFT, GIVE_UP, GatewayResponse
from fsl.local.shapes import HttpRequest

LOG = logging.getLogger("echoer.http")

LARGE_BODY_BYTES: Final = 1024 * 1024
"""Of requests with larger bodies few are processed at the same time."""

MAX_UNREAD_BYTES: Final = 256 * 1024
"""How much of the responses to a connection may be unread before the next request on it is processed."""

LINGER_S: Final = 2.0
"""How long is read on after a request was refused, so that the client gets the response."""

NEXT_REQUEST_MS: Final = 50
"""How long the thread of a request waits for the next one on its connection, while enough other threads are free."""

_PIECE_BYTES: Final = 64 * 1024
_MAX_PIECES: Final = 4
"""In how many pieces a request may arrive that its thread waits for."""

_LEFT: Final = getattr(select, "POLLRDHUP", 0)
"""Reported by poll when the client has closed its side of the connection. Linux has it."""


_CLOSED: Final = (OSError, ValueError, AttributeError, TypeError)
"""What using the socket raises once waitress has closed the connection: then its descriptor is -1, or it is None."""

_AWAITED: Final = PlainRequest(HttpRequest("", "", "", {}, b""))
"""In the place of a request: a thread waits for one."""


class _Task(WSGITask):  # type: ignore[misc]
    def get_environment(self) -> dict[str, Any]:
        environment: dict[str, Any] = super().get_environment()
        environment[ARRIVED_AT] = self.channel.arrived_at
        environment[CLIENT_LEFT] = self.channel.has_left
        environment[GIVE_UP] = self.channel.give_up
        return environment


class Connection(HTTPChannel):  # type: ignore[misc]
    parser_class = RequestParser
    task_class = _Task
    error_task_class = RefusalTask

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.arrived_at = 0.0
        """The monotonic time since which the request waits for a thread."""
        self.lingers = False
        """Whether the client may still be sending when the connection is closed."""
        self._shut_at: float | None = None
        self._given_up = False
        self._poll: select.poll | None = None
        self._arriving: tuple[Any, float] = (None, 0.0)
        """The request that is arriving, and the time at which it was seen first."""

    # ── in the threads of requests ───────────────────────────────────────────────────────────────────────────────────

    def is_large(self) -> bool:
        """Return whether the request that is next has a large body."""
        return bool(self.requests[0].body_bytes_received > LARGE_BODY_BYTES)

    def service(self) -> None:
        request, is_large = self.requests[0], self.is_large()
        if isinstance(request, PlainRequest):
            if request is not _AWAITED:
                self._serve_plain(request)
            self._serve_next()
            return
        if len(self.requests) == 1:
            self.requests.append(_AWAITED)
        try:
            super().service()
        finally:
            if is_large:
                self.server.end_large()

    def _serve_plain(self, request: PlainRequest) -> None:
        try:
            answer = self.server.gateway.respond(request.request, self.arrived_at, self.has_left, self.give_up)
            self._send(response_bytes(answer))
        except ClientDisconnected:
            pass  # the request was given up, or its client left
        except OSError:
            self.will_close = True
        except Exception:
            LOG.exception("%s %s: the response could not be sent", request.command, request.request.path)
            self.will_close = True

    def _send(self, data: bytes) -> None:
        """Send what the socket takes now, and leave the rest to the thread of waitress. Raises ClientDisconnected."""
        with self.outbuf_lock:
            sent = 0
            if not self._given_up and self.connected and not self.total_outbufs_len:
                with suppress(BlockingIOError):
                    sent = self.socket.send(data)
            if sent < len(data):
                self.write_soon(data[sent:])

    def _serve_next(self) -> None:
        """Serve the requests that come next on this connection, each soon after the one before.

        So a client that sends one request after the other needs the thread of waitress, and another thread to be woken,
        only for its first one. While `requests` is not empty, the thread of waitress does not read from the connection.
        """
        while self._may_wait() and (found := self._next()) is not None:
            if isinstance(found, bytes):
                self.received(found)
                break
            self.requests[0], self.arrived_at = found, time.monotonic()
            self._serve_plain(found)
        with self.requests_lock:
            arriving = self.request if len(self.requests) == 1 else None
            if arriving is not None and arriving.expect_continue and arriving.headers_finished:
                self.send_continue()  # while `requests` is empty, the thread of waitress sends without a lock
            del self.requests[:1]
            if self.connected and self.requests:
                self.server.add_task(self)
        self.last_activity = time.time()
        self.server.pull_trigger()

    def _may_wait(self) -> bool:
        ends = self.will_close or self.close_when_flushed or not self.connected or not self.server.accepting
        return not ends and not self.total_outbufs_len and len(self.requests) == 1 and self.server.has_spare_threads()

    def _next(self) -> PlainRequest | bytes | None:
        """Return the next request, or what was received that is not plain or not complete; None: nothing was."""
        data = b""
        for _ in range(_MAX_PIECES):
            piece = self._receive()
            data += piece
            found = plain_request(data, self.addr[0]) if piece else 0
            if isinstance(found, PlainRequest):
                return found
            if not found:
                break
        return data or None

    def _receive(self) -> bytes:
        """Return what is received soon; nothing if the connection ended, which the thread of waitress sees, too."""
        try:
            connected: socket.socket = self.socket
            if self._poll is None:
                self._poll = select.poll()
                self._poll.register(connected, select.POLLIN)
            return connected.recv(_PIECE_BYTES) if self._poll.poll(NEXT_REQUEST_MS) else b""
        except _CLOSED:
            return b""

    def has_left(self) -> bool:
        """Return whether the client has closed the connection, or its side of it."""
        try:
            if not _LEFT:
                return bool(self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"")
            poll = select.poll()
            poll.register(self.socket.fileno(), _LEFT)
            return bool(poll.poll(0))
        except BlockingIOError:
            return False
        except _CLOSED:
            return True

    def give_up(self, answer: GatewayResponse) -> None:
        """Send this response in the place of the one of the request that is running, and close the connection."""
        self._given_up = True
        try:
            super().write_soon(closing(answer, with_body=self.requests[0].command != "HEAD"))
        except (ClientDisconnected, IndexError):
            return
        self.lingers = self.close_when_flushed = True
        self.server.pull_trigger()

    def write_soon(self, data: Any) -> int:
        if self._given_up:
            raise ClientDisconnected
        written: int = super().write_soon(data)
        return written

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Send what can be sent now. Waitress would have the thread wait for a client that does not read.

        If much is left, the requests that the client has sent ahead are not processed, and the connection is closed.
        """
        with self.outbuf_lock:
            if self.total_outbufs_len > MAX_UNREAD_BYTES:
                self._flush_exception(self._flush_some, do_close=False)
            does_not_read = self.total_outbufs_len > MAX_UNREAD_BYTES
        if does_not_read and len(self.requests) > 1:
            with self.requests_lock:
                for request in self.requests[1:]:
                    request.close()
                del self.requests[1:]
                self.close_when_flushed = True

    # ── in the thread of waitress ────────────────────────────────────────────────────────────────────────────────────

    def handle_write(self) -> None:
        """Send what is to be sent. After an error, read on for a while instead of closing the connection.

        Closing a connection whose client is still sending would take the response away from it (RFC 9112, 9.6).
        """
        if self.lingers and self.close_when_flushed and not self.total_outbufs_len and not self.will_close:
            self.close_when_flushed, self._shut_at = False, time.time()
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
        else:
            super().handle_write()

    def received(self, data: bytes) -> bool:
        if self._shut_at is not None:
            return False
        if self.request is None and not (self.requests or self.will_close or self.close_when_flushed):
            found = plain_request(data, self.addr[0])
            if isinstance(found, PlainRequest):
                self.requests.append(found)
                self.server.add_task(self)
                return True
        return bool(super().received(data))

    def check(self, now: float) -> None:
        """Close the connection if it was idle for too long, or if its request takes too long to arrive."""
        if self._shut_at is not None:
            if now - self._shut_at > LINGER_S:
                self.handle_close()
            return
        if self.requests:
            self._arriving = (None, now)
            return
        limits = self.server.limits
        if now - self.last_activity > limits.idle_s:
            self.handle_close()
        elif self.request is None or self.request is not self._arriving[0]:
            self._arriving = (self.request, now)
        elif now - self._arriving[1] > limits.arrival_s and not self.close_when_flushed:
            answer = closing(timed_out(limits.arrival_s))
            with self.outbuf_lock:
                self.outbufs[-1].append(answer)
                self.total_outbufs_len += len(answer)
            self.lingers = self.close_when_flushed = True
