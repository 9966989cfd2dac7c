"""Access tokens, their roles and how they are stored.

A token is a text, `ech_ID_SECRET`, that is returned once, when it is created. The store keeps one versioned value per
token, found by its id, with the SHA-256 of the secret (256 random bits need no slower hash), and one versioned value
per namespace with the ids of its tokens. Both are in a reserved namespace that no request can name.

    created ──> valid until it expires or is revoked ──> rejected from then on

A container caches a token for TOKEN_CACHE_MS: a busy token costs no reads, and containers that have cached a token may
accept it for that long after it was revoked. Its secret and its expiry are checked at every request.

Every token belongs to one namespace and is valid there only. The first admin's token is different: a setting holds the
SHA-256 of a text that its holder chose, and it is valid as admin in every namespace.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from threading import Lock
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.model import formats
from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict, Invalid, NotFound
from chalicelib.service.names import refuse_unsafe
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.values import VersionedValueStore
from chalicelib.service.security.namespaces import is_namespace
from chalicelib.service.security.roles import Caller, Role, Unauthorized

TOKEN_CACHE_MS: Final = 30_000
"""How long a container uses a token that it has read: a revoked token is rejected everywhere within that time."""

MAX_TOKENS: Final = 200
"""How many valid tokens a namespace may have. New tokens replace those that are no longer valid."""

MIN_ADMIN_TOKEN_CHARACTERS: Final = 32
"""The minimum length of the first admin's token."""

MAX_TOKEN_LIFETIME_MS: Final = 3_650 * 86_400_000
"""The longest lifetime of a token that expires."""

_MAX_CACHED_TOKENS: Final = 10_000

RESERVED: Final = "@access"

_TOKEN: Final = re.compile(r"ech_([0-9a-f]{16})_([0-9a-f]{64})")

_MAX_ATTEMPTS: Final = 5


class Token(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token as it is stored."""

    id: str
    name: str
    role: Role
    namespace: str
    sha256: str
    """The SHA-256 of the secret, as hex digits."""
    created_at: Instant
    created_by: str
    expires_at: Instant | None = None
    revoked_at: Instant | None = None

    def is_good(self, now: Instant) -> bool:
        """Return whether the token is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Made(msgspec.Struct, frozen=True):
    """A new token. Its `text` is returned now and never again."""

    token: Token
    text: str


def sha256(text: str) -> str:
    """Return the hex digits of the SHA-256 of any text that a header may hold."""
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
        self._cached: OrderedDict[str, tuple[Instant, Token]] = OrderedDict()

    def caller(self, text: str) -> Caller:
        """Return the caller with this token. Raises Unauthorized if it is no token, unknown, expired or revoked."""
        if self._is_first(text):
            return Caller(by="admin", role=Role.ADMIN, namespace=self._home, bound=False)
        parts = _TOKEN.fullmatch(text)
        token = self._cached_token(parts[1]) if parts else None
        if parts is None or token is None or not hmac.compare_digest(sha256(parts[2]), token.sha256):
            raise Unauthorized("the token is unknown")
        if not token.is_good(self._clock.now()):
            raise Unauthorized("the token " + ("has expired" if token.revoked_at is None else "was revoked"))
        name = f"token {token.name}"
        return Caller(id=token.id, by=name, role=token.role, namespace=token.namespace, expires_at=token.expires_at)

    def _is_first(self, text: str) -> bool:
        """Return whether the text is the first admin's token."""
        if not self._first_sha256 or len(text) < MIN_ADMIN_TOKEN_CHARACTERS:
            return False
        return hmac.compare_digest(sha256(text), self._first_sha256)

    def make(self, namespace: str, name: str, role: Role, *, by: str, life: int | None = None) -> Made:
        """Create a token that is valid for `life` milliseconds, or until it is revoked. Raises Invalid."""
        now = self._clock.now()
        if not is_namespace(namespace):
            raise Invalid(
                f"{namespace!r:.80} is not a valid namespace: use a-z, 0-9 and -, at most 63, no dash at the start"
            )
        refuse_unsafe("the name of a token", name)
        if life is not None and not 0 < life <= MAX_TOKEN_LIFETIME_MS:
            raise Invalid(f"a token must expire in 1ms to {MAX_TOKEN_LIFETIME_MS // 86_400_000}d")
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
        self._ids_with_room(namespace)
        self._versioned_values.write(RESERVED, _token_key(token.id), formats.TOKEN.encode(token), 0)
        self._add_to_index(token)
        return Made(token, f"ech_{token.id}_{secret}")

    def of(self, namespace: str) -> list[Token]:
        """Return the namespace's tokens, oldest first, with those that are no longer valid but not yet replaced."""
        return self._existing(self._token_ids(namespace)[0])

    def revoke(self, namespace: str, token_id: str) -> Token:
        """Revoke a token: in this container immediately, elsewhere within TOKEN_CACHE_MS. Raises NotFound."""
        for _ in range(_MAX_ATTEMPTS):
            value, version = self._versioned_values.read(RESERVED, _token_key(token_id))
            token = formats.TOKEN.decode(value, Token) if value else None
            if token is None or token.namespace != namespace:
                raise NotFound("token", token_id)
            if token.revoked_at is None:
                token = replace(token, revoked_at=self._clock.now())
                try:
                    self._versioned_values.write(RESERVED, _token_key(token_id), formats.TOKEN.encode(token), version)
                except Conflict:
                    continue
            with self._lock:
                self._cached.pop(token_id, None)
            return token
        raise Conflict("the same token is being changed by other requests; try again")

    # ── stored values ────────────────────────────────────────────────────────────────────────────────────────────────

    def forget(self) -> None:
        """Read all tokens again when they are next used."""
        with self._lock:
            self._cached.clear()

    def _cached_token(self, token_id: str) -> Token | None:
        now = self._clock.now()
        with self._lock:
            until, token = self._cached.get(token_id, (now, None))
        if now < until:
            return token
        token = self._read(token_id)
        with self._lock:
            self._cached.pop(token_id, None)
            if token is not None:
                self._cached[token_id] = (now + TOKEN_CACHE_MS, token)
            while len(self._cached) > _MAX_CACHED_TOKENS:
                self._cached.popitem(last=False)
        return token

    def _read(self, token_id: str) -> Token | None:
        value, _ = self._versioned_values.read(RESERVED, _token_key(token_id))
        return formats.TOKEN.decode(value, Token) if value else None

    def _existing(self, ids: list[str]) -> list[Token]:
        return [token for token in map(self._read, ids) if token is not None]

    def _token_ids(self, namespace: str) -> tuple[list[str], int]:
        """Return the ids in the namespace's index, and the version of the index."""
        value, version = self._versioned_values.read(RESERVED, _index_key(namespace))
        return (msgspec.json.decode(value, type=list[str]) if value else []), version

    def _ids_with_room(self, namespace: str) -> tuple[list[str], int]:
        """Return the index with room for one more token. Tokens that are no longer valid are dropped if need be.

        Raises Invalid if there are MAX_TOKENS valid tokens.
        """
        ids, version = self._token_ids(namespace)
        if len(ids) >= MAX_TOKENS:
            now = self._clock.now()
            ids = [token.id for token in self._existing(ids) if token.is_good(now)]
        if len(ids) >= MAX_TOKENS:
            raise Invalid(f"namespace {namespace!r} has {MAX_TOKENS} tokens, which is the limit; revoke some")
        return ids, version

    def _add_to_index(self, token: Token) -> None:
        key = _index_key(token.namespace)
        for _ in range(_MAX_ATTEMPTS):
            ids, version = self._ids_with_room(token.namespace)
            try:
                self._versioned_values.write(RESERVED, key, msgspec.json.encode([*ids, token.id]), version)
            except Conflict:
                continue
            return
        raise Conflict("tokens of the same namespace are being created by other requests; try again")


def _token_key(token_id: str) -> str:
    return f"token/{token_id}"


def _index_key(namespace: str) -> str:
    return f"tokens/{namespace}"


ready(Token)
