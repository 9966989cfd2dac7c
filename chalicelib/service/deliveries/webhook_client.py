"""Build the request of an activation to its action (docs/http-api.md, 1), sign it, and send it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.request_args import request_fields
from chalicelib.engine.transition import BlobReader
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.run_error import ErrorName
from chalicelib.service.deliveries.redaction import without_text
from chalicelib.service.deliveries.request_headers import allowed, secret_headers
from chalicelib.service.observability.traceparent import traceparent
from chalicelib.service.ports.actions import Call, Caller, NotTaken, Taken
from chalicelib.service.ports.clock import Clock
from chalicelib.service.security.secrets import Secrets
from chalicelib.service.security.webhooks import signed_headers

MAX_REQUEST_BYTES: Final = 6 * 1024 * 1024
"""The largest request body."""


class WebhookClient:
    """Sends activations to actions.

    `webhook_key` returns one or more keys (`security.webhooks`) and is called when a request is signed. `namespace` is
    the namespace of answers that name none.
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
    ) -> Taken | NotTaken:
        """Deliver the activation once. Errors of the action or of its args are returned as NotTaken, never raised."""
        action, cipher = invocation.action, self._secrets.cipher(run.namespace, run.id)
        try:
            fields = request_fields(definition, run, token, invocation, read_blob, cipher)
            callback = {} if invocation.is_bare else {"callbackUrl": self._callback_for(run)}
            body = msgspec.json.encode({**fields, **callback})
            from_secrets = secret_headers(invocation.options, cipher)
        except ExpressionFailed as failure:
            return NotTaken(str(failure), final=True, name=failure.name)
        if len(body) > MAX_REQUEST_BYTES:
            return NotTaken(
                f"the request is larger than {MAX_REQUEST_BYTES} bytes", final=True, name=ErrorName.TOO_LARGE
            )
        if not action.addresses:
            return NotTaken(f"action {action.name!r} has no address", final=True)
        own, given = self._headers(run, activation, body), {**invocation.options.headers, **from_secrets}
        headers = {**allowed(given), **own}
        reply = self._caller.post(Call(action.addresses, body, headers, action.ca_bundle, action.method))
        if isinstance(reply, Taken):
            return reply
        if not isinstance(reply, NotTaken):
            raise TypeError("only a direct call is answered by its response")
        return without_text(reply) if invocation.has_secrets else reply

    def _callback_for(self, run: Run) -> str:
        return self._callback_url + ("" if run.namespace == self._namespace else f"?namespace={run.namespace}")

    def _headers(self, run: Run, activation: Activation, body: bytes) -> dict[str, str]:
        return {
            "Idempotency-Key": activation.uuid,
            "traceparent": traceparent(run, activation.uuid),
            **signed_headers(self._webhook_key(), run.namespace, activation.uuid, self._clock.now(), body),
        }
