"""The port that encrypts secrets."""

from __future__ import annotations

from typing import Protocol


class Encryption(Protocol):
    """Encrypts bytes of a namespace, so that the store does not reveal them.

    `place` is what the bytes belong to, such as `run/ID`: text that is copied to another place is not decrypted there.
    """

    def check(self) -> None:
        """Check that there is a key. Raises `secrets.SecretsOff`."""
        ...

    def encrypt(self, namespace: str, place: str, plain: bytes) -> str:
        """Encrypt the bytes as text; equal bytes of a place give equal text. Raises `secrets.SecretsOff`."""
        ...

    def decrypt(self, namespace: str, place: str, text: str) -> bytes:
        """Decrypt text that was encrypted for that place, or by an earlier version for the namespace.

        Raises ServiceError.
        """
        ...
