"""The bodies of heads and history pages. That of a head is its JSON without the names that are in the key.

DynamoDB bills writes by the kilobyte, so a body that would make its item larger than one is compressed.
"""

from __future__ import annotations

import msgspec

from chalicelib.adapters.dynamodb import keys
from chalicelib.adapters.dynamodb.items import Item
from chalicelib.model import formats
from chalicelib.model.compression import MAX_PLAIN_BYTES, compressed, decompressed
from chalicelib.model.history import Page, decode_page, encode_page
from chalicelib.model.run import Run, decode_run, encode


def put_head(item: Item, run: Run, body: bytes = b"") -> None:
    """Set the body of the item, from which `run_of` and the key restore the run. `body` is `encode(run)` if known."""
    text = (body or encode(run))[len(_names(run.namespace, run.name).encode()) :]
    _put(item, text, beginning(run), formats.HEAD)


def run_of(head: Item) -> Run:
    return sized_run_of(head)[0]


def sized_run_of(head: Item) -> tuple[Run, int]:
    """Return the run, and the length of its JSON."""
    text = _names(*keys.of_head(head.k)) + _text_of(head)
    return decode_run(text), len(text)


def put_page(item: Item, page: Page) -> None:
    """Set the body of the item, from which `page_of` restores the page."""
    _put(item, encode_page(page), "{", formats.PAGE)


def page_of(item: Item) -> Page:
    return decode_page(_text_of(item))


def _put(item: Item, text: bytes, start: str, of: formats.Format) -> None:
    """Set the body, compressed if it is large. `start` is how it begins; what else is found is its format, because of
    which versions that know nothing of compressed bodies refuse it."""
    if len(text) <= MAX_PLAIN_BYTES:
        item.b = text.decode()
        return
    item.r = compressed(text)
    item.b = f'{start}"{formats.MEMBER}":{of.current}}}'


def _text_of(item: Item) -> str:
    return item.text if item.r is None else decompressed(item.r).decode()


def beginning(run: Run) -> str:
    """Return how the bodies of this run begin. Bodies of other runs of the same name begin differently."""
    return f'"id":{_json(run.id)},'


def _names(namespace: str, name: str) -> str:
    """Return how the JSON of every head of that name begins."""
    return f'{{"ns":{_json(namespace)},"nm":{_json(name)},'


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
