"""The URL of an action, split into what a connection and a request need.

Usual URLs need no normalization and are split here. All others are normalized by `requests`, which is imported for the
first of them: user and password, names that are not ASCII, characters that must be percent-encoded, dots in the path.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

_LABEL: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN: Final = r"[A-Za-z0-9._~!$&'()*+,;=:@/-]"
_ENCODED: Final = "%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[BCDF])"
"""Not of an unreserved character, which normalization decodes (RFC 3986, 6.2.2.2)."""
_USUAL: Final = re.compile(
    rf"(https?)://({_LABEL}(?:\.{_LABEL})*)(?::([1-9][0-9]{{0,3}}|[1-5][0-9]{{4}}))?"
    rf"((?:/(?:{_PLAIN}|{_ENCODED})*)?)((?:\?(?:{_PLAIN}|\?|{_ENCODED})+)?)"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class NoAddress(ValueError):
    """The text is not an http:// or https:// URL."""


class Target(msgspec.Struct, frozen=True):
    """Where a request goes. `host` has no brackets; `path` includes the query."""

    is_tls: bool
    host: str
    port: int
    path: str
    headers: dict[str, str]
    """`Host`, and `Authorization` if the URL has a user and a password."""


@lru_cache(maxsize=1024)
def target_of(url: str) -> Target:
    """Raises NoAddress."""
    found = _USUAL.fullmatch(url)
    if found is None or "/." in found[4]:
        return _normalized(url)
    scheme, host, port, path, query = found.groups()
    return _target(scheme, host, int(port) if port else None, (path or "/") + query, {})


def _normalized(url: str) -> Target:
    if not url.lower().startswith(("http://", "https://")):
        raise NoAddress(url)
    import requests
    from urllib3.util import parse_url

    try:
        prepared = requests.Request("GET", url).prepare()
        parts = parse_url(str(prepared.url))
    except (ValueError, requests.RequestException) as exc:
        raise NoAddress(url) from exc
    if not parts.host:
        raise NoAddress(url)
    host = parts.host.removeprefix("[").removesuffix("]")
    return _target(parts.scheme or "", host, parts.port, parts.request_uri, dict(prepared.headers))


def _target(scheme: str, host: str, port: int | None, path: str, headers: dict[str, str]) -> Target:
    default = _DEFAULT_PORTS[scheme]
    named = host.rstrip(".")
    named = f"[{named.partition('%')[0]}]" if ":" in named else named
    port = default if port is None else port
    shown = named if port == default else f"{named}:{port}"
    return Target(scheme == "https", host, port, path, {"Host": shown, **headers})
