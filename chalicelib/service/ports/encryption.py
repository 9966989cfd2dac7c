"""The port that encrypts secrets."""

from __future__ import annotations

from typing import Protocol


class Encryption(Protocol):
    """Encrypts bytes of a namespace, so that the store does not reveal them."""

    def check(self) -> None:
        """Check that there is a key. Raises `secrets.SecretsOff`."""
        ...

    def encrypt(self, namespace: str, plain: bytes) -> str:
        """Encrypt the bytes as text; equal bytes give equal text. Raises `secrets.SecretsOff`."""
        ...

    def decrypt(self, namespace: str, text: str) -> bytes:
        """Decrypt text that was encrypted for that namespace. Raises ServiceError."""
        ...
