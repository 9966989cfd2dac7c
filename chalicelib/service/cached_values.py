"""Which stored values processes keep in memory for a while. One that writes such a value tells the others if it can."""

from __future__ import annotations

from chalicelib.service.holds import book
from chalicelib.service.security import secrets, tokens


def is_cached(namespace: str, key: str) -> bool:
    """Return whether a process may keep the versioned value of that key in memory."""
    return key == book.KEY or key.startswith(secrets.PREFIX) or namespace == tokens.RESERVED
