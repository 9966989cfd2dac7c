"""Sealing: XChaCha20-Poly1305 (libsodium), under keys made from one setting, each namespace with its own.

The nonce is a keyed hash of what is sealed (BLAKE2b, 192 bits), so sealing again yields the same text: a head that is
decided again is the same head. What that tells a reader of the store is which secrets of a namespace are equal, and
how long they are.

The setting may hold several keys, with spaces or commas between them. The first seals, each opens what it sealed: so a
key is replaced by putting the new one before the old; the old one goes once nothing is left that it sealed.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final

from chalicelib.service.errors import ServiceError
from chalicelib.service.security.secrets import MIN_KEY_CHARACTERS, SecretsOff

_NONCE: Final = 24
_BOUND: Final = b"echoer/1"


class BadKey(ServiceError):
    """The setting holds what cannot be a key. The message never tells what."""


class LostKey(ServiceError):
    """Something was sealed under a key that is no longer here, or was changed since."""


@dataclass(frozen=True, slots=True)
class _Key:
    master: bytes

    @property
    def id(self) -> str:
        """Tells keys apart, and nothing about them."""
        return blake2b(key=self.master, digest_size=4, person=b"echoer-id").hexdigest()

    def of(self, namespace: str) -> tuple[bytes, bytes]:
        """The namespace's keys: one to encrypt with, one to make nonces with."""
        made = blake2b(namespace.encode(), key=self.master, digest_size=64, person=b"echoer-seal").digest()
        return made[:32], made[32:]


class LibsodiumEncryption:
    """Implements `ports.encryption.Encryption`. `setting` returns the keys when they are first needed, or None."""

    def __init__(self, setting: Callable[[], str | None]) -> None:
        self._setting = setting

    @cached_property
    def _keys(self) -> dict[str, _Key]:
        setting = self._setting()
        if setting is None:
            raise SecretsOff
        return {key.id: key for key in keys_in(setting)}

    def _asked_again(self) -> dict[str, _Key]:
        """The keys as they are set now: another container may have been told of a newer one."""
        self.__dict__.pop("_keys", None)
        return self._keys

    def check(self) -> None:
        """There is a key. Raises SecretsOff, BadKey."""
        _ = self._keys

    def encrypt(self, namespace: str, plain: bytes) -> str:
        """`KEY.TEXT`, where KEY tells which of the keys it was. Raises SecretsOff, BadKey."""
        from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt  # 11 ms, for flows with secrets alone

        key = next(iter(self._keys.values()))
        encrypting, naming = key.of(namespace)
        nonce = blake2b(plain, key=naming, digest_size=_NONCE, person=b"echoer-nonce").digest()
        hidden = crypto_aead_xchacha20poly1305_ietf_encrypt(plain, _BOUND, nonce, encrypting)
        return f"{key.id}.{base64.urlsafe_b64encode(nonce + hidden).decode()}"

    def decrypt(self, namespace: str, text: str) -> bytes:
        """What was sealed. Raises LostKey, also where the text was never sealed here."""
        from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
        from nacl.exceptions import CryptoError

        key_id, _, coded = text.partition(".")
        key = self._keys.get(key_id) or self._asked_again().get(key_id)
        if key is None:
            raise LostKey(f"a secret was sealed under key {key_id:.8}, which is not among the keys that are set")
        try:
            raw = base64.urlsafe_b64decode(coded)
            encrypting, _naming = key.of(namespace)
            found: bytes = crypto_aead_xchacha20poly1305_ietf_decrypt(raw[_NONCE:], _BOUND, raw[:_NONCE], encrypting)
        except (ValueError, TypeError, CryptoError) as exc:
            raise LostKey("a sealed secret was changed, or belongs to another namespace") from exc
        return found


def keys_in(setting: str) -> list[_Key]:
    """The keys that the setting holds, the one that seals first. Raises BadKey."""
    texts = [text for text in re.split(r"[\s,]+", setting) if text]
    if not texts or any(len(text) < MIN_KEY_CHARACTERS for text in texts):
        raise BadKey(
            f"a key that seals secrets has {MIN_KEY_CHARACTERS} characters or more (openssl rand -hex 32 makes one)"
        )
    return [_Key(blake2b(text.encode(), digest_size=32, person=b"echoer-key").digest()) for text in texts]


def key_in_file(path: Path) -> str:
    """The key in the file, which is made, for its owner alone, if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name) as made:  # mode 600
            made.write(secrets.token_hex(32))
            made.flush()
            with suppress(FileExistsError):  # another process was quicker: its key holds
                os.link(made.name, path)
    return path.read_text().strip()
