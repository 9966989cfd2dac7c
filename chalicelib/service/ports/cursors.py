"""Cursors of listings: opaque texts that hold a position in a list, valid in one namespace only."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeAlias

import msgspec

from chalicelib.model.times import Instant
from chalicelib.service.errors import Malformed

Position: TypeAlias = tuple[Instant, str]
"""A position in a list: a time, then a name."""


def cursor_at(namespace: str, position: Position) -> str:
    """Return an opaque cursor for the position, valid in `namespace` only. It needs no escaping in a URL."""
    text = msgspec.json.encode(position)
    return urlsafe_b64encode(_checksum(namespace, text) + text).decode().rstrip("=")


def position_at(namespace: str, cursor: str) -> Position:
    """Return the position in a cursor that `cursor_at` made. Raises Malformed for any other text."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        if raw[:8] == _checksum(namespace, raw[8:]):
            at, name = msgspec.json.decode(raw[8:], type=tuple[Instant, str])
            return at, name
    except (ValueError, msgspec.DecodeError):
        pass
    raise Malformed("the cursor is not one that a listing of this namespace returned")


def _checksum(namespace: str, text: bytes) -> bytes:
    return hashlib.sha256(namespace.encode() + b"\0" + text).digest()[:8]
