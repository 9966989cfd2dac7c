"""Looking up the addresses of a host, within a time limit."""

from __future__ import annotations

import queue
import socket
import threading
from typing import Any


def resolve(host: str, port: int, seconds: float) -> list[Any]:
    """Return what `socket.getaddrinfo` returns. Raises its errors, and TimeoutError.

    The system's resolver has no time-out, so it runs in another thread.
    """
    outcome: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def look_up(flags: int = 0) -> None:
        try:
            outcome.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)))
        except OSError as exc:
            outcome.put(exc)
        except UnicodeError:  # not a valid host name, such as `a..b`
            outcome.put(socket.gaierror(socket.EAI_NONAME, "not a host's name"))

    look_up(socket.AI_NUMERICHOST)
    found = outcome.get()
    if isinstance(found, Exception):
        threading.Thread(target=look_up, daemon=True).start()
        try:
            found = outcome.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError("the look-up timed out") from None
    if isinstance(found, Exception):
        raise found
    return found
