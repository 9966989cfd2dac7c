"""The process that `fsl local` starts when a server has several: it starts its members and hands connections to them.

It opens the file first, with its lock, and holds both until all members have ended. A member that ends by itself is
started again: what it had received is delivered again, as after a restart of a whole server. If this process ends, so
do its members, at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.message_queue import SqliteQueue
from chalicelib.adapters.system import SystemClock
from chalicelib.config import Durability, Settings
from chalicelib.model.errors import EchoerError
from fsl.local.listening import CannotStart, bound, check_access, listen
from fsl.local.processes import shared_memory
from fsl.local.processes.place import CONNECTION, LOUD, QUIET, READY, STOP, Place
from fsl.local.processes.shared_memory import SharedMemory

LOG = logging.getLogger("echoer.server")

START_TIMEOUT_S: Final = 60.0
END_TIMEOUT_S: Final = 5.0
"""How long a member may take to end after its handlers have."""
HAND_OVER_TIMEOUT_S: Final = 1.0
"""How long a member may take to accept a connection before another one gets it."""
_STABLE_S: Final = 10.0
"""A member that lived for so long is started again at once."""
_MAX_PAUSE_S: Final = 10.0
_MAX_REASON_BYTES: Final = 16_384
_PROGRAM: Final = "import sys; from fsl.local.processes.member import main; sys.exit(main())"


@dataclass(slots=True)
class _Seat:
    """The place of a member, which several processes take one after the other."""

    inbox: int
    """The end of its pipe from which it reads notes."""
    core: int | None
    """The core that its processes stay on."""
    process: subprocess.Popen[bytes] | None = None
    control: socket.socket | None = None
    handed: int = 0
    """How many connections were handed to it."""


class Supervisor:
    """A server of `settings.processes` processes; it is used like `LocalServer`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._cleanup = contextlib.ExitStack()
        self._memory_file = -1
        self._lock_file: int | None = None
        self._listener: socket.socket | None = None
        self._seats: list[_Seat] = []
        self._outboxes: list[int] = []
        self._turn = 0
        self.url = settings.url
        self.notice: str | None = None

    def start(self) -> None:
        """Start all members. Raises CannotStart."""
        try:
            self._start()
        except BaseException as exc:
            self.stop(0)
            if isinstance(exc, (EchoerError, OSError)) and not isinstance(exc, CannotStart):
                raise CannotStart(str(exc)) from exc
            raise

    def _start(self) -> None:
        check_access(self._settings)
        listener = listen(self._settings.port)
        self._cleanup.callback(listener.close)
        self._listener = listener
        self._settings, self.url, self.notice = bound(self._settings, listener)
        self._prepare_file()
        self._memory_file = shared_memory.create()
        self._cleanup.callback(os.close, self._memory_file)
        self._memory = SharedMemory(self._memory_file, 0)
        for core in _cores(self._settings.processes):
            inbox, outbox = os.pipe()
            os.set_blocking(outbox, False)
            self._cleanup.callback(os.close, inbox)
            self._cleanup.callback(os.close, outbox)
            self._seats.append(_Seat(inbox, core))
            self._outboxes.append(outbox)
        for number in range(len(self._seats)):
            self._spawn(number)
        for seat in self._seats:
            _await_ready(seat)
        for number in range(len(self._seats)):
            threading.Thread(target=self._watch, args=(number,), name=f"member {number}", daemon=True).start()
        threading.Thread(target=self._accept, args=(listener,), name="accept", daemon=True).start()

    def stop(self, seconds: float = 10.0) -> None:
        """Accept no more connections; let the members finish for at most `seconds`, and end them."""
        with self._changing:
            self._stopping.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # ends `accept` in its thread
            self._listener.close()
        until = time.monotonic() + seconds + END_TIMEOUT_S
        for seat in self._seats:
            if seat.control is not None:
                with contextlib.suppress(OSError):
                    seat.control.sendall(STOP)
        for number, seat in enumerate(self._seats):
            if seat.process is not None and not _has_ended(seat.process, until if seconds else 0.0):
                LOG.warning("process %d still runs; its messages are delivered again after a restart", number)
                seat.process.kill()
                seat.process.wait()
            if seat.control is not None:
                seat.control.close()
        self._cleanup.close()

    def log_transitions(self, *, on: bool) -> None:
        """Switch the log of transitions on or off, in all processes that run now."""
        for seat in self._seats:
            if seat.control is not None:
                with contextlib.suppress(OSError):
                    seat.control.sendall(LOUD if on else QUIET)

    def _prepare_file(self) -> None:
        """Open and migrate the file, take its lock, and give messages of processes that are no more to others."""
        full_sync = self._settings.durability is Durability.POWER
        database = Database.open(self._settings.db, full_sync=full_sync)
        self._cleanup.callback(database.close)
        SqliteQueue(database, SystemClock()).gather(self._settings.processes)
        self._lock_file = database.lock_file

    # ── members ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _spawn(self, number: int) -> None:
        """Start a process in the place of a member. `_await_ready` waits until it serves."""
        seat = self._seats[number]
        ours, theirs = socket.socketpair()
        place = Place(
            settings=self._settings,
            process=number,
            control=theirs.fileno(),
            memory=self._memory_file,
            inbox=seat.inbox,
            core=seat.core,
            outboxes=tuple(self._outboxes),
        )
        lock = [] if self._lock_file is None else [self._lock_file]  # held until the last member has ended
        inherited = (place.control, place.memory, place.inbox, *place.outboxes, *lock)
        root = str(Path(__file__).resolve().parents[3])
        paths = filter(None, (root, os.environ.get("PYTHONPATH")))
        self._memory.begin(number)
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            pass_fds=inherited,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"},
        )
        theirs.close()
        assert process.stdin is not None  # noqa: S101 - for mypy
        with contextlib.suppress(BrokenPipeError), process.stdin as given:
            pickle.dump(place, given)
        seat.process, seat.control, seat.handed = process, ours, 0

    def _watch(self, number: int) -> None:
        """Start another process whenever that of this place has ended, after a pause if it ended soon."""
        seat, pause, began = self._seats[number], 1.0, time.monotonic()
        while True:
            process = seat.process
            if process is None:
                return
            code = process.wait()
            if self._stopping.is_set():
                return
            pause = 0.0 if time.monotonic() - began > _STABLE_S else min(2 * pause or 1.0, _MAX_PAUSE_S)
            LOG.error("process %d of the server has ended (exit code %d); it is started again", number, code)
            if self._stopping.wait(pause):
                return
            began = time.monotonic()
            with self._changing:
                if self._stopping.is_set():
                    return
                if seat.control is not None:
                    seat.control.close()
                try:
                    self._spawn(number)
                except OSError as exc:  # such as too many processes; the next attempt follows after a longer pause
                    LOG.error("process %d of the server cannot start: %s", number, exc.strerror)
                    continue
            try:
                _await_ready(seat)
            except CannotStart as exc:
                LOG.error("process %d of the server cannot start: %s", number, exc)

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError as exc:
                if self._stopping.is_set() or listener.fileno() < 0:
                    return
                LOG.warning("cannot accept a connection: %s", exc.strerror)
                self._stopping.wait(0.1)
                continue
            with connection:
                self._hand_over(connection)

    def _hand_over(self, connection: socket.socket) -> None:
        """Give the connection to the member with the fewest; of several, to each in turn."""
        self._turn += 1
        seats = [(self._turn + place) % len(self._seats) for place in range(len(self._seats))]
        for number in sorted(seats, key=self._open_connections):
            control = self._seats[number].control
            with contextlib.suppress(OSError):  # it has ended, and another one takes its place
                if control is not None:
                    socket.send_fds(control, [CONNECTION], [connection.fileno()])
                    self._seats[number].handed += 1
                    return

    def _open_connections(self, number: int) -> int:
        return self._seats[number].handed - self._memory.closed(number)


def _cores(processes: int) -> Sequence[int | None]:
    """Return a core for each process, if there are enough of them. They are drawn: other servers get others.

    One thread of a process runs Python at a time. If its threads are on several cores, they take turns at a cost: a
    step of a run then takes about a third more CPU.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return random.sample(cores, processes) if processes <= len(cores) else [None] * processes


def _await_ready(seat: _Seat) -> None:
    """Wait until the process in this place serves. Raises CannotStart with what it said instead."""
    assert seat.control is not None  # noqa: S101 - for mypy
    seat.control.settimeout(START_TIMEOUT_S)
    try:
        said = seat.control.recv(_MAX_REASON_BYTES)
    except TimeoutError:
        raise CannotStart(f"a process of the server did not start within {START_TIMEOUT_S:.0f} s") from None
    except OSError:
        said = b""
    if said != READY:
        raise CannotStart(said.decode(errors="replace") or "a process of the server ended while it started")
    seat.control.settimeout(HAND_OVER_TIMEOUT_S)


def _has_ended(process: subprocess.Popen[bytes], until: float) -> bool:
    """Wait until then for the process, and return whether it has ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, until - time.monotonic()))
    return process.poll() is not None
