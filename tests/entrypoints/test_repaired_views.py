"""Every view of a run is answered when the run has moved to a version that lacks the steps that it passed."""

from __future__ import annotations

import pytest

from chalicelib.entrypoints.http.routes import ROUTES
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import answered, defined
from tests.hosts import Host, accept

ACTION = 'action work addr = "http://a.test/"; return = (OK | BAD); action_end'
BEFORE = """flow f
    step A => (OK -> E | BAD -> stopped) { action = work; };
    each E => (DONE -> F | FAIL -> stopped) { items = [1, 2]; step I => (OK -> done) { action = work; }; };
    fork F => (DONE -> L | FAIL -> stopped) { branch b { step B => (OK -> done) { action = work; }; }; };
    step L => (OK -> done | BAD -> stopped) { action = work; };
flow_end"""
AFTER = """flow f
    step L => (OK -> M | BAD -> stopped) { action = work; };
    step M => (OK -> done | BAD -> stopped) { action = work; };
flow_end"""


@pytest.fixture
def moved(host: Host) -> str:
    """The uuid of the first activation of run `r`, whose version lacks all of its steps but the last."""
    defined(ACTION, BEFORE)
    host.actions.script = accept
    first: str = call("POST", "/flow/f/runs", {"name": "r"}).json["spec"]["tokens"][0]["uuid"]
    host.settle()
    for step in ("A", "I", "I", "B"):
        host.answer(step, "OK")
        host.settle()
    defined(ACTION, AFTER)
    assert call("POST", "/flowrun/r/migrate", {"version": "latest"}).status == 200
    return first


def test_every_view_of_the_run_is_answered(moved: str, host: Host) -> None:
    paths = [route.path for route in ROUTES if route.method == "GET" and route.path.startswith("/flowrun")]
    assert len(paths) > 5
    for path in paths:
        filled = path.replace("{name}", "r").replace("{uuid}", moved).replace("{key}", "none")
        reply = call("GET", f"{filled}?wait=0" if filled.endswith("/watch") else filled)
        assert reply.status in (200, 404, 400), (filled, reply.text)
    for form in ("json", "mermaid", "dot", "svg"):
        assert call("GET", f"/flowrun/r/graph?format={form}").status == 200
    for path in ("/step", "/flowrun?view=full", "/flowrun/r?view=full", "/task", "/doctor", "/timer"):
        assert call("GET", path).status == 200, path
    run = call("GET", "/flowrun/r").json
    assert run["spec"]["current_state"] == "L"
    assert call("POST", "/step", answered(run)).json == {"outcome": "advanced"}
    host.answer("M", "OK")
    assert call("GET", "/flowrun/r").json["spec"]["status"] == "succeeded"
