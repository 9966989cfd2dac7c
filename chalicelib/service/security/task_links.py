"""Signed links: each lets its holder give one answer to one task, without a token, until the task's deadline.

    link = PAYLOAD.MAC     PAYLOAD: base64url of the JSON list [namespace, run, step, uuid, state, expires_at]
                           MAC: base64url of HMAC-SHA256 over the PAYLOAD, with a key of the namespace

The key is derived from ECHOER_WEBHOOK_KEY and from a random value that is stored once per namespace. Action services
know the webhook secret of their namespace, and the development key is public, so neither alone may sign a link; nor can
a reader of the store, who lacks the setting. Links that an earlier webhook key signed stay valid while it is set.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock
from typing import Final

import msgspec

from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant
from chalicelib.service.errors import Conflict, ServiceError
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.values import VersionedValueStore
from chalicelib.service.security.namespaces import is_namespace
from chalicelib.service.security.webhooks import keys_in

MAX_LINK_CHARACTERS: Final = 8_192
"""Longer texts are no links. The limits of names keep every link shorter."""

_RESERVED: Final = "@links"
_MAX_ATTEMPTS: Final = 5


class ForgedLink(ServiceError):
    """The text is no link that this server signed."""

    code = "forbidden"

    def __init__(self) -> None:
        super().__init__("this link is not valid: it was changed, cut off, or belongs to another server")


class ExpiredLink(ServiceError):
    """The deadline of the task has passed."""

    code = "link-expired"

    def __init__(self) -> None:
        super().__init__("this link has expired: the deadline of the task has passed")


class TaskLink(msgspec.Struct, frozen=True, array_like=True):
    """What a link permits: to answer `uuid`, the activation of a step of a run, with `state`."""

    namespace: str
    run: str
    step: str
    uuid: str
    state: str
    expires_at: Instant


class TaskLinks:
    """Signs links and reads them. `webhook_key` returns ECHOER_WEBHOOK_KEY and is called when first needed."""

    def __init__(
        self, values: VersionedValueStore, webhook_key: Callable[[], bytes], clock: Clock, ids: IdSource
    ) -> None:
        self._values = values
        self._webhook_key = webhook_key
        self._clock = clock
        self._ids = ids
        self._lock = Lock()
        self._salts: dict[str, bytes] = {}

    def sign(self, link: TaskLink) -> str:
        """Return the text of the link. The first one of a namespace stores the namespace's random value."""
        salt = self._salt(link.namespace) or self._new_salt(link.namespace)
        payload = base64.urlsafe_b64encode(msgspec.json.encode(link)).rstrip(b"=")
        return f"{payload.decode()}.{_text(next(self._macs(link.namespace, salt, payload)))}"

    def read(self, text: str) -> TaskLink:
        """Return what the link permits. Raises ForgedLink, ExpiredLink."""
        payload, _, mac = text.partition(".")
        link = _payload_in(payload) if len(text) <= MAX_LINK_CHARACTERS and text.isascii() else None
        salt = self._salt(link.namespace) if link is not None else None
        if link is None or salt is None:
            raise ForgedLink
        macs = map(_text, self._macs(link.namespace, salt, payload.encode()))
        if not any(hmac.compare_digest(mac, one) for one in macs):
            raise ForgedLink
        if self._clock.now() >= link.expires_at:
            raise ExpiredLink
        return link

    def _macs(self, namespace: str, salt: bytes, payload: bytes) -> Iterator[bytes]:
        """Yield the code of the payload by each webhook key, the newest first."""
        for master in keys_in(self._webhook_key()):
            key = hmac.digest(master, b"task-link/" + namespace.encode() + b"/" + salt, "sha256")
            yield hmac.digest(key, payload, "sha256")

    def _salt(self, namespace: str) -> bytes | None:
        """Return the random value of the namespace; None if it never signed a link."""
        with self._lock:
            known = self._salts.get(namespace)
        if known is not None:
            return known
        value, _ = self._values.read(_RESERVED, namespace)
        if value:
            with self._lock:
                self._salts[namespace] = value
        return value or None

    def _new_salt(self, namespace: str) -> bytes:
        for _ in range(_MAX_ATTEMPTS):
            with suppress(Conflict):  # another request was quicker: its value is used
                self._values.write(_RESERVED, namespace, (self._ids.nonce() + self._ids.nonce()).encode(), 0)
            if (salt := self._salt(namespace)) is not None:
                return salt
        raise Conflict("the key of the links is being created by other requests; try again")


def _text(mac: bytes) -> str:
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def _payload_in(text: str) -> TaskLink | None:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        link = msgspec.json.decode(raw, type=TaskLink)
    except (binascii.Error, ValueError, RecursionError):  # also msgspec.DecodeError
        return None
    return link if is_namespace(link.namespace) else None


ready(TaskLink)
