"""Cross-origin requests (Fetch Standard, 3.2): which pages of other origins may call the API, and with which headers.

ECHOER_ORIGINS lists the origins, for example that of a console in a bucket. Requests are authorized by their token, and
browsers send no credentials of their own. Other origins get no header of this protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from chalicelib import hosting
from chalicelib.entrypoints.http.calls import CALLS
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json

ALLOWED_HEADERS: Final = ("authorization", "content-type", "x-echoer-namespace")
"""Headers that pages may send."""

EXPOSED_HEADERS: Final = ("x-next-cursor", "x-request-id", "retry-after")
"""Headers that pages may read."""

MAX_AGE_S: Final = 7200
"""How long a browser may keep the response to a preflight. No browser that is in use keeps it longer."""


def headers(origins: Sequence[str], origin: str | None, vary: str | None = None) -> dict[str, str]:
    """Return the headers of a response to a page of this origin; none if no origins are configured.

    `vary` is the response's own `Vary`. Caches must tell the responses to different origins apart.
    """
    if not origins:
        return {}
    known = [name.strip() for name in (vary or "").split(",") if name.strip().lower() not in ("", "origin")]
    varies = {"Vary": ", ".join([*known, "Origin"])}
    if origin is None or origin not in origins:
        return varies
    return {
        **varies,
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
    }


def preflight(origins: Sequence[str], origin: str | None, methods: Iterable[str]) -> dict[str, str]:
    """Return the headers of a response to a preflight that are in no other response."""
    if origin not in origins:
        return {}
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": ", ".join(ALLOWED_HEADERS),
        "Access-Control-Max-Age": str(MAX_AGE_S),
    }


def allow(methods: Iterable[str]) -> tuple[str, ...]:
    """Return the methods of a path as `Allow` has them."""
    known = {*methods, "OPTIONS"}
    return tuple(sorted(known | ({"HEAD"} if "GET" in known else set())))


def _view(methods: tuple[str, ...]) -> Callable[..., Json]:
    def options(request: Request, **_: str) -> Json:
        origins = request.services.settings.origins
        more = preflight(origins, request.headers.get("origin"), methods)
        return Response("", 204, {"Content-Type": "text/plain", "Allow": ", ".join(methods), **more})

    return options


def of_response(origin: str | None, vary: str | None) -> dict[str, str]:
    """Return the headers of a response of this server to a page of this origin."""
    return headers(hosting.services().settings.origins, origin, vary)


def _routes() -> list[Route]:
    by_path: dict[str, list[str]] = {}
    for call in CALLS:
        by_path.setdefault(call.path, []).append(call.method)
    return [
        Route(method="OPTIONS", path=path, view=_view(allow(methods)), group="server", role=None)
        for path, methods in by_path.items()
    ]


ROUTES: Final = _routes()
"""The public routes `OPTIONS`, one for every path."""
