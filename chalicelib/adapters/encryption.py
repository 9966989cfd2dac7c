"""Encryption of secrets: XChaCha20-Poly1305 (libsodium), under keys derived from one setting for each namespace.

The nonce is a keyed hash of the plaintext (BLAKE2b, 192 bits), so encrypting a value again yields the same text: a
decision that is repeated yields the same head. A reader of the store can therefore see which secrets of a namespace are
equal, and how long they are.

The setting may hold several keys, separated by spaces or commas. The first encrypts; each decrypts what it encrypted.
To replace a key, put the new one before the old one, and remove the old one once no stored value needs it.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from chalicelib.adapters import private_files
from chalicelib.service.errors import ServiceError
from chalicelib.service.security.secrets import MIN_KEY_CHARACTERS, SecretsOff

_NONCE_BYTES: Final = 24
_FIRST_FORMAT: Final = b"echoer/1"
"""The associated data of texts of the first format (`KEY.TEXT`), which were bound to their namespace alone."""

_SECOND_FORMAT: Final = "2"
"""The mark of texts that are bound to their place, too (`KEY.2.TEXT`)."""


class BadKey(ServiceError):
    """The setting does not hold a valid key. The message never quotes it."""

    code = "bad-key"


class LostKey(ServiceError):
    """A value was encrypted under a key that is no longer set, or was changed since."""

    code = "lost-key"


class _Key(NamedTuple):
    master: bytes

    @property
    def id(self) -> str:
        """A hash that identifies the key and reveals nothing about it."""
        return blake2b(key=self.master, digest_size=4, person=b"echoer-id").hexdigest()

    def of(self, namespace: str) -> tuple[bytes, bytes]:
        """Return the namespace's keys: one for encryption, one for nonces."""
        derived = blake2b(namespace.encode(), key=self.master, digest_size=64, person=b"echoer-seal").digest()
        return derived[:32], derived[32:]


class LibsodiumEncryption:
    """Implements `ports.encryption.Encryption`. `setting` returns the keys when one is needed, or None."""

    def __init__(self, setting: Callable[[], str | None]) -> None:
        self._setting = setting

    @cached_property
    def _keys(self) -> dict[str, _Key]:
        setting = self._setting()
        if setting is None:
            raise SecretsOff
        return {key.id: key for key in keys_in(setting)}

    def _reread_keys(self) -> dict[str, _Key]:
        """Read the setting again: another container may already encrypt with a newer key."""
        self.__dict__.pop("_keys", None)
        return self._keys

    def check(self) -> None:
        """Check that a key is set. Raises SecretsOff, BadKey."""
        _ = self._keys

    def encrypt(self, namespace: str, place: str, plain: bytes) -> str:
        """Return `KEY.2.TEXT`, where KEY is the id of the key. Raises SecretsOff, BadKey."""
        from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt  # 11 ms, only for flows with secrets

        key = next(iter(self._keys.values()))
        encrypting, naming = key.of(namespace)
        bound = _associated(namespace, place)
        named = len(bound).to_bytes(8, "big") + bound + plain  # one nonce never serves two places or two values
        nonce = blake2b(named, key=naming, digest_size=_NONCE_BYTES, person=b"echoer-nonce").digest()
        hidden = crypto_aead_xchacha20poly1305_ietf_encrypt(plain, bound, nonce, encrypting)
        return f"{key.id}.{_SECOND_FORMAT}.{base64.urlsafe_b64encode(nonce + hidden).decode()}"

    def decrypt(self, namespace: str, place: str, text: str) -> bytes:
        """Return the plaintext. Raises LostKey, also for a text that was encrypted for another place."""
        from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
        from nacl.exceptions import CryptoError

        key_id, _, rest = text.partition(".")
        mark, is_second, second = rest.partition(".")
        key = self._keys.get(key_id) or self._reread_keys().get(key_id)
        if key is None:
            raise LostKey(
                f"a secret was encrypted under key {key_id:.8}, which is not set; add it to ECHOER_SECRETS_KEY"
            )
        try:
            if is_second and mark != _SECOND_FORMAT:
                raise ValueError(mark)
            raw = base64.urlsafe_b64decode(second if is_second else rest)
            bound = _associated(namespace, place) if is_second else _FIRST_FORMAT
            encrypting, _naming = key.of(namespace)
            found: bytes = crypto_aead_xchacha20poly1305_ietf_decrypt(
                raw[_NONCE_BYTES:], bound, raw[:_NONCE_BYTES], encrypting
            )
        except (ValueError, TypeError, CryptoError) as exc:
            raise LostKey("an encrypted secret was changed, or belongs to another run or namespace") from exc
        return found


def _associated(namespace: str, place: str) -> bytes:
    """Return the associated data of the second format. Lengths keep namespace and place apart."""
    parts = (namespace.encode(), place.encode())
    return b"echoer/2" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def keys_in(setting: str) -> list[_Key]:
    """Return the keys in the setting; the first one encrypts. Raises BadKey."""
    texts = [text for text in re.split(r"[\s,]+", setting) if text]
    if not texts or any(len(text) < MIN_KEY_CHARACTERS for text in texts):
        raise BadKey(
            f"a key that encrypts secrets needs at least {MIN_KEY_CHARACTERS} characters"
            " (openssl rand -hex 32 makes one)"
        )
    return [_Key(blake2b(text.encode(), digest_size=32, person=b"echoer-key").digest()) for text in texts]


def key_in_file(path: Path) -> str:
    """Return the key in the file. A missing file is created, readable by its owner only."""
    if not path.exists():
        private_files.make_directory(path.parent)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name) as created:  # mode 600
            created.write(secrets.token_hex(32))
            created.flush()
            with suppress(FileExistsError):  # another process was quicker: its key is used
                os.link(created.name, path)
    private_files.restrict(path)
    return path.read_text().strip()
