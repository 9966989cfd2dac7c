"""The vault of a test: nothing is hidden from who tests. Its secrets are those that the test file says are set."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chalicelib.definition import Json
from chalicelib.engine.errors import ExpressionFailed


class OpenVault:
    """Implements `engine.sealed.Vault`: what it seals is JSON text, which the engine cannot tell from a sealed one."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self._secrets = secrets or {}

    def seal(self, value: Json, /) -> str:
        return msgspec.json.encode(value, order="deterministic").decode()

    def open(self, text: str, /) -> Json:
        return msgspec.json.decode(text)

    def secret(self, name: str, /) -> Json:
        """The text of that name. Raises ExpressionFailed if the test sets none."""
        if name not in self._secrets:
            raise ExpressionFailed(f"secret {name!r} is not set; `secrets` of the test sets it")
        return self._secrets[name]
