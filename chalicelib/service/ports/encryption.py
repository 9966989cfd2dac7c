"""Encryption of secrets."""

from __future__ import annotations

from typing import Protocol


class Encryption(Protocol):
    """Hides bytes of a namespace from whoever reads the store."""

    def check(self) -> None:
        """It can seal. Raises `secrets.SecretsOff`."""
        ...

    def encrypt(self, namespace: str, plain: bytes) -> str:
        """The bytes as text that only `open` reads; the same text for the same bytes. Raises `secrets.SecretsOff`."""
        ...

    def decrypt(self, namespace: str, text: str) -> bytes:
        """What was sealed for that namespace. Raises ServiceError."""
        ...
