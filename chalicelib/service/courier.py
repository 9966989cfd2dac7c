"""The request that carries an activation to its action: body, headers, signature (API.md, 1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

import msgspec

from chalicelib.definition import Definition
from chalicelib.engine.draft import Shelf
from chalicelib.engine.errand import Errand, request_fields
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.run import Activation, Instant, Run, Token
from chalicelib.service.ports import Call, Caller, Clock, NotTaken, Reply

MAX_BODY: Final = 6 * 1024 * 1024
"""The largest request body that is sent, in bytes."""


class Courier:
    def __init__(self, caller: Caller, clock: Clock, callback_url: str, webhook_key: bytes) -> None:
        self._caller = caller
        self._clock = clock
        self._callback_url = callback_url
        self._webhook_key = webhook_key

    def send(
        self, definition: Definition, run: Run, token: Token, activation: Activation, errand: Errand, shelf: Shelf
    ) -> Reply:
        """What came of one delivery of the activation. Never raises for what the action or its args do wrong."""
        try:
            fields = request_fields(definition, run, token, errand, self._clock.now(), shelf)
            body = msgspec.json.encode({**fields, "callbackUrl": self._callback_url})
        except ExpressionFailed as failure:
            return NotTaken(str(failure), final=True)
        if len(body) > MAX_BODY:
            return NotTaken(f"the request is larger than {MAX_BODY} bytes", final=True)
        action = errand.action
        if not action.addresses:
            return NotTaken(f"action {action.name!r} has no address", final=True)
        headers = {**errand.options.headers, **self._headers(run, activation, body)}
        return self._caller.post(Call(action.addresses, body, headers, action.roots, action.method))

    def _headers(self, run: Run, activation: Activation, body: bytes) -> dict[str, str]:
        at = self._clock.now()
        return {
            "Idempotency-Key": activation.uuid,
            "traceparent": traceparent(run, activation),
            "webhook-id": activation.uuid,
            "webhook-timestamp": str(at // 1000),
            "webhook-signature": signature(key_of(self._webhook_key, run.namespace), activation.uuid, at, body),
        }


def key_of(master: bytes, namespace: str) -> bytes:
    """The key that signs what is sent for a namespace."""
    return hmac.digest(master, f"webhook/{namespace}".encode(), "sha256")


def signature(key: bytes, message_id: str, at: Instant, body: bytes) -> str:
    """The value of `webhook-signature` (Standard Webhooks, v1: HMAC-SHA256 over id, seconds and body)."""
    signed = f"{message_id}.{at // 1000}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def traceparent(run: Run, activation: Activation) -> str:
    """The W3C trace context of a delivery: one trace per run, one span per activation."""
    trace = hashlib.sha256(run.id.encode()).hexdigest()[:32]
    span = hashlib.sha256(activation.uuid.encode()).hexdigest()[:16]
    return f"00-{trace}-{span}-01"
