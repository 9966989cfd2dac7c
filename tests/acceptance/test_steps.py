"""Every kind of step, from its FSL to the end of its run (fsl/manual.md)."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.acceptance.actions import TAKEN, Actions, Delivery, Reply, says
from tests.acceptance.api import Api, names, poll
from tests.acceptance.fsl import action, flow, step


def echo(delivery: Delivery) -> Reply:
    """Answer OK, with the received args as data."""
    known = {"flowId", "stepName", "ackStates", "uuid", "globalVariables", "callbackUrl"}
    args = {name: value for name, value in delivery.fields.items() if name not in known}
    return Reply(body=json.dumps({"ackState": "OK", "data": args}).encode())


def test_data_decides(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(echo)
    api.submit(
        action(name, service.url, "str what"),
        flow(
            name,
            "input = (float amount); vars = (tries = 0); output = ${ $vars };",
            "deci Size => (when ${ $input.amount > 1000 } -> Large | else -> Small);",
            'set Small => (DONE -> done) { save = (size = "small", tries = ${ $vars.tries + 1 }); };',
            step(
                "Large",
                name,
                "OK -> done",
                'what = ${ "amount " & $string($input.amount) }',
                "save = (size = ${ $result.what });",
            ),
        ),
    )
    small, large = (api.start(name, input={"amount": amount}) for amount in (5, 5000))
    assert api.ended(small)["output"] == {"size": "small", "tries": 1}
    assert api.ended(large)["output"] == {"size": "amount 5000", "tries": 0}
    assert api.refusal("POST", f"/flow/{name}/runs", {})[0] == 422
    assert api.refusal("POST", f"/flow/{name}/runs", {"input": {"amount": "much"}})[0] == 422


def test_time_passes(api: Api, name: str) -> None:
    api.submit(
        flow(
            name,
            "wait Cool => (DONE -> Then) { for = 300ms; };",
            'wait Then => (DONE -> done) { until = "2020-01-01T00:00:00Z"; };',
        )
    )
    run = api.start(name)
    assert api.ended(run)["status"] == "succeeded"
    first, second = [entry for entry in api.history(run) if entry["event"] == "TimerRang"][:2]
    assert (first["step"], second["step"]) == ("Cool", "Then")


def events(name: str, more: str = "") -> str:
    return flow(
        name,
        "input = (str id); output = ${ $vars.got };",
        "wait Pay => (PAID -> done | OFF -> stopped | TIMEOUT -> Late) {",
        f'events = (PAID = "{name}.paid", OFF = "{name}.off"); {more}',
        "key = ${ $input.id }; save = (got = ${ $event.data }); };",
        'set Late => (DONE -> done) { save = (got = "late"); };',
    )


def test_an_event_wakes_the_runs_that_wait_for_its_key(api: Api, name: str) -> None:
    api.submit(events(name))
    one, two, three = (api.start(name, input={"id": f"o-{n}"}) for n in (1, 2, 2))
    for run in (one, two, three):
        api.at(run, "Pay")
    api.post("/event", {"name": f"{name}.paid", "key": "o-2", "data": {"sum": 7}})
    assert api.ended(two)["output"] == api.ended(three)["output"] == {"sum": 7}
    assert api.spec(one)["status"] == "running"
    api.post("/event", {"name": f"{name}.off", "key": "o-1"})
    assert api.ended(one)["status"] == "failed"


def test_an_early_event_waits_for_its_run(api: Api, name: str) -> None:
    api.submit(events(name, "timeout = 1s;"))
    api.post("/event", {"name": f"{name}.paid", "key": "early", "data": 1, "ttl": "1h"})
    api.post("/event", {"name": f"{name}.paid", "key": "stale", "data": 2, "ttl": 0})
    early, stale = (api.start(name, input={"id": key}) for key in ("early", "stale"))
    assert api.ended(early)["output"] == 1
    assert api.ended(stale)["output"] == "late"
    listed = api.get("/event", limit=1000)
    assert f"{name}.paid" in names(listed)


def test_a_signal_is_for_one_run(api: Api, name: str) -> None:
    api.submit(events(name))
    mine, other = (api.start(name, input={"id": "same"}) for _ in range(2))
    api.at(mine, "Pay")
    api.post(f"/flowrun/{mine}/signal", {"name": f"{name}.paid", "data": "only you"})
    assert api.ended(mine)["output"] == "only you"
    assert api.spec(other)["status"] == "running"
    api.order(other, "stop")


def test_a_condition_can_become_true_from_outside(api: Api, actions: Actions, name: str) -> None:
    api.submit(flow(name, "wait Both => (DONE -> done) { condition = ${ $vars.stock and $vars.paid }; };"))
    run = api.start(name)
    api.order(run, "vars", {"vars": {"stock": True}})
    assert api.spec(run)["status"] == "running"
    api.order(run, "vars", {"vars": {"paid": True}})
    assert api.ended(run)["status"] == "succeeded"


def test_branches_run_side_by_side(api: Api, actions: Actions, name: str) -> None:
    meet = threading.Barrier(2, timeout=20)

    def together(delivery: Delivery) -> Reply:
        meet.wait()
        return echo(delivery)

    service = actions.serve(together)
    branches = (
        f"branch a {{ {step('A', name, 'OK -> done', 'str_ = 1')} }};",
        f"branch b {{ {step('B', name, 'OK -> done', 'str_ = 2')} }};",
    )
    api.submit(
        action(name, service.url, "any str_", "OK"),
        flow(name, "fork Both => (DONE -> done | FAIL -> stopped) { join = all;", *branches, "};"),
    )
    spec = api.ended(api.start(name))
    assert (spec["status"], spec["output"]) == ("succeeded", {"a": {"str_": 1}, "b": {"str_": 2}})


def test_the_first_of_two_branches_cancels_the_other(api: Api, actions: Actions, name: str) -> None:
    quick, slow = actions.serve(says("OK", data="quick")), actions.serve()
    api.submit(
        action(name, quick.url),
        action(f"{name}_2", slow.url),
        flow(
            name,
            "fork Race => (DONE -> done | FAIL -> stopped) { join = any;",
            f"branch slow {{ {step('S', f'{name}_2', 'OK -> done')} }};",
            f"branch quick {{ {step('Q', name, 'OK -> done')} }}; }};",
        ),
    )
    run = api.start(name)
    assert api.ended(run)["output"] == {"quick": "quick"}
    for delivery in slow.deliveries:
        assert api.outcome(delivery.answer("OK")) == "duplicate"


def test_each_item_goes_through_and_never_more_than_max_at_once(api: Api, actions: Actions, name: str) -> None:
    lock, inside, most = threading.Lock(), 0, 0

    def work(delivery: Delivery) -> Reply:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        pool.submit(answer, delivery)
        return TAKEN

    def answer(delivery: Delivery) -> None:
        nonlocal inside
        with lock:
            inside -= 1
        fails = delivery.fields["item"] == 13
        actions.call_back(delivery, delivery.answer("FAIL" if fails else "OK", data=delivery.fields["item"] * 2))

    service = actions.serve(work)
    api.submit(
        action(name, service.url, "int item, int index"),
        flow(name, "input = (list items);",
             "each All => (DONE -> done | FAIL -> stopped) { items = ${ $input.items }; max = 4; tolerate = 1;",
             step("One", name, args="item = ${ $item }, index = ${ $index }"), "};"),
    )  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        spec = api.ended(api.start(name, input={"items": list(range(20))}))
    assert spec["status"] == "succeeded"
    assert [found for found in spec["output"] if isinstance(found, int)] == [2 * n for n in range(20) if n != 13]
    assert most <= 4
    assert sorted({delivery.fields["item"] for delivery in service.deliveries}) == list(range(20))


def test_a_flow_is_a_step_of_another(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(echo)
    inner, outer = f"{name}_in", f"{name}_out"
    api.submit(
        action(name, service.url, "int n"),
        flow(
            inner,
            "input = (int n); output = ${ $result.n * 10 };",
            "deci Ok => (when ${ $input.n > 0 } -> A | else -> stopped);",
            step("A", name, "OK -> done", "n = ${ $input.n }"),
        ),
        flow(
            outer,
            "input = (int n);",
            f"call In => (DONE -> done | STOPPED -> Sorry) {{ flow = {inner}; input = (n = ${{ $input.n }}); }};",
            "set Sorry => (DONE -> stopped) { save = (sorry = true); };",
        ),
    )
    good, bad = (api.start(outer, input={"n": n}) for n in (4, -4))
    assert api.ended(good)["output"] == 40
    spec = api.ended(bad)
    assert (spec["status"], spec["global_variable"]) == ("failed", {"sorry": True})


def test_a_child_is_stopped_with_its_parent(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve()
    api.submit(
        action(name, service.url),
        flow(f"{name}_in", step("A", name)),
        flow(name, f"call In => (DONE -> done | STOPPED -> stopped) {{ flow = {name}_in; }};"),
    )
    run = api.start(name)
    child = str(service.wait()[0].fields["flowId"])
    api.order(run, "stop")
    assert api.ended(child)["status"] == "canceled"


def test_what_was_done_is_undone_newest_first(api: Api, actions: Actions, name: str) -> None:
    done, undone, bad = actions.serve(echo), actions.serve(echo), actions.serve(says("FAIL"))

    def saga(number: int, then: str) -> str:
        undo = f'undo = {name}_undo (what = "{number}") on OK;'
        return step(f"S{number}", name, f"OK -> {then} | FAIL -> stopped", f'what = "{number}"', undo)

    api.submit(
        action(name, done.url, "str what"),
        action(f"{name}_undo", undone.url, "str what", "OK"),
        action(f"{name}_bad", bad.url),
        flow(name, saga(1, "S2"), saga(2, "Bad"), step("Bad", f"{name}_bad")),
    )
    run = api.start(name)
    assert api.ended(run)["status"] == "failed"
    assert [delivery.fields["what"] for delivery in undone.deliveries] == ["2", "1"]


def test_a_failed_undo_is_listed_and_repeated(api: Api, actions: Actions, name: str) -> None:
    closed = Reply(status=410, body=b"the bank is closed")
    pay, refund, bad = (
        actions.serve(says("PAID", data="p-1")),
        actions.serve(lambda _: closed),
        actions.serve(says("FAIL")),
    )
    api.submit(
        action(name, pay.url, returns="PAID | DECLINED"),
        action(f"{name}_refund", refund.url, "str payment", "REFUNDED"),
        action(f"{name}_bad", bad.url),
        flow(
            name,
            step("Pay", name, "PAID -> Bad", more=f"undo = {name}_refund (payment = ${{ $result }}) on PAID;"),
            step("Bad", f"{name}_bad"),
        ),
    )
    run = api.start(name)
    (failed,) = api.ended(run)["failed_undos"]
    assert (failed["step"], failed["state"], failed["args"]) == ("Pay", "PAID", {"payment": "p-1"})
    assert "the bank is closed" in failed["error"]
    assert [found["metadata"]["name"] for found in api.get("/flowrun", undo="failed", flow=name)] == [run]
    assert api.refusal("POST", f"/flowrun/{run}/retry") == (409, "was-undone")
    refund.act = says("REFUNDED")
    api.order(run, "retry", {"undo": True})
    spec = api.until(run, lambda spec: spec["status"] == "failed" and not spec["failed_undos"])
    assert "could not be undone" not in spec["last_err"]
    assert api.get("/flowrun", undo="failed", flow=name) == []
    assert len(refund.deliveries) == 2
    assert api.order(run, "retry", {"step": "Pay"})["status"] == "running"


def test_a_lost_branch_is_undone_before_the_fork_returns(api: Api, actions: Actions, name: str) -> None:
    work, undone, slow, last = actions.serve(echo), actions.serve(echo), actions.serve(), actions.serve(echo)
    api.submit(
        action(name, work.url, "str what"),
        action(f"{name}_undo", undone.url, "str what", "OK"),
        action(f"{name}_slow", slow.url),
        action(f"{name}_last", last.url),
        flow(
            name,
            "fork Race => (DONE -> Last | FAIL -> stopped) { join = any;",
            "branch lost {",
            step("Lost", name, "OK -> Slow | FAIL -> stopped", 'what = "lost"', f"undo = {name}_undo on OK;"),
            step("Slow", f"{name}_slow"),
            "}; branch won {",
            "wait Late => (GO -> Won | TIMEOUT -> stopped) {",
            'events = (GO = "go"); key = ${ $run.name }; timeout = 1h; };',
            step("Won", name, "OK -> done | FAIL -> stopped", 'what = "won"', f"undo = {name}_undo on OK;"),
            "}; };",
            step("Last", f"{name}_last"),
        ),
    )
    run = api.start(name)
    slow.wait()
    api.post("/event", {"name": "go", "key": run})
    assert api.ended(run)["status"] == "succeeded"
    assert [delivery.fields["what"] for delivery in undone.deliveries] == ["lost"]
    assert undone.deliveries[0].at <= last.deliveries[0].at


def test_people_answer_tasks(api: Api, name: str) -> None:
    api.submit(
        f"action {name} method = human; args = (str question); return = (YES | NO); action_end",
        flow(name, step("Ask", name, "YES -> done | NO -> stopped", 'question = "well?"')),
    )
    run = api.start(name)
    (task,) = poll(lambda: api.get("/task", flowId=run))
    assert (task["ackStates"], task["args"], task["kind"]) == (["YES", "NO"], {"question": "well?"}, "task")
    answer: dict[str, Any] = {key: task[key] for key in ("flowId", "stepName", "uuid")}
    assert api.refusal("POST", "/step", {**answer, "ackState": "MAYBE", "done": True})[0] == 422
    assert api.outcome({**answer, "ackState": "YES", "done": True}) == "advanced"
    assert api.ended(run)["status"] == "succeeded"
    assert api.get("/task", flowId=run) == []


def test_a_person_approves_a_delivery(api: Api, actions: Actions, name: str) -> None:
    service = actions.serve(says("OK"))
    api.submit(
        action(name, service.url, more="approval = required;"),
        flow(name, step("A", name, "OK -> done | ERROR -> stopped")),
    )
    yes, no = api.start(name), api.start(name)
    for run, word in ((yes, 0), (no, 1)):
        (task,) = poll(partial(api.get, "/task", flowId=run))
        assert task["kind"] == "approval"
        assert service.deliveries == [] or run == no
        answer = {key: task[key] for key in ("flowId", "stepName", "uuid")}
        api.outcome({**answer, "ackState": task["ackStates"][word], "done": True})
    assert (api.ended(yes)["status"], api.ended(no)["status"]) == ("succeeded", "failed")
    assert len(service.deliveries) == 1


def test_a_megabyte_travels_on(api: Api, actions: Actions, name: str) -> None:
    """From a callback's data into a variable, the next request, and the run's output."""
    first, second = actions.serve(), actions.serve(says("OK"))
    text = "ä" * 524_288
    api.submit(
        action(name, first.url), action(f"{name}_2", second.url, "map big"),
        flow(name, "output = ${ $vars.big };", step("A", name, "OK -> B", more="save = (big = ${ $result });"),
             step("B", f"{name}_2", "OK -> done", "big = ${ $result }")),
    )  # fmt: skip
    run = api.start(name)
    assert api.outcome(first.wait()[0].answer("OK", data={"text": text})) == "advanced"
    assert api.get(api.ended(run)["output"]["$ref"]) == {"text": text}
    (delivery,) = second.deliveries
    assert delivery.fields["big"] == delivery.fields["globalVariables"]["big"] == {"text": text}
    assert api.get(api.history(run)[1]["data"]["$ref"]) == {"text": text}
