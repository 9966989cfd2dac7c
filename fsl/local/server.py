"""The one-machine server, which `fsl local` starts and tests run in their own process.

The order matters. The server binds the port first, so that nothing is started if the port is in use. Then it opens the
store with its lock, releases the messages that a previous server was processing, and starts the workers and the HTTP
server. It stops in reverse order.

It may be a member of a server of several processes (`fsl/local/processes`). Then it shares the file with the others,
and the supervisor hands its connections to it.
"""

from __future__ import annotations

import importlib
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import msgspec.structs
from chalice.app import Chalice

from chalicelib import hosting
from chalicelib.adapters.changes import PolledChanges
from chalicelib.config import Access, Backend, Settings
from chalicelib.entrypoints.http import register
from chalicelib.entrypoints.http.own_site import OwnSite
from chalicelib.hosting import Adapters, Services
from chalicelib.model.errors import EchoerError
from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy
from chalicelib.service.ports.clock import Clock
from fsl.local import story
from fsl.local.http.connections import HttpServer
from fsl.local.http.gateway import REQUEST_TIMEOUT_S, Gateway
from fsl.local.http.time_limit import TimeLimit
from fsl.local.http.waits import LimitedChanges, Waits
from fsl.local.listening import CannotStart, bound, check_access, listen
from fsl.local.workers import Workers, consumers_of, schedules_of

if TYPE_CHECKING:
    from fsl.local.processes.member import Member

LOG = logging.getLogger("echoer.server")

STOP_TIMEOUT_S: Final = 10.0
"""How long running handlers may continue when the server stops."""


@runtime_checkable
class Releasing(Protocol):
    """A queue with one consumer: messages that a previous server received can be delivered again at once."""

    def release_all(self) -> None: ...


class LocalServer:
    """A server in this process, used as `with LocalServer(settings) as server:`. With port 0 a free port is chosen."""

    def __init__(self, settings: Settings, app: Chalice | None = None, *, member: Member | None = None) -> None:
        self._settings = settings
        self._member = member
        self._app = app or load_app()
        self._door = None if app else register.serve
        self._stopping = threading.Event()
        self._waits = Waits(self._stopping)
        self._cleanup: list[Callable[[], None]] = []
        self._stop_deadline = 0.0
        self.url = settings.url
        self.notice: str | None = None
        """A warning to log when the server has started."""

    def __enter__(self) -> LocalServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start to accept requests and to process messages. Raises CannotStart."""
        try:
            self._start()
        except BaseException as exc:
            self.stop()
            if isinstance(exc, (EchoerError, OSError)) and not isinstance(exc, CannotStart):
                raise CannotStart(str(exc)) from exc
            raise

    def stop(self, seconds: float = STOP_TIMEOUT_S) -> None:
        """Stop to accept requests and messages; wait at most `seconds` for running handlers."""
        self._stopping.set()
        self._stop_deadline = time.monotonic() + seconds
        while self._cleanup:
            self._cleanup.pop()()

    def log_transitions(self, *, on: bool) -> None:
        """Switch the log of transitions on or off."""
        story.log_transitions(on=on)

    def _start(self) -> None:
        check_access(self._settings)
        settings, listener = self._settings, None
        if self._member is None:
            listener = listen(settings.port)
            self._cleanup.append(listener.close)
            settings, self.url, self.notice = bound(settings, listener)
        services = self._open(settings)
        story.use_root_handler(self._app.log)
        workers = Workers(
            services.adapters.queue,
            consumers_of(self._app, embedded=settings.backend is not Backend.AWS),
            schedules_of(self._app) if self._member is None or self._member.process == 0 else [],
            self._stopping,
            self._refresh(services),
        )
        workers.start()
        self._cleanup.append(lambda: _wait_for_handlers(workers, self._remaining_s()))
        self._serve(listener, settings, self._refresh(services))

    def _open(self, settings: Settings) -> Services:
        adapters = self._member.adapters(settings) if self._member else _adapters_for(settings)
        self._cleanup.append(adapters.close)
        if isinstance(adapters.queue, Releasing):
            adapters.queue.release_all()
        clock = StoppableClock(adapters.clock, self._stopping)
        local = msgspec.structs.replace(
            adapters,
            store=story.logged_store(adapters.store, settings.log_format),
            clock=clock,
            changes=LimitedChanges(adapters.changes or PolledChanges(clock), self._waits),
        )
        services = hosting.assemble(settings, local)
        hosting.use(services)
        if self._member is not None:
            self._member.begin(services)
        return services

    def _refresh(self, services: Services) -> Callable[[], None]:
        """Return what is to be called before each request and message."""
        member = self._member
        return (lambda: member.refresh(services)) if member else lambda: None

    def _serve(self, listener: socket.socket | None, settings: Settings, refresh: Callable[[], None]) -> None:
        is_open = settings.auth is Access.OPEN
        time_limit = TimeLimit(self._stopping, REQUEST_TIMEOUT_S)
        time_limit.start()
        gateway = Gateway(
            self._app,
            self._stopping,
            serve=self._door,
            own_site=OwnSite(settings.port, (settings.url,), settings.origins) if is_open else None,
            origins=settings.origins,
            waits=self._waits,
            time_limit=time_limit,
            refresh=refresh,
        )
        if listener is not None:
            server = HttpServer(gateway, listener)
        else:
            assert self._member is not None  # noqa: S101 - for mypy
            server = self._member.http_server(gateway, settings.port)
        server.start()
        self._cleanup.append(lambda: server.finish(self._remaining_s()))

    def _remaining_s(self) -> float:
        return max(0.0, self._stop_deadline - time.monotonic())


class StoppableClock:
    """A clock whose `sleep` raises `Busy` when the server stops, so that stopping does not wait for it."""

    def __init__(self, clock: Clock, stopping: threading.Event) -> None:
        self._clock = clock
        self._stopping = stopping

    def now(self) -> Instant:
        return self._clock.now()

    def sleep(self, milliseconds: int) -> None:
        if self._stopping.wait(milliseconds / 1000):
            raise Busy("the server is stopping; try again")


def load_app() -> Chalice:
    """Return the app of `app.py`, which is in the same folder as the packages."""
    root = str(Path(__file__).resolve().parents[2])
    if root not in sys.path:
        sys.path.insert(0, root)
    app: Chalice = importlib.import_module("app").app
    return app


def _adapters_for(settings: Settings) -> Adapters:
    if settings.backend is not Backend.AWS:
        return hosting.adapters_for(settings)
    from fsl.local import aws  # loads botocore, so it is imported late

    return aws.adapters_for(settings)


def _wait_for_handlers(workers: Workers, seconds: float) -> None:
    if not workers.finish(seconds):
        LOG.warning("handlers still run after %g s; their messages are delivered again after a restart", STOP_TIMEOUT_S)
