"""The body of a head: its JSON without the names that are in the key, as DynamoDB bills writes by the kilobyte."""

from __future__ import annotations

import msgspec

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import Item
from chalicelib.model.run import Run, decode_run, encode


def body_of(run: Run, body: bytes = b"") -> str:
    """Return the body, from which `run_of` and the key restore the run. `body` is `encode(run)` if known."""
    return (body or encode(run)).decode().removeprefix(_names(run.namespace, run.name))


def run_of(head: Item) -> Run:
    return decode_run(_names(*keys.of_head(head.k)) + head.text)


def beginning(run: Run) -> str:
    """Return how the bodies of this run begin. Bodies of other runs of the same name begin differently."""
    return f'"id":{_json(run.id)},'


def _names(namespace: str, name: str) -> str:
    """Return how the JSON of every head of that name begins."""
    return f'{{"ns":{_json(namespace)},"nm":{_json(name)},'


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
