"""Roles, and the caller of a request.

    viewer ──┐
    action ──┼── operator ── author ── admin        each role includes those to its left
    clerk  ──┘

The first three are side by side: a viewer answers nothing, an action and a clerk read (almost) nothing, and neither
answers what the other does.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from chalicelib.model.times import Instant
from chalicelib.service.errors import ServiceError


class Role(StrEnum):
    """What the holder of a token may do."""

    VIEWER = "viewer"
    """Read everything in its namespace except the tokens."""
    ACTION = "action"
    """Answer the steps of action services, and nothing else."""
    CLERK = "clerk"
    """Read the inbox, and answer tasks and approvals. Read nothing else, and answer no action's steps."""
    OPERATOR = "operator"
    """Read, start and command runs, publish events, answer steps and tasks."""
    AUTHOR = "author"
    """The same, and write and delete definitions and ended runs."""
    ADMIN = "admin"
    """The same, and create and revoke tokens."""

    def covers(self, least: Role) -> bool:
        """Return whether this role includes the permissions of `least`."""
        return least in _COVERED[self]


_COVERED: Final[Mapping[Role, frozenset[Role]]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.ACTION: frozenset({Role.ACTION}),
    Role.CLERK: frozenset({Role.CLERK}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.ACTION, Role.CLERK, Role.OPERATOR}),
    Role.AUTHOR: frozenset(Role) - {Role.ADMIN},
    Role.ADMIN: frozenset(Role),
}


class Unauthorized(ServiceError):
    """The caller is unknown."""

    code = "unauthorized"


class Forbidden(ServiceError):
    """The caller's role does not allow the call."""

    code = "forbidden"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The caller of a request. `by` is the name that the history records, `id` the id of the token, if there is one.

    A caller that is not `bound` may name another namespace than `namespace`. `expires_at` is the end of its token.
    `anonymous`: it sent neither a token nor a verified signature, to a call that requires none.
    """

    id: str = ""
    by: str
    role: Role
    namespace: str
    bound: bool = True
    expires_at: Instant | None = None
    anonymous: bool = False
