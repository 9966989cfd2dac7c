"""Which operations a namespace may call, and which resources none may touch: those in which Echoer stores its data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from chalicelib.adapters.aws_operations.arguments import key_of
from chalicelib.model.json_values import children_in

_DATABASES: Final = frozenset({"dynamodb", "dynamodbstreams"})
_SECRETS: Final = frozenset({"ssm", "secretsmanager"})


class AllowedCalls:
    """The entries of ECHOER_AWS_CALLS: `SERVICE:OPERATION`, with `*` for any text, after `NAMESPACE/` if it is for one.

    None: everything is allowed.
    """

    def __init__(self, entries: Iterable[str] | None) -> None:
        self._entries = None if entries is None else [_Entry(entry) for entry in entries]

    @property
    def is_off(self) -> bool:
        """Whether no namespace may call anything."""
        return self._entries == []

    def allows(self, namespace: str, action: str) -> bool:
        """Return whether a namespace may call the operation, named as in `dynamodb:PutItem`."""
        return self._entries is None or any(entry.allows(namespace, action) for entry in self._entries)


class _Entry:
    def __init__(self, text: str) -> None:
        head, slash, tail = text.rpartition("/")
        self._namespace = head if slash else None
        self._pattern = _lowered(tail)

    def allows(self, namespace: str, action: str) -> bool:
        return self._namespace in (None, namespace) and fnmatchcase(_lowered(action), self._pattern)


def _lowered(action: str) -> str:
    service, _, operation = action.partition(":")
    return f"{service}:{key_of(operation)}" if operation else service


class OwnResources:
    """The table, the queues and the keys of Echoer itself. Its role may use them; flows must not.

    `secrets` are the names of the parameters and secrets that hold its keys.
    """

    def __init__(self, table: str = "", queue_prefix: str = "", secrets: Iterable[str] = ()) -> None:
        queue = rf"(?:.*[/:])?{re.escape(queue_prefix)}-(?:deliveries|wakes|dead)" if queue_prefix else None
        self._tables = [_whole_word(table)] if table else []
        self._queues = [re.compile(rf"^{queue}$")] if queue else []
        self._secrets = [_whole_word(name.strip("/")) for name in secrets if name.strip("/")]

    def named_by(self, service: str, parameters: Mapping[str, Any]) -> str:
        """Return the text in the parameters that names a resource of Echoer; empty if none does."""
        if service in _DATABASES:
            return _first(_names(parameters), self._tables)
        if service == "sqs":
            return _first(_texts(parameters), self._queues)
        return _first(_texts(parameters), self._secrets) if service in _SECRETS else ""


def _first(texts: Iterable[str], patterns: Sequence[re.Pattern[str]]) -> str:
    return next((text for text in texts if any(pattern.search(text) for pattern in patterns)), "")


def _whole_word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_.-]){re.escape(name)}(?![A-Za-z0-9_.-])")


def _names(value: Any, name: str = "") -> Iterator[str]:
    """Yield what may name a table: values of members such as TableName or SourceTableArn, statements, and map keys."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if name == "RequestItems":
                yield key
            yield from _names(inner, key)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _names(inner, name)
    elif isinstance(value, str) and re.search(r"Table|Arn|Statement|Resource", name):
        yield value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in children_in(value):
        yield from _texts(inner)
