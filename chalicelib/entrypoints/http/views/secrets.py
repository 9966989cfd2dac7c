"""Calls on the named secrets of a namespace. No call returns a secret's value."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from chalicelib.entrypoints.http import reading, responses
from chalicelib.entrypoints.http.presenters import moment
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import ready
from chalicelib.service.security.roles import Role
from chalicelib.service.security.secrets import MAX_SECRET_BYTES, Secret


class SecretBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of a secret."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SECRET_BYTES)]


def put_secret(request: Request, name: str) -> responses.Secret:
    """Create or replace a secret. Every server uses the new value within 30 seconds."""
    body = reading.read(request.body, SecretBody)
    return _presented(request.services.secrets.put(request.namespace, name, body.value, by=request.caller))


def list_secrets(request: Request) -> list[responses.Secret]:
    """List the names of the namespace's secrets, without their values."""
    return [_presented(secret) for secret in request.services.secrets.of(request.namespace)]


def delete_secret(request: Request, name: str) -> responses.Secret:
    """Delete a secret. Every server stops using it within 30 seconds."""
    return _presented(request.services.secrets.delete(request.namespace, name))


def _presented(secret: Secret) -> responses.Secret:
    return {"name": secret.name, "set_at": moment(secret.set_at), "set_by": secret.set_by}


ready(SecretBody)

ROUTES: Final = (
    Route(
        method="PUT",
        path="/secret/{name}",
        view=put_secret,
        group="secrets",
        role=Role.ADMIN,
        body=SecretBody,
        answers={200: responses.Secret},
        errors=(413, 422),
    ),
    Route(
        method="GET",
        path="/secret",
        view=list_secrets,
        group="secrets",
        role=Role.AUTHOR,
        answers={200: list[responses.Secret]},
    ),
    Route(
        method="DELETE",
        path="/secret/{name}",
        view=delete_secret,
        group="secrets",
        role=Role.ADMIN,
        answers={200: responses.Secret},
        errors=(404,),
    ),
)
