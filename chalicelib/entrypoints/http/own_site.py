"""Which addresses are a server's own: requests to other ones, and from pages of other ones, are refused without tokens.

A web page can make its visitor's browser send requests to a server on the visitor's machine. Two headers, which pages
cannot change, say whether a page of another origin does so: `Origin` (RFC 6454, 7.3) and `Sec-Fetch-Site` (W3C, Fetch
Metadata Request Headers). Neither helps if the page's own name resolves to the address of the server (DNS rebinding):
then the browser takes the server for a part of the page's site, and only `Host` has the page's name.

Programs send neither `Origin` nor `Sec-Fetch-Site`, and a browser that opens an address which a person has typed sends
`Sec-Fetch-Site: none`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec

_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::([0-9]{1,5}))?", re.ASCII)
_ORIGIN: Final = re.compile(r"(https?)://(.+)", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_OWN_SITES: Final = ("same-origin", "none")
"""The values of `Sec-Fetch-Site` of a request that no other origin caused. `same-site` is another port or subdomain."""


class OwnSite(msgspec.Struct, frozen=True):
    """The addresses of a server: the loopback addresses with its `port`, and the origins of its public `urls`.

    Pages of `origins` may send requests, too. An origin is written as browsers do, `https://console.example`.
    """

    port: int
    urls: tuple[str, ...]
    origins: tuple[str, ...] = ()

    def host_problem(self, host: str) -> str | None:
        """Return why the server does not answer requests to this `Host`, or None."""
        place = authority(host)
        if place and any(self._is_own(scheme, *place) for scheme in _DEFAULT_PORTS):
            return None
        return (
            f"the server has no authentication, so it answers only requests to its own addresses, not to {host!r:.80}; "
            f"use {' or '.join(self._shown())}, or set ECHOER_PUBLIC_URL to the address that clients use"
        )

    def page_problem(self, origin: str | None, fetch_site: str | None) -> str | None:
        """Return why a request with these headers (`Origin`, `Sec-Fetch-Site`) is refused, or None."""
        if origin in self.origins:
            return None
        found = _ORIGIN.fullmatch(origin or "")
        place = authority(found[2]) if found else None
        if origin is not None and not (found and place and self._is_own(found[1], *place)):
            return f"requests from pages of {origin!r:.80} are not allowed on a server without authentication"
        if fetch_site is not None and fetch_site.strip().lower() not in _OWN_SITES:
            return (
                "requests from pages of other origins are not allowed on a server without authentication, and the "
                f"browser says that this is one (Sec-Fetch-Site: {fetch_site:.40}); open the address itself"
            )
        return None

    def _is_own(self, scheme: str, host: str, port: int | None) -> bool:
        port = _DEFAULT_PORTS[scheme] if port is None else port
        if scheme == "http" and port == self.port and is_loopback(host):
            return True
        return (scheme, host, port) in map(_origin_of, self.urls)

    def _shown(self) -> list[str]:
        return list(dict.fromkeys([f"http://127.0.0.1:{self.port}", *self.urls]))


def authority(text: str) -> tuple[str, int | None] | None:
    """Return the host, in lower case, and the port of `HOST[:PORT]` (RFC 9110, 7.2); None if the text has no such form.

    Two `Host` headers, joined by a comma, have no such form.
    """
    found = _AUTHORITY.fullmatch(text)
    return (found[1].lower(), int(found[2]) if found[2] else None) if found else None


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Return whether the host is this machine: localhost, 127.0.0.0/8 or [::1]."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=64)
def _origin_of(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of the URL; None if it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    host = parts.hostname or ""
    return parts.scheme, f"[{host}]" if ":" in host else host, port
