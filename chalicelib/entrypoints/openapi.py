"""The contract as the code knows it: OpenAPI 3.1, made from the table of calls, its views and its types; and a page."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from chalicelib.definition import Json
from chalicelib.engine.lifecycle import Status
from chalicelib.entrypoints import access, requests, secrets
from chalicelib.entrypoints.door import Answer, View

Table = Mapping[tuple[str, str], View]

VERSION: Final = "0.2.0"

BODIES: Final[dict[tuple[str, str], type[msgspec.Struct]]] = {
    ("POST", "/command"): requests.CommandBody,
    ("POST", "/fsl"): requests.FslBody,
    ("POST", "/action"): requests.FslBody,
    ("POST", "/flow"): requests.FslBody,
    ("POST", "/flowrun"): requests.FslBody,
    ("POST", "/flow/{name}/runs"): requests.StartBody,
    ("POST", "/flowrun/{name}/stop"): requests.StopBody,
    ("POST", "/flowrun/{name}/retry"): requests.RetryBody,
    ("POST", "/flowrun/{name}/signal"): requests.RunSignalBody,
    ("POST", "/flowrun/{name}/vars"): requests.VarsBody,
    ("POST", "/step"): requests.AnswerBody,
    ("POST", "/event"): requests.SignalBody,
    ("PUT", "/secret/{name}"): secrets.SecretBody,
    ("POST", "/token"): access.TokenBody,
}

_NAME: Final = {"metadata.name": "only the one of that name"}
_PAGED: Final = {"limit": "at most so many, 1 to 1000", "cursor": "go on where `x-next-cursor` said"}
_DOCTOR: Final = {"silent": "activations of which nothing was heard for so long are overdue too: 30m", **_PAGED}
QUERIES: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("POST", "/fsl"): {"dry_run": "`true`: check, and tell what would change"},
    ("GET", "/action"): {**_NAME, **_PAGED},
    ("GET", "/flow"): {**_NAME, **_PAGED},
    ("GET", "/event"): {**_NAME, "limit": _PAGED["limit"]},
    ("GET", "/step"): {**_NAME, **_PAGED},
    ("POST", "/step"): {"namespace": "the run's, where it is not the default one"},
    ("GET", "/task"): {"flowId": "of one run", "stepName": "of one step", "limit": _PAGED["limit"]},
    ("GET", "/flowrun"): {
        **_NAME,
        **_PAGED,
        "status": f"one or several of {', '.join(Status)}, joined by commas",
        "flow": "runs of that flow",
        "label": "runs with that label, KEY:VALUE",
        "since": "runs that began at that RFC 3339 time or later",
    },
    ("GET", "/flowrun/{name}/history"): {"after": "entries with higher numbers", **_PAGED},
    ("GET", "/flowrun/{name}/watch"): {
        "after": "entries with higher numbers",
        "wait": "seconds, 0 to 25",
        "limit": _PAGED["limit"],
    },
    ("GET", "/flow/{name}/graph"): {"format": "json, mermaid, dot or svg"},
    ("GET", "/flowrun/{name}/graph"): {"format": "json, mermaid, dot or svg"},
    ("GET", "/doctor"): _DOCTOR,
    ("POST", "/doctor/repair"): _DOCTOR,
    ("GET", "/watch"): {
        "resource": "action, flow, flowrun, step or event; may be given several times",
        "version": "changes after it",
    },
}

REFUSALS: Final = {
    "400": "malformed: the message says what and where",
    "401": "a token is needed, and this is none that counts",
    "403": "the token's role or namespace does not allow it",
    "404": "there is no such thing",
    "409": "the state of things forbids it",
    "413": "too large",
    "422": "well formed, and refused",
    "429": "too many requests: `Retry-After` says when to come again",
    "500": "something went wrong here",
    "503": "try again a little later",
}

_PART: Final = re.compile(r"{(\w+)}")


def document(table: Table) -> dict[str, Json]:
    """The whole contract, as OpenAPI 3.1 JSON."""
    kinds = tuple(dict.fromkeys(BODIES.values()))
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    bodies = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Json]] = {}
    for (method, path), view in table.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, view, bodies)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Echoer",
            "version": VERSION,
            "summary": "Business processes as finite state machines: definitions, runs, callbacks, events.",
        },
        "paths": paths,
        "components": {"schemas": {**components, "Error": _ERROR}},
    }


def page(table: Table) -> Answer:
    """The contract as a page that a browser shows, without a script."""
    rows = "".join(
        f"<tr><td><code>{method}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(_summary(view))}</td></tr>"
        for (method, path), view in table.items()
    )
    return Answer(_PAGE.format(rows=rows), headers={"Content-Type": "text/html; charset=utf-8"})


def _operation(method: str, path: str, view: View, bodies: Mapping[type[msgspec.Struct], Json]) -> dict[str, Json]:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _PART.findall(path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": told, "schema": {"type": "string"}}
        for name, told in QUERIES.get((method, path), {}).items()
    ]
    operation: dict[str, Json] = {
        "summary": _summary(view),
        "operationId": f"{method.lower()}{re.sub(r'[^A-Za-z]+', '_', path)}".rstrip("_"),
        "parameters": parameters,
        "responses": {"200": {"description": "done", "content": {"application/json": {"schema": {}}}}},
    }
    if path == "/flow/{name}/runs":
        operation["responses"]["201"] = {"description": "the run is under way"}
    operation["responses"] |= {
        status: {
            "description": told,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, told in REFUSALS.items()
    }
    body = BODIES.get((method, path))
    if body is not None:
        content: dict[str, Json] = {"application/json": {"schema": bodies[body]}}
        if path == "/fsl":
            content["text/plain"] = {"schema": {"type": "string", "description": "an FSL document"}}
        operation["requestBody"] = {"content": content, "required": True}
    return operation


def _summary(view: View) -> str:
    """The first line of the view's docstring."""
    return (view.__doc__ or "").strip().partition("\n")[0]


_ERROR: Final[dict[str, Json]] = {
    "type": "object",
    "required": ["message", "error"],
    "properties": {
        "message": {"type": "string"},
        "error": {
            "type": "object",
            "required": ["code", "detail"],
            "properties": {
                "code": {"type": "string"},
                "detail": {"type": "string"},
                "diagnostics": {"type": "array", "items": {"type": "object"}},
            },
        },
    },
}

_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Echoer: the HTTP interface</title>
<style>body{{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}}td{{padding:.2rem 1rem .2rem 0;
vertical-align:top}}code{{white-space:nowrap}}</style>
<h1>Echoer: the HTTP interface</h1>
<p>Every call, as the code knows it. For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
<table>{rows}</table></html>
"""
