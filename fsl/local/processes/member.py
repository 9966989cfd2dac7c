"""A member of a server of several processes. The supervisor starts it with its settings on standard input."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading

from chalicelib import hosting
from chalicelib.adapters.sharing import Sharing
from chalicelib.adapters.system import SystemClock
from chalicelib.config import Settings
from chalicelib.hosting import Adapters, Services
from fsl.local import story
from fsl.local.http.gateway import Gateway
from fsl.local.listening import CannotStart
from fsl.local.processes.changes import SharedChanges
from fsl.local.processes.handed_server import HandedHttpServer
from fsl.local.processes.place import READY, Place
from fsl.local.processes.post import Post
from fsl.local.processes.shared_memory import SharedMemory
from fsl.local.server import LocalServer


class Member:
    """What a `LocalServer` that is a member has in common with others."""

    def __init__(self, place: Place, stopping: threading.Event) -> None:
        self.process = place.process
        self.control = socket.socket(fileno=place.control)
        self._memory_file = place.memory
        self._memory = SharedMemory(place.memory, place.process)
        self._post = Post(place.process, place.inbox, place.outboxes)
        self._stopping = stopping
        self._seen = self._memory.caches()

    def adapters(self, settings: Settings) -> Adapters:
        """Return the adapters that share the file and what is kept in memory."""
        sharing = Sharing(
            process=self.process,
            turns=self._memory_file,
            changes=SharedChanges(SystemClock(), self._memory, self._post),
            call_times=self._memory.call_times,
            caches_changed=self._memory.caches_changed,
            collect_statistics=self._post.collect_from_others,
        )
        return hosting.adapters_for(settings, sharing)

    def begin(self, services: Services) -> None:
        """Read notes of the others from now on."""
        self._post.collect = services.statistics.flush
        self._post.start()

    def refresh(self, services: Services) -> None:
        """Forget what is kept in memory if another member has changed some of it. Called before each request."""
        caches = self._memory.caches()
        if caches != self._seen:
            self._seen = caches
            services.forget_cached()

    def http_server(self, gateway: Gateway, port: int) -> HandedHttpServer:
        """Return the server of the connections that the supervisor hands over."""
        return HandedHttpServer(gateway, self.control, port, closed=self._memory.count_closed, stop=self._stopping.set)


def main() -> int:
    """Serve until the supervisor says stop, or ends. Return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal sends them to all; the supervisor says when to stop
        signal.signal(number, signal.SIG_IGN)
    place: Place = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the supervisor
    if place.core is not None:
        os.sched_setaffinity(0, {place.core})
    story.configure_log(place.settings.log, form=place.settings.log_format)
    stopping = threading.Event()
    member = Member(place, stopping)
    server = LocalServer(place.settings, member=member)
    try:
        server.start()
    except CannotStart as exc:
        member.control.sendall(str(exc).encode())
        return 1
    member.control.sendall(READY)
    stopping.wait()
    server.stop()
    return 0
