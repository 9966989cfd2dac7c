"""Secrets: what seals those of runs, and those that a namespace keeps under names for its actions.

A named secret is one cell, sealed like a run's secrets are, and an entry in the one cell that lists the names. Its
value is told to nobody: an action gets it at dispatch, where its definition refers to it. A container remembers what
it has read for REMEMBERED, so a busy action costs no reads, and a new value is heard everywhere within that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

import msgspec

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.model.actions import SECRET_NAME, Action
from chalicelib.model.flow import Flow
from chalicelib.model.json_values import Json, ready
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict, Invalid, NotFound
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.encryption import Encryption
from chalicelib.service.ports.values import VersionedValueStore

REMEMBERED: Final = 30_000
"""For how long a container goes by what it read of a secret, in milliseconds."""

MOST: Final = 500
"""Secrets of a namespace."""

LARGEST: Final = 16 * 1024
"""Bytes of a secret."""

SHORTEST_KEY: Final = 32
"""Characters of a key that seals secrets, at least."""

_INDEX: Final = "secrets"
_TRIES: Final = 5
_AT_ONCE: Final = 1_000


class SecretsOff(Invalid):
    """There is no key to seal with."""

    code = "secrets-off"

    def __init__(self) -> None:
        super().__init__("no secret can be kept here: ECHOER_SECRETS_KEY or ECHOER_SECRETS_KEY_REF must name a key")


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """What may be told of a named secret."""

    name: str
    set_at: Instant
    set_by: str


class NoEncryption:
    """Implements `ports.Encryption` where there is no key."""

    def check(self) -> None:
        raise SecretsOff

    def encrypt(self, _namespace: str, _plain: bytes) -> str:
        raise SecretsOff

    def decrypt(self, _namespace: str, _text: str) -> bytes:
        raise SecretsOff


class NamespaceCipher:
    """Implements `engine.sealed.Cipher`. `read` reads the namespace's secret of a name; None if there is none."""

    def __init__(self, namespace: str, encryption: Encryption, read: Callable[[str, str], str | None]) -> None:
        self._namespace = namespace
        self._encryption = encryption
        self._read = read

    def encrypt(self, value: Json, /) -> str:
        return self._encryption.encrypt(self._namespace, msgspec.json.encode(value))

    def decrypt(self, text: str, /) -> Json:
        return msgspec.json.decode(self._encryption.decrypt(self._namespace, text))

    def secret(self, name: str, /) -> Json:
        found = self._read(self._namespace, name)
        if found is None:
            raise ExpressionFailed(f"secret {name!r} is not set; `fsl secret set {name}` sets it")
        return found


class Secrets:
    def __init__(self, encryption: Encryption, versioned_values: VersionedValueStore, clock: Clock) -> None:
        self._encryption = encryption
        self._versioned_values = versioned_values
        self._clock = clock
        self._lock = Lock()
        self._remembered: OrderedDict[tuple[str, str], tuple[Instant, str]] = OrderedDict()

    def cipher(self, namespace: str) -> NamespaceCipher:
        """What seals and opens what belongs to the namespace."""
        return NamespaceCipher(namespace, self._encryption, self._value)

    def check(self, definition: Action | Flow) -> None:
        """What the definition declares secret can be sealed. Raises SecretsOff."""
        if isinstance(definition, Action):
            declares = definition.secret_data or any(one.secret for one in definition.parameters)
        else:
            declares = bool(definition.secret_vars) or any(one.secret for one in definition.input)
        if declares:
            self._encryption.check()

    def put(self, namespace: str, name: str, value: str, *, by: str) -> Secret:
        """The namespace's secret of that name is `value`: here at once, elsewhere within REMEMBERED. Raises Invalid."""
        if not SECRET_NAME.fullmatch(name):
            raise Invalid(f"{name!r:.80} is no name of a secret: letters, digits and _ . -, 128 at most")
        size = len(value.encode())
        if not 0 < size <= LARGEST:
            raise Invalid(f"a secret has 1 to {LARGEST} bytes; this one has {size}")
        encrypted = self._encryption.encrypt(namespace, value.encode())
        secret = Secret(name=name, set_at=self._clock.now(), set_by=by)
        self._write(namespace, f"secret/{name}", lambda _: encrypted.encode())
        self._write(namespace, _INDEX, lambda index: _with(index, secret))
        self._forget(namespace, name)
        return secret

    def of(self, namespace: str) -> list[Secret]:
        """The namespace's secrets by name, without their values."""
        return _listed(self._versioned_values.read(namespace, _INDEX)[0])

    def delete(self, namespace: str, name: str) -> Secret:
        """There is no secret of that name. Raises NotFound."""
        found = next((secret for secret in self.of(namespace) if secret.name == name), None)
        if found is None:
            raise NotFound("secret", name)
        self._write(namespace, f"secret/{name}", lambda _: b"")
        self._write(namespace, _INDEX, lambda index: _encoded([one for one in _listed(index) if one.name != name]))
        self._forget(namespace, name)
        return found

    def _value(self, namespace: str, name: str) -> str | None:
        now = self._clock.now()
        with self._lock:
            until, encrypted = self._remembered.get((namespace, name), (now, ""))
        if now >= until:
            encrypted = self._versioned_values.read(namespace, f"secret/{name}")[0].decode()
            with self._lock:
                self._remembered[namespace, name] = (now + REMEMBERED, encrypted)
                while len(self._remembered) > _AT_ONCE:
                    self._remembered.popitem(last=False)
        return self._encryption.decrypt(namespace, encrypted).decode() if encrypted else None

    def _forget(self, namespace: str, name: str) -> None:
        with self._lock:
            self._remembered.pop((namespace, name), None)

    def _write(self, namespace: str, key: str, change: Callable[[bytes], bytes]) -> None:
        for _ in range(_TRIES):
            value, version = self._versioned_values.read(namespace, key)
            try:
                self._versioned_values.write(namespace, key, change(value), version)
            except Conflict:
                continue
            return
        raise Conflict("others keep changing the same secrets; try again")


def _listed(index: bytes) -> list[Secret]:
    return msgspec.json.decode(index, type=list[Secret]) if index else []


def _encoded(secrets: list[Secret]) -> bytes:
    return msgspec.json.encode(sorted(secrets, key=lambda secret: secret.name))


def _with(index: bytes, secret: Secret) -> bytes:
    others = [one for one in _listed(index) if one.name != secret.name]
    if len(others) >= MOST:
        raise Invalid(f"there are {MOST} secrets in the namespace, the most there can be; delete some")
    return _encoded([*others, secret])


ready(list[Secret])
