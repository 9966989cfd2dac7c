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
from typing import Final

from chalicelib.config import Backend, Settings
from fsl.local import story
from fsl.local.server import CannotStart, LocalServer

LOG = logging.getLogger("echoer.server")

FILES: Final = 4_096
"""How many files may be open: every thread has a connection to the database."""


def run(settings: Settings, beside: Callable[[LocalServer], int | None] | None = None) -> int:
    """Serves until it is told to stop (SIGINT, SIGTERM), or until `beside` returns an exit code; the exit code.

    `beside` runs while the server does, in a thread of its own; None from it means: go on serving.
    """
    told, codes = threading.Event(), list[int]()
    _on_signals(told)
    _allow_files()
    server = LocalServer(settings)
    story.tell(settings.log, form=settings.log_format)
    try:
        server.start()
    except CannotStart as exc:
        print(f"fsl local: {exc}", file=sys.stderr)
        return 1
    if settings.notice:
        LOG.warning(settings.notice)
    LOG.info("listening on %s, %s; Ctrl-C stops", server.url, _kept_in(settings))

    def accompany() -> None:
        code = beside(server) if beside else None
        if code is not None:
            codes.append(code)
            told.set()

    threading.Thread(target=accompany, name="beside", daemon=True).start()
    told.wait()
    server.stop()
    print("stopped", file=sys.stderr)
    return codes[0] if codes else 0


def _kept_in(settings: Settings) -> str:
    match settings.backend:
        case Backend.SQLITE:
            return "keeping nothing" if str(settings.db) == ":memory:" else f"keeping runs in {settings.db}"
        case Backend.MEMORY:
            return "keeping nothing"
        case Backend.AWS:
            where = settings.dynamodb_url or "embedded moto"
            return f"on the AWS adapters ({where})"


def _on_signals(told: threading.Event) -> None:
    """The first signal sets `told`; the second ends the process at once."""

    def heard(number: int, _frame: FrameType | None) -> None:
        if told.is_set():
            os._exit(128 + number)
        told.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, heard)


def _allow_files() -> None:
    """The process may open as many files as its connections need; some systems allow 256 unless they are asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (FILES if hard == resource.RLIM_INFINITY else min(FILES, hard), hard)
        )
