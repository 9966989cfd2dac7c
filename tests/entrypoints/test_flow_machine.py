"""Flows as machines of Step Functions, over HTTP."""

from __future__ import annotations

from tests.entrypoints.gateway import call
from tests.entrypoints.steps import defined
from tests.hosts import Host

CHARGE = 'action charge addr = "charge-card"; method = lambda; callback = none; args = any; return = (OK); action_end'
PAY = """flow pay
    input = any;
    step Charge => (OK -> done) { action = charge; args = ${ $input }; };
flow_end"""
LIMITED = PAY.replace("input = any;", "input = any; limit = (concurrent = 1);").replace(
    "args", "approval = required; args"
)


def test_a_flow_is_returned_as_a_machine(host: Host) -> None:
    defined(CHARGE, PAY)
    found = call("GET", "/flow/pay/asl")
    assert found.status == 200
    assert found.json["problems"] == []
    assert found.json["asl"]["States"]["Charge"]["Resource"] == "arn:aws:states:::lambda:invoke"


def test_a_version_is_returned_and_what_cannot_be_expressed_is_422(host: Host) -> None:
    defined(CHARGE, PAY)
    defined(LIMITED)
    assert call("GET", "/flow/pay/asl?version=1").status == 200
    found = call("GET", "/flow/pay/asl")
    assert found.status == 422
    assert found.json["error"]["code"] == "not-in-asl"
    assert found.json["message"].startswith(
        "flow 'pay' cannot be expressed in Amazon States Language: line 1: flow pay:"
    )
    assert found.json["message"].endswith("(and 1 more)")
    assert [(one["pointer"], one["step"], one["line"], one["level"]) for one in found.json["problems"]] == [
        ("/limit", "", 1, "error"),
        ("/steps/0/options/approval", "Charge", 3, "error"),
    ]


def test_wrong_requests(host: Host) -> None:
    defined(CHARGE, PAY)
    assert call("GET", "/flow/none/asl").status == 404
    assert call("GET", "/flow/pay/asl?version=9").status == 404
    assert call("GET", "/flow/pay/asl?version=x").status == 400
    assert call("GET", "/flow/pay/asl?versions=1").status == 400
