"""Which item of an each a token works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from chalicelib.model.json_values import Json
from chalicelib.model.run import Token
from chalicelib.model.waits import CHUNK_ITEMS, EachWait, item_key


class ItemPlace(msgspec.Struct, frozen=True):
    """The index of an item, and where the items of its each are stored (`EachWait.id`); empty if that is unknown."""

    index: int
    items: str = ""

    def item(self, read: Callable[[str], Json]) -> Json:
        """Return the item. `read` reads the run's blobs."""
        return read(item_key(self.items, self.index))[self.index % CHUNK_ITEMS]


def place_of(token: Token, tokens: Mapping[str, Token]) -> ItemPlace | None:
    """Return the innermost item that the token works on; None outside of an `each`."""
    at: Token | None = token
    while at is not None and at.index is None:
        at = tokens.get(at.parent)
    if at is None or at.index is None:
        return None
    parent = tokens.get(at.parent)
    wait = parent.activation.wait if parent and parent.activation else None
    return ItemPlace(at.index, wait.id if isinstance(wait, EachWait) else "")
