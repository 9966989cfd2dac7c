"""The console: a page for browsers, and its files.

The files are built from `console/` and lie in `chalicelib/console`. They are text with hashed names, so a browser may
keep them for ever. The page may load nothing from elsewhere, and connect to nothing but this server and those in
ECHOER_SERVERS.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.service.errors import NotFound

FOLDER: Final = Path(__file__).resolve().parents[3] / "console"
"""Where the built files are."""

PAGE: Final = "index.html"

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

_MEDIA: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
_FILE: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_NO_SERVERS: Final = 'name="echoer-servers" content=""'
"""Where the page holds the addresses of its servers; `.` is the one that serves it. None: that one only."""

_SAFE: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_PAGE_HEADERS: Final = {
    **_SAFE,
    "Content-Type": "text/html; charset=utf-8",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Vary": "Accept",
}


def root(request: Request) -> Json:
    """Get the console if the client accepts HTML, as browsers do; otherwise the name of the service."""
    accepted = request.headers.get("accept", "")
    page = _text(PAGE) if "text/html" in accepted else None
    if page is None:
        return "echoer"
    others = request.services.settings.servers
    if others:
        page = page.replace(_NO_SERVERS, f'name="echoer-servers" content="{" ".join((".", *others))}"')
    return Response(
        page, headers={**_PAGE_HEADERS, "Content-Security-Policy": _POLICY.format(" ".join(("'self'", *others)))}
    )


def console_file(_: Request, file: str) -> Json:
    """Get a file of the console."""
    media = _MEDIA.get(Path(file).suffix)
    text = _text(f"console/{file}") if media and _FILE.fullmatch(file) else None
    if media is None or text is None:
        raise NotFound("file of the console", file)
    headers = {**_SAFE, "Content-Type": media, "Cache-Control": "public, max-age=31536000, immutable"}
    return Response(text, headers=headers)


@lru_cache(maxsize=64)
def _text(name: str) -> str | None:
    """Return the text of a built file, read once; None if there is no such file."""
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


_TEXT: Final = {"type": "string"}
ROUTES: Final = (
    Route(
        method="GET",
        path="/",
        view=root,
        group="server",
        role=None,
        answers={200: Literal["echoer"]},
        media={"text/html": _TEXT},
    ),
    Route(
        method="GET",
        path="/console/{file}",
        view=console_file,
        group="server",
        role=None,
        media={"text/javascript": _TEXT, "text/css": _TEXT, "image/svg+xml": _TEXT},
        errors=(400, 404),
    ),
)
