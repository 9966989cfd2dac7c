"""The HTTP request and response as the views see them, independent of Chalice."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from chalicelib.config import Access, callback_url_at
from chalicelib.engine.senders import Sender
from chalicelib.engine.values.secret_values import MARK, masked
from chalicelib.entrypoints.http.query import Query
from chalicelib.hosting import Services
from chalicelib.model.json_values import Json
from chalicelib.service.security.roles import Caller, Role

JSON: Final = "application/json"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request.

    `caller` is the name that history and audit record. A `bound` caller may not name another namespace. `identity` is
    what is known of the caller; None before it is authenticated, and in calls that are public. `arn` is the AWS
    identity that signed the request, as API Gateway verified it; None if there is none. `trace` is the normalized
    `traceparent`; empty if the request has no valid one. `base_url` is the URL of the API as clients reach it.
    """

    services: Services
    namespace: str
    caller: str
    query: Query
    headers: Mapping[str, str]
    body: bytes
    bound: bool = True
    identity: Caller | None = None
    arn: str | None = None
    trace: str = ""
    base_url: str = ""

    @property
    def callback_url(self) -> str:
        """The URL to which actions send their answers."""
        return callback_url_at(self.services.settings.callback_base or self.base_url)

    @property
    def sender(self) -> Sender:
        """Which answers to steps the caller may give. An open server does not tell people and action services apart."""
        if self.identity is None or self.services.settings.auth is Access.OPEN:
            return Sender.ANY
        return {Role.ACTION: Sender.SERVICE, Role.CLERK: Sender.PERSON}.get(self.identity.role, Sender.ANY)


class Response(msgspec.Struct, frozen=True):
    """A successful response. `body` is a JSON value, or text if `headers` name another content type."""

    body: Json
    status: int = 200
    headers: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def all_headers(self) -> dict[str, str]:
        return {"Content-Type": JSON, **self.headers}

    def text(self) -> str:
        if self.status == HTTPStatus.NOT_MODIFIED:
            return ""
        return encoded(self.body) if self.all_headers["Content-Type"] == JSON else str(self.body)


def encoded(value: Json) -> str:
    """Return the value as JSON text, with every encrypted secret in it masked."""
    text = msgspec.json.encode(value)
    return (msgspec.json.encode(masked(msgspec.to_builtins(value))) if MARK in text else text).decode()
