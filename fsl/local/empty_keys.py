"""DynamoDB's refusal of empty strings in keys, which moto lacks.

Source: DynamoDB Developer Guide, "Service, account, and table quotas": a key attribute cannot be an empty string. It
holds for keys of the table and of its indexes, for reads and deletes too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from chalicelib.adapters.dynamodb import tables

_EMPTY: Final = {"S": ""}
_KEY_ATTRIBUTES: Final = {tables.HASH, tables.RANGE, *(name for at in tables.INDEXES for name in (at.hash, at.range))}
_LEAVES: Final = frozenset({"Item", "Key", "Keys", "ExpressionAttributeValues"})
"""Members of a request that hold values, and no further parts."""

REFUSAL: Final = (
    400,
    {"Content-Type": "application/x-amz-json-1.0"},
    json.dumps(
        {
            "__type": "com.amazon.coral.validate#ValidationException",
            "message": "One or more parameter values are not valid. "
            "The AttributeValue for a key attribute cannot contain an empty string value.",
        }
    ),
)
"""The response: status, headers, and body."""


def found_in(request: Any) -> bool:
    """Return whether the body of a request has an empty string in a key or in the condition of a query."""
    return any(value == _EMPTY for part in _parts(request) for value in _key_values(part))


def _parts(request: Any) -> Iterator[dict[str, Any]]:
    """Yield the request, and the requests in it if it is a batch or a transaction."""
    if isinstance(request, list):
        for one in request:
            yield from _parts(one)
    elif isinstance(request, dict):
        yield request
        for name, one in request.items():
            if name not in _LEAVES:
                yield from _parts(one)


def _key_values(part: dict[str, Any]) -> Iterator[Any]:
    for key in (part.get("Key", {}), *part.get("Keys", ())):
        yield from key.values()
    item, condition = part.get("Item", {}), part.get("KeyConditionExpression", "")
    yield from (item[name] for name in _KEY_ATTRIBUTES if name in item)
    given = part.get("ExpressionAttributeValues", {})
    yield from (given[name] for name in re.findall(r":\w+", condition) if name in given)
