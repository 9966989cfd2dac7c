"""The examples of the documentation: requests with the responses that the server sent to them, recorded by a test."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from chalicelib.model.json_values import Json

FILE: Final = Path(__file__).with_name("examples.json")


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its response. `media` is the content type of the response."""

    title: str
    call: tuple[str, str]
    path: dict[str, str] = {}
    query: dict[str, Json] = {}
    body: Json = None
    status: int
    media: str = "application/json"
    answer: Json


@cache
def exchanges() -> tuple[Exchange, ...]:
    """Return the examples in the order in which they were recorded."""
    return msgspec.json.decode(FILE.read_bytes(), type=tuple[Exchange, ...])
