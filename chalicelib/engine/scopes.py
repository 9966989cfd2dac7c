"""Ids of tokens: the id of a child begins with the id of the token that waits for it."""

from __future__ import annotations


def child_id(parent: str, name: str | int) -> str:
    """Return the id of the token of a branch (by its name) or an item (by its index)."""
    return f"{parent}.{str(name).replace('%', '%25').replace('.', '%2E')}"


def in_scope(token: str, scope: str) -> bool:
    """Return whether the token with that id is the token `scope`, or one below it."""
    return token == scope or token.startswith(f"{scope}.")
