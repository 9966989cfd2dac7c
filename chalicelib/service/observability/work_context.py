"""What is being worked on: which request, run, step. The doors say it, every line of the log and every span tells it,
and the code between hands nothing through.

    with about(function="deliver", request="5f0c..."):     a door: until it closes
        note(run="r-1")                                    whoever comes to know more: until that door closes

Threads begin with an empty context, so work goes to threads by `side_by_side`, which gives each a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

LONGEST: Final = 256
"""How much of a name is kept, in characters: it may be anything that somebody sent."""

_NOTHING: Final[Mapping[str, str]] = {}

_known: ContextVar[Mapping[str, str]] = ContextVar("known", default=_NOTHING)


def known() -> Mapping[str, str]:
    """What is known of the work that goes on here."""
    return _known.get()


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Within it these are known too; behind it, only what was known before. Empty ones are left out."""
    token = _known.set(_with(fields))
    try:
        yield
    finally:
        _known.reset(token)


def note(**fields: str) -> None:
    """These are known from now on, until the `about` ends in which this is said."""
    _known.set(_with(fields))


def _with(fields: Mapping[str, str]) -> Mapping[str, str]:
    return {**_known.get(), **{name: text[:LONGEST] for name, text in fields.items() if text}}
