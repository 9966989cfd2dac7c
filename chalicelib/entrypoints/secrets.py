"""Secrets that a namespace keeps for its actions: set, listed, removed, and never told."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chalicelib.definition import Json, ready
from chalicelib.entrypoints import requests
from chalicelib.entrypoints.door import Request
from chalicelib.entrypoints.present import moment
from chalicelib.entrypoints.requests import NoBody
from chalicelib.service.secrets import LARGEST, Secret


class SecretBody(NoBody, frozen=True, kw_only=True):
    """`PUT /secret/{name}`."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=LARGEST)]


def put_secret(request: Request, name: str) -> Json:
    """The secret has that value: here at once, everywhere within 30 seconds."""
    body = requests.read(request.body, SecretBody)
    return _shown(request.services.secrets.put(request.namespace, name, body.value, by=request.by))


def list_secrets(request: Request) -> Json:
    """The names of the namespace's secrets, without their values."""
    return [_shown(secret) for secret in request.services.secrets.of(request.namespace)]


def delete_secret(request: Request, name: str) -> Json:
    """There is no secret of that name any more: here at once, everywhere within 30 seconds."""
    return _shown(request.services.secrets.delete(request.namespace, name))


def _shown(secret: Secret) -> dict[str, Json]:
    return {"name": secret.name, "set_at": moment(secret.set_at), "set_by": secret.set_by}


ready(SecretBody)
