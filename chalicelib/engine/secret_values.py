"""Secrets of a run: sealed wherever it keeps them, seen only where its definition says so.

A sealed value is a JSON value of one shape, in the place of the value that it hides. It may be moved about and kept
like any other; what is computed from it where nobody may look into it is computed from that shape.

    sealed when they come in           inputs, variables and data that are declared secret
    open while something is judged     conditions (`when`), and what goes into another secret place
    open when they leave               args that an action declares secret

Sealing the same value twice yields the same, so deciding again yields the same head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.model.json_values import Json
from chalicelib.model.templates import ENCRYPTED_KEY

MASK: Final = "***"
"""What is shown in the place of a secret."""

MARK: Final = b"\\u0000sealed"
"""How it begins in JSON text, however deep inside a string it stands."""


class Cipher(Protocol):
    """Seals and opens what belongs to one namespace."""

    def encrypt(self, value: Json, /) -> str:
        """The value as text that tells nothing but its length. The same value yields the same text."""
        ...

    def decrypt(self, text: str, /) -> Json:
        """The value that was sealed."""
        ...

    def secret(self, name: str) -> Json:
        """The namespace's secret of that name. Raises ExpressionFailed if there is none."""
        ...


class _NoCipher:
    def encrypt(self, _: Json) -> str:
        raise LookupError("there is no vault to seal anything in")

    def decrypt(self, _: str) -> Json:
        raise LookupError("there is no vault to open anything with")

    def secret(self, name: str) -> Json:
        raise ExpressionFailed(f"there is no vault to find secret {name!r} in")


NO_CIPHER: Final[Cipher] = _NoCipher()
"""For runs without secrets."""


def is_encrypted(value: Json) -> bool:
    """Whether the value itself is sealed."""
    return isinstance(value, Mapping) and value.keys() == {ENCRYPTED_KEY}


def encrypted(value: Json, cipher: Cipher) -> Json:
    """The value, sealed. None, which hides nothing, and what is sealed already stay as they are."""
    return value if value is None or is_encrypted(value) else {ENCRYPTED_KEY: cipher.encrypt(value)}


def decrypt(value: Json, cipher: Cipher) -> Json:
    """The value with everything in it opened; the very same object where nothing in it is sealed."""
    if isinstance(value, Mapping):
        if value.keys() == {ENCRYPTED_KEY}:
            return cipher.decrypt(value[ENCRYPTED_KEY])
        found = {key: decrypt(inner, cipher) for key, inner in value.items()}
        return found if any(found[key] is not value[key] for key in found) else value
    if isinstance(value, (list, tuple)):
        items = [decrypt(inner, cipher) for inner in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def holds_secret(value: Json) -> bool:
    """Whether anything in the value is sealed."""
    if isinstance(value, Mapping):
        return value.keys() == {ENCRYPTED_KEY} or any(map(holds_secret, value.values()))
    return isinstance(value, (list, tuple)) and any(map(holds_secret, value))


def masked(value: Json) -> Json:
    """The value as it may be shown to anybody."""
    if isinstance(value, Mapping):
        return MASK if value.keys() == {ENCRYPTED_KEY} else {key: masked(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner) for inner in value]
    if isinstance(value, str) and "u0000sealed" in value:
        return MASK  # JSON within text
    return value
