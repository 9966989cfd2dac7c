"""What one run is shown with: what its tokens wait for, its children, items and cost."""

from __future__ import annotations

import time
from typing import Any

from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.service.details.run_details import RunDetailReader
from chalicelib.service.observability.prices import LIST_PRICES, prices_on
from chalicelib.service.ports.actions import NotTaken, Taken
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import defined
from tests.hosts import Host, answer_at_once

WAITS = """action ask method = human; return = (YES | NO); action_end
/
action risky addr = "http://risky.test/"; return = (OK); approval = required; action_end
/
action busy addr = "http://busy.test/"; return = (OK); limit = (concurrent = 1); action_end
/
action weak addr = "http://weak.test/"; return = (OK); retry = (max = 9, delay = 10s); action_end
/
flow child input = (int n = 0); wait T => (DONE -> done) { for = 1h; }; flow_end
/
flow all
    fork F => (DONE -> done) {
        branch person { deci Ask => (YES -> done | NO -> done) { action = ask; }; };
        branch approval { step Risky => (OK -> done) { action = risky; }; };
        branch first { step Busy => (OK -> done) { action = busy; }; };
        branch second { step Busy2 => (OK -> done) { action = busy; }; };
        branch retry { step Weak => (OK -> done) { action = weak; }; };
        branch event { wait E => (PAID -> done | VOID -> done) {
            events = (PAID = "paid", VOID = "void"); key = "k-1"; timeout = 2d; }; };
        branch timer { wait T => (DONE -> done) { for = 3h; }; };
        branch condition { wait C => (DONE -> done) { condition = ${ $vars.x = 1 }; timeout = 1d; }; };
        branch child { call Sub => (DONE -> done) { flow = child; }; };
        branch items { each I => (DONE -> done) { items = ${ [1..5] }; max = 2;
            wait IT => (DONE -> done) { for = 1h; }; }; };
    };
flow_end"""


def spec(name: str = "r") -> dict[str, Any]:
    reply = call("GET", f"/flowrun/{name}")
    assert reply.status == 200, reply.text
    found: dict[str, Any] = reply.json["spec"]
    return found


def test_every_wait_says_what_it_is_for(host: Host) -> None:
    host.submit(WAITS)
    host.actions.script = lambda request: (
        NotTaken.own("down", final=False) if request["stepName"] == "Weak" else _taken()
    )
    host.start("all")
    host.settle()
    waits = {token["step"]: token["waits_for"] for token in spec()["tokens"]}
    kinds = {step: wait["kind"] for step, wait in waits.items() if step != "IT"}
    assert kinds == {
        "F": "branches",
        "Ask": "person",
        "Risky": "approval",
        "Busy": "action",
        "Busy2": "limit",
        "Weak": "retry",
        "E": "event",
        "T": "timer",
        "C": "condition",
        "Sub": "child",
        "I": "items",
    }
    assert (waits["E"]["event"], waits["E"]["events"], waits["E"]["key"]) == ("paid", ["paid", "void"], "k-1")
    assert waits["E"]["until"] > waits["T"]["until"]
    assert (waits["Ask"]["person"], waits["Ask"]["action"], waits["Ask"]["states"]) == (True, "ask", ["YES", "NO"])
    assert waits["Risky"]["states"] == ["APPROVE", "REJECT"]
    assert waits["Weak"]["retry_at"] is not None
    assert (waits["F"]["left"], waits["I"]["left"]) == (10, 5)
    assert waits["Sub"]["child"].startswith("r.Sub.")


def test_a_breaker_a_pause_and_a_turn_are_named(host: Host) -> None:
    host.submit(
        'action weak addr = "http://weak.test/"; return = (OK); retry = (max = 9, delay = 1s);'
        " breaker = (failures = 1, pause = 1h); action_end\n/\n"
        "flow f limit = (concurrent = 1); step A => (OK -> done) { action = weak; }; flow_end"
    )
    host.actions.script = lambda _: NotTaken.own("down", final=False)
    host.start("f", "one")
    host.start("f", "two")
    host.settle()
    host.pass_time(60_000)
    (token,) = spec("one")["tokens"]
    assert token["waits_for"]["kind"] == "breaker"
    assert spec("two")["status"] == "pending"


def test_children_and_parents_know_each_other(host: Host) -> None:
    host.submit(WAITS)
    host.submit(
        "flow top call One => (DONE -> Two) { flow = child; }; call Two => (DONE -> done) { flow = child; }; flow_end"
    )
    host.start("top")
    host.settle()
    host.pass_time(3_600_000)
    children = spec()["children"]
    assert [(one["step"], one["state"], one["stopping"]) for one in children] == [
        ("Two", "", False),
        ("One", "DONE", False),
    ]
    for one in children:
        assert spec(one["run"])["parent"] == {"run": "r", "step": one["step"]}
    assert spec()["parent"] is None


def test_progress_of_an_each_is_counted(host: Host) -> None:
    host.submit(WAITS)
    host.start("all")
    host.settle()
    assert spec()["each"] == [
        {"step": "I", "token": "0.items", "total": 5, "done": 0, "failed": 0, "running": 2, "left": 3}
    ]


# ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────

EACH = f"""{WORK}
/
flow many
    input = (int n, int max = 3);
    each E => (DONE -> W | FAIL -> stopped) {{
        items = ${{ [1..$input.n] }}; max = ${{ $input.max }}; tolerate = 100;
        step S => (OK -> done | FAIL -> stopped) {{ action = work; args = (order = "o", times = ${{ $item }}); }};
    }};
    wait W => (DONE -> done) {{ for = 1h; }};
flow_end"""


def answer(host: Host, index: int, state: str, data: Any = None) -> None:
    run = host.run()
    token = next(one for one in run.tokens if one.index == index)
    assert token.activation
    error = {"error": {"name": "Broken", "cause": f"item {index}"}} if state == "FAIL" else {}
    body = {"flowId": "r", "stepName": "S", "uuid": token.activation.uuid, "ackState": state, "data": data, **error}
    assert call("POST", "/step", body).status == 200


def items(query: str = "") -> dict[str, Any]:
    reply = call("GET", f"/flowrun/r/items{query}")
    assert reply.status == 200, reply.text
    found: dict[str, Any] = reply.json
    return found


def test_items_show_status_step_error_and_output(host: Host) -> None:
    host.submit(EACH)
    host.start("many", n=6)
    host.settle()
    answer(host, 0, "OK", data={"a": 1})
    answer(host, 1, "FAIL")
    found = items()
    assert {key: found[key] for key in ("total", "done", "failed", "running", "left")} == {
        "total": 6, "done": 1, "failed": 1, "running": 3, "left": 1,
    }  # fmt: skip
    assert [one["status"] for one in found["items"]] == ["done", "failed", "running", "running", "running", "waiting"]
    assert found["items"][0]["output"] == {"a": 1}
    failed = found["items"][1]
    assert (failed["step"], failed["error_name"], failed["error"], failed["token"]) == ("S", "Broken", "item 1", "0.1")
    assert failed["since"] is not None
    assert [one["index"] for one in items("?status=failed")["items"]] == [1]
    assert [one["index"] for one in items("?status=running&limit=2")["items"]] == [2, 3]
    assert [one["index"] for one in items("?status=waiting&step=E")["items"]] == [5]
    assert "spans" not in found
    assert items("?spans=true&limit=1&status=failed")["spans"] == [
        {"status": "done", "first": 0, "count": 1},
        {"status": "failed", "first": 1, "count": 1},
        {"status": "running", "first": 2, "count": 3},
        {"status": "waiting", "first": 5, "count": 1},
    ]


def test_items_of_an_each_that_has_returned_are_in_the_history(host: Host) -> None:
    host.submit(EACH)
    host.start("many", n=3)
    host.settle()
    answer(host, 0, "OK", data=1)
    answer(host, 1, "FAIL")
    answer(host, 2, "OK", data=3)
    found = items()
    assert (found["total"], found["done"], found["failed"]) == (3, 2, 1)
    assert [(one["status"], one["count"]) for one in items("?spans=true")["spans"]] == [
        ("done", 1), ("failed", 1), ("done", 1),
    ]  # fmt: skip
    assert [(one["index"], one["status"], one["output"]) for one in found["items"]] == [
        (0, "done", 1), (1, "failed", None), (2, "done", 3),
    ]  # fmt: skip


def test_ten_thousand_items_are_listed_quickly(host: Host) -> None:
    host.submit(
        "flow many each E => (DONE -> done) { items = ${ [1..10000] };"
        " deci D => (when ${ $index = 5 } -> V | else -> done); wait V => (DONE -> done) { for = 1h; }; }; flow_end"
    )
    host.start("many")
    host.settle()
    begun = time.process_time()
    found: list[int] = []
    cursor = ""
    while True:
        reply = call("GET", f"/flowrun/r/items?limit=1000{cursor}")
        found += [one["index"] for one in reply.json["items"]]
        if "x-next-cursor" not in reply.headers:
            break
        cursor = f"&cursor={reply.headers['x-next-cursor']}"
    assert found == list(range(10_000))
    assert (items()["done"], items()["running"]) == (9_999, 1)
    assert [one["index"] for one in items("?status=running")["items"]] == [5]
    assert time.process_time() - begun < 10


def test_a_wrong_each_is_refused(host: Host) -> None:
    defined(WORK, TWO)
    host.start("two", "t", order="o")
    assert call("GET", "/flowrun/t/items").status == 404
    host.submit(
        EACH.replace("flow many", "flow both").replace(
            "wait W => (DONE -> done) { for = 1h; };",
            "each W => (DONE -> done) { items = ${ [1] }; wait V => (DONE -> done) { for = 1s; }; };",
        )
    )
    host.start("both", "b", n=0)
    host.pass_time(5_000)
    assert call("GET", "/flowrun/b/items?step=none").status == 404
    assert call("GET", "/flowrun/b/items?status=sleeping").status == 400
    assert call("GET", "/flowrun/none/items").status == 404
    reply = call("GET", "/flowrun/b/items")
    assert (reply.status, reply.code) == (422, "invalid")


# ── cost ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cost_of_a_run_is_counted(host: Host) -> None:
    """Writes, pages and messages are those that were really made."""
    defined(WORK, TWO)
    counted = Counts(host)
    host.start("two", order="o")
    host.settle()
    for step in ("A", "B"):
        host.answer(step, "OK")
        host.settle()
    found = call("GET", "/flowrun/r/cost").json
    assert (found["writes"], found["pages"], found["messages"]) == (counted.writes, counted.pages, counted.messages)
    assert found["reads"] == found["messages"] + found["writes"] - 1
    assert found["prices"] == LIST_PRICES.name
    assert 0 < found["usd"] < found["step_functions_usd"]
    there = found.pop("step_functions")
    assert spec()["cost"] == found
    assert there["standard"] == {"transitions": 2, "usd": 0.00005, "complete": True}
    assert there["express"]["requests"] == 1
    assert (there["express"]["memory_mb"], there["express"]["fits"]) == (64, True)
    assert call("GET", "/flowrun/none/cost").status == 404


def test_functions_on_arm64_are_priced_as_such(host: Host) -> None:
    defined(WORK, TWO)
    host.start("two", order="o")
    details = host.services.run_details
    run = host.services.reader.run("default", "r")
    on_arm = RunDetailReader(host.services.adapters.store.runs, host.services.limiter, prices=prices_on("aarch64"))
    (here, _), (there, _) = (one.compared(run, (), host.clock.now()) for one in (details, on_arm))
    assert there.prices == f"{here.prices}, arm64"
    assert there.usd_by_service["lambda"] < here.usd_by_service["lambda"]
    assert {**there.usd_by_service, "lambda": 0} == {**here.usd_by_service, "lambda": 0}
    assert prices_on("x86_64") is LIST_PRICES


class Counts:
    """Counts the writes of heads and pages, and the messages, of a host."""

    def __init__(self, host: Host) -> None:
        self.writes = self.pages = self.messages = 0
        counts, runs, queue = self, host.store.runs, host.queue

        class Runs(type(runs)):  # type: ignore[misc]
            def create(self, *args: Any) -> None:
                counts.writes += 1
                super().create(*args)

            def save(self, *args: Any) -> None:
                counts.writes += 1
                super().save(*args)

            def put_page(self, *args: Any) -> None:
                counts.pages += 1
                super().put_page(*args)

        class Queue(type(queue)):  # type: ignore[misc]
            def send(self, name: Any, bodies: Any, *args: Any, **more: Any) -> None:
                counts.messages += len(bodies)
                super().send(name, bodies, *args, **more)

        runs.__class__, queue.__class__ = Runs, Queue


def _taken() -> Taken:

    return Taken()


def test_details_are_there_with_a_log_of_deliveries_too(host: Host) -> None:
    host.rebuild(replace(host.services.settings, delivery_log=True))
    hosting.use(host.services)
    defined(WORK, TWO)
    host.start("two", order="o")
    host.settle()
    assert spec()["tokens"][0]["waits_for"]["kind"] == "action"


def test_the_history_names_branch_item_undo_and_delivery(host: Host) -> None:
    host.submit(
        'action book addr = "http://book.test/"; return = (OK); undo = cancel; action_end\n/\n'
        'action cancel addr = "http://cancel.test/"; return = (OK); action_end\n/\n'
        "flow trip fork F => (DONE -> Fail) { branch left { each E => (DONE -> done) { items = ${ [1..2] };"
        " step Book => (OK -> done) { action = book; }; }; }; }; deci Fail => (else -> stopped); flow_end"
    )
    host.actions.script = answer_at_once
    host.start("trip")
    host.settle()
    entries = call("GET", "/flowrun/r/history").json
    booked = [one for one in entries if one["step"] == "Book" and not one["undo"] and one["state"]]
    assert {(one["branch"], one["item"]) for one in booked} == {("left", 0), ("left", 1)}
    assert all(one["sent"] == {"address": "", "status": None, "duration_ms": 0} for one in booked)
    undone = [one for one in entries if one["undo"]]
    assert [(one["step"], one["item"], one["state"]) for one in undone] == [("Book", None, "OK")] * 2
    first = entries[0]
    assert (first["branch"], first["item"], first["undo"], first["sent"]) == ("", None, False, None)


def test_the_cost_of_a_run_does_not_depend_on_the_call_that_shows_it(host: Host) -> None:
    host.submit("flow f wait W => (DONE -> done) { for = 1h; }; flow_end")
    host.start("f")
    call("POST", "/flowrun/r/vars", {"vars": {"large": "x" * 30_000, "small": "y" * 6_000, **dict.fromkeys("abc", 1)}})
    shown, asked = call("GET", "/flowrun/r").json["spec"]["cost"], call("GET", "/flowrun/r/cost").json
    assert shown == {name: asked[name] for name in shown}
    assert shown["bytes"] < 2_000
