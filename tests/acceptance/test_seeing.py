"""What a run sent and waits for, its items and cost, versions of its flow, timers and labels, on every store."""

from __future__ import annotations

from typing import Any

from tests.acceptance.actions import TAKEN, Actions, says
from tests.acceptance.api import Api, names
from tests.acceptance.fsl import action, flow, step


def test_what_was_sent_and_came_back_is_seen(api: Api, actions: Actions, name: str) -> None:
    first, second = actions.serve(says("OK", data={"receipt": 7})), actions.serve(lambda _: TAKEN)
    api.submit(
        action(f"{name}_a", first.url, "str order"),
        action(f"{name}_b", second.url, "any receipt"),
        flow(
            name,
            "input = (str order);",
            step("A", f"{name}_a", "OK -> B | FAIL -> stopped", "order = ${ $input.order }"),
            f"step B => (OK -> done | FAIL -> stopped) {{ action = {name}_b; args = (receipt = ${{ $result }}); }};",
        ),
    )
    run = api.start(name, input={"order": "o-1"})
    waiting = api.at(run, "B")
    wait = api.spec(run)["tokens"][0]["waits_for"]
    assert (wait["kind"], wait["action"], wait["person"]) == ("action", f"{name}_b", False)
    found = api.get(f"/flowrun/{run}/activation/{waiting['uuid']}")
    assert (found["step"], found["current"], found["args"]) == ("B", True, {"receipt": {"receipt": 7}})
    past = next(one["uuid"] for one in api.history(run) if one["step"] == "A" and one["uuid"])
    found = api.get(f"/flowrun/{run}/activation/{past}")
    assert (found["state"], found["answer"]["data"], found["args"]) == ("OK", {"receipt": 7}, {"order": "o-1"})
    (delivery,) = found["deliveries"]
    assert (delivery["address"], delivery["status"], delivery["error"]) == (first.url, 200, "")
    assert api.get(f"/action/{name}_b")["status"]["in_flight"] == 1
    assert run in [one["name"] for one in _timers(api)]


def test_items_cost_and_graph_of_an_each(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(lambda told: says("FAIL" if told.fields["n"] == 2 else "OK", data=told.fields["n"])(told))
    api.submit(
        action(name, service.url, "int n"),
        f"""flow {name}
            each E => (DONE -> W) {{
                items = ${{ [1..5] }}; tolerate = 2;
                step S => (OK -> done | FAIL -> stopped) {{ action = {name}; args = (n = ${{ $item }}); }};
            }};
            wait W => (DONE -> done) {{ for = 1h; }};
        flow_end""",
    )
    run = api.start(name)
    api.at(run, "W")
    page = api.get(f"/flowrun/{run}/items")
    assert (page["total"], page["done"], page["failed"]) == (5, 4, 1)
    assert [one["status"] for one in page["items"]] == ["done", "failed", "done", "done", "done"]
    assert names_of(api.get(f"/flowrun/{run}/items", status="failed")) == [1]
    cost = api.get(f"/flowrun/{run}/cost")
    assert cost["writes"] == api.run(run)["metadata"]["version"]
    assert cost["usd"] > 0
    nodes = {node["name"]: node["visits"] for node in api.get(f"/flowrun/{run}/graph")["nodes"] if node["name"]}
    assert nodes == {"E": 1, "S": 5, "W": 0}


def names_of(page: Any) -> list[int]:
    return [one["index"] for one in page["items"]]


def test_versions_differences_and_expectations(api: Api, actions: Actions, name: str) -> None:
    url = actions.serve(says("OK")).url
    api.submit(action(name, url, "any who = null"), flow(name, "", step("A", name)))
    api.submit(flow(name, "", step("A", name, "OK -> B | FAIL -> stopped"), step("B", name)))
    assert [one["version"] for one in api.get(f"/flow/{name}/versions")] == [2, 1]
    assert [one["version"] for one in api.get(f"/flow/{name}/versions", limit=1)] == [2]
    diff = api.get(f"/flow/{name}/diff")
    assert [one["step"] for one in diff["steps"]["added"]] == ["B"]
    stale = api.refusal("POST", f"/fsl?expect=flow:{name}@1", {"data": action(name, url, "any who = 1")})
    assert stale == (409, "changed")


def test_labels_change_and_lists_follow(api: Api, name: str) -> None:
    api.submit(f"flow {name} wait W => (DONE -> done) {{ for = 1h; }}; flow_end")
    run = api.start(name, labels={name: "old", "team": "a"})
    api.post(f"/flowrun/{run}/labels", {"set": {name: "new"}, "remove": ["team"]})
    assert api.run(run)["metadata"]["labels"] == {name: "new"}
    assert names(api.get("/flowrun", label=f"{name}:new")) == [run]
    assert names(api.get("/flowrun", label=f"{name}:old")) == []


def _timers(api: Api) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        reply = api.ask("GET", "/timer", params={"until": "2099-01-01T00:00:00Z", "limit": "200", **more})
        found += reply.json()
        cursor = reply.headers.get("x-next-cursor", "")
        if not cursor:
            return found
