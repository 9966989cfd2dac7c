"""Answers to `/step`: late, repeated, forged, concurrent, and for another step (docs/http-api.md, 2)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from chalicelib.service.security.webhooks import secrets_for
from tests.acceptance.actions import Actions, Delivery, says
from tests.acceptance.api import Api
from tests.acceptance.fsl import action, flow, step

NEVER = "00000000-0000-8000-8000-000000000000"


def waiting(api: Api, actions: Actions, name: str) -> tuple[str, Delivery]:
    """Start a run: its first step A waits for a callback, its second step B is answered at once."""
    service, second = actions.serve(), actions.serve(says("OK"))
    api.submit(
        action(name, service.url),
        action(f"{name}_2", second.url),
        flow(name, step("A", name, "OK -> B | FAIL -> A"), step("B", f"{name}_2")),
    )
    run = api.start(name)
    return run, service.wait()[0]


def test_a_late_or_repeated_answer_changes_nothing(api: Api, actions: Actions, name: str) -> None:
    run, delivery = waiting(api, actions, name)
    assert api.outcome(delivery.answer("OK", data="1")) == "advanced"
    api.ended(run)
    before = api.run(run)
    for state in ("OK", "FAIL", "NEVER_HEARD_OF"):
        assert api.outcome(delivery.answer(state, data="2", globalVariables={"x": 1})) == "duplicate"
    assert api.run(run) == before


def test_of_many_answers_at_once_one_wins(api: Api, actions: Actions, name: str) -> None:
    run, delivery = waiting(api, actions, name)
    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(lambda n: api.outcome(delivery.answer("OK", data=f"{n}")), range(24)))
    assert sorted(outcomes) == ["advanced"] + ["duplicate"] * 23
    spec = api.ended(run)
    assert api.path(run) == ["A", "B", "done"]
    winner = outcomes.index("advanced")
    steps = {one["metadata"]["name"]: one["spec"]["data"] for one in spec["steps"]}
    assert steps["A"] == f"{winner}"


def test_a_forged_answer_is_refused(api: Api, actions: Actions, name: str) -> None:
    run, delivery = waiting(api, actions, name)
    other, elsewhere = waiting(api, actions, f"{name}x")
    good = delivery.answer("OK")
    broken = good["uuid"][:-1] + ("0" if good["uuid"][-1] != "0" else "1")
    forged: list[dict[str, Any]] = [
        {"uuid": NEVER},
        {"uuid": broken},
        {"uuid": elsewhere.uuid},
        {"flowId": other},
        {"flowId": "nobody"},
        {"stepName": "B"},
        {"stepName": "Nowhere"},
        {"uuid": ""},
        {"uuid": "x" * 500},
    ]
    for change in forged:
        assert api.refusal("POST", "/step", {**good, **change})[0] == 404, change
    assert api.spec(run)["seq"] == 1
    assert api.outcome(good) == "advanced"


def signed(delivery: Delivery, text: str, secret: str) -> dict[str, str]:
    """Verify the delivery and sign the answer with the standard's library, as a service does."""
    Webhook(secret).verify(delivery.body, dict(delivery.headers))
    now, own = datetime.now(UTC), f"msg_{uuid4().hex}"
    return {
        "Content-Type": "application/json",
        "webhook-id": own,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(own, now, text),
    }


def test_an_action_can_require_signed_answers(api: Api, actions: Actions, name: str) -> None:
    """The step ignores unsigned answers, those in HTTP responses, and the echoed delivery, and waits on."""
    service = actions.serve(says("OK"))
    api.submit(action(name, service.url, more="callback = signed;"), flow(name, step("A", name)))
    run = api.start(name)
    delivery = service.wait()[0]
    (secret,) = secrets_for(api.key.encode(), "default")
    text = json.dumps(delivery.answer("OK", data="\u00e9"), ensure_ascii=False)
    other = json.dumps(delivery.answer("FAIL"))
    reflected = {key: value for key, value in delivery.headers.items() if key.startswith("webhook-")}
    assert api.refusal("POST", "/step", text) == (401, "unsigned")
    assert api.refusal("POST", "/step", other, headers=signed(delivery, text, secret)) == (401, "unsigned")
    assert api.refusal("POST", "/step", delivery.body.decode(), headers=reflected) == (401, "unsigned")
    assert {entry["event"] for entry in api.history(run)} <= {"RunStarted", "IgnoredReply"}
    for outcome in ("advanced", "duplicate"):
        response = api.ask("POST", "/step", text, headers=signed(delivery, text, secret))
        assert response.json() == {"outcome": outcome}
    assert api.ended(run)["status"] == "succeeded"
    assert api.refusal("POST", "/step", text) == (401, "unsigned")


def test_an_answer_that_the_step_does_not_route_is_refused(api: Api, actions: Actions, name: str) -> None:
    run, delivery = waiting(api, actions, name)
    assert api.refusal("POST", "/step", delivery.answer("MAYBE")) == (422, "state-not-routed")
    assert api.refusal("POST", "/step", delivery.answer("TIMEOUT"))[0] == 422
    assert api.spec(run)["current_state"] == "A"
    assert api.outcome(delivery.answer("OK")) == "advanced"


def test_answers_may_come_while_a_step_is_visited_again(api: Api, actions: Actions, name: str) -> None:
    """FAIL leads back to A, which gets a new uuid. Answers to the old uuid change nothing."""
    run, first = waiting(api, actions, name)
    assert api.outcome(first.answer("FAIL")) == "advanced"
    again = api.at(run, "A")
    assert again["uuid"] != first.uuid
    assert api.outcome(first.answer("OK")) == "duplicate"
    assert api.outcome({**first.answer("OK"), "uuid": again["uuid"]}) == "advanced"
    assert api.ended(run)["status"] == "succeeded"


def test_reports_are_kept(api: Api, actions: Actions, name: str) -> None:
    run, delivery = waiting(api, actions, name)
    report = {**delivery.answer(""), "done": False}
    assert api.outcome({**report, "data": "10%", "globalVariables": {"a": 1, "b": 1}}) == "progress"
    assert api.outcome({**report, "globalVariables": {"b": 2}}) == "progress"
    assert api.spec(run)["global_variable"] == {"a": 1, "b": 2}
    assert api.outcome(delivery.answer("OK", globalVariables={"c": 3})) == "advanced"
    assert api.ended(run)["global_variable"] == {"a": 1, "b": 2, "c": 3}


def test_a_stopped_run_takes_no_answer(api: Api, actions: Actions, name: str) -> None:
    run, delivery = waiting(api, actions, name)
    api.order(run, "stop", {"reason": "enough"})
    assert api.refusal("POST", "/step", delivery.answer("OK"))[0] == 409


@pytest.mark.parametrize(
    "body",
    ["", "no json", "[]", "null", "{}", '{"flowId": 1, "stepName": "A", "uuid": "u"}', '{"flowId": "r"}', "[" * 9_999],
)
def test_what_is_no_answer_is_malformed(api: Api, body: str) -> None:
    assert api.refusal("POST", "/step", body)[0] == 400


def test_an_answer_without_a_content_type_is_read(api: Api, actions: Actions, name: str) -> None:
    _, delivery = waiting(api, actions, name)
    text = json.dumps(delivery.answer("OK"))
    response = api.ask("POST", "/step", text, headers={"Content-Type": "text/plain"})
    assert response.json() == {"outcome": "advanced"}
