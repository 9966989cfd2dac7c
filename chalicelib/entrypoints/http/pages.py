"""Pages of lists that end before the response becomes too large: the cursor continues from there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from chalicelib.entrypoints.http.request import Response, encoded
from chalicelib.model.json_values import Json

MAX_PAGE_BYTES: Final = 5_000_000
"""How large the entries of a page are together, as Lambda returns them. One entry that is larger is a page of its own.
"""


class Item(msgspec.Struct, frozen=True):
    """An entry of a list as JSON text, and the cursor of the entries after it."""

    text: bytes
    cursor: str

    @property
    def size(self) -> int:
        """Its size in the response of Lambda, which is a JSON string: quotes and backslashes count twice."""
        return len(self.text) + self.text.count(b'"') + self.text.count(b"\\")

    @property
    def raw(self) -> msgspec.Raw:
        """The entry for a response, which has its text as it is."""
        return msgspec.Raw(self.text)


def item(value: Json, cursor: str) -> Item:
    """Return an entry. Secrets in it are masked."""
    return Item(encoded(value).encode(), cursor)


def response(items: Iterable[Item], cursor: str | None) -> Response:
    """Return the page of the first items that fit, and at least one. `cursor` is that of the next page if all fit."""
    shown: list[Item] = []
    room = MAX_PAGE_BYTES
    for found in items:
        room -= found.size
        if room < 0 and shown:
            cursor = shown[-1].cursor
            break
        shown.append(found)
    return Response([one.raw for one in shown], headers={"x-next-cursor": cursor} if cursor else {})


def grouped(groups: Iterable[tuple[Sequence[Item], str]], cursor: str | None, limit: int) -> Response:
    """Return the page of the first groups that fit, with at most `limit` entries together; at least one that has any.

    Each group has the cursor of the groups after it.
    """
    shown: list[Item] = []
    room, last = MAX_PAGE_BYTES, None
    for group, following in groups:
        room -= sum(found.size for found in group)
        if shown and (room < 0 or len(shown) + len(group) > limit):
            cursor = last
            break
        shown += group
        last = following
    return Response([one.raw for one in shown], headers={"x-next-cursor": cursor} if cursor else {})


def within(items: Iterable[Item], limit: int) -> list[Item] | None:
    """Return all items; None if they have more than `limit` bytes together."""
    shown: list[Item] = []
    for found in items:
        limit -= found.size
        if limit < 0:
            return None
        shown.append(found)
    return shown
