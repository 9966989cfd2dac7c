"""The work context: request, run and step of the current work. Every log line includes it.

    with about(function="deliver", request="5f0c..."):     an entry point: until the block ends
        note(run="r-1")                                    code that learns more: until that block ends

Threads start with an empty context. `parallel.side_by_side` gives each of its threads a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

MAX_FIELD_CHARACTERS: Final = 256
"""How much of a value is logged: it may come from a request."""

_NOTHING: Final[Mapping[str, str]] = {}

_known: ContextVar[Mapping[str, str]] = ContextVar("known", default=_NOTHING)


def known() -> Mapping[str, str]:
    """Return the fields of the current work."""
    return _known.get()


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Add fields until the block ends. Empty values are left out."""
    token = _known.set(_with(fields))
    try:
        yield
    finally:
        _known.reset(token)


def note(**fields: str) -> None:
    """Add fields until the current `about` block ends."""
    _known.set(_with(fields))


def _with(fields: Mapping[str, str]) -> Mapping[str, str]:
    return {**_known.get(), **{name: text[:MAX_FIELD_CHARACTERS] for name, text in fields.items() if text}}
