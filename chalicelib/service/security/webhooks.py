"""Webhook keys, and signatures of requests and answers (Standard Webhooks).

The setting ECHOER_WEBHOOK_KEY holds one or more keys, the newest first, with spaces or commas between them. A request
carries one signature per key, and a service accepts a request if it knows any of the keys. A key is replaced without
losing a delivery in three steps: put the new key in front, give its secrets to the services, remove the old key. Each
namespace has keys of its own, derived from these: `secrets_for` returns the secrets that its services need.

Answers to steps that are declared `signed` are verified with the same keys. A delivery carries a valid signature too,
and its `webhook-id` is the uuid of the activation. So that a captured delivery cannot be sent back as an answer, an
answer with that id is rejected: the standard asks for an id of its own for each message.

Within MAX_SIGNATURE_AGE_MS a signed answer can be replayed as it is. If it ended its activation, the replay is a
duplicate; a progress report repeats what it reported.
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from chalicelib.model.times import Instant
from chalicelib.service.ports.clock import Clock

LOG = logging.getLogger("echoer.answer")

MAX_SIGNATURE_AGE_MS: Final = 5 * 60 * 1000
"""How far the time of a signature may be off, in either direction; the libraries of the standard use the same."""

MAX_SIGNATURES: Final = 16
"""How many signatures of one answer are checked."""


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def keys_in(setting: bytes) -> tuple[bytes, ...]:
    """Return the keys in the setting. Raises ValueError if there is none, since nothing may be sent unsigned."""
    keys = tuple(key for key in re.split(rb"[\s,]+", setting) if key)
    if not keys:
        raise ValueError("there is no key to sign with")
    return keys


def key_of(master: bytes, namespace: str) -> bytes:
    """Derive the key that signs the requests of a namespace."""
    return hmac.digest(master, f"webhook/{namespace}".encode(), "sha256")


def secrets_for(setting: bytes, namespace: str) -> tuple[str, ...]:
    """Return the secrets of the namespace's services as Standard Webhooks writes them, one per key in the setting."""
    return tuple("whsec_" + base64.b64encode(key_of(master, namespace)).decode() for master in keys_in(setting))


# ── signing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def signature(key: bytes, message_id: str, at: Instant, body: bytes) -> str:
    """Return one signature for `webhook-signature` (version 1: HMAC-SHA256 of id, seconds and body)."""
    signed = f"{message_id}.{at // 1000}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def signed_headers(setting: bytes, namespace: str, message_id: str, at: Instant, body: bytes) -> dict[str, str]:
    """Return the three headers of the standard, with a signature by each key. Raises ValueError if there is no key."""
    keys = (key_of(master, namespace) for master in keys_in(setting))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at // 1000),
        "webhook-signature": " ".join(signature(key, message_id, at, body) for key in keys),
    }


# ── verifying ────────────────────────────────────────────────────────────────────────────────────────────────────────


class AnswerSignature(msgspec.Struct, frozen=True, kw_only=True):
    """The signature of an answer: its body as received, and the three headers of the standard."""

    id: str
    timestamp: str
    signatures: str
    body: bytes


def signature_in(headers: Mapping[str, str], body: bytes) -> AnswerSignature | None:
    """Return the signature of a request, or None if it has none. Header names are in lower case."""
    if not (signatures := headers.get("webhook-signature", "")):
        return None
    return AnswerSignature(
        id=headers.get("webhook-id", ""),
        timestamp=headers.get("webhook-timestamp", ""),
        signatures=signatures,
        body=body,
    )


class SignatureVerifier:
    """Verifies signatures of answers. `webhook_key` returns ECHOER_WEBHOOK_KEY and is called when first needed."""

    def __init__(self, webhook_key: Callable[[], bytes], clock: Clock) -> None:
        self._webhook_key = webhook_key
        self._clock = clock

    def verify(self, namespace: str, uuid: str, signed: AnswerSignature) -> bool:
        """Return whether the answer to that activation was signed by a key of the namespace; log why if not."""
        problem = self._problem(namespace, uuid, signed)
        if problem:
            LOG.info("the signature of an answer was rejected: %s", problem, extra={"uuid": uuid})
        return not problem

    def _problem(self, namespace: str, uuid: str, signed: AnswerSignature) -> str:
        if not signed.id or signed.id == uuid:
            return "webhook-id must be the answer's own, not the delivery's"
        timestamp = signed.timestamp
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
            return "webhook-timestamp must be seconds since 1970"
        at = int(timestamp) * 1000
        if abs(self._clock.now() - at) > MAX_SIGNATURE_AGE_MS:
            return "webhook-timestamp is more than 5 minutes off"
        given = [text.encode() for text in signed.signatures.split(" ")[:MAX_SIGNATURES]]
        valid = [
            signature(key_of(master, namespace), signed.id, at, signed.body).encode()
            for master in keys_in(self._webhook_key())
        ]
        matches = any(hmac.compare_digest(one, other) for one in valid for other in given)
        return "" if matches else "no signature matches"
