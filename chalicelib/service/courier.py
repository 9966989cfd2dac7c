"""The request that carries an activation to its action: body, headers, signature (API.md, 1).

Signatures are those of Standard Webhooks. The setting ECHOER_WEBHOOK_KEY may hold several keys, the newest first: then
a request bears a signature by each, and services that know any of them take it. So a key is replaced in three steps
without a delivery lost: put the new one before the old, give the new secrets to the services, take the old one away.
Namespaces have keys of their own, made from these: `secrets_for` tells what the services of one have to know.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final

import msgspec

from chalicelib.definition import Definition
from chalicelib.engine.draft import Shelf
from chalicelib.engine.errand import Errand, request_fields
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.run import Activation, Instant, Run, Token
from chalicelib.service.ports import Call, Caller, Clock, NotTaken, Reply
from chalicelib.service.traceparent import traceparent

MAX_BODY: Final = 6 * 1024 * 1024
"""The largest request body that is sent, in bytes."""

OURS: Final = ("webhook-", "idempotency-key", "traceparent")
"""How the names of headers begin that only Echoer may set: a service trusts them."""


class Courier:
    """`webhook_key` is one or more keys with spaces or commas between them (ValueError if it holds none); `namespace`
    is the one of answers that name none.
    """

    def __init__(
        self, caller: Caller, clock: Clock, callback_url: str, webhook_key: bytes, namespace: str = "default"
    ) -> None:
        self._caller = caller
        self._clock = clock
        self._callback_url = callback_url
        self._webhook_keys = keys_in(webhook_key)
        self._namespace = namespace

    def send(
        self, definition: Definition, run: Run, token: Token, activation: Activation, errand: Errand, shelf: Shelf
    ) -> Reply:
        """What came of one delivery of the activation. Never raises for what the action or its args do wrong."""
        try:
            fields = request_fields(definition, run, token, errand, self._clock.now(), shelf)
            body = msgspec.json.encode({**fields, "callbackUrl": self._callback_for(run)})
        except ExpressionFailed as failure:
            return NotTaken(str(failure), final=True)
        if len(body) > MAX_BODY:
            return NotTaken(f"the request is larger than {MAX_BODY} bytes", final=True)
        action = errand.action
        if not action.addresses:
            return NotTaken(f"action {action.name!r} has no address", final=True)
        theirs = {name: text for name, text in errand.options.headers.items() if not name.lower().startswith(OURS)}
        headers = {**theirs, **self._headers(run, activation, body)}
        return self._caller.post(Call(action.addresses, body, headers, action.roots, action.method))

    def _callback_for(self, run: Run) -> str:
        return self._callback_url + ("" if run.namespace == self._namespace else f"?namespace={run.namespace}")

    def _headers(self, run: Run, activation: Activation, body: bytes) -> dict[str, str]:
        at = self._clock.now()
        keys = (key_of(master, run.namespace) for master in self._webhook_keys)
        return {
            "Idempotency-Key": activation.uuid,
            "traceparent": traceparent(run, activation.uuid),
            "webhook-id": activation.uuid,
            "webhook-timestamp": str(at // 1000),
            "webhook-signature": " ".join(signature(key, activation.uuid, at, body) for key in keys),
        }


def keys_in(setting: bytes) -> tuple[bytes, ...]:
    """The keys that the setting holds. Raises ValueError if there is none: nothing may go out unsigned."""
    keys = tuple(key for key in re.split(rb"[\s,]+", setting) if key)
    if not keys:
        raise ValueError("there is no key to sign with")
    return keys


def secrets_for(setting: bytes, namespace: str) -> tuple[str, ...]:
    """What services of the namespace verify with, as Standard Webhooks writes secrets; one per key of the setting."""
    return tuple("whsec_" + base64.b64encode(key_of(master, namespace)).decode() for master in keys_in(setting))


def key_of(master: bytes, namespace: str) -> bytes:
    """The key that signs what is sent for a namespace."""
    return hmac.digest(master, f"webhook/{namespace}".encode(), "sha256")


def signature(key: bytes, message_id: str, at: Instant, body: bytes) -> str:
    """One signature of `webhook-signature` (Standard Webhooks, v1: HMAC-SHA256 over id, seconds and body)."""
    signed = f"{message_id}.{at // 1000}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
