"""The headers of requests to actions: those that an action sets, and those that only Echoer sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib.engine.values.secret_values import Cipher
from chalicelib.model.actions import Options

RESERVED_HEADER_PREFIXES: Final = ("webhook-", "idempotency-key", "traceparent")
"""Headers that only Echoer sets, because services trust them."""


def secret_headers(options: Options, cipher: Cipher) -> dict[str, str]:
    """Return the headers that are secrets of the namespace. Raises ExpressionFailed if there is no such secret."""
    return {name: str(cipher.secret(secret)) for name, secret in options.secret_headers.items()}


def allowed(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that an action may set."""
    return {name: text for name, text in headers.items() if not name.lower().startswith(RESERVED_HEADER_PREFIXES)}
