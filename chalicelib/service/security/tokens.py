"""Who may do what: tokens, the roles they bear, and how often they may come.

Theory. A token is a text, `ech_ID_SECRET`, that is told once, to whoever made it. What is kept is one cell per token,
found by its id, with the SHA-256 of the secret (256 random bits need no slower hash), and one cell per namespace with
the ids of its tokens, for lists. Both lie in a namespace of their own whose name no request can bear.

    made ──> good until it expires or is revoked ──> refused from then on

A container remembers a token that it has read for REMEMBERED: so a busy token costs no reads, and a revoked one may be
taken for that long by containers that saw it before. Its secret and its end are looked at every time.

Every token belongs to one namespace, and moves there only. The first token of all is no token of this kind: a setting
holds the SHA-256 of a text that its holder chose, who is admin wherever they say.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.model import formats
from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict, Invalid, NotFound
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.values import VersionedValueStore
from chalicelib.service.security.namespaces import is_namespace
from chalicelib.service.security.rate_limits import _AT_ONCE
from chalicelib.service.security.roles import Caller, Role, Unauthorized

REMEMBERED: Final = 30_000
"""How long a container goes by what it read of a token, in milliseconds: revoking is heard everywhere within that."""

MOST: Final = 200
"""Tokens of a namespace that are good. Those that no longer are make room for new ones."""

SHORTEST: Final = 32
"""Characters of the first admin's token, at least."""

LONGEST_LIFE: Final = 3_650 * 86_400_000
"""For how long a token can be good that expires at all, in milliseconds."""

_RESERVED: Final = "@access"

_TOKEN: Final = re.compile(r"ech_([0-9a-f]{16})_([0-9a-f]{64})")

_TRIES: Final = 5


class Token(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token as it is kept."""

    id: str
    name: str
    role: Role
    namespace: str
    sha256: str
    """Of the secret, as hex digits."""
    created_at: Instant
    created_by: str
    expires_at: Instant | None = None
    revoked_at: Instant | None = None

    def is_good(self, now: Instant) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Made:
    """A new token. Its `text` is told now and never again."""

    token: Token
    text: str


def sha256(text: str) -> str:
    """Hex digits, of any text that a header may hold."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class Tokens:
    """All tokens. `home` is the namespace of the first admin, `first_sha256` the hex SHA-256 of their token, if any."""

    def __init__(
        self, versioned_values: VersionedValueStore, clock: Clock, ids: IdSource, home: str, first_sha256: str | None
    ) -> None:
        self._versioned_values = versioned_values
        self._clock = clock
        self._id_source = ids
        self._home = home
        self._first_sha256 = first_sha256
        self._lock = Lock()
        self._remembered: OrderedDict[str, tuple[Instant, Token]] = OrderedDict()

    def caller(self, text: str) -> Caller:
        """Whose token that is. Raises Unauthorized: no token, unknown, expired, revoked."""
        if self._first_sha256 and len(text) >= SHORTEST and hmac.compare_digest(sha256(text), self._first_sha256):
            return Caller(by="admin", role=Role.ADMIN, namespace=self._home, bound=False)
        parts = _TOKEN.fullmatch(text)
        token = self._recall(parts[1]) if parts else None
        if parts is None or token is None or not hmac.compare_digest(sha256(parts[2]), token.sha256):
            raise Unauthorized("the token is not known here")
        if not token.is_good(self._clock.now()):
            raise Unauthorized("the token " + ("has expired" if token.revoked_at is None else "was revoked"))
        return Caller(id=token.id, by=f"token {token.name}", role=token.role, namespace=token.namespace)

    def make(self, namespace: str, name: str, role: Role, *, by: str, life: int | None = None) -> Made:
        """There is a new token, good for `life` milliseconds, or until it is revoked. Raises Invalid."""
        now = self._clock.now()
        if not is_namespace(namespace):
            raise Invalid(f"{namespace!r:.80} is no name of a namespace: a-z, 0-9 and -, at most 63, no dash at first")
        if life is not None and not 0 < life <= LONGEST_LIFE:
            raise Invalid(f"a token can expire in 1ms to {LONGEST_LIFE // 86_400_000}d")
        secret = self._id_source.nonce() + self._id_source.nonce()
        token = Token(
            id=self._id_source.nonce()[:16],
            name=name,
            role=role,
            namespace=namespace,
            sha256=sha256(secret),
            created_at=now,
            created_by=by,
            expires_at=None if life is None else now + life,
        )
        self._room(namespace)
        self._versioned_values.write(_RESERVED, _versioned_value(token.id), formats.TOKEN.encode(token), 0)
        self._enlist(token)
        return Made(token, f"ech_{token.id}_{secret}")

    def of(self, namespace: str) -> list[Token]:
        """The namespace's tokens, oldest first; those that are no longer good too, while there is room for them."""
        return self._existing(self._token_ids(namespace)[0])

    def revoke(self, namespace: str, token_id: str) -> Token:
        """The token is revoked, here at once, elsewhere within REMEMBERED. Raises NotFound."""
        for _ in range(_TRIES):
            value, version = self._versioned_values.read(_RESERVED, _versioned_value(token_id))
            token = formats.TOKEN.decode(value, Token) if value else None
            if token is None or token.namespace != namespace:
                raise NotFound("token", token_id)
            if token.revoked_at is None:
                token = replace(token, revoked_at=self._clock.now())
                try:
                    self._versioned_values.write(
                        _RESERVED, _versioned_value(token_id), formats.TOKEN.encode(token), version
                    )
                except Conflict:
                    continue
            with self._lock:
                self._remembered.pop(token_id, None)
            return token
        raise Conflict("others keep changing the same token; try again")

    # ── cells ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _recall(self, token_id: str) -> Token | None:
        now = self._clock.now()
        with self._lock:
            until, token = self._remembered.get(token_id, (now, None))
        if now < until:
            return token
        token = self._read(token_id)
        with self._lock:
            self._remembered.pop(token_id, None)
            if token is not None:
                self._remembered[token_id] = (now + REMEMBERED, token)
            while len(self._remembered) > _AT_ONCE:
                self._remembered.popitem(last=False)
        return token

    def _read(self, token_id: str) -> Token | None:
        value, _ = self._versioned_values.read(_RESERVED, _versioned_value(token_id))
        return formats.TOKEN.decode(value, Token) if value else None

    def _existing(self, ids: list[str]) -> list[Token]:
        return [token for token in map(self._read, ids) if token is not None]

    def _token_ids(self, namespace: str) -> tuple[list[str], int]:
        """The ids in the namespace's list, and the list's version."""
        value, version = self._versioned_values.read(_RESERVED, _index(namespace))
        return (msgspec.json.decode(value, type=list[str]) if value else []), version

    def _room(self, namespace: str) -> tuple[list[str], int]:
        """The same, with room for one more: without those that are no longer good, if need be. Raises Invalid."""
        ids, version = self._token_ids(namespace)
        if len(ids) >= MOST:
            now = self._clock.now()
            ids = [token.id for token in self._existing(ids) if token.is_good(now)]
        if len(ids) >= MOST:
            raise Invalid(f"namespace {namespace!r} has {MOST} tokens, the most there can be; revoke some")
        return ids, version

    def _enlist(self, token: Token) -> None:
        for _ in range(_TRIES):
            ids, version = self._room(token.namespace)
            try:
                self._versioned_values.write(
                    _RESERVED, _index(token.namespace), msgspec.json.encode([*ids, token.id]), version
                )
            except Conflict:
                continue
            return
        raise Conflict("others keep making tokens of the same namespace; try again")


def _versioned_value(token_id: str) -> str:
    return f"token/{token_id}"


def _index(namespace: str) -> str:
    return f"tokens/{namespace}"


ready(Token)
