"""Names that requests bring."""

from __future__ import annotations

from chalicelib.model.visible_text import is_safe
from chalicelib.service.errors import Invalid


def refuse_unsafe(what: str, name: str) -> None:
    """Raise Invalid if the name has a control character or one that turns the direction of text."""
    if not is_safe(name):
        reason = "must not contain control characters or characters that turn the direction of text"
        raise Invalid(f"{what} {reason}: {name!a:.80}")
