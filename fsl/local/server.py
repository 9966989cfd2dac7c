"""The one-machine server: what `fsl local` starts, and what tests run within their own process.

Order matters. The port is taken first: whoever finds it taken has started nothing. Then the store with its lock, the
messages that were in work when the last server died, the workers, and the door. Stopping goes the other way round.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from chalice.app import Chalice
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from chalicelib import hosting
from chalicelib.config import Access, Backend, Settings
from chalicelib.hosting import Adapters, Services
from chalicelib.model.errors import EchoerError
from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy
from chalicelib.service.ports.clock import Clock
from fsl.local import story
from fsl.local.gateway import MAX_BODY, Gateway, problem
from fsl.local.workers import Workers, consumers_of, schedules_of

LOG = logging.getLogger("echoer.server")

HOST: Final = "127.0.0.1"
THREADS: Final = 128
"""Requests that are answered side by side; a long poll takes one for 25 s."""

CONNECTIONS: Final = 1_000
PATIENCE: Final = 10.0
"""How long running handlers may go on once the server is told to stop, in seconds."""


class CannotStart(EchoerError):
    """The server cannot run here and now; the message says what to do."""


@runtime_checkable
class Releasing(Protocol):
    """A queue of which nobody else receives: what was received by a server that is gone can come at once."""

    def release_all(self) -> None: ...


class LocalServer:
    """A server in this process. `with LocalServer(settings) as server:` listens within; port 0 takes any free one."""

    def __init__(self, settings: Settings, app: Chalice | None = None) -> None:
        self._settings = settings
        self._app = app or load_app()
        self._stopping = threading.Event()
        self._undo: list[Callable[[], None]] = []
        self._until = 0.0
        self.url = settings.url

    def __enter__(self) -> LocalServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Requests are taken and work is done. Raises CannotStart."""
        try:
            self._start()
        except BaseException as exc:
            self.stop()
            if isinstance(exc, (EchoerError, OSError)) and not isinstance(exc, CannotStart):
                raise CannotStart(str(exc)) from exc
            raise

    def stop(self, seconds: float = PATIENCE) -> None:
        """Nothing is taken any more, and what was running has ended, or had so long for it."""
        self._stopping.set()
        self._until = time.monotonic() + seconds
        while self._undo:
            self._undo.pop()()

    def _start(self) -> None:
        if self._settings.auth is Access.IAM:
            raise CannotStart(
                "ECHOER_AUTH=iam: AWS signatures are verified by API Gateway, and there is none on this machine; "
                "set ECHOER_AUTH=token, or open"
            )
        door = _listen(self._settings.port)
        self._undo.append(door.close)
        settings = self._at(door.getsockname()[1])
        services = self._open(settings)
        story.hand_on(self._app.log)
        workers = Workers(
            services.adapters.queue,
            consumers_of(self._app, embedded=settings.backend is not Backend.AWS),
            schedules_of(self._app),
            self._stopping,
        )
        workers.start()
        self._undo.append(lambda: _finished(workers, self._left()))
        self._serve(door)

    def _at(self, port: int) -> Settings:
        """The settings, now that the port is known. Actions are told of this very server unless a URL was set."""
        asked = self._settings
        own = asked.url == f"http://{HOST}:{asked.port}"
        settings = dataclasses.replace(asked, port=port, url=f"http://{HOST}:{port}" if own else asked.url)
        self.url = f"http://{HOST}:{port}"
        return settings

    def _open(self, settings: Settings) -> Services:
        world = _world(settings)
        self._undo.append(world.close)
        if isinstance(world.queue, Releasing):
            world.queue.release_all()
        told = dataclasses.replace(
            world, store=story.told(world.store, settings.log_format), clock=StoppableClock(world.clock, self._stopping)
        )
        services = hosting.assemble(settings, told)
        hosting.use(services)
        return services

    def _serve(self, door: socket.socket) -> None:
        server = create_server(
            Gateway(self._app, self._stopping),
            sockets=[door],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            asyncore_use_poll=True,
            max_request_body_size=6 * MAX_BODY,  # the gateway refuses politely what is above its own limit
            ident="echoer",
        )
        server.channel_class = _Channel
        front = threading.Thread(target=server.run, name="front", daemon=True)
        front.start()
        self._undo.append(lambda: _close(server, front, self._left()))

    def _left(self) -> float:
        return max(0.0, self._until - time.monotonic())


class StoppableClock:
    """A clock on which nobody sleeps while the server stops: who would is told that it is busy, and may come again."""

    def __init__(self, clock: Clock, stopping: threading.Event) -> None:
        self._clock = clock
        self._stopping = stopping

    def now(self) -> Instant:
        return self._clock.now()

    def sleep(self, milliseconds: int) -> None:
        if self._stopping.wait(milliseconds / 1000):
            raise Busy("the server is stopping; try again")


class _ErrorTask(ErrorTask):  # type: ignore[misc] # waitress has no type hints
    """What waitress refuses by itself is refused in the API's words."""

    def execute(self) -> None:
        error = self.request.error
        answer = problem(error.code, error.reason.lower().replace(" ", "-"), f"{error.reason}: {error.body}")
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(answer.headers)
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.write(answer.body)


class _Channel(HTTPChannel):  # type: ignore[misc] # waitress has no type hints
    error_task_class = _ErrorTask


def load_app() -> Chalice:
    """The app of `app.py`, which stands beside the packages."""
    root = str(Path(__file__).resolve().parents[2])
    if root not in sys.path:
        sys.path.insert(0, root)
    app: Chalice = importlib.import_module("app").app
    return app


def _world(settings: Settings) -> Adapters:
    if settings.backend is not Backend.AWS:
        return hosting.adapters_for(settings)
    from fsl.local import aws  # it loads botocore: only those who ask for AWS wait for it

    return aws.adapters_for(settings)


def _listen(port: int) -> socket.socket:
    """A socket that takes connections at once; they are answered once there is somebody to answer."""
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((HOST, port))
        door.listen(1024)
    except OSError as exc:
        door.close()
        advice = "another server runs there, perhaps; choose another port with --port or ECHOER_PORT"
        raise CannotStart(f"cannot listen on {HOST}:{port}: {exc.strerror}; {advice}") from exc
    return door


def _finished(workers: Workers, seconds: float) -> None:
    if not workers.finish(seconds):
        LOG.warning("handlers still ran after %g s; their messages come again at the next start", PATIENCE)


def _close(server: Any, front: threading.Thread, seconds: float) -> None:
    """The door is shut, answers under way are sent, then connections end. waitress is told within its own thread."""
    until = time.monotonic() + seconds
    connections: dict[int, Any] = {}

    def settled() -> bool:
        if server.accepting:
            server.accepting = False
            server.del_channel()
            server.socket.close()
        busy = any(channel.requests or channel.total_outbufs_len for channel in server.active_channels.values())
        if busy and time.monotonic() < until:
            return False
        connections.update(server._map)
        server._map.clear()  # which ends waitress's loop
        return True

    while not _within(server, settled):
        time.sleep(0.01)
    front.join(2)
    server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)
    server.asyncore.close_all(connections)


def _within(server: Any, ask: Callable[[], bool]) -> bool:
    """What `ask` answers in waitress's own thread."""
    answered, answers = threading.Event(), list[bool]()

    def answer() -> None:
        answers.append(ask())
        answered.set()

    server.trigger.pull_trigger(answer)
    return not answered.wait(PATIENCE) or answers[0]
