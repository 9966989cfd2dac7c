"""Roles, and the caller of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chalicelib.service.errors import ServiceError


class Role(StrEnum):
    """What the holder of a token may do."""

    VIEWER = "viewer"
    """Read everything in its namespace except the tokens."""
    ACTION = "action"
    """Answer the steps of action services, and nothing else."""
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
    Role.OPERATOR: frozenset({Role.VIEWER, Role.ACTION, Role.OPERATOR}),
    Role.AUTHOR: frozenset({Role.VIEWER, Role.ACTION, Role.OPERATOR, Role.AUTHOR}),
    Role.ADMIN: frozenset(Role),
}


class Unauthorized(ServiceError):
    """The caller is unknown."""

    code = "unauthorized"


class Forbidden(ServiceError):
    """The caller's role does not allow the call."""

    code = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The caller of a request. `by` is the name that the history records, `id` the id of the token, if there is one.

    A caller that is not `bound` may name another namespace than `namespace`.
    """

    id: str = ""
    by: str
    role: Role
    namespace: str
    bound: bool = True
