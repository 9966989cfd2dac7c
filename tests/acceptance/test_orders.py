"""Commands on a run: pause, continue, stop, retry, change its variables, delete."""

from __future__ import annotations

import pytest

from tests.acceptance.actions import Actions, Reply, Service, in_turn, says
from tests.acceptance.api import Api
from tests.acceptance.fsl import action, flow, step


def waiting(api: Api, actions: Actions, name: str) -> tuple[str, Service, Service]:
    """Start a run that waits at A. B is answered at once."""
    first, second = actions.serve(), actions.serve(says("OK"))
    api.submit(
        action(name, first.url),
        action(f"{name}_2", second.url),
        flow(name, step("A", name, "OK -> B | FAIL -> stopped"), step("B", f"{name}_2")),
    )
    run = api.start(name)
    first.wait()
    return run, first, second


def test_a_paused_run_records_answers_and_sends_nothing(api: Api, actions: Actions, name: str) -> None:
    run, first, second = waiting(api, actions, name)
    paused = api.order(run, "pause")
    assert (paused["status"], paused["current_state"]) == ("paused", "suspend")
    assert api.order(run, "pause")["seq"] == paused["seq"]
    assert api.outcome(first.deliveries[0].answer("OK")) == "advanced"
    assert api.spec(run)["status"] == "paused"
    assert second.deliveries == []
    assert api.order(run, "continue")["status"] == "running"
    assert api.ended(run)["status"] == "succeeded"
    assert len(second.deliveries) == 1
    events = [entry["event"] for entry in api.history(run)]
    assert events == ["RunStarted", "RunPaused", "StepAcked", "RunContinued", "StepAcked"]


def test_a_stopped_run_is_retried_where_it_stood(api: Api, actions: Actions, name: str) -> None:
    run, first, _ = waiting(api, actions, name)
    stopped = api.order(run, "stop", {"reason": "wrong version"})
    assert (stopped["status"], stopped["current_state"], stopped["last_err"]) == (
        "canceled",
        "stopped",
        "wrong version",
    )
    assert api.order(run, "stop")["seq"] == stopped["seq"]
    assert api.order(run, "retry")["status"] == "running"
    (old, new) = first.wait(2)
    assert old.uuid != new.uuid
    assert api.outcome(old.answer("OK")) == "duplicate"
    assert api.outcome(new.answer("OK")) == "advanced"
    assert api.ended(run)["status"] == "succeeded"


def test_a_failed_run_is_retried_at_a_step(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(in_turn(lambda _: Reply(400), says("OK")))
    api.submit(action(name, service.url), flow(name, step("A", name, "OK -> B"), step("B", name)))
    run = api.start(name)
    assert api.ended(run)["status"] == "failed"
    assert api.refusal("POST", f"/flowrun/{run}/retry", {"step": "Nowhere"})[0] == 422
    api.order(run, "retry", {"step": "B"})
    assert api.ended(run)["status"] == "succeeded"
    assert api.path(run) == ["A", "stopped", "B", "done"]


def test_variables_are_changed(api: Api, actions: Actions, name: str) -> None:
    run, first, _ = waiting(api, actions, name)
    assert api.order(run, "vars", {"vars": {"a": 1, "b": [2]}})["global_variable"] == {"a": 1, "b": [2]}
    assert api.order(run, "vars", {"vars": {"a": None}})["global_variable"] == {"a": None, "b": [2]}
    assert api.order(run, "vars", {"remove": ["a"]})["global_variable"] == {"b": [2]}
    api.outcome(first.deliveries[0].answer("OK"))
    api.ended(run)
    assert api.refusal("POST", f"/flowrun/{run}/vars", {"vars": {}})[0] == 409


def test_only_an_ended_run_is_deleted(api: Api, actions: Actions, name: str) -> None:
    run, first, _ = waiting(api, actions, name)
    uuid = api.run(run)["metadata"]["uuid"]
    assert api.refusal("DELETE", f"/flowrun/{run}/{uuid}")[0] == 409
    api.outcome(first.deliveries[0].answer("OK"))
    api.ended(run)
    assert api.refusal("DELETE", f"/flowrun/{run}/another")[0] == 404
    assert api.ask("DELETE", f"/flowrun/{run}/{uuid}").status_code == 200
    assert api.refusal("GET", f"/flowrun/{run}")[0] == 404
    assert api.refusal("GET", f"/flowrun/{run}/history")[0] == 404
    assert api.refusal("POST", "/step", first.deliveries[0].answer("OK"))[0] == 404
    assert api.start(name, name=run) == run  # the name is free again


@pytest.mark.parametrize("order", ["pause", "continue", "retry"])
def test_what_a_run_cannot_do_is_refused(api: Api, actions: Actions, name: str, order: str) -> None:
    run, first, _ = waiting(api, actions, name)
    api.outcome(first.deliveries[0].answer("OK"))
    seq = api.ended(run)["seq"]
    assert api.refusal("POST", f"/flowrun/{run}/{order}") == (409, "order-refused")
    assert api.refusal("POST", f"/flowrun/{name}_nobody/{order}") == (404, "not-found")
    assert api.spec(run)["seq"] == seq


def test_a_pause_moves_deadlines_on(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve()
    routes = "OK -> done | TIMEOUT -> stopped"
    api.submit(action(name, service.url), flow(name, step("A", name, routes, more="timeout = 1500ms;")))
    run = api.start(name)
    (delivery,) = service.wait()
    api.order(run, "pause")
    assert api.get(f"/flowrun/{run}/watch", after=2, wait=2) == []  # longer than the step's timeout
    api.order(run, "continue")
    assert api.outcome(delivery.answer("OK")) == "advanced"
    assert api.ended(run)["status"] == "succeeded"
