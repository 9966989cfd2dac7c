"""What documents may call: the operations that a namespace is allowed, with the shapes of their args."""

from __future__ import annotations

from chalicelib.adapters.aws_operations.allowed import AllowedCalls
from chalicelib.adapters.aws_operations.jobs import JOBS
from chalicelib.adapters.aws_operations.models import Models, Shape
from chalicelib.language import UnknownOperation


class NamespaceOperations:
    """Implements `language.Operations` for a namespace."""

    def __init__(self, models: Models, allowed: AllowedCalls, namespace: str) -> None:
        self._models = models
        self._allowed = allowed
        self._namespace = namespace

    def input_of(self, address: str) -> Shape | None:
        if self._allowed.is_off:
            hint = "the setting ECHOER_AWS_CALLS lists the operations that may be called"
            raise UnknownOperation("cannot be called: calls of AWS are off", hint=hint)
        operation = self._models.operation(address)
        if not self._allowed.allows(self._namespace, operation.action):
            hint = f"the setting ECHOER_AWS_CALLS does not list {operation.action} for this namespace"
            raise UnknownOperation(f"is not allowed in namespace {self._namespace!r}", hint=hint)
        if operation.sync and operation.action not in JOBS:
            reason = "starts no job whose end is known: it cannot have .sync"
            raise UnknownOperation(reason, word=operation.action, known=tuple(sorted(JOBS)))
        return operation.input
