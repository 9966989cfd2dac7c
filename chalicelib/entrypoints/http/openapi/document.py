"""The OpenAPI 3.1 document, made from the routes and the recorded examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chalicelib import __version__
from chalicelib.config import Access, Settings
from chalicelib.entrypoints.http import parameters, register, responses
from chalicelib.entrypoints.http.auth import NAMESPACE
from chalicelib.entrypoints.http.errors import CODES
from chalicelib.entrypoints.http.openapi.examples import Exchange, exchanges
from chalicelib.entrypoints.http.openapi.schemas import COMPONENTS, plain, schemas_of
from chalicelib.entrypoints.http.request import JSON
from chalicelib.entrypoints.http.route import Route, View
from chalicelib.model.json_values import Json

GROUPS: Final = {
    "definitions": "Actions and flows, in versions. They are defined in FSL; the manual describes the language.",
    "runs": "Runs of flows: start, find, follow and command them.",
    "batches": "Commands over many runs, in the background.",
    "steps": "Steps that runs wait for, tasks for people, and the answers of actions and people.",
    "events": "Events that are published for runs to wait for.",
    "schedules": "Schedules, which start runs of flows at certain times.",
    "secrets": "Named secrets that actions use. No call returns a secret's value.",
    "tokens": "Access tokens.",
    "server": "The server itself, its terminal, and the doctor, which finds and repairs runs that make no progress.",
}
"""The chapters of the documentation."""

ERRORS: Final = {
    400: "The request does not have the documented form. The message names the field and what is expected.",
    401: "The request requires a valid token, or a valid signature for a step that requires one.",
    403: "The token's role or namespace does not permit the request, or it comes from a page of another site.",
    404: "The resource does not exist.",
    409: "The state of the resource does not permit the request.",
    410: "The resource existed, and is no longer available.",
    413: "A value is too large. The message names the limit.",
    422: "The request is well formed but not valid. The message says why.",
    429: "Too many requests. Send the request again after `Retry-After` seconds.",
    500: "An unexpected error. The server logs the details with the request id in the message.",
    503: "The server is overloaded. Send the request again after `Retry-After` seconds.",
}
"""The meaning of each error status that calls declare."""

_ERRORS_OF_ALL: Final = (429, 500, 503)
_ERRORS_WITH_ROLE: Final = (400, 403, 413)


@dataclass(frozen=True, slots=True)
class _Source:
    """What the document is made from: the routes, the JSON schema of each type that they name, and the settings."""

    routes: Sequence[Route]
    schemas: Mapping[str, Json]
    settings: Settings

    @property
    def tokens(self) -> bool:
        return self.settings.auth is Access.TOKEN


def document(routes: Sequence[Route], settings: Settings) -> dict[str, Json]:
    """Return the OpenAPI document of a server with these settings, as JSON."""
    schemas, components = schemas_of(routes)
    source = _Source(routes, schemas, settings)
    paths: dict[str, dict[str, Json]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, source)
    shared: dict[str, Json] = {"schemas": components, "headers": _HEADERS}
    if source.tokens:
        shared["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": _AUTHENTICATION}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Echoer",
            "version": __version__,
            "summary": "Business processes as finite state machines: definitions, runs, callbacks, events.",
            "description": _INTRODUCTION,
        },
        "servers": [{"url": settings.url.rstrip("/")}],
        "tags": [{"name": name, "description": description} for name, description in GROUPS.items()],
        "paths": paths,
        "components": shared,
    }


def summary_of(view: View) -> tuple[str, str]:
    """Return the first paragraph of the view's docstring, and the rest of it."""
    summary, _, description = (view.__doc__ or "").strip().partition("\n\n")
    return " ".join(summary.split()), " ".join(description.split())


# ── one call ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _operation(route: Route, source: _Source) -> dict[str, Json]:
    shown = [one for one in exchanges() if one.call == route.call]
    summary, description = summary_of(route.view)
    requires_token = source.tokens and route.role is not None
    role = _role_text(route) if requires_token else ""
    operation: dict[str, Json] = {
        "tags": [route.group],
        "summary": summary,
        "description": " ".join(filter(None, (description, _other_body_text(route), role))),
        "operationId": route.operation_id,
        "parameters": [*_in_path(route, shown), *_in_query(route, shown), *([_NAMESPACE] if route.role else [])],
        "responses": _responses(route, source, shown),
    }
    if requires_token:
        is_optional = not register.requires_caller(route, source.settings.callbacks)
        operation["security"] = [{"token": []}, *([{}] if is_optional else [])]
    if route.body is not None or route.media_bodies:
        operation["requestBody"] = _body(route, source, shown)
    return operation


def _other_body_text(route: Route) -> str:
    """Return which other form the body may have. A schema with both would give clients a type for neither."""
    return f"The body may have the form `{route.other_body.__name__}` instead." if route.other_body else ""


def _role_text(route: Route) -> str:
    roles = " or ".join(f"`{role}`" for role in route.roles)
    return (
        f"Requires a token with the role {roles}, or a role that includes {'it' if len(route.roles) == 1 else 'one'}."
    )


def _in_path(route: Route, shown: Sequence[Exchange]) -> Iterator[Json]:
    schema = {"type": "string", "minLength": 1, "maxLength": route.max_name_characters}
    for name in route.path_parameters:
        values = [one.path[name] for one in shown if name in one.path]
        yield {"name": name, "in": "path", "required": True, "schema": schema, **_examples(values)}


def _in_query(route: Route, shown: Sequence[Exchange]) -> Iterator[Json]:
    for found in route.query:
        values = [one.query[found.name] for one in shown if found.name in one.query]
        parameter = {"name": found.name, "in": "query", "description": found.description, "schema": plain(found.schema)}
        if found.required:
            yield {**parameter, "required": True, **_examples(values)}
        else:
            yield {**parameter, "allowEmptyValue": True, **_examples(values)}


def _examples(values: Sequence[Json]) -> dict[str, Json]:
    """Return each distinct value as an example."""
    unique = [value for n, value in enumerate(values) if value not in values[:n]]
    return {"examples": {f"{n}": {"value": value} for n, value in enumerate(unique, 1)}} if unique else {}


def _body(route: Route, source: _Source, shown: Sequence[Exchange]) -> Json:
    given = [one for one in shown if one.body is not None]
    texts = {one.title: {"value": one.body} for one in given if isinstance(one.body, str)}
    content: dict[str, Json] = {}
    if route.body is not None:
        values = {one.title: {"value": one.body} for one in given if _is_of(route.body, one.body)}
        content[JSON] = {"schema": source.schemas[str(route.body)], **({"examples": values} if values else {})}
    content |= {media: {"schema": source.schemas[str(kind)]} for media, kind in route.media_bodies.items()}
    if route.text_body is not None:
        content["text/plain"] = {"schema": route.text_body, "examples": texts}
    kinds = (route.body,) if route.body is not None else route.media_bodies.values()
    fields = [field for kind in kinds for field in msgspec.structs.fields(kind)]
    return {"content": content, "required": any(field.required for field in fields)}


def _is_of(kind: Any, value: Json) -> bool:
    """Return whether the value has the form of the type. Some calls accept a second form (`other_body`)."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


# ── responses ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _responses(route: Route, source: _Source, shown: Sequence[Exchange]) -> dict[str, Json]:
    found = {
        str(status): _success(route, status, source, shown)
        for status in sorted({*route.answers, *([200] if route.media else [])})
    }
    if route.tagged:
        headers = _header_references([*_HEADERS_OF_ALL, "etag"])
        found["304"] = {"description": _SUCCESS[304], "headers": headers, "content": {}}
    statuses = {*_ERRORS_OF_ALL, *route.errors}
    if route.role is not None:
        statuses |= {*_ERRORS_WITH_ROLE, *([401] if source.tokens else [])}
    for status in sorted(statuses):
        found[str(status)] = {
            "description": f"{ERRORS[status]} {codes_of(status)}",
            "content": {route.error_media: _error_content(route, status, source, shown)},
            "headers": _header_references([*_HEADERS_OF_ALL, *_HEADERS_OF_ERROR.get(status, [])]),
        }
    return found


def _error_content(route: Route, status: int, source: _Source, shown: Sequence[Exchange]) -> Json:
    schema = source.schemas[str(responses.Error)] if route.error_media == JSON else {"type": "string"}
    return {"schema": schema, **_answers(shown, status, route.error_media)}


def codes_of(status: int) -> str:
    """Return a sentence with the error codes that have this status."""
    codes = [f"`{code}`" for code, one in CODES.items() if one.status == status]
    return f"{'Code' if len(codes) == 1 else 'Codes'}: {', '.join(codes)}."


def _success(route: Route, status: int, source: _Source, shown: Sequence[Exchange]) -> Json:
    content: dict[str, Json] = {}
    if status in route.answers:
        content[JSON] = {"schema": source.schemas[str(route.answer_types[status])], **_answers(shown, status, JSON)}
    if status == 200:
        for media, schema in route.media.items():
            content[media] = {"schema": schema, **_answers(shown, status, media)}
    headers = _header_references(
        [
            *_HEADERS_OF_ALL,
            *(["x-next-cursor"] if route.paged else []),
            *(["etag"] if route.tagged else []),
            *route.headers,
        ]
    )
    response: dict[str, Json] = {"description": _SUCCESS[status], "headers": headers, "content": content}
    if route.resource:
        response["links"] = dict(_links(route.resource, source.routes))
    return response


def _answers(shown: Sequence[Exchange], status: int, media: str) -> dict[str, Json]:
    found = {one.title: {"value": one.answer} for one in shown if (one.status, one.media) == (status, media)}
    return {"examples": found} if found else {}


def _links(resource: str, routes: Sequence[Route]) -> Iterator[tuple[str, Json]]:
    """Yield the calls on a resource: those with a path below its path."""
    for route in routes:
        parts = route.path_parameters
        if route.path.startswith(f"/{resource}/{{name}}") and set(parts) <= {"name", "uuid"}:
            values = {part: f"$response.body#/metadata/{part}" for part in parts}
            yield route.operation_id, {"operationId": route.operation_id, "parameters": values}


def _header_references(names: Sequence[str]) -> Json:
    return {name: {"$ref": f"{COMPONENTS}/headers/{name}"} for name in names}


_SUCCESS: Final = {
    200: "Success.",
    201: "Created.",
    202: "Accepted. The work goes on in the background.",
    304: "The representation with the tag of `If-None-Match` is current.",
}
_SCHEMES: Final[Json] = {"enum": ["Bearer", "StandardWebhooks"]}
_SECONDS: Final[Json] = {"type": "integer", "minimum": 1}
_HEADERS_OF_ALL: Final = ("x-request-id",)
_HEADERS: Final[dict[str, Json]] = {
    "x-request-id": {
        "description": "The id of the request in the server's log: the one that the client sent or, if it sent none, "
        "a new one.",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    },
    "x-next-cursor": {
        "description": "The `cursor` of the next page. If the header is missing, this page is the last one.",
        "schema": {"type": "string", "minLength": 1},
    },
    "etag": {
        "description": "Identifies the representation, for `If-None-Match`. What can change has none.",
        "schema": {"type": "string", "minLength": 1},
    },
    "x-total-approx": {
        "description": "About how many entries the whole list has. The header is missing where that is not known.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "content-disposition": {
        "description": "The name of the file to store the response in, where it is to be stored.",
        "schema": {"type": "string"},
    },
    "x-read": {
        "description": "How many entries were looked through for this page.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "retry-after": {"description": "The number of seconds to wait.", "required": True, "schema": _SECONDS},
    "www-authenticate": {"description": "How to authenticate.", "required": True, "schema": _SCHEMES},
}
_HEADERS_OF_ERROR: Final = {401: ["www-authenticate"], 429: ["retry-after"], 503: ["retry-after"]}
_NAMESPACE: Final[Json] = {
    "name": NAMESPACE,
    "in": "header",
    "description": "The namespace of the request. A token is valid only in its own namespace; the default is that one.",
    "schema": parameters.NAMESPACE,
}
_AUTHENTICATION: Final = (
    "Send the header `Authorization: Bearer ech_...`. `POST /token` creates tokens, each with a role in one namespace."
)
_INTRODUCTION: Final = (
    "Requests and responses are JSON in UTF-8. Times are RFC 3339 in UTC. Lists are JSON arrays; if there are more "
    "entries, the header `x-next-cursor` has the `cursor` of the next page. Every error has a `message` for people and "
    "an `error` with a `code` for programs; errors in FSL list every diagnostic. Unknown fields and parameters are "
    "refused, except by the calls of the original echoer."
)
