"""Responses about secrets and access tokens."""

from typing import TypedDict

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


class NewAccessToken(AccessToken):
    """A new access token. `token` is its text; it is returned only once."""

    token: str
