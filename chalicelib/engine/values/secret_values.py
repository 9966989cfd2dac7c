"""Secrets of a run: encrypted wherever they are stored, decrypted only where the definition allows it.

An encrypted value is a JSON object with one reserved key, in the place of the value. It can be copied and stored like
any other value; an expression that may not read secrets sees this object.

    encrypted on the way in      inputs, variables and data that are declared secret
    decrypted in expressions     conditions (`when`), and values that are stored as secrets themselves
    decrypted on the way out     args that an action declares secret

Encrypting the same value twice gives the same text, so the same event gives the same head.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Final, Protocol

import msgspec

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.model import json_values
from chalicelib.model.json_values import Json
from chalicelib.model.templates import ENCRYPTED_KEY

MASK: Final = "***"
"""The text that is shown instead of a secret."""

MARK: Final = b"\\u0000sealed"
"""The start of an encrypted value in JSON text, also in JSON that is nested in strings."""


class Cipher(Protocol):
    """Encrypts and decrypts the values of one run."""

    def encrypt(self, value: Json, /) -> str:
        """Return the value as text that reveals only its length. The same value gives the same text."""
        ...

    def decrypt(self, text: str, /) -> Json:
        """Return the value that was encrypted."""
        ...

    def secret(self, name: str) -> Json:
        """Return the namespace's secret with this name. Raises ExpressionFailed if there is none."""
        ...


class _NoCipher:
    def encrypt(self, _: Json) -> str:
        raise LookupError("there is no cipher to encrypt a value with")

    def decrypt(self, _: str) -> Json:
        raise LookupError("there is no cipher to decrypt a value with")

    def secret(self, name: str) -> Json:
        raise ExpressionFailed(f"there is no cipher to read secret {name!r} with")


NO_CIPHER: Final[Cipher] = _NoCipher()
"""For runs without secrets."""


def is_encrypted(value: Json) -> bool:
    """Return whether the value itself is encrypted."""
    return isinstance(value, Mapping) and value.keys() == {ENCRYPTED_KEY}


def encrypted(value: Json, cipher: Cipher) -> Json:
    """Return the value, and all that is encrypted in it, as one encrypted value. None stays None."""
    return value if value is None or is_encrypted(value) else {ENCRYPTED_KEY: cipher.encrypt(decrypt(value, cipher))}


def encrypted_text(text: str, cipher: Cipher) -> str:
    """Return the text encrypted, in a place where only text can be stored."""
    return ENCRYPTED_KEY + cipher.encrypt(text)


def decrypted_text(text: str, cipher: Cipher) -> str:
    """Return the text that was encrypted by `encrypted_text`; other text is returned as it is."""
    if not text.startswith(ENCRYPTED_KEY):
        return text
    return str(cipher.decrypt(text.removeprefix(ENCRYPTED_KEY)))


def encrypted_response(response: dict[str, Json] | None, cipher: Cipher) -> dict[str, Json] | None:
    """Return what `$response` is for an action with `data = secret`: its headers are encrypted."""
    return None if response is None else {**response, "headers": encrypted(response["headers"], cipher)}


def decrypt(value: Json, cipher: Cipher) -> Json:
    """Return the value with everything in it decrypted; the same object if nothing in it is encrypted."""
    if isinstance(value, Mapping):
        if value.keys() == {ENCRYPTED_KEY}:
            return decrypt(cipher.decrypt(value[ENCRYPTED_KEY]), cipher)
        found = {key: decrypt(inner, cipher) for key, inner in value.items()}
        return found if any(found[key] is not value[key] for key in found) else value
    if isinstance(value, (list, tuple)):
        items = [decrypt(inner, cipher) for inner in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def reencrypted(value: Json, source: Cipher, target: Cipher) -> Json:
    """Return the value with everything that `source` encrypted encrypted by `target`."""
    if isinstance(value, Mapping):
        if value.keys() == {ENCRYPTED_KEY}:
            return encrypted(source.decrypt(value[ENCRYPTED_KEY]), target)
        return {key: reencrypted(inner, source, target) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [reencrypted(inner, source, target) for inner in value]
    return value


def is_posing(value: Json, known: Set[str] = frozenset()) -> bool:
    """Return whether the value uses the key of encrypted values for anything but one of the `known` texts.

    Only Echoer makes encrypted values: requests, services and expressions can at most pass on those they were given.
    """
    if isinstance(value, Mapping):
        if ENCRYPTED_KEY in value:
            text = value[ENCRYPTED_KEY]
            return len(value) > 1 or not isinstance(text, str) or text not in known
        return any(is_posing(inner, known) for inner in value.values())
    return isinstance(value, (list, tuple)) and any(is_posing(inner, known) for inner in value)


def encrypted_texts(value: Json) -> Iterator[str]:
    """Yield the text of every encrypted value in the value."""
    if isinstance(value, Mapping):
        if value.keys() == {ENCRYPTED_KEY}:
            yield str(value[ENCRYPTED_KEY])
        else:
            for inner in value.values():
                yield from encrypted_texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from encrypted_texts(inner)


def holds_secret(value: Json) -> bool:
    """Return whether anything in the value is encrypted."""
    if isinstance(value, Mapping):
        return value.keys() == {ENCRYPTED_KEY} or any(map(holds_secret, value.values()))
    return isinstance(value, (list, tuple)) and any(map(holds_secret, value))


def holds_mark(text: str) -> bool:
    """Return whether the text holds an encrypted value, as it is or as JSON that is nested in a string."""
    return ENCRYPTED_KEY in text or "u0000sealed" in text


def may_hold_mark(value: Json) -> bool:
    """Return False if nothing in the value looks encrypted. Searching its JSON is quicker than a walk."""
    if not isinstance(value, (Mapping, list, tuple)):
        return False
    try:
        return MARK in msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return True


def masked(value: Json) -> Json:
    """Return the value with secrets replaced by `MASK`."""
    if isinstance(value, Mapping):
        return MASK if value.keys() == {ENCRYPTED_KEY} else {key: masked(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner) for inner in value]
    if isinstance(value, str) and holds_mark(value):
        return MASK
    return value


def shown(value: Json) -> str:
    """Return the value for a message, cut off if it is long; secrets are masked."""
    return MASK if is_encrypted(value) else json_values.shown(masked(value))
