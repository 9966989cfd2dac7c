"""The contract as OpenAPI 3.1, made from the table of calls, their views, and what `contract` says of them.

Its examples are what the server really answered, one after the other, to a story that a test plays again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from chalicelib import __version__
from chalicelib.config import Access, Settings
from chalicelib.entrypoints.http import auth, contract, responses
from chalicelib.entrypoints.http.adapter import Call, View
from chalicelib.entrypoints.http.bodies import LONGEST
from chalicelib.entrypoints.http.contract import CONTRACT, Told
from chalicelib.model.json_values import Json

Table = Mapping[Call, View]

EXAMPLES: Final = Path(__file__).with_name("examples.json")

_JSON: Final = "application/json"
_PART: Final = re.compile(r"{(\w+)}")
_COMPONENTS: Final = "#/components"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what it was answered with. `media` is the answer's content type."""

    title: str
    call: tuple[str, str]
    path: dict[str, str] = {}
    query: dict[str, Json] = {}
    body: Json = None
    status: int
    media: str = _JSON
    answer: Json


def document(table: Table, settings: Settings) -> dict[str, Json]:
    """The whole contract, as OpenAPI 3.1 JSON, as it holds under these settings."""
    schemas, components = _schemas()
    paths: dict[str, dict[str, Json]] = {}
    for call, view in table.items():
        paths.setdefault(call[1], {})[call[0].lower()] = _operation(call, view, schemas, settings)
    shared: dict[str, Json] = {"schemas": components, "headers": _HEADERS}
    if settings.auth is Access.TOKEN:
        shared["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": _TOKEN}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Echoer",
            "version": __version__,
            "summary": "Business processes as finite state machines: definitions, runs, callbacks, events.",
            "description": _ABOUT,
        },
        "servers": [{"url": settings.url.rstrip("/")}],
        "tags": [{"name": name, "description": told} for name, told in contract.GROUPS.items()],
        "paths": paths,
        "components": shared,
    }


@cache
def exchanges() -> tuple[Exchange, ...]:
    """The examples, in the order in which they happened."""
    return msgspec.json.decode(EXAMPLES.read_bytes(), type=tuple[Exchange, ...])


def role_of(call: Call) -> str:
    """The least role that the call needs; empty for a call that is for everybody."""
    return auth.LEAST[call] or ""


def told_of(view: View) -> tuple[str, str]:
    """The first line of the view's docstring, and the rest of it."""
    first, _, rest = (view.__doc__ or "").strip().partition("\n")
    return first, " ".join(rest.split())


def _schemas() -> tuple[dict[Any, Json], dict[str, Json]]:
    """The schema of each type that the contract names (by its text), and what these refer to."""
    kinds = [kind for told in CONTRACT.values() for kind in (told.answer, told.made, told.body) if kind is not None]
    unique = {str(kind): kind for kind in (*kinds, responses.Error)}
    made, components = msgspec.json.schema_components(
        tuple(unique.values()), ref_template=f"{_COMPONENTS}/schemas/{{name}}"
    )
    ruled = {name: {**schema, **contract.RULES.get(name, {})} for name, schema in components.items()}
    return dict(zip(unique, made, strict=True)), ruled


# ── one call ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _operation(call: Call, view: View, schemas: Mapping[str, Json], settings: Settings) -> dict[str, Json]:
    told, shown = CONTRACT[call], [one for one in exchanges() if one.call == call]
    summary, rest = told_of(view)
    role, tokens = role_of(call), settings.auth is Access.TOKEN
    needs = f"Needs a token of the role `{role}`, or of one that includes it." if tokens and role else ""
    operation: dict[str, Json] = {
        "tags": [told.group],
        "summary": summary,
        "description": " ".join(filter(None, (rest, needs))),
        "operationId": f"{call[0].lower()}{re.sub(r'[^A-Za-z]+', '_', call[1])}".rstrip("_"),
        "parameters": [*_in_path(call, shown), *_in_query(told, shown), *([_NAMESPACE] if role else [])],
        "responses": _responses(call, told, schemas, shown, tokens=tokens),
    }
    if tokens and role:
        free = call == auth.STEP and settings.callbacks is Access.OPEN
        operation["security"] = [{"token": []}, *([{}] if free else [])]
    if told.body is not None:
        operation["requestBody"] = _body(told, schemas[str(told.body)], shown)
    return operation


def _in_path(call: Call, shown: Sequence[Exchange]) -> Iterator[Json]:
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    for name in _PART.findall(call[1]):
        values = [one.path[name] for one in shown if name in one.path]
        yield {"name": name, "in": "path", "required": True, "schema": schema, **_examples(values)}


def _in_query(told: Told, shown: Sequence[Exchange]) -> Iterator[Json]:
    for found in told.query:
        values = [one.query[found.name] for one in shown if found.name in one.query]
        parameter = {"name": found.name, "in": "query", "description": found.told, "schema": found.schema}
        if found.required:
            yield {**parameter, "required": True, **_examples(values)}
        else:
            yield {**parameter, "allowEmptyValue": True, **_examples(values)}


def _examples(values: Sequence[Json]) -> dict[str, Json]:
    """Each of the values once."""
    unique = [value for n, value in enumerate(values) if value not in values[:n]]
    return {"examples": {f"{n}": {"value": value} for n, value in enumerate(unique, 1)}} if unique else {}


def _body(told: Told, schema: Json, shown: Sequence[Exchange]) -> Json:
    given = [one for one in shown if one.body is not None]
    texts = {one.title: {"value": one.body} for one in given if isinstance(one.body, str)}
    values = {one.title: {"value": one.body} for one in given if not isinstance(one.body, str)}
    content: dict[str, Json] = {_JSON: {"schema": schema, **({"examples": values} if values else {})}}
    if told.fsl:
        content["text/plain"] = {"schema": contract.FSL, "examples": texts}
    return {"content": content, "required": told.body not in contract.OPTIONAL}


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _responses(
    call: Call, told: Told, schemas: Mapping[str, Json], shown: Sequence[Exchange], *, tokens: bool
) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if told.answer is not None or told.texts:
        found["200"] = _success(told, 200, told.answer, schemas, shown)
    if told.made is not None:
        found["201"] = _success(told, 201, told.made, schemas, shown)
    statuses = {*contract.ANYWHERE, *told.refused}
    if role_of(call):
        statuses |= {*contract.GUARDED, *([401] if tokens else [])}
    for status in sorted(statuses):
        content = {"schema": schemas[str(responses.Error)], **_answered(shown, status, _JSON)}
        found[str(status)] = {"description": contract.REFUSALS[status], "content": {_JSON: content}}
        found[str(status)]["headers"] = _referred([*_EVERYWHERE, *_REFUSAL_HEADERS.get(status, [])])
    return found


def _success(told: Told, status: int, kind: Any, schemas: Mapping[str, Json], shown: Sequence[Exchange]) -> Json:
    content = {media: {"schema": schema, **_answered(shown, status, media)} for media, schema in told.texts.items()}
    if kind is not None:
        content = {_JSON: {"schema": schemas[str(kind)], **_answered(shown, status, _JSON)}, **content}
    headers = _referred([*_EVERYWHERE, *(["x-next-cursor"] if told.paged else [])])
    response: dict[str, Json] = {"description": _SUCCESS[status], "headers": headers, "content": content}
    if told.named:
        response["links"] = dict(_links(told.named))
    return response


def _answered(shown: Sequence[Exchange], status: int, media: str) -> dict[str, Json]:
    found = {one.title: {"value": one.answer} for one in shown if (one.status, one.media) == (status, media)}
    return {"examples": found} if found else {}


def _links(resource: str) -> Iterator[tuple[str, Json]]:
    """The calls that go on from a resource: those below its path."""
    for method, path in CONTRACT:
        parts = _PART.findall(path)
        if path.startswith(f"/{resource}/{{name}}") and set(parts) <= {"name", "uuid"}:
            values = {part: f"$response.body#/metadata/{part}" for part in parts}
            name = f"{method.lower()}{re.sub(r'[^A-Za-z]+', '_', path)}".rstrip("_")
            yield name, {"operationId": name, "parameters": values}


def _referred(names: Sequence[str]) -> Json:
    return {name: {"$ref": f"{_COMPONENTS}/headers/{name}"} for name in names}


_SUCCESS: Final = {200: "done", 201: "made"}
_SCHEMES: Final[Json] = {"enum": ["Bearer", "StandardWebhooks"]}
_SECONDS: Final[Json] = {"type": "integer", "minimum": 1}
_EVERYWHERE: Final = ("x-request-id",)
_HEADERS: Final[dict[str, Json]] = {
    "x-request-id": {
        "description": "what the log calls this request; the one that the request bears, if it bears one",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    },
    "x-next-cursor": {
        "description": "there is more: `cursor` of the next request. Where it is missing, the list has ended",
        "schema": {"type": "string", "minLength": 1},
    },
    "retry-after": {"description": "seconds", "required": True, "schema": _SECONDS},
    "www-authenticate": {"description": "how to say who asks", "required": True, "schema": _SCHEMES},
}
_REFUSAL_HEADERS: Final = {
    401: ["www-authenticate"],
    429: ["retry-after"],
    503: ["retry-after"],
}
_NAMESPACE: Final[Json] = {
    "name": auth.NAMESPACE,
    "in": "header",
    "description": "the namespace that is meant, where the caller may name one",
    "schema": contract.NAMESPACE,
}
_TOKEN: Final = "`Authorization: Bearer ech_...`; `POST /token` makes tokens, each with a role, for one namespace."  # noqa: S105
_ABOUT: Final = (
    "JSON in and out, UTF-8. Times are RFC 3339, UTC. Lists are arrays; where there is more, the header "
    "`x-next-cursor` holds the `cursor` of the next request. Whatever is refused is answered with `message` and "
    "`error`, of FSL with every diagnostic. Fields and parameters that are not known are let through."
)
