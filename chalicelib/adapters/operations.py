"""The operations of AWS that documents may call. botocore's models are loaded by the first document that names one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from chalicelib.adapters.aws_operations.models import Models
    from chalicelib.language import Operations, Shape

OperationsOf: TypeAlias = "Callable[[str], Operations]"
"""Maps a namespace to what its documents may call."""


@cache
def models() -> Models:
    """Return the models of this process."""
    from chalicelib.adapters.aws_operations.models import Models

    return Models()


def operations_of(entries: Iterable[str] | None) -> OperationsOf:
    """Return what the entries of ECHOER_AWS_CALLS permit. None permits everything."""
    return lambda namespace: _Lazy(entries, namespace)


ALL_OPERATIONS: Final = operations_of(None)
"""What documents may call where nothing is called: on a virtual host, and in an editor."""


class _Lazy:
    """Implements `language.Operations`."""

    def __init__(self, entries: Iterable[str] | None, namespace: str) -> None:
        self._entries = entries
        self._namespace = namespace

    def input_of(self, address: str) -> Shape | None:
        return self._found.input_of(address)

    @cached_property
    def _found(self) -> Operations:
        from chalicelib.adapters.aws_operations.allowed import AllowedCalls
        from chalicelib.adapters.aws_operations.checker import NamespaceOperations

        return NamespaceOperations(models(), AllowedCalls(self._entries), self._namespace)
