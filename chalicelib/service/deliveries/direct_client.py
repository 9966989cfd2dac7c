"""Call actions that are sent nothing but their args: those without callback, and operations of AWS.

What returns is the answer, unless the action is an operation with a callback, which then comes by `$step.token`.

Requests by HTTP have `Idempotency-Key` and `traceparent`, but no signature: a foreign API could not verify it.
"""

from __future__ import annotations

import dataclasses
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from chalicelib.engine.direct_request import DirectRequest, direct_request
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.request_args import direct_args
from chalicelib.engine.transition import BlobReader
from chalicelib.engine.values.secret_values import decrypted_text
from chalicelib.model.actions import REPLY_TIMEOUT_S, Action, Method, Verb
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.definition import Definition
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.service.deliveries.direct_answers import Answered, DirectAnswer, answer_of
from chalicelib.service.deliveries.redaction import without_text
from chalicelib.service.deliveries.request_headers import allowed, secret_headers
from chalicelib.service.deliveries.webhook_client import MAX_REQUEST_BYTES
from chalicelib.service.observability.traceparent import traceparent
from chalicelib.service.ports.actions import Call, Caller, NotTaken, Taken
from chalicelib.service.ports.clock import Clock
from chalicelib.service.security.secrets import Secrets

MAX_ADDRESS_CHARS: Final = 32_768
"""The longest address, with the args in it."""

_ACCEPT: Final = "application/json, */*;q=0.8"


class DirectClient:
    """Calls actions that are sent nothing but their args."""

    def __init__(self, caller: Caller, clock: Clock, secrets: Secrets) -> None:
        self._caller = caller
        self._clock = clock
        self._secrets = secrets

    def send(
        self,
        definition: Definition,
        run: Run,
        token: Token,
        activation: Activation,
        invocation: Invocation,
        read_blob: BlobReader,
    ) -> DirectAnswer | Taken:
        """Call the action once, or ask where it has sent us to. Errors are returned as NotTaken, never raised."""
        action, cipher = invocation.action, self._secrets.cipher(run.namespace, run.id)
        try:
            args = direct_args(definition, run, token, invocation, read_blob, cipher)
            request = direct_request(action, args)
            from_secrets = secret_headers(invocation.options, cipher)
        except ExpressionFailed as failure:
            return NotTaken(str(failure), final=True, name=failure.name)
        problem = _too_large(request)
        if problem:
            return NotTaken(problem, final=True, name=ErrorName.TOO_LARGE)
        call = Call(
            (),
            request.body,
            {
                **_given(action, {**invocation.options.headers, **from_secrets}),
                "Idempotency-Key": activation.uuid,
                "traceparent": traceparent(run, activation.uuid),
            },
            action.ca_bundle,
            action.method,
            verb=action.verb,
            content_type=request.content_type,
            direct=True,
            timeout=action.reply_timeout or REPLY_TIMEOUT_S * 1_000,
            run=run.name,
            uuid=activation.uuid,
            namespace=run.namespace,
            role=_role(activation, invocation),
        )
        if activation.location:
            answer = self._ask(call, action, decrypted_text(activation.location, cipher), request)
        else:
            answer = self._call(call, action, request)
        result = answer if action.direct else _accepted(answer)
        return without_text(result) if isinstance(result, NotTaken) and invocation.has_secrets else result

    def _call(self, call: Call, action: Action, request: DirectRequest) -> DirectAnswer:
        """Call the addresses in turn until one answers. All of them share the time of one request."""
        answer: DirectAnswer = NotTaken.own(f"action {action.name!r} has no address", final=True)
        due, left = self._clock.now() + call.timeout, call.timeout
        for address, shown in zip(request.addresses, action.addresses, strict=True):
            answer = self._post(replace(call, addresses=(address,), shown=shown, timeout=left), action)
            left = due - self._clock.now()
            if not isinstance(answer, NotTaken) or answer.final or left <= 0:
                break
        return answer

    def _ask(self, call: Call, action: Action, location: str, request: DirectRequest) -> DirectAnswer:
        """Ask where a 202 has sent us to. Another origin does not get the headers of the action."""
        is_known = _origin(location) in {_origin(address) for address in request.addresses}
        headers = call.headers if is_known else {"Accept": _ACCEPT, "traceparent": call.headers["traceparent"]}
        asked = replace(call, addresses=(location,), headers=headers, body=b"", content_type="", verb=Verb.GET)
        return self._post(asked, action, is_look=True)

    def _post(self, call: Call, action: Action, *, is_look: bool = False) -> DirectAnswer:
        reply = self._caller.post(call)
        if isinstance(reply, NotTaken):
            return reply
        if isinstance(reply, Taken):
            raise TypeError("a direct call is answered by its response")
        shown = call.shown or call.addresses[0]
        return dataclasses.replace(answer_of(reply, action, call.addresses[0], shown, is_look=is_look), address=shown)


def _role(activation: Activation, invocation: Invocation) -> str:
    """Return the role under which an operation is called: that of the step, or else that of the action."""
    own = invocation.options.role
    return activation.role or (own if isinstance(own, str) else "") or invocation.action.role or ""


def _accepted(answer: DirectAnswer) -> NotTaken | Taken:
    """Return whether an operation accepted what a callback answers later."""
    if isinstance(answer, NotTaken):
        return answer
    error = answer.error if isinstance(answer, Answered) else None
    return _refused(error) if error else Taken()


def _refused(error: StepError) -> NotTaken:
    brief = "the operation answered with an error"
    return NotTaken(error.cause, final=True, name=error.name, data=error.data, brief=brief)


def _given(action: Action, headers: dict[str, str]) -> dict[str, str]:
    found = allowed(headers)
    has_accept = action.method is Method.LAMBDA or any(name.lower() == "accept" for name in found)
    return found if has_accept else {**found, "Accept": _ACCEPT}


def _too_large(request: DirectRequest) -> str:
    """Return why the request is too large; empty if it is not."""
    if len(request.body) > MAX_REQUEST_BYTES:
        return f"the request is larger than {MAX_REQUEST_BYTES} bytes"
    if any(len(address) > MAX_ADDRESS_CHARS for address in request.addresses):
        return f"the address has more than {MAX_ADDRESS_CHARS} characters with the args in it"
    return ""


def _origin(address: str) -> tuple[str, str | None, int]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
