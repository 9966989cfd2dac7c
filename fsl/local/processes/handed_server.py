"""The HTTP server of a member: its connections are accepted by the supervisor and handed over (unix(7), SCM_RIGHTS)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from fsl.local import story
from fsl.local.http.channel import Connection
from fsl.local.http.connections import HttpServer
from fsl.local.http.gateway import Gateway
from fsl.local.processes.place import LOUD, QUIET, STOP


class _Handed(Connection):
    def del_channel(self, map: Any = None) -> None:  # noqa: A002 - the name of waitress
        if self._fileno in (self._map if map is None else map):
            self.server.closed()
        super().del_channel(map)


class HandedHttpServer(HttpServer):
    """Serves connections that come through `control`. Calls `stop` when the supervisor says so."""

    channel_class = _Handed

    def __init__(
        self,
        application: Gateway,
        control: socket.socket,
        port: int,
        *,
        closed: Callable[[], None],
        stop: Callable[[], None],
    ) -> None:
        self._port = port
        self.closed = closed
        self._stop = stop
        super().__init__(application, control)

    def getsockname(self) -> tuple[str, str]:
        return "127.0.0.1", str(self._port)

    def set_reuse_addr(self) -> None:
        """Do nothing: nothing is bound."""

    def accept_connections(self) -> None:
        self.accepting = True

    def handle_close(self) -> None:
        """End at once: the supervisor was killed, and this process holds the lock of the file."""
        os._exit(1)

    def accept(self) -> tuple[socket.socket, Any] | None:
        try:
            said, descriptors, _, _ = socket.recv_fds(self.socket, 1, 1)
        except BlockingIOError:
            return None
        except OSError:
            said = b""
        if not said:
            self.handle_close()
        if said == STOP:
            self._stop()
        if said in (QUIET, LOUD):
            story.log_transitions(on=said == LOUD)
        if not descriptors:
            return None
        connection = socket.socket(fileno=descriptors[0])
        try:
            connection.setblocking(False)
            return connection, connection.getpeername()
        except OSError:  # the client has left already
            connection.close()
            self.closed()
            return None
