"""Roles, and the caller of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chalicelib.service.errors import ServiceError


class Role(StrEnum):
    """What a token is for."""

    VIEWER = "viewer"
    """Reads everything in its namespace but its tokens."""
    ACTION = "action"
    """An action service: answers the steps that it was sent, and nothing else."""
    OPERATOR = "operator"
    """Reads, starts and orders runs, publishes events, answers steps and tasks."""
    AUTHOR = "author"
    """The same, and writes and deletes definitions and ended runs."""
    ADMIN = "admin"
    """The same, and makes and revokes tokens."""

    def covers(self, least: Role) -> bool:
        """Whether it may do what needs the role `least`."""
        return least in _COVERED[self]


_COVERED: Final[Mapping[Role, frozenset[Role]]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.ACTION: frozenset({Role.ACTION}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.ACTION, Role.OPERATOR}),
    Role.AUTHOR: frozenset({Role.VIEWER, Role.ACTION, Role.OPERATOR, Role.AUTHOR}),
    Role.ADMIN: frozenset(Role),
}


class Unauthorized(ServiceError):
    """Nobody knows who asks."""

    code = "unauthorized"


class Forbidden(ServiceError):
    """Whoever asks may not do that."""

    code = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `by` is what the history says, `id` the token's, if there is one. Who is not `bound` may name another
    namespace than `namespace`."""

    id: str = ""
    by: str
    role: Role
    namespace: str
    bound: bool = True
