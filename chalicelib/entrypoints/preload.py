"""Load what a Lambda function needs while it is initialized, when Lambda gives it more CPU than later.

The first request loads nothing then that every request of its function needs. What few requests need is loaded by the
first of them.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Final

from chalicelib import hosting

LOG = logging.getLogger("echoer")

_USE_CASES: Final = {
    "app.app": ("rates", "tokens", "answerer"),
    "app.callback": ("rates", "tokens", "answerer"),
    "app.deliver": ("deliverer",),
    "app.wake": ("waker", "timers"),
    "app.dead_letter": ("deliverer", "waker"),
    "app.sweep": ("timers", "stuck_watch"),
}
"""Handler of a function (`_HANDLER`: AWS Lambda Developer Guide, "Runtime environment variables") -> use cases."""

_WORKERS: Final = "chalicelib.entrypoints.workers"

_MODULES: Final = {
    "app.app": ("chalicelib.entrypoints.http.exchange", "chalicelib.entrypoints.http.views.answers"),
    "app.callback": ("chalicelib.entrypoints.http.function_url", "chalicelib.entrypoints.http.views.answers"),
    "app.deliver": ("chalicelib.adapters.actions.http_caller", _WORKERS),
    **dict.fromkeys(("app.wake", "app.dead_letter", "app.sweep"), (_WORKERS,)),
}
"""Handler -> modules. Callbacks are the most frequent calls of the API."""


def has_routes(handler: str) -> bool:
    """Return whether Chalice routes requests to the function with this handler. Outside Lambda there is no handler."""
    return handler in ("", "app.app")


def preload(handler: str) -> None:
    """Load what the function with this handler needs. An error is left to the first request, which tries again."""
    for module in _MODULES.get(handler, ()):
        import_module(module)
    if handler not in _USE_CASES:  # the authorizer has rights to read tokens only
        return
    try:
        services = hosting.services()
        services.adapters.connect()
        for name in _USE_CASES[handler]:
            getattr(services, name)
    except Exception:  # the outermost caller: Lambda would restart the function again and again
        LOG.exception("%s could not be initialized; its first request tries again", handler)
