"""`POST /import`: a machine of Step Functions as FSL."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import hosting
from chalicelib.adapters.operations import operations_of
from chalicelib.entrypoints.http.views.imports import MAX_VALUES
from tests.entrypoints.gateway import call
from tests.hosts import Host

LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:ship"
MACHINE: dict[str, Any] = {
    "StartAt": "Ship",
    "States": {
        "Ship": {"Type": "Task", "Resource": "${Ship}", "TimeoutSeconds": "${Most}", "Next": "Rest"},
        "Rest": {"Type": "Pass", "End": True},
    },
}
VALUES = {"Ship": LAMBDA, "Most": 30}


@pytest.mark.parametrize("asl", [MACHINE, json.dumps(MACHINE), json.dumps(MACHINE).replace('"${Most}"', "${Most}")])
def test_a_machine_becomes_fsl_and_nothing_is_stored(host: Host, asl: Any) -> None:
    found = call("POST", "/import", {"asl": asl, "name": "Ship it", "values": VALUES}).json
    assert found["problems"] == []
    assert f"flow {found['name']}" in found["fsl"]
    assert "timeout = 30s" in found["fsl"]
    assert call("GET", "/flow").json == []
    analysis = call("POST", "/analyze", {"text": found["fsl"]}).json
    assert [one for one in analysis["diagnostics"] if one["severity"] == "error"] == []


def test_problems_have_their_places_and_levels(host: Host) -> None:
    broken = {**MACHINE, "States": {**MACHINE["States"], "Rest": {"Type": "Pass", "InputPath": "x", "End": True}}}
    found = call("POST", "/import", {"asl": broken, "values": {"Most": 5}}).json
    assert found["name"] == "machine"
    assert "flow machine" in found["fsl"]
    listed = {(one["pointer"], one["level"]) for one in found["problems"]}
    assert listed >= {("/States/Rest/InputPath", "error"), ("/States/Ship/Resource", "note")}


@pytest.mark.parametrize("asl", [{}, {"StartAt": "A"}, {"States": {}}, {"StartAt": "A", "States": {"B": 1}}])
def test_an_object_that_is_no_machine_has_problems_and_no_text(host: Host, asl: Any) -> None:
    answer = call("POST", "/import", {"asl": asl})
    assert (answer.status, answer.json["fsl"]) == (200, "")
    assert answer.json["problems"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"asl": "StartAt: A"}, 422, "no JSON at line 1"),
        ({"asl": "[]"}, 422, "a machine is an object"),
        ({"asl": []}, 422, "a machine is an object"),
        ({"asl": None}, 422, "a machine is an object"),
        ({"asl": '{"a": NaN}'}, 422, "NaN is no number"),
        ({"asl": '{"a": "' + "x" * 1_048_576 + '"}'}, 413, "the limit is 1048576"),
        ({"asl": {"a": "é" * 524_288}}, 413, "the definition has 1048584 bytes, and the limit is 1048576"),
        ({}, 400, "asl"),
        ({"asl": {}, "values": {"a": []}}, 400, "values"),
        ({"asl": {}, "nmae": "x"}, 400, "nmae"),
    ],
)
def test_what_is_no_json_of_a_machine_is_refused(host: Host, body: Any, status: int, words: str) -> None:
    answer = call("POST", "/import", body)
    assert answer.status == status
    assert words in answer.json["message"]


def test_so_many_values_are_taken(host: Host) -> None:
    values = {f"v{number}": "x" for number in range(MAX_VALUES)}
    assert call("POST", "/import", {"asl": MACHINE, "values": values}).status == 200
    assert call("POST", "/import", {"asl": MACHINE, "values": {**values, "more": "x"}}).status == 400


def test_calls_of_aws_are_checked_as_by_fsl_import_whatever_may_be_called_here(host: Host) -> None:
    host.rebuild(host.services.settings, operations=operations_of(()))
    hosting.use(host.services)
    sent: dict[str, Any] = {"Tablename": "orders", "Item": {"id": {"S.$": "$.id"}}}
    put = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "Parameters": sent, "End": True}
    found = call("POST", "/import", {"asl": {"StartAt": "Put", "States": {"Put": put}}}).json
    assert [(one["pointer"], one["level"]) for one in found["problems"]] == [("/States/Put", "error")]
    assert "must set arg 'TableName' (str) of dynamodb:putItem" in found["problems"][0]["message"]
    sent["TableName"] = sent.pop("Tablename")
    assert call("POST", "/import", {"asl": {"StartAt": "Put", "States": {"Put": put}}}).json["problems"] == []


def test_a_flow_that_is_too_long_has_a_problem_that_says_so(host: Host) -> None:
    state = {"Type": "Pass", "Parameters": {"id.$": "$.id", "rows": [{"a": number} for number in range(60)]}}
    states: dict[str, Any] = {f"S{number}": {**state, "Next": f"S{number + 1}"} for number in range(600)}
    states["S600"] = {"Type": "Pass", "End": True}
    found = call("POST", "/import", {"asl": {"StartAt": "S0", "States": states}}).json
    assert [one["level"] for one in found["problems"]] == ["error"]
    assert found["problems"][0]["message"] == (
        "the flow is refused: the document has more than 150000 words, signs and comments; the limit is 150000"
    )
