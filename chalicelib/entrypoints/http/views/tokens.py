"""Calls on access tokens."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from chalicelib.entrypoints.http import bodies, reading, responses
from chalicelib.entrypoints.http.presenters import moment
from chalicelib.entrypoints.http.request import Request, Response
from chalicelib.entrypoints.http.route import Route
from chalicelib.model import times
from chalicelib.model.json_values import Json, ready
from chalicelib.service.errors import Malformed
from chalicelib.service.security.roles import Forbidden, Role
from chalicelib.service.security.tokens import Token


class TokenBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new access token. `namespace` defaults to the caller's; `expires_in` is a duration such as `30d`, and the
    token never expires if it is missing."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=reading.MAX_TOKEN_NAME_CHARACTERS)]
    role: Role
    namespace: reading.Name | None = None
    expires_in: bodies.Duration | None = None

    def lifetime_ms(self) -> int | None:
        """Return the lifetime in milliseconds; None for a token that never expires. Raises Malformed."""
        if self.expires_in is None:
            return None
        found = times.duration(self.expires_in)
        if found is None:
            raise Malformed(f"`expires_in` must be a duration such as 12h or 30d, not {self.expires_in!r:.60}")
        return found


def make_token(request: Request) -> Json:
    """Create an access token. Only this response contains its text; store it now."""
    body = reading.read(request.body, TokenBody)
    if not body.name.isprintable():
        raise Malformed(f"`name` must have printable characters only, not {body.name!a:.80}")
    namespace = body.namespace or request.namespace
    if request.bound and namespace != request.namespace:
        raise Forbidden(f"the token is valid only in namespace {request.namespace!r}")
    created = request.services.tokens.make(namespace, body.name, body.role, by=request.caller, life=body.lifetime_ms())
    return Response({**_presented(created.token), "token": created.text}, status=201)


def list_tokens(request: Request) -> Json:
    """List the namespace's access tokens, without their texts."""
    return [_presented(token) for token in request.services.tokens.of(request.namespace)]


def revoke_token(request: Request, token_id: str) -> Json:
    """Revoke an access token. Every server refuses it within 30 seconds."""
    return _presented(request.services.tokens.revoke(request.namespace, token_id))


def _presented(token: Token) -> responses.AccessToken:
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

ROUTES: Final = (
    Route(
        method="POST",
        path="/token",
        view=make_token,
        group="tokens",
        role=Role.ADMIN,
        body=TokenBody,
        answers={201: responses.CreatedAccessToken},
        errors=(413, 422),
    ),
    Route(
        method="GET",
        path="/token",
        view=list_tokens,
        group="tokens",
        role=Role.ADMIN,
        answers={200: list[responses.AccessToken]},
    ),
    Route(
        method="DELETE",
        path="/token/{token_id}",
        view=revoke_token,
        group="tokens",
        role=Role.ADMIN,
        answers={200: responses.AccessToken},
        errors=(404,),
    ),
)
