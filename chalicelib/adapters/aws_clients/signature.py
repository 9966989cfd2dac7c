"""Signature Version 4 (AWS General Reference, "Signing AWS API requests") of requests to JSON protocols.

These are all `POST /` without a query, which leaves little to normalize. The signing key depends on the day, the
region, the service and the secret key, so it is kept for the next request.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from time import gmtime, strftime
from typing import Final, Protocol
from urllib.parse import urlsplit

_ALGORITHM: Final = "AWS4-HMAC-SHA256"

_UNSIGNED: Final = frozenset({"authorization", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"})
"""Headers that proxies may change."""


class FrozenCredentials(Protocol):
    """Credentials at one moment, as botocore has them."""

    access_key: str
    secret_key: str
    token: str | None


class Signer:
    """Signs requests to one service in one region. Threads may share it."""

    def __init__(self, service: str, region: str) -> None:
        self._scope = f"{region}/{service}/aws4_request"
        self._words = (region, service, "aws4_request")
        self._key: tuple[str, str, bytes] = ("", "", b"")
        """The day, the secret key, and the signing key made of them."""
        self._host: tuple[str, str] = ("", "")
        """A URL, and the host in it."""

    def sign(
        self, url: str, headers: Mapping[str, str], body: bytes, credentials: FrozenCredentials, at: float | None = None
    ) -> dict[str, str]:
        """Return the headers with date, token and signature, for `POST url`. `at` is in seconds; None: now."""
        stamp = strftime("%Y%m%dT%H%M%SZ", gmtime(at))
        day = stamp[:8]
        signed = {**headers, "X-Amz-Date": stamp}
        if credentials.token:
            signed["X-Amz-Security-Token"] = credentials.token
        named = {name.lower(): value for name, value in signed.items()}
        named["host"] = self._host_of(url)
        lines = sorted((name, value) for name, value in named.items() if name not in _UNSIGNED)
        names = ";".join([name for name, _ in lines])
        canonical = "POST\n/\n\n" + "".join([f"{name}:{value.strip()}\n" for name, value in lines])
        canonical = f"{canonical}\n{names}\n{sha256(body).hexdigest()}"
        text = f"{_ALGORITHM}\n{stamp}\n{day}/{self._scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(day, credentials.secret_key), text.encode(), "sha256").hex()
        credential = f"{credentials.access_key}/{day}/{self._scope}"
        signed["Authorization"] = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return signed

    def _key_of(self, day: str, secret: str) -> bytes:
        known_day, known_secret, key = self._key
        if known_day != day or known_secret != secret:
            key = hmac.digest(f"AWS4{secret}".encode(), day.encode(), "sha256")
            for word in self._words:
                key = hmac.digest(key, word.encode(), "sha256")
            self._key = day, secret, key
        return key

    def _host_of(self, url: str) -> str:
        """Return the value of the header `Host`, which has no port if it is that of the scheme."""
        known, host = self._host
        if known != url:
            parts = urlsplit(url)
            default = {"https": 443, "http": 80}[parts.scheme]
            host = parts.netloc.rpartition("@")[2]
            host = host.removesuffix(f":{parts.port}") if parts.port == default else host
            self._host = url, host
        return host
