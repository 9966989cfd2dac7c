"""Responses about secrets and access tokens."""

from typing import TypedDict

from chalicelib.config import Access
from chalicelib.entrypoints.http.responses.common import Moment
from chalicelib.service.security.roles import Role


class Secret(TypedDict):
    """A secret of a namespace, without its value."""

    name: str
    set_at: Moment
    set_by: str


class AccessToken(TypedDict):
    """An access token, without its text."""

    id: str
    name: str
    role: Role
    namespace: str
    created_at: Moment
    created_by: str
    expires_at: Moment | None
    revoked_at: Moment | None


class CreatedAccessToken(AccessToken):
    """A new access token. `token` is its text; it is returned only once."""

    token: str


class Limits(TypedDict):
    """The largest response and the largest value, in bytes."""

    answer: int
    value: int


class Me(TypedDict):
    """The caller. `calls` are those that its role permits, as `GET /flowrun`. A caller that is not `bound` may name
    another namespace."""

    by: str
    role: Role
    namespace: str
    bound: bool
    auth: Access
    expires_at: Moment | None
    calls: list[str]
    version: str
    callbacks: Access
    limits: Limits
