"""HTTP requests to one server. `urllib3` is used directly: it loads in a third of the time that `requests` needs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError, ReadTimeoutError

CONNECT_TIMEOUT_S: Final = 5.0
RESPONSE_TIMEOUT_S: Final = 35.0
"""Longer than API Gateway waits, which is 29 seconds."""

MAX_REDIRECTS: Final = 5

_CA_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that name a file of certificate authorities; the first one that is set is used."""

_REFUSED: Final = "connection refused"


class NoResponse(Exception):
    """The server did not respond; `str()` says why in a few words."""


class Response:
    """The response to a request."""

    def __init__(self, raw: urllib3.BaseHTTPResponse) -> None:
        self.status: Final = raw.status
        self.headers: Final[Mapping[str, str]] = raw.headers
        self._content: Final = raw.data

    @property
    def text(self) -> str:
        return self._content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body as a JSON value. Raises ValueError."""
        return json.loads(self._content)


class Connection:
    """Sends requests to the server at `url` with the same headers. Use one per thread."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url: Final = url
        self._headers: Final = dict(headers)
        self._pool: urllib3.PoolManager | None = None

    def close(self) -> None:
        if self._pool is not None:
            self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any],
        headers: Mapping[str, str],
        body: bytes | None,
        response_timeout_s: float = RESPONSE_TIMEOUT_S,
    ) -> Response:
        """Send a request. A query parameter that is a list is repeated. Raises NoResponse."""
        url = self._url + path + (f"?{urlencode(query, doseq=True)}" if query else "")
        try:
            pool = self._pool = self._pool or _pool(self._url)
            return Response(
                pool.request(
                    method,
                    url,
                    body=body,
                    headers={**self._headers, **headers},
                    timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=response_timeout_s),
                    retries=urllib3.Retry(
                        MAX_REDIRECTS, connect=0, read=0, status=0, other=0, respect_retry_after_header=False
                    ),
                )
            )
        except (HTTPError, ValueError) as exc:
            raise NoResponse(_reason(exc)) from exc


def _pool(url: str) -> urllib3.PoolManager:
    """Return the pool for a server: through the proxy of the environment, unless the server is on this machine."""
    parts = urlsplit(url)
    trusted = _ca_bundle() if parts.scheme == "https" else None
    proxy = None if _is_local(parts.hostname or "") else _proxy(parts.scheme, parts.netloc)
    if not proxy:
        return urllib3.PoolManager(ca_certs=trusted)
    user = urlsplit(proxy)
    named = f"{unquote(user.username)}:{unquote(user.password or '')}" if user.username else None
    return urllib3.ProxyManager(proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=named), ca_certs=trusted)


def _is_local(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _proxy(scheme: str, host: str) -> str | None:
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    return None if proxy_bypass(host) else proxies.get(scheme) or proxies.get("all")


def _ca_bundle() -> str:
    import certifi

    return next((path for name in _CA_BUNDLES if (path := os.environ.get(name))), None) or certifi.where()


def _reason(exc: Exception) -> str:
    cause = exc.reason if isinstance(exc, MaxRetryError) and exc.reason else exc
    if isinstance(cause, NewConnectionError):  # a kind of ConnectTimeoutError, so it is asked first
        return _REFUSED if "refused" in str(cause).lower() else "connection failed"
    if isinstance(cause, (ConnectTimeoutError, ReadTimeoutError)):
        return "timeout"
    return str(cause) or type(cause).__name__
