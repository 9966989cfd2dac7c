"""The socket layer: waitress, with limits that it does not have.

- At `connections` the connection that has been idle for longest is closed for a new one, so idle connections lock
  nobody out. Waitress would accept no more.
- A request must arrive within `arrival_s`. Waitress resets its timeout with every byte.
- Of requests with large bodies, some are processed at a time, since each takes several times its size of memory.
- A client that does not read its responses occupies no thread.
- The application learns whether its client has left, and can have a request answered from another thread.

Sources: waitress 3.0, `channel.py`, `server.py`, `parser.py`; RFC 9112.
"""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from waitress.server import TcpWSGIServer

from fsl.local.http.channel import MAX_UNREAD_BYTES, Connection
from fsl.local.http.framing import MAX_HEADER_BYTES
from fsl.local.http.gateway import MAX_BODY_BYTES, Gateway

REQUEST_THREADS: Final = 128
"""The number of requests that are processed in parallel."""

MAX_CONNECTIONS: Final = 1_000
"""How many connections are open at the same time, and more only while requests are processed on them."""

IDLE_TIMEOUT_S: Final = 120.0
"""How long a connection without a request stays open."""

ARRIVAL_TIMEOUT_S: Final = 30.0
"""How long a request may take to arrive, from its first byte to its last."""

MAX_LARGE_REQUESTS: Final = 16
"""How many requests with bodies above LARGE_BODY_BYTES are processed at the same time."""

_TRIGGER_TIMEOUT_S: Final = 10.0
"""How long the thread of waitress is waited for when the server stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of a server."""

    threads: int = REQUEST_THREADS
    connections: int = MAX_CONNECTIONS
    idle_s: float = IDLE_TIMEOUT_S
    arrival_s: float = ARRIVAL_TIMEOUT_S


class HttpServer(TcpWSGIServer):  # type: ignore[misc]
    """Serves the application on a socket that listens already."""

    channel_class = Connection
    accepting: bool

    def __init__(
        self,
        application: Gateway,
        listener: socket.socket,
        limits: ConnectionLimits = ConnectionLimits(),
    ) -> None:
        self.gateway, self.limits = application, limits
        self._max_connections = min(limits.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 3)
        self._large_lock, self._large, self._large_waiting = threading.Lock(), 0, deque[Connection]()
        self._thread = threading.Thread(target=self.run, name="http", daemon=True)
        super().__init__(
            application,
            _sock=listener,
            bind_socket=False,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            threads=limits.threads,
            connection_limit=2 * self._max_connections,
            cleanup_interval=1,
            asyncore_use_poll=True,
            outbuf_overflow=MAX_UNREAD_BYTES,  # the rest of a response goes into a temporary file
            inbuf_overflow=MAX_UNREAD_BYTES,
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=MAX_BODY_BYTES
            + 64 * 1024,  # the gateway refuses smaller bodies with a better message
            ident="echoer",
        )

    def start(self) -> None:
        """Serve requests in a thread of its own."""
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Accept no more connections, send pending responses for at most `seconds`, and close all connections."""
        until = time.monotonic() + seconds
        connections: dict[int, Any] = {}

        def settled() -> bool:
            if self.accepting:
                self.accepting = False
                self.del_channel()
                self.socket.close()
            busy = any(one.requests or one.total_outbufs_len for one in self.active_channels.values())
            if busy and time.monotonic() < until:
                return False
            connections.update(self._map)
            self._map.clear()  # ends the loop of waitress
            return True

        while not self._call(settled):
            time.sleep(0.01)
        self._thread.join(2)
        self.task_dispatcher.shutdown(cancel_pending=True, timeout=1)
        self.asyncore.close_all(connections)

    def _call(self, function: Callable[[], bool]) -> bool:
        """Call a function in the thread of waitress and return its result; True if the thread does not respond."""
        finished, results = threading.Event(), list[bool]()

        def call() -> None:
            results.append(function())
            finished.set()

        self.trigger.pull_trigger(call)
        return not finished.wait(_TRIGGER_TIMEOUT_S) or results[0]

    def add_task(self, task: Connection) -> None:
        """Have the next request of the connection processed, once there is room for it."""
        task.arrived_at = time.monotonic()
        if task.is_large():
            with self._large_lock:
                if self._large >= MAX_LARGE_REQUESTS:
                    self._large_waiting.append(task)
                    return
                self._large += 1
        super().add_task(task)

    def has_spare_threads(self) -> bool:
        """Return whether a quarter of the threads are free and no request waits for one."""
        threads = self.task_dispatcher
        free = len(threads.threads) - threads.active_count
        return not threads.queue and free * 4 >= self.limits.threads

    def end_large(self) -> None:
        """End a request with a large body: the next one takes its place."""
        with self._large_lock:
            if self._large_waiting:
                super().add_task(self._large_waiting.popleft())
            else:
                self._large -= 1

    def handle_accept(self) -> None:
        super().handle_accept()
        idle = [one for one in self.active_channels.values() if not one.requests] if self._is_full() else []
        if len(idle) > 1:  # the last one is new
            min(idle[:-1], key=lambda connection: connection.last_activity).handle_close()

    def _is_full(self) -> bool:
        return len(self.active_channels) > self._max_connections

    def maintenance(self, now: float) -> None:
        for connection in list(self.active_channels.values()):
            connection.check(now)
