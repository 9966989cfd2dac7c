"""The contract that the code tells of itself."""

from __future__ import annotations

from chalicelib.entrypoints import openapi
from chalicelib.entrypoints.api import TABLE
from tests.entrypoints.conftest import House
from tests.entrypoints.gateway import call


def test_every_call_is_in_the_contract_with_a_summary(house: House) -> None:
    told = call("GET", "/openapi.json").json
    assert told["openapi"] == "3.1.0"
    calls = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert calls == set(TABLE)
    assert all(found["summary"] for methods in told["paths"].values() for found in methods.values())


def test_bodies_and_parameters_are_of_calls_that_exist() -> None:
    assert set(openapi.BODIES) | set(openapi.QUERIES) <= set(TABLE)


def test_every_call_has_an_id_of_its_own(house: House) -> None:
    told = call("GET", "/openapi.json").json
    ids = [found["operationId"] for methods in told["paths"].values() for found in methods.values()]
    assert len(ids) == len(set(ids))


def test_the_page_tells_of_every_path_and_loads_nothing(house: House) -> None:
    reply = call("GET", "/docs")
    assert reply.status == 200
    assert all(f"<code>{path}</code>" in reply.text for _, path in TABLE)
    assert "<script" not in reply.text
