"""The server as a process: signals, limits, exit codes."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Final, TypeAlias

from chalicelib.config import Access, Backend, Settings
from chalicelib.model.visible_text import visible
from fsl.local import story
from fsl.local.listening import CannotStart

if TYPE_CHECKING:
    from fsl.local.processes.supervisor import Supervisor
    from fsl.local.server import LocalServer

LOG = logging.getLogger("echoer.server")

MIN_OPEN_FILES: Final = 4_096
"""The limit of open files that the server needs: every thread has a connection to the database."""


Server: TypeAlias = "LocalServer | Supervisor"


def run(settings: Settings, companion: Callable[[Server], int | None] | None = None) -> int:
    """Serve until a signal (SIGINT, SIGTERM) arrives or `companion` returns an exit code, and return the exit code.

    `companion` runs in a thread of its own while the server runs; if it returns None, the server keeps serving.
    """
    stopping, codes = threading.Event(), list[int]()
    _stop_on_signals(stopping)
    _allow_open_files()
    server = _server(settings)
    story.configure_log(settings.log, form=settings.log_format)
    try:
        server.start()
    except CannotStart as exc:
        print(f"fsl local: {visible(str(exc), lines=True)}", file=sys.stderr)
        return 1
    for notice in (*settings.notices, server.notice):
        if notice:
            LOG.warning(notice)
    if settings.auth is Access.TOKEN and settings.admin_token_sha256:
        LOG.info("tokens are required; the first admin creates them: fsl token create NAME --role ROLE")
    LOG.info("listening on %s, %s; press Ctrl-C to stop", server.url, _storage(settings))

    def run_companion() -> None:
        code = companion(server) if companion else None
        if code is not None:
            codes.append(code)
            stopping.set()

    threading.Thread(target=run_companion, name="companion", daemon=True).start()
    stopping.wait()
    server.stop()
    print("stopped", file=sys.stderr)
    return codes[0] if codes else 0


def _server(settings: Settings) -> Server:
    """Return the server, in this process or of several. Only what is needed is imported."""
    if settings.processes > 1:
        from fsl.local.processes.supervisor import Supervisor

        return Supervisor(settings)
    from fsl.local.server import LocalServer

    return LocalServer(settings)


def _storage(settings: Settings) -> str:
    match settings.backend:
        case Backend.SQLITE:
            return "storing runs in memory only" if str(settings.db) == ":memory:" else f"storing runs in {settings.db}"
        case Backend.MEMORY:
            return "storing runs in memory only"
        case Backend.AWS:
            where = settings.dynamodb_url or "embedded moto"
            return f"using the AWS adapters ({where})"


def _stop_on_signals(stopping: threading.Event) -> None:
    """Set `stopping` on the first signal; exit at once on the second."""

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _allow_open_files() -> None:
    """Raise the limit of open files if it is too low; the default of some systems is 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < MIN_OPEN_FILES:
        limit = MIN_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MIN_OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
