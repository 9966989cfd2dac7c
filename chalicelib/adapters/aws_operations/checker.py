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
            reason = "cannot be called: calls of AWS are off; the setting ECHOER_AWS_CALLS lists the operations"
            raise UnknownOperation(reason)
        operation = self._models.operation(address)
        if not self._allowed.allows(self._namespace, operation.action):
            reason = f"cannot be called: ECHOER_AWS_CALLS does not list {operation.action}"
            raise UnknownOperation(f"{reason} for namespace {self._namespace!r}")
        if operation.sync and operation.action not in JOBS:
            known = tuple(sorted(JOBS))
            reason = f"cannot be waited for: {operation.action} is not among the operations with .sync"
            raise UnknownOperation(reason, operation.action, known)
        return operation.input
