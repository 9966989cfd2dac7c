"""Where the local server listens, and the URL that follows from it."""

from __future__ import annotations

import socket
from typing import Final

import msgspec.structs

from chalicelib.config import Access, Settings
from chalicelib.model.errors import EchoerError

HOST: Final = "127.0.0.1"
_BACKLOG: Final = 1_024


class CannotStart(EchoerError):
    """The server cannot start; the message says what to do."""


def check_access(settings: Settings) -> None:
    """Raise CannotStart if callers cannot be authenticated on this machine."""
    if settings.auth is Access.IAM:
        raise CannotStart(
            "ECHOER_AUTH=iam is not supported by the local server, since API Gateway verifies AWS signatures; "
            "set ECHOER_AUTH=token or ECHOER_AUTH=open"
        )


def listen(port: int) -> socket.socket:
    """Return a socket that accepts connections at once; they are processed when the HTTP server runs.

    Raises CannotStart.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        advice = "another server may be using this port; choose another one with --port or ECHOER_PORT"
        raise CannotStart(f"cannot listen on {HOST}:{port}: {exc.strerror}; {advice}") from exc
    return listener


def bound(settings: Settings, listener: socket.socket) -> tuple[Settings, str, str | None]:
    """Return the settings with the port that is in use, the URL of the server, and a warning to log, if any.

    Callbacks go to this server unless a URL is set.
    """
    port = listener.getsockname()[1]
    is_own = settings.url == f"http://{HOST}:{settings.port}"
    url = f"http://{HOST}:{port}"
    found = msgspec.structs.replace(settings, port=port, url=url if is_own else settings.url)
    return found, url, found.address_notice(port)
