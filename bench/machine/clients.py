"""Clients of a server, all in one thread: each has a connection, and starts its next run when one has ended.

A run is a generator. It yields a request, as `wire.request` makes it, and gets the response; or it yields a pause in
seconds. It ends when the run has succeeded, and raises an exception if it has not.
"""

import heapq
import itertools
import selectors
import socket
import time
from collections.abc import Callable, Generator
from typing import Final, TypeAlias

from bench.machine import wire
from bench.machine.load import MAX_WARM_UP_S, MAX_WINDOW_S, Cpu, Window

Script: TypeAlias = Callable[[], Generator[bytes | float, wire.Message, None]]
"""One run of a client."""

_MAX_END_S: Final = 60.0


class HttpClients:
    """So many clients of the server at HOST:PORT."""

    def __init__(self, place: str, script: Script, clients: int) -> None:
        self.place = place
        self.script = script
        self.selector = selectors.DefaultSelector()
        self.stopping = False
        self.ended: list[tuple[float, float]] = []
        self._pauses: list[tuple[float, int, _Client]] = []
        self._numbers = itertools.count()
        self._clients = [_Client(self) for _ in range(clients)]

    def measure(self, warm_up: float, seconds: float, cpu: Cpu, service: Cpu) -> Window:
        """Return what ends in `seconds` or more, after `warm_up` seconds and the first run of each client.

        The window goes on until as many runs have ended as there are clients, for `MAX_WINDOW_S` at most. Raises
        what a run raises, and RuntimeError if a run does not end.
        """
        try:
            for client in self._clients:
                client.start()
            warm_at = time.perf_counter() + warm_up
            self._work(lambda: time.perf_counter() >= warm_at, warm_up + 1)
            self._work(lambda: min(client.runs for client in self._clients) > 0, MAX_WARM_UP_S)
            used, harness, began = cpu(), service() + time.thread_time(), time.perf_counter()
            until = began + seconds
            enough = len(self.ended) + len(self._clients)
            self._work(lambda: time.perf_counter() >= until and len(self.ended) >= enough, max(seconds, MAX_WINDOW_S))
            used, harness, ended = cpu() - used, service() + time.thread_time() - harness, time.perf_counter()
            self.stopping = True
            self._work(lambda: not any(client.is_busy for client in self._clients), _MAX_END_S)
            if any(client.is_busy for client in self._clients):
                raise RuntimeError(f"a run has not ended after {_MAX_END_S:.0f} s")
        finally:
            for client in self._clients:
                client.close()
        durations = tuple(took for at, took in self.ended if began <= at < ended)
        return Window(ended - began, durations, used, harness, len(self.ended))

    def _work(self, is_done: Callable[[], bool], at_most: float) -> None:
        """Serve all clients until that is done, for at most so many seconds."""
        give_up_at = time.perf_counter() + at_most
        while not is_done() and (now := time.perf_counter()) < give_up_at:
            while self._pauses and self._pauses[0][0] <= now:
                heapq.heappop(self._pauses)[2].resume(None)
            pause = self._pauses[0][0] - now if self._pauses else _POLL_S
            for key, _ in self.selector.select(min(pause, _POLL_S)):
                key.data()

    def pause(self, client: "_Client", seconds: float) -> None:
        heapq.heappush(self._pauses, (time.perf_counter() + seconds, next(self._numbers), client))


_POLL_S: Final = 0.005
"""How often the clients look at the clock while nothing arrives."""


class _Client:
    """One connection, and the run that it waits for."""

    def __init__(self, clients: HttpClients) -> None:
        self.runs = 0
        self.is_busy = False
        self._clients = clients
        self._connection: socket.socket | None = None
        self._received = b""
        self._run: Generator[bytes | float, wire.Message, None]
        self._began = 0.0

    def start(self) -> None:
        """Start a run."""
        self.is_busy = True
        self._run = self._clients.script()
        self._began = time.perf_counter()
        self.resume(None)

    def resume(self, answer: wire.Message | None) -> None:
        """Go on with the run: send its next request, or wait, or end it and start the next one."""
        try:
            wanted = next(self._run) if answer is None else self._run.send(answer)
        except StopIteration:
            self._end()
            return
        if isinstance(wanted, bytes):
            self._send(wanted)
        else:
            self._clients.pause(self, wanted)

    def _end(self) -> None:
        now = time.perf_counter()
        self._clients.ended.append((now, now - self._began))
        self.runs += 1
        self.is_busy = False
        if not self._clients.stopping:
            self.start()

    def _send(self, request: bytes) -> None:
        if self._connection is None:
            self._connection = wire.connect(self._clients.place)
            self._clients.selector.register(self._connection, selectors.EVENT_READ, self._read)
        self._received = b""
        self._connection.sendall(request)

    def _read(self) -> None:
        assert self._connection  # noqa: S101 - for mypy: only an open one is watched
        more = self._connection.recv(wire.BUFFER)
        if not more:
            raise ConnectionError("the server closed the connection")
        self._received += more
        if (answer := wire.first_message(self._received)) is not None:
            if answer.closes:
                self.close()
            self.resume(answer)

    def close(self) -> None:
        if self._connection is not None:
            self._clients.selector.unregister(self._connection)
            self._connection.close()
            self._connection = None
