"""Views of access tokens."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chalicelib.entrypoints.http import bodies, responses
from chalicelib.entrypoints.http.adapter import Answer, Request
from chalicelib.entrypoints.http.bodies import NoBody
from chalicelib.entrypoints.http.presenters import moment
from chalicelib.model import times
from chalicelib.model.json_values import Json, ready
from chalicelib.service.errors import Malformed
from chalicelib.service.security.roles import Forbidden, Role
from chalicelib.service.security.tokens import Token


class TokenBody(NoBody, frozen=True, kw_only=True):
    """`POST /token`. `expires_in`: a duration such as 30d; never, if nothing is said."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=bodies.TOKEN_NAME)]
    role: Role
    namespace: bodies.Name | None = None
    expires_in: bodies.Duration | None = None

    def life(self) -> int | None:
        """Milliseconds. Raises Malformed."""
        if self.expires_in is None:
            return None
        found = times.duration(self.expires_in)
        if found is None:
            raise Malformed("`expires_in` must be a duration such as 12h or 30d")
        return found


def make_token(request: Request) -> Json:
    """There is a new token, whose text is told in this answer and never again."""
    body = bodies.read(request.body, TokenBody)
    if not body.name.isprintable():
        raise Malformed("`name` must be of characters that can be printed")
    namespace = body.namespace or request.namespace
    if request.bound and namespace != request.namespace:
        raise Forbidden(f"the token is of namespace {request.namespace!r} alone")
    made = request.services.tokens.make(namespace, body.name, body.role, by=request.by, life=body.life())
    return Answer({**_shown(made.token), "token": made.text}, status=201)


def list_tokens(request: Request) -> Json:
    """The namespace's tokens, without what makes them good."""
    return [_shown(token) for token in request.services.tokens.of(request.namespace)]


def revoke_token(request: Request, token_id: str) -> Json:
    """The token is good no more: here at once, everywhere within 30 seconds."""
    return _shown(request.services.tokens.revoke(request.namespace, token_id))


def _shown(token: Token) -> responses.AccessToken:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "namespace": token.namespace,
        "created_at": moment(token.created_at),
        "created_by": token.created_by,
        "expires_at": moment(token.expires_at),
        "revoked_at": moment(token.revoked_at),
    }


ready(TokenBody)
