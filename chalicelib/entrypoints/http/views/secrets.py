"""Secrets that a namespace keeps for its actions: set, listed, removed, and never told."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chalicelib.entrypoints.http import bodies, responses
from chalicelib.entrypoints.http.adapter import Request
from chalicelib.entrypoints.http.bodies import NoBody
from chalicelib.entrypoints.http.presenters import moment
from chalicelib.model.json_values import ready
from chalicelib.service.security.secrets import MAX_SECRET_BYTES, Secret


class SecretBody(NoBody, frozen=True, kw_only=True):
    """`PUT /secret/{name}`."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SECRET_BYTES)]


def put_secret(request: Request, name: str) -> responses.Secret:
    """The secret has that value: here at once, everywhere within 30 seconds."""
    body = bodies.read(request.body, SecretBody)
    return _shown(request.services.secrets.put(request.namespace, name, body.value, by=request.by))


def list_secrets(request: Request) -> list[responses.Secret]:
    """The names of the namespace's secrets, without their values."""
    return [_shown(secret) for secret in request.services.secrets.of(request.namespace)]


def delete_secret(request: Request, name: str) -> responses.Secret:
    """There is no secret of that name any more: here at once, everywhere within 30 seconds."""
    return _shown(request.services.secrets.delete(request.namespace, name))


def _shown(secret: Secret) -> responses.Secret:
    return {"name": secret.name, "set_at": moment(secret.set_at), "set_by": secret.set_by}


ready(SecretBody)
