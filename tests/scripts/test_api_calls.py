"""The client's calls are generated from the routes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chalicelib.entrypoints.http.routes import ROUTES
from fsl import api_calls
from fsl.api_calls import Call
from fsl.client import Client, ClientError
from scripts.api_calls import FILE, REGISTERED, content, registered


def test_the_files_are_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == content(), "run `python -m scripts.api_calls`"
    assert REGISTERED.read_text(encoding="utf-8") == registered(), "run `python -m scripts.api_calls`"


def test_every_route_is_a_call() -> None:
    calls = {call for call in vars(api_calls).values() if isinstance(call, Call)}
    assert calls == {Call(*route.call, tuple(one.name for one in route.query)) for route in ROUTES}


def test_names_are_encoded_in_the_path() -> None:
    assert api_calls.DELETE_FLOW_NAME_UUID.path_of("a/b", "ü") == "/flow/a%2Fb/%C3%BC"
    with pytest.raises(ValueError, match="takes 1 names, not 0"):
        api_calls.GET_FLOW_NAME.path_of()


def test_the_client_refuses_a_parameter_that_the_call_does_not_have() -> None:
    with pytest.raises(ClientError, match="has no parameter 'colour'"):
        Client().page("flow", colour="red")


def test_the_client_loads_neither_chalice_nor_the_service() -> None:
    code = "import sys, fsl.client; print([name for name in sys.modules if name.startswith(('chalice.', 'boto'))])"
    code += "; print('chalicelib.hosting' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert shown.stdout == "[]\nFalse\n"
