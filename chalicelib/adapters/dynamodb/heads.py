"""A head's body: its JSON without the names that its key says already. DynamoDB bills a write by the kilobyte."""

from __future__ import annotations

import msgspec

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import Item
from chalicelib.model.run import Run, decode_run, encode


def body_of(run: Run, body: bytes = b"") -> str:
    """Return the body of the head, from which `run_of` restores the run. `body` is `encode(run)` if known."""
    return (body or encode(run)).decode().removeprefix(_names(run.namespace, run.name))


def run_of(head: Item) -> Run:
    return decode_run(_names(*keys.of_head(head.k)) + head.b)


def beginning(run: Run) -> str:
    """What the bodies of this very run begin with, and those of no other of its name."""
    return f'"id":{_json(run.id)},'


def _names(namespace: str, name: str) -> str:
    """What the JSON of every head of that name begins with."""
    return f'{{"ns":{_json(namespace)},"nm":{_json(name)},'


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
