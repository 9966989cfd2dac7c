"""The HTTP request and response as the views see them, independent of Chalice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import msgspec

from chalicelib.engine.values.secret_values import MARK, masked
from chalicelib.entrypoints.http.query import Query
from chalicelib.hosting import Services
from chalicelib.model.json_values import Json

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request.

    `caller` is the name that history and audit record. A `bound` caller may not name another namespace. `arn` is the
    AWS identity that signed the request, as API Gateway verified it; None if there is none. `trace` is the normalized
    `traceparent`; empty if the request has no valid one.
    """

    services: Services
    namespace: str
    caller: str
    query: Query
    headers: Mapping[str, str]
    body: bytes
    bound: bool = True
    arn: str | None = None
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A successful response. `body` is a JSON value, or text if `headers` name another content type."""

    body: Json
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

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
