"""Names that requests bring."""

from __future__ import annotations

from typing import Final

from chalicelib.model.visible_text import is_safe
from chalicelib.service.errors import Invalid

RESERVED: Final = frozenset({"count"})
"""Names that no new run can have, because another call has the path: `GET /flowrun/count`."""


def refuse_reserved(name: str) -> None:
    """Raise Invalid if the run of this name could not be read."""
    if name in RESERVED:
        raise Invalid(f"{name!r} cannot be the name of a run: the path /flowrun/{name} has another meaning")


def refuse_unsafe(what: str, name: str) -> None:
    """Raise Invalid if the name has a control character or one that turns the direction of text."""
    if not is_safe(name):
        reason = "must not contain control characters or characters that turn the direction of text"
        raise Invalid(f"{what} {reason}: {name!a:.80}")
