"""Values that only move, through the whole HTTP interface (fsl/manual.md, 6)."""

from __future__ import annotations

import json

import pytest

from chalicelib.model.json_values import Json
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import defined
from tests.hosts import Host, accept

FLOW = """
action work addr = "http://work.test/"; args = (any x); return = (OK); action_end
/
flow moved
    input  = (any x);
    output = ${ $vars };
    step Ask => (OK -> Paid) { action = work; args = (x = ${ $input.x }); save = (answered = ${ $result }); };
    wait Paid => (GO -> Told) { events = (GO = "paid"); key = 7; save = (event = ${ $result }); };
    wait Told => (GO -> done) { events = (GO = "told"); save = (signal = ${ $result }); };
flow_end
"""


@pytest.mark.parametrize(
    "value",
    [123456789012345678901234567890, -(2**63) - 1, 7.0, -0.0, 1e300, "0012", "😀\u2028", None, [7.0, {"": 2**64}]],
)
def test_a_value_that_only_moves_is_not_changed(host: Host, value: Json) -> None:
    host.actions.script = accept
    defined(*FLOW.split("/\n"))
    assert call("POST", "/flow/moved/runs", {"name": "r", "input": {"x": value}}).status == 201
    host.settle()
    [sent] = host.actions.requests
    run = call("GET", "/flowrun/r").json
    answer = {"flowId": "r", "stepName": "Ask", "uuid": sent["uuid"], "ackState": "OK", "data": value}
    answer["globalVariables"] = {"given": value}
    assert call("POST", "/step", answer).json == {"outcome": "advanced"}
    assert call("POST", "/event", {"name": "paid", "key": 7.0, "data": value}).status in (200, 201)
    host.settle()
    assert call("POST", "/flowrun/r/vars", {"vars": {"set": value}}).status == 200
    assert call("POST", "/flowrun/r/signal", {"name": "told", "data": value}).status in (200, 201)
    host.settle()
    ended = call("GET", "/flowrun/r").json["spec"]
    names = ("answered", "given", "event", "set", "signal")
    assert ended["status"] == "succeeded"
    assert json.dumps(ended["output"], sort_keys=True) == json.dumps(dict.fromkeys(names, value), sort_keys=True)
    assert json.dumps([sent["x"], run["spec"]["input"]["x"], ended["input"]["x"]]) == json.dumps([value] * 3)
    [acked] = [one for one in call("GET", "/flowrun/r/history").json if one["event"] == "StepAcked"]
    assert json.dumps(acked["data"]) == json.dumps(value)
