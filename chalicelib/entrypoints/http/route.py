"""`Route`: one HTTP call. Routing, roles, the OpenAPI document, the documentation and the client are made from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from chalice.app import Response

from chalicelib.entrypoints.http.parameters import Parameter
from chalicelib.entrypoints.http.reading import MAX_TEXT_CHARACTERS
from chalicelib.entrypoints.http.request import JSON
from chalicelib.model.json_values import Json
from chalicelib.service.security.roles import Role

View: TypeAlias = Callable[..., Json]
"""`view(request, **names in the path)` returns a JSON value or a Response. It may raise any EchoerError."""

_PATH_PARAMETER: Final = re.compile(r"{(\w+)}")
_NO_LETTERS: Final = re.compile(r"[^A-Za-z]+")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP call.

    method, path: the call, for example `GET` and `/flow/{name}`.
    view: the function that responds. Its docstring is the summary and the description of the call.
    group: the chapter of the documentation.
    role: the minimum role of a token; None if the call is public.
    other_roles: roles that may call it, too, and do not include `role`.
    rate: the most requests per second of one token or signer, in each container; 0: only the settings limit them.
    query: the parameters after the `?`.
    body: the type of the JSON body; None if the call takes no body.
    other_body: the type of another form of the JSON body that is accepted as well.
    media_bodies: other content types of the body that are accepted as well -> their type.
    text_body: the JSON schema of a `text/plain` body that is accepted as well.
    answers: HTTP status -> type of the JSON body, or its name in `responses`, which a first request does not load then.
    media: other content types of a 200 -> JSON schema.
    errors: statuses of errors that this call has in addition to those of every call.
    paged: the response has `x-next-cursor` if the list continues.
    tagged: the response has an `ETag`, and a request with `If-None-Match` may be answered 304.
    headers: names of other headers of its responses, which `openapi.document` describes.
    resource: the path below which the calls on the returned resource are, for example `flowrun`.
    example: the title of the example that the documentation shows at its beginning.
    error_response: `make(error, request id)` makes the response to an error, if its protocol is another.
    error_media: the content type of an error's response.
    max_name_characters: the maximum length of a part of the path.
    """

    method: str
    path: str
    view: View
    group: str
    role: Role | None
    other_roles: tuple[Role, ...] = ()
    rate: int = 0
    query: tuple[Parameter, ...] = ()
    body: Any = None
    other_body: Any = None
    media_bodies: Mapping[str, Any] = msgspec.field(default_factory=dict)
    text_body: Json = None
    answers: Mapping[int, Any] = msgspec.field(default_factory=dict)
    media: Mapping[str, Json] = msgspec.field(default_factory=dict)
    errors: tuple[int, ...] = ()
    paged: bool = False
    headers: tuple[str, ...] = ()
    tagged: bool = False
    resource: str = ""
    example: str = ""
    error_response: Callable[[Exception, str], Response] | None = None
    error_media: str = JSON
    max_name_characters: int = MAX_TEXT_CHARACTERS

    @property
    def call(self) -> tuple[str, str]:
        """The method and the path."""
        return self.method, self.path

    @property
    def answer_types(self) -> dict[int, Any]:
        """The types of `answers`."""
        from chalicelib.entrypoints.http import responses

        return {
            status: getattr(responses, kind) if isinstance(kind, str) else kind for status, kind in self.answers.items()
        }

    @property
    def operation_id(self) -> str:
        """The name of the call in the OpenAPI document and in the client, for example `get_flow_name`."""
        return f"{self.method.lower()}{_NO_LETTERS.sub('_', self.path)}".rstrip("_")

    @property
    def path_parameters(self) -> list[str]:
        return _PATH_PARAMETER.findall(self.path)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles of which one is required; empty if the call is public."""
        return () if self.role is None else (self.role, *self.other_roles)

    def allows(self, role: Role) -> bool:
        """Return whether a caller with that role may make the call."""
        return self.role is None or any(map(role.covers, self.roles))

    @property
    def is_public(self) -> bool:
        """Whether it needs no caller."""
        return self.role is None

    @property
    def is_callback(self) -> bool:
        """Whether actions call it to answer a step. Callbacks can be open when everything else requires a token."""
        return self.role is Role.ACTION
