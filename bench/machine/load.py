"""Clients of a library that start runs one after another: how many end in a window of time, and how long each takes.

Only the standard library is used: peers that are libraries load this module in their own process.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

Run: TypeAlias = Callable[[], None]
"""Start one run and return when it has succeeded; raise an exception if it has not."""

Cpu: TypeAlias = Callable[[], float]
"""The CPU time that was used until now, in seconds."""

STEPS: Final = 5
"""How many steps a run has."""

MAX_WARM_UP_S: Final = 3.0
MAX_WINDOW_S: Final = 6.0
"""How long a window may last in which less runs end than there are clients."""

_POLL_S: Final = 0.01


@dataclass(frozen=True)
class Window:
    """The runs that ended in `seconds`: the duration of each in seconds.

    `cpu` is the CPU time of the system in seconds. `harness` is that of the service and of clients that are no part
    of the system. `runs` are those that ended from the first to the last, also outside of the window.
    """

    seconds: float
    durations: tuple[float, ...]
    cpu: float
    harness: float
    runs: int


class Clients:
    """Threads with a client each, made by `connect`."""

    def __init__(self, connect: Callable[[], Run], clients: int) -> None:
        self._connect = connect
        self._ended: list[tuple[float, float]] = []
        self._errors: list[Exception] = []
        self._stopping = False
        self._counts = [0] * clients
        self._threads = [threading.Thread(target=self._work, args=(mine,), daemon=True) for mine in range(clients)]

    def measure(self, warm_up: float, seconds: float, cpu: Cpu, service: Cpu) -> Window:
        """Return what ends in `seconds` or more, after `warm_up` seconds and the first run of each client.

        The window goes on until as many runs have ended as there are clients, for `MAX_WINDOW_S` at most. The clients
        are part of the system. Raises what a client raised.
        """
        for thread in self._threads:
            thread.start()
        time.sleep(warm_up)
        give_up_at = time.perf_counter() + MAX_WARM_UP_S
        while min(self._counts) < 1 and not self._errors and time.perf_counter() < give_up_at:
            time.sleep(_POLL_S)
        used, harness, began = cpu(), service(), time.perf_counter()
        enough, give_up_at = len(self._counts) + sum(self._counts), began + MAX_WINDOW_S
        time.sleep(seconds)
        while sum(self._counts) < enough and not self._errors and time.perf_counter() < give_up_at:
            time.sleep(_POLL_S)
        used, harness, ended = cpu() - used, service() - harness, time.perf_counter()
        self._stopping = True
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        durations = tuple(took for at, took in self._ended if began <= at < ended)
        return Window(ended - began, durations, used, harness, sum(self._counts))

    def _work(self, mine: int) -> None:
        try:
            run = self._connect()
            while not self._stopping:
                began = time.perf_counter()
                run()
                ended = time.perf_counter()
                self._ended.append((ended, ended - began))
                self._counts[mine] += 1
        except Exception as error:
            self._errors.append(error)
