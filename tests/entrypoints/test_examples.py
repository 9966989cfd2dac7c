"""The examples in the OpenAPI document are real responses of the server.

`ECHOER_REGENERATE=1 pytest tests/entrypoints/test_examples.py` rewrites them. Read the difference before you keep it.
"""

from __future__ import annotations

import os

from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.entrypoints.http.openapi.examples import FILE, exchanges
from chalicelib.entrypoints.http.routes import ROUTES
from tests.entrypoints.story import tell, written
from tests.hosts import Host

OF_THEMSELVES = {("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/console/{file}")}
"""Calls that return the examples, or files of the console, have none themselves."""


def test_the_server_answers_as_the_examples_say(host: Host) -> None:
    host.rebuild(replace(host.services.settings, delivery_log=True))
    hosting.use(host.services)
    told = written(tell(host))
    if os.environ.get("ECHOER_REGENERATE") == "1":
        FILE.write_text(told, encoding="utf-8")
    assert told.splitlines() == FILE.read_text(encoding="utf-8").splitlines()


def test_every_call_is_shown_with_a_success() -> None:
    assert {one.call for one in exchanges() if one.status < 300} == {route.call for route in ROUTES} - OF_THEMSELVES
