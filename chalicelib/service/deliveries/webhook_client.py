"""The request that carries an activation to its action: body, headers, signature (API.md, 1).

Signatures are those of Standard Webhooks. The setting ECHOER_WEBHOOK_KEY may hold several keys, the newest first: then
a request bears a signature by each, and services that know any of them take it. So a key is replaced in three steps
without a delivery lost: put the new one before the old, give the new secrets to the services, take the old one away.
Namespaces have keys of their own, made from these: `secrets_for` tells what the services of one have to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.request_args import request_fields
from chalicelib.engine.secret_values import MASK
from chalicelib.engine.transition import BlobReader
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, Run, Token
from chalicelib.service.observability.traceparent import traceparent
from chalicelib.service.ports.actions import Call, Caller, NotTaken, Reply
from chalicelib.service.ports.clock import Clock
from chalicelib.service.security.secrets import Secrets
from chalicelib.service.security.webhooks import key_of, keys_in, signature

MAX_BODY: Final = 6 * 1024 * 1024
"""The largest request body that is sent, in bytes."""

SHORTEST_MASKED: Final = 4
"""Characters of a secret from which on it is looked for in what a service says of an error."""

OURS: Final = ("webhook-", "idempotency-key", "traceparent")
"""How the names of headers begin that only Echoer may set: a service trusts them."""


class WebhookClient:
    """`webhook_key` gives one or more keys with spaces or commas between them (ValueError if there is none), and is
    asked when something is to be signed; `namespace` is the one of answers that name none.
    """

    def __init__(
        self,
        caller: Caller,
        clock: Clock,
        secrets: Secrets,
        callback_url: str,
        webhook_key: Callable[[], bytes],
        namespace: str = "default",
    ) -> None:
        self._caller = caller
        self._secrets = secrets
        self._clock = clock
        self._callback_url = callback_url
        self._webhook_key = webhook_key
        self._namespace = namespace

    def send(
        self,
        definition: Definition,
        run: Run,
        token: Token,
        activation: Activation,
        invocation: Invocation,
        read_blob: BlobReader,
    ) -> Reply:
        """What came of one delivery of the activation. Never raises for what the action or its args do wrong."""
        cipher = self._secrets.cipher(run.namespace)
        try:
            fields = request_fields(definition, run, token, invocation, self._clock.now(), read_blob, cipher)
            body = msgspec.json.encode({**fields, "callbackUrl": self._callback_for(run)})
            hidden = {name: str(cipher.secret(held)) for name, held in invocation.options.secret_headers.items()}
        except ExpressionFailed as failure:
            return NotTaken(str(failure), final=True)
        if len(body) > MAX_BODY:
            return NotTaken(f"the request is larger than {MAX_BODY} bytes", final=True)
        action = invocation.action
        if not action.addresses:
            return NotTaken(f"action {action.name!r} has no address", final=True)
        said = {**invocation.options.headers, **hidden}
        theirs = {name: text for name, text in said.items() if not name.lower().startswith(OURS)}
        headers = {**theirs, **self._headers(run, activation, body)}
        reply = self._caller.post(Call(action.addresses, body, headers, action.ca_bundle, action.method))
        told = [*hidden.values(), *(fields[one.name] for one in action.parameters if one.secret)]
        return replace(reply, error=without(reply.error, told)) if isinstance(reply, NotTaken) else reply

    def _callback_for(self, run: Run) -> str:
        return self._callback_url + ("" if run.namespace == self._namespace else f"?namespace={run.namespace}")

    def _headers(self, run: Run, activation: Activation, body: bytes) -> dict[str, str]:
        at = self._clock.now()
        keys = (key_of(master, run.namespace) for master in keys_in(self._webhook_key()))
        return {
            "Idempotency-Key": activation.uuid,
            "traceparent": traceparent(run, activation.uuid),
            "webhook-id": activation.uuid,
            "webhook-timestamp": str(at // 1000),
            "webhook-signature": " ".join(signature(key, activation.uuid, at, body) for key in keys),
        }


def without(text: str, secrets: Iterable[Json]) -> str:
    """The text with every secret in it masked, as far as it is found: a service may tell what it was sent."""
    for secret in sorted({found for value in secrets for found in _texts(value)}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _texts(value: Json) -> Iterator[str]:
    """The texts and numbers in a value that are long enough to be told from chance."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif not isinstance(value, bool) and len(found := str(value)) >= SHORTEST_MASKED and value is not None:
        yield found
