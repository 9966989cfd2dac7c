"""Secrets: the encryption of secret values in runs, and the named secrets of a namespace.

A named secret is one versioned value, encrypted like the secret values of runs, and an entry in the versioned value
that lists the names. The API never returns its value: an action receives it at dispatch, where its definition refers to
it. A container caches a secret for SECRET_CACHE_MS, so a busy action costs no reads, and a new value is used
everywhere within that time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

import msgspec

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.values.secret_values import reencrypted
from chalicelib.model.actions import SECRET_NAME, Action
from chalicelib.model.flow import Flow, has_secret_vars
from chalicelib.model.json_values import Json, ready
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict, Invalid, NotFound
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.encryption import Encryption
from chalicelib.service.ports.values import VersionedValueStore

SECRET_CACHE_MS: Final = 30_000
"""How long a container uses a secret that it has read."""

MAX_SECRETS: Final = 500
"""How many secrets a namespace may have."""

MAX_SECRET_BYTES: Final = 16 * 1024

MIN_KEY_CHARACTERS: Final = 32
"""The minimum length of a key that encrypts secrets."""

PREFIX: Final = "secret/"
"""What the keys of secrets begin with."""

_INDEX: Final = "secrets"
_MAX_ATTEMPTS: Final = 5
_MAX_CACHED_SECRETS: Final = 1_000


class SecretsOff(Invalid):
    """There is no key to encrypt with."""

    code = "secrets-off"

    def __init__(self) -> None:
        super().__init__("secrets cannot be stored: set ECHOER_SECRETS_KEY or ECHOER_SECRETS_KEY_REF to a key")


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """What the API returns of a named secret."""

    name: str
    set_at: Instant
    set_by: str


class NoEncryption:
    """Implement `ports.Encryption` where there is no key."""

    def check(self) -> None:
        raise SecretsOff

    def encrypt(self, _namespace: str, _place: str, _plain: bytes) -> str:
        raise SecretsOff

    def decrypt(self, _namespace: str, _place: str, _text: str) -> bytes:
        raise SecretsOff


class NamespaceCipher:
    """Implement `engine.values.secret_values.Cipher` for one run, or another place of a namespace.

    `read` returns the value of a named secret of a namespace, or None if it is not set.
    """

    def __init__(
        self, namespace: str, place: str, encryption: Encryption, read: Callable[[str, str], str | None]
    ) -> None:
        self._namespace = namespace
        self._place = place
        self._encryption = encryption
        self._read = read

    def encrypt(self, value: Json, /) -> str:
        return self._encryption.encrypt(self._namespace, self._place, msgspec.json.encode(value))

    def decrypt(self, text: str, /) -> Json:
        return msgspec.json.decode(self._encryption.decrypt(self._namespace, self._place, text))

    def secret(self, name: str, /) -> Json:
        found = self._read(self._namespace, name)
        if found is None:
            raise ExpressionFailed(f"secret {name!r} is not set; `fsl secret set {name}` sets it")
        return found


class Secrets:
    """Encrypts secret values, and stores the named secrets of namespaces."""

    def __init__(self, encryption: Encryption, versioned_values: VersionedValueStore, clock: Clock) -> None:
        self._encryption = encryption
        self._versioned_values = versioned_values
        self._clock = clock
        self._lock = Lock()
        self._cached: OrderedDict[tuple[str, str], tuple[Instant, str]] = OrderedDict()

    def cipher(self, namespace: str, run_id: str) -> NamespaceCipher:
        """Return the cipher of a run: what it encrypts can be decrypted for this run alone."""
        return NamespaceCipher(namespace, f"run/{run_id}", self._encryption, self._value)

    def cipher_of_input(self, namespace: str) -> NamespaceCipher:
        """Return the cipher of input that belongs to no run yet."""
        return NamespaceCipher(namespace, "input", self._encryption, self._value)

    def moved(self, value: Json, namespace: str, source: str, target: str) -> Json:
        """Return a value of one run as a value of another one. Both are given by their ids. Raises LostKey."""
        return reencrypted(value, self.cipher(namespace, source), self.cipher(namespace, target))

    def check(self, definition: Action | Flow) -> None:
        """Check that the values that the definition declares secret can be encrypted. Raises SecretsOff."""
        if isinstance(definition, Action):
            declares = definition.secret_data or any(parameter.secret for parameter in definition.parameters)
        else:
            declares = has_secret_vars(definition) or any(parameter.secret for parameter in definition.input)
        if declares:
            self._encryption.check()

    def put(self, namespace: str, name: str, value: str, *, by: str) -> Secret:
        """Set a named secret. Other containers use it within SECRET_CACHE_MS. Raises Invalid, SecretsOff."""
        if not SECRET_NAME.fullmatch(name):
            raise Invalid(f"{name!r:.80} is not a valid secret name: use letters, digits and _ . -, 128 at most")
        size = len(value.encode())
        if not 0 < size <= MAX_SECRET_BYTES:
            raise Invalid(f"a secret must have 1 to {MAX_SECRET_BYTES} bytes; this one has {size}")
        encrypted = self._encryption.encrypt(namespace, _place_of(name), value.encode())
        secret = Secret(name=name, set_at=self._clock.now(), set_by=by)
        self._write(namespace, f"{PREFIX}{name}", lambda _: encrypted.encode())
        self._write(namespace, _INDEX, lambda index: _with(index, secret))
        self._forget(namespace, name)
        return secret

    def of(self, namespace: str) -> list[Secret]:
        """Return the namespace's secrets by name, without their values."""
        return _listed(self._versioned_values.read(namespace, _INDEX)[0])

    def delete(self, namespace: str, name: str) -> Secret:
        """Delete a named secret. Raises NotFound."""
        found = next((secret for secret in self.of(namespace) if secret.name == name), None)
        if found is None:
            raise NotFound("secret", name)
        self._write(namespace, f"{PREFIX}{name}", lambda _: b"")
        self._write(namespace, _INDEX, lambda index: _encoded([one for one in _listed(index) if one.name != name]))
        self._forget(namespace, name)
        return found

    def _value(self, namespace: str, name: str) -> str | None:
        now = self._clock.now()
        with self._lock:
            until, encrypted = self._cached.get((namespace, name), (now, ""))
        if now >= until:
            encrypted = self._versioned_values.read(namespace, f"{PREFIX}{name}")[0].decode()
            with self._lock:
                self._cached[namespace, name] = (now + SECRET_CACHE_MS, encrypted)
                while len(self._cached) > _MAX_CACHED_SECRETS:
                    self._cached.popitem(last=False)
        return self._encryption.decrypt(namespace, _place_of(name), encrypted).decode() if encrypted else None

    def forget(self) -> None:
        """Read all secrets again when they are next used."""
        with self._lock:
            self._cached.clear()

    def _forget(self, namespace: str, name: str) -> None:
        with self._lock:
            self._cached.pop((namespace, name), None)

    def _write(self, namespace: str, key: str, change: Callable[[bytes], bytes]) -> None:
        for _ in range(_MAX_ATTEMPTS):
            value, version = self._versioned_values.read(namespace, key)
            try:
                self._versioned_values.write(namespace, key, change(value), version)
            except Conflict:
                continue
            return
        raise Conflict("the same secrets are being changed by other requests; try again")


def _place_of(name: str) -> str:
    return f"{PREFIX}{name}"


def _listed(index: bytes) -> list[Secret]:
    return msgspec.json.decode(index, type=list[Secret]) if index else []


def _encoded(secrets: list[Secret]) -> bytes:
    return msgspec.json.encode(sorted(secrets, key=lambda secret: secret.name))


def _with(index: bytes, secret: Secret) -> bytes:
    others = [one for one in _listed(index) if one.name != secret.name]
    if len(others) >= MAX_SECRETS:
        raise Invalid(f"the namespace has {MAX_SECRETS} secrets, which is the limit; delete some")
    return _encoded([*others, secret])


ready(list[Secret])
