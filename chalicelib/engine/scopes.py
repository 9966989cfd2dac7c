"""Ids of tokens: the id of a child begins with the id of the token that waits for it."""

from __future__ import annotations

from typing import NamedTuple


def child_id(parent: str, name: str | int) -> str:
    """Return the id of the token of a branch (by its name) or an item (by its index)."""
    return f"{parent}.{str(name).replace('%', '%25').replace('.', '%2E')}"


def in_scope(token: str, scope: str) -> bool:
    """Return whether the token with that id is the token `scope`, or one below it."""
    return token == scope or token.startswith(f"{scope}.")


class ScopePlace(NamedTuple):
    """Where a token is: the innermost branch around it (empty: none), and the innermost item (None: none)."""

    branch: str
    item: int | None


def scope_place(token: str) -> ScopePlace:
    """Return where the token with that id is. A part of an id that is a number is taken for an item."""
    branch, item = "", None
    for part in token.split(".")[1:]:
        if part.isdecimal():
            item = int(part)
        else:
            branch = part.replace("%2E", ".").replace("%25", "%")
    return ScopePlace(branch, item)
