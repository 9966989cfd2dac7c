"""People: the inbox, and the signed links of its tasks, over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.acceptance.actions import Actions
from tests.acceptance.api import Api
from tests.acceptance.fsl import flow, step
from tests.acceptance.test_steps import echo


def waiting(api: Api, name: str, count: int = 1) -> list[dict[str, Any]]:
    """Define a flow with a task, start runs of it, and return their tasks, the soonest deadline first."""
    api.submit(
        f"action {name} method = human; args = (str doc); return = (AGREE | REFUSE); action_end",
        flow(
            name,
            "input = (str doc); output = ${ $vars };",
            step(
                "Ask",
                name,
                "AGREE -> done | REFUSE -> stopped | TIMEOUT -> stopped",
                "doc = ${ $input.doc }",
                "save = (note = ${ $result.note });",
            ),
        ),
    )
    for number in range(count):
        run = api.start(name, name=f"{name}-{number}", input={"doc": f"<b>{number}</b>"}, labels={"of": name})
        api.at(run, "Ask")
    found: list[dict[str, Any]] = api.get("/task", flow=name, order="deadline")
    return found


def confirm(link: dict[str, str], note: str = "") -> requests.Response:
    return requests.post(link["answer"], data={"confirm": "yes", "note": note}, timeout=40)


def test_a_person_without_a_token_answers_by_a_link(api: Api, name: str) -> None:
    (task,) = waiting(api, name)
    link = task["links"]["AGREE"]
    for _ in range(2):
        page = requests.get(link["page"], timeout=40)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "&lt;b&gt;0&lt;/b&gt;" in page.text
    assert "<script" not in page.text
    assert api.spec(task["flowId"])["current_state"] == "Ask"
    assert "was recorded" in confirm(link, "read & agreed").text
    assert api.ended(task["flowId"])["output"] == {"note": "read & agreed"}
    late = confirm(task["links"]["REFUSE"])
    assert (late.status_code, "Already answered" in late.text) == (200, True)
    assert requests.get(link["page"][:-2], timeout=40).status_code == 403


def test_of_two_people_at_once_one_answers(api: Api, name: str) -> None:
    (task,) = waiting(api, name)
    with ThreadPoolExecutor(4) as pool:
        texts = [reply.text for reply in pool.map(confirm, [*task["links"].values()] * 2)]
    assert sum("was recorded" in text for text in texts) == 1
    assert sum("Already answered" in text for text in texts) == 3


def test_a_link_approves_and_the_service_answers(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(echo)
    api.submit(
        f'action {name} addr = "{service.url}"; return = (OK); approval = required; action_end',
        flow(name, step("Send", name, "OK -> done | ERROR -> stopped")),
    )
    run = api.start(name)
    api.at(run, "Send")
    (task,) = api.get("/task", flowId=run, kind="approval")
    assert "was recorded" in confirm(task["links"]["APPROVE"]).text
    assert api.ended(run)["status"] == "succeeded"


def test_the_inbox_is_read_in_pages_in_both_orders(api: Api, name: str) -> None:
    tasks = waiting(api, name, 5)
    assert [task["flowId"] for task in tasks] == [f"{name}-{number}" for number in range(5)]
    for order in ("since", "deadline"):
        found, params = [], {"label": f"of:{name}", "limit": 2, "order": order}
        while True:
            reply = api.ask("GET", "/task", params=params)
            found += [task["uuid"] for task in reply.json()]
            if "x-next-cursor" not in reply.headers:
                break
            params["cursor"] = reply.headers["x-next-cursor"]
        assert found == [task["uuid"] for task in tasks]


def test_the_caller_learns_what_it_may_do(api: Api) -> None:
    me = api.get("/me")
    assert (me["role"], me["auth"]) == ("admin", "token" if api.token else "open")
    assert "POST /token" in me["calls"]
