"""Answers that must be signed: whether whoever sent one has the namespace's key.

Signatures are those of Standard Webhooks, by the secret with which services verify what they are sent (`courier`).
So a delivery bears a good signature by that key too, and could be sent back as an answer by whoever saw it on its way:
its `webhook-id` is the activation's uuid, and an answer that bears this id is not believed. An id of its own is what
the standard asks of every message.

Within the five minutes an answer can be sent again as it is. One that ended its activation is a duplicate then; a
report says once more what it said.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.service.ports.clock import Clock
from chalicelib.service.security.webhooks import key_of, keys_in, signature

LOG = logging.getLogger("echoer.answer")

LONGEST_AGE: Final = 5 * 60 * 1000
"""How far an answer's time may be off, either way, in milliseconds: what the libraries of the standard take."""

MOST: Final = 16
"""Signatures of one answer that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSignature:
    """What an answer brings along: its body as it came, and the three headers of the standard."""

    id: str
    timestamp: str
    signatures: str
    body: bytes


def signature_in(headers: Mapping[str, str], body: bytes) -> AnswerSignature | None:
    """The proof that a request brings; None if it bears no signature. Names of headers are in small letters."""
    if not (signatures := headers.get("webhook-signature", "")):
        return None
    return AnswerSignature(
        id=headers.get("webhook-id", ""),
        timestamp=headers.get("webhook-timestamp", ""),
        signatures=signatures,
        body=body,
    )


class SignatureVerifier:
    """`webhook_key` is asked for the setting ECHOER_WEBHOOK_KEY when the first proof comes, and not before."""

    def __init__(self, webhook_key: Callable[[], bytes], clock: Clock) -> None:
        self._webhook_key = webhook_key
        self._clock = clock

    def verify(self, namespace: str, uuid: str, answer_signature: AnswerSignature) -> bool:
        """Whether the answer to that activation was signed by one of the namespace's keys; why not is logged."""
        doubt = self._doubt(namespace, uuid, answer_signature)
        if doubt:
            LOG.info("the signature of an answer does not count: %s", doubt, extra={"uuid": uuid})
        return not doubt

    def _doubt(self, namespace: str, uuid: str, answer_signature: AnswerSignature) -> str:
        if not answer_signature.id or answer_signature.id == uuid:
            return "webhook-id must be the answer's own, not the delivery's"
        if not (
            answer_signature.timestamp.isascii()
            and answer_signature.timestamp.isdecimal()
            and len(answer_signature.timestamp) < 16
        ):
            return "webhook-timestamp must be seconds since 1970"
        at = int(answer_signature.timestamp) * 1000
        if abs(self._clock.now() - at) > LONGEST_AGE:
            return "webhook-timestamp is more than 5 minutes off"
        given = [text.encode() for text in answer_signature.signatures.split(" ")[:MOST]]
        good = [
            signature(key_of(master, namespace), answer_signature.id, at, answer_signature.body).encode()
            for master in keys_in(self._webhook_key())
        ]
        return "" if any(hmac.compare_digest(one, other) for one in good for other in given) else "it does not verify"
