"""The OpenAPI document and its page."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from chalicelib.config import Access, Settings
from chalicelib.entrypoints.http.errors import CODES
from chalicelib.entrypoints.http.openapi.document import ERRORS, document
from chalicelib.entrypoints.http.openapi.examples import exchanges
from chalicelib.entrypoints.http.openapi.made_once import MadeOnce
from chalicelib.entrypoints.http.openapi.page import curl
from chalicelib.entrypoints.http.routes import ROUTES
from chalicelib.entrypoints.http.views.watch import STREAM
from tests.entrypoints.gateway import call
from tests.hosts import Host

OPEN = document(ROUTES, Settings())
TOKENS = document(ROUTES, Settings(auth=Access.TOKEN))
PUBLIC = {route.call for route in ROUTES if route.role is None}
OPERATIONS = {
    (method.upper(), path): told for path, methods in OPEN["paths"].items() for method, told in methods.items()
}


def examples(at: Any) -> list[tuple[Any, Any]]:
    """Yield (schema, value) of every example in the document."""
    if isinstance(at, list):
        return [found for one in at for found in examples(one)]
    if not isinstance(at, dict):
        return []
    own = at.get("examples") if "schema" in at else None
    values = [one["value"] for one in own.values()] if isinstance(own, dict) else []
    if at.get("schema") == STREAM:
        values = [event for text in values for event in events(text)]
    return [(at["schema"], value) for value in values] + [
        found for name, one in at.items() if name != "examples" for found in examples(one)
    ]


def events(stream: str) -> list[dict[str, Any]]:
    """Parse the server-sent events in the text."""
    found = [dict(line.split(": ", 1) for line in event.splitlines()) for event in stream.split("\n\n") if event]
    return [{**event, "retry": int(event["retry"])} if "retry" in event else event for event in found]


def test_every_call_is_in_the_contract_with_a_summary(host: Host) -> None:
    told = call("GET", "/openapi.json").json
    assert told["openapi"] == "3.1.0"
    calls = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert calls == {route.call for route in ROUTES}
    assert all(found["summary"] for methods in told["paths"].values() for found in methods.values())


def test_every_call_has_an_id_of_its_own(host: Host) -> None:
    told = call("GET", "/openapi.json").json
    ids = [found["operationId"] for methods in told["paths"].values() for found in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("of", OPERATIONS, ids=" ".join)
def test_every_answer_of_a_call_has_a_schema(of: tuple[str, str]) -> None:
    for status, response in OPERATIONS[of]["responses"].items():
        assert bool(response["content"]) is (status != "304"), status
        assert all(found["schema"] for found in response["content"].values()), status


def test_every_example_is_of_its_schema() -> None:
    """These include examples of parameters and bodies."""
    found = examples(OPEN["paths"])
    assert len(found) >= 150
    for schema, value in found:
        whole = {**schema, "components": OPEN["components"]}
        Draft202012Validator(whole, validate_formats=True).validate(value)


def test_every_link_leads_to_a_call() -> None:
    ids = {told["operationId"]: told for told in OPERATIONS.values()}
    links = [
        link
        for told in OPERATIONS.values()
        for response in told["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(links) > 10
    for link in links:
        names = {one["name"] for one in ids[link["operationId"]]["parameters"] if one["in"] == "path"}
        assert set(link["parameters"]) == names


def test_all_calls_but_the_public_ones_document_their_token() -> None:
    assert "securitySchemes" not in OPEN["components"]
    for route in ROUTES:
        told, least = TOKENS["paths"][route.path][route.method.lower()], route.role
        assert (told.get("security", []) != []) == ("401" in told["responses"]) == (least is not None)
        assert (f"`{least}`" in told["description"]) == (least is not None)


@pytest.mark.parametrize("of", [OPEN, TOKENS], ids=["open", "tokens"])
def test_the_page_s_commands_are_the_requests_of_the_examples(of: dict[str, Any]) -> None:
    for one in exchanges():
        asked = argparse.ArgumentParser(exit_on_error=False)
        asked.add_argument("-X", default="GET")
        asked.add_argument("-H")
        asked.add_argument("--data-binary")
        asked.add_argument("url")
        program, *words = shlex.split(curl(of, one))
        found = asked.parse_args(words)
        assert (program, found.X) == ("curl", one.call[0])
        assert found.url.startswith(f"http://127.0.0.1:8080{one.call[1].partition('{')[0]}")
        assert found.data_binary is None or found.data_binary == one.body or json.loads(found.data_binary) == one.body
        assert (found.data_binary is None) == (one.body is None)
        assert (found.H is None) == (of is OPEN or one.call in PUBLIC)


def test_the_page_tells_of_every_path_and_type_and_loads_nothing(host: Host) -> None:
    reply = call("GET", "/docs")
    assert reply.status == 200
    assert all(f"<code>{path}</code>" in reply.text for path in OPEN["paths"])
    assert all(f'id="type-{name}"' in reply.text for name in OPEN["components"]["schemas"])
    assert not any(word in reply.text for word in ("<script", "src=", "url(", "@import", "<link"))


def test_the_document_is_made_once_for_the_settings() -> None:
    """Everybody may ask for it, and making it takes long."""
    made: list[Settings] = []

    def make(settings: Settings) -> str:
        made.append(settings)
        return settings.url

    once, settings = MadeOnce(make), (Settings(url="http://a"), Settings(url="http://b"))
    assert [once.of(settings[number]) for number in (0, 0, 1, 1, 0)] == [f"http://{name}" for name in "aabba"]
    assert [one.url for one in made] == ["http://a", "http://b", "http://a"]


def test_the_document_and_the_page_list_every_error_code(host: Host) -> None:
    assert OPEN["components"]["schemas"]["Detail"]["properties"]["code"]["enum"] == list(CODES)
    page = call("GET", "/docs").text
    assert all(f"<code>{code}</code>" in page for code in CODES)
    for operation in OPERATIONS.values():
        for status, response in operation["responses"].items():
            codes = [f"`{code}`" for code, one in CODES.items() if str(one.status) == status]
            assert all(code in response["description"] for code in codes), response["description"]
            assert (int(status) in ERRORS) == bool(codes)


def test_the_beginning_of_the_page_shows_examples_of_the_routes() -> None:
    shown = [(route.call, route.example) for route in ROUTES if route.example]
    assert len(shown) >= 5
    assert set(shown) <= {(one.call, one.title) for one in exchanges()}


def test_a_body_is_required_if_one_of_its_fields_is() -> None:
    required = {of: told["requestBody"]["required"] for of, told in OPERATIONS.items() if "requestBody" in told}
    assert required["POST", "/event"]
    assert not required["POST", "/flow/{name}/runs"]


# ── what generators of clients need ──────────────────────────────────────────────────────────────────────────────────

SCHEMAS: dict[str, Any] = OPEN["components"]["schemas"]


def parts(at: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema in a part of the document, examples excluded."""
    if isinstance(at, list):
        for one in at:
            yield from parts(one)
    if isinstance(at, dict):
        yield at
        for name, one in at.items():
            if name == "properties":
                yield from parts(list(one.values()))
            elif name not in ("examples", "default", "enum", "text/event-stream"):
                yield from parts(one)


def pascal(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))


def test_names_of_types_collide_neither_with_each_other_nor_with_what_generators_derive() -> None:
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) for name in SCHEMAS)  # of two equal names, both are qualified
    lower = [name.lower() for name in SCHEMAS]
    assert len(lower) == len(set(lower))
    assert not {f"New{name}" for name in SCHEMAS} & SCHEMAS.keys()  # Go's constructors
    inline = {
        f"{name}{pascal(field)}"
        for name, schema in SCHEMAS.items()
        for field, one in schema.get("properties", {}).items()
        if {"enum", "additionalProperties"} & one.keys() or len(one.get("anyOf", [])) > 2
    }
    assert not {name.lower() for name in inline} & set(lower)
    assert not {"response", "client", "unset", "configuration", "apiclient", "file"} & set(lower)


def test_types_are_objects_without_alternatives() -> None:
    for name, schema in SCHEMAS.items():
        assert schema["type"] == "object", name
        assert not {"anyOf", "oneOf", "allOf", "not", "enum"} & schema.keys(), name
    for of, told in OPERATIONS.items():
        for media in told.get("requestBody", {}).get("content", {}).values():
            assert not {"anyOf", "oneOf"} & media["schema"].keys(), of


def test_schemas_use_what_every_generator_reads() -> None:
    for schema in parts([SCHEMAS, OPEN["paths"]]):
        assert "prefixItems" not in schema
        if schema.get("type") == "object" and "properties" not in schema:
            assert schema["additionalProperties"] not in ({}, False), schema
        if schema.get("type") == "integer" and schema.get("maximum", 1 << 31) >= 1 << 31:
            assert schema["format"] == "int64", schema
        if "default" in schema:
            assert schema["default"], schema
            assert "anyOf" not in schema, schema
