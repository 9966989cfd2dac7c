"""Runs are mended: a service that moved, a wrong definition, wrong data, another step."""

from __future__ import annotations

from typing import Any

from tests.acceptance.actions import Actions, says
from tests.acceptance.api import Api
from tests.acceptance.fsl import action, flow, step

RETRIES = "retry = (max = 50, delay = 300ms, rate = 1.0);"
CLOSED = "http://127.0.0.1:9/closed"


def events(api: Api, run: str) -> list[Any]:
    return [(entry["event"], entry["data"]) for entry in api.history(run)]


def test_a_run_goes_on_when_the_address_of_its_action_is_mended(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(says("OK"))
    api.submit(action(name, CLOSED, more=RETRIES), flow(name, step("A", name)))
    run = api.start(name)
    api.until(run, lambda spec: spec["tokens"][0]["attempt"] > 0)
    api.submit(action(name, service.url, more=RETRIES))
    assert api.ended(run)["status"] == "succeeded"
    assert len(service.deliveries) == 1


def test_a_failed_run_is_completed_by_a_mended_definition_and_mended_data(
    api: Api, actions: Actions, name: str
) -> None:
    service = actions.serve(lambda delivery: says("OK" if delivery.fields["n"] == 6 else "FAIL")(delivery))
    wrong = step("A", name, args="n = ${ $vars.n }")
    declared = action(name, service.url, args="int n")
    api.submit(declared, flow(name, "input = (int by = 2); vars = (n = 1);", wrong))
    run = api.start(name)
    assert api.ended(run)["status"] == "failed"
    api.submit(
        declared, flow(name, "input = (int by = 2); vars = (n = 1);", wrong.replace("$vars.n", "$vars.n * $input.by"))
    )
    mended = {"version": "latest", "input": {"by": 3}, "vars": {"n": 2}, "reason": "it forgot the factor"}
    assert api.order(run, "retry", mended)["flow_version"] == 2
    assert api.ended(run)["status"] == "succeeded"
    assert ("VersionChanged", {"from": 1, "to": 2, "reason": "it forgot the factor"}) in events(api, run)
    assert [delivery.fields["n"] for delivery in service.deliveries] == [1, 6]


def test_a_run_that_waits_moves_to_another_version(api: Api, actions: Actions, name: str) -> None:
    first, second = actions.serve(), actions.serve(says("OK"))
    declared = (action(name, first.url), action(f"{name}_2", second.url))
    api.submit(*declared, flow(name, step("A", name)))
    run = api.start(name)
    (delivery,) = first.wait()
    api.submit(flow(name, step("B", name, "OK -> C | FAIL -> stopped"), step("C", f"{name}_2")))
    assert api.refusal("POST", f"/flowrun/{run}/migrate", {"version": 2}) == (409, "does-not-fit")
    found = api.post(f"/flowrun/{run}/migrate", {"version": 2, "steps": {"A": "B"}})
    assert (found["moved"], found["tokens"]) == (True, [{"token": "0", "step": "A", "to": "B", "fits": True}])
    assert api.outcome(delivery.answer("OK")) == "advanced"
    assert api.ended(run)["status"] == "succeeded"
    assert len(second.deliveries) == 1
    assert api.outcome(delivery.answer("OK")) == "duplicate"


def test_a_token_leaves_its_step_and_what_comes_late_is_kept(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve()
    api.submit(action(name, service.url), flow(name, step("A", name, "OK -> B | FAIL -> stopped"), step("B", name)))
    run = api.start(name)
    (first,) = service.wait()
    api.order(run, "goto", {"step": "B", "reason": "it was done by hand"})
    second = service.wait(2)[1]
    assert api.outcome(first.answer("FAIL", data="too late")) == "duplicate"
    assert ("LateAnswer", "too late") in events(api, run)
    assert api.outcome(second.answer("OK")) == "advanced"
    assert api.ended(run)["status"] == "succeeded"
