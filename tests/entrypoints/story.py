"""A story that makes every call of the API. Its responses are the examples in the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from chalicelib import hosting
from chalicelib.entrypoints.http.openapi.examples import Exchange
from chalicelib.entrypoints.http.views.task_links import FORM
from chalicelib.hosting import Services
from chalicelib.model.step_token import StepToken
from chalicelib.service.ports.queues import QueueName
from tests.entrypoints.gateway import Reply, call
from tests.entrypoints.steps import NEVER, answered
from tests.fakes import FakeClock

ORDER = """action charge
    addr = "https://pay.example/charge"; args = (str order, float amount); return = (SUCCESS | FAIL);
action_end
/
action review
    method = human; args = (str order); return = (AGREE | REJECT);
action_end
/
flow order
    input = (str order, float amount);
    deci Size   => (when ${ $input.amount > 1000 } -> Review | else -> Charge);
    deci Review => (AGREE -> Charge | REJECT -> stopped) { action = review; args = (order = ${ $input.order }); };
    step Charge => (SUCCESS -> Paid | FAIL -> Charge) {
        action = charge; args = (order = ${ $input.order }, amount = ${ $input.amount }); timeout = 10m;
    };
    wait Paid   => (PAID -> done | TIMEOUT -> stopped) {
        events = (PAID = "paid"); key = ${ $input.order }; timeout = 2d;
    };
flow_end"""
ACTION = 'action ship addr = "https://ship.example/"; args = (str order); return = (SENT | LOST); action_end'
FLOW = """flow shipping
    input = (str order = "o-0");
    step Ship => (SENT -> done | LOST -> Ship) { action = ship; };
flow_end"""
EACH = """flow parcels
    each Parcels => (DONE -> done) {
        items = ${ ["p-1", "p-2", "p-3"] }; max = 2;
        step Send => (SENT -> done) { action = ship; args = (order = ${ $item }); };
    };
flow_end"""
RUN = """flow_run ship_7
    step Ship => (SENT -> done | LOST -> stopped) { action = ship; args = (order = "o-7"); };
flow_run_end"""

EVENT = "event payment.received args = (str order, float amount, str note = null); event_end"
HOOK = 'hook pager addr = "https://pager.example/echoer"; on = (run.failed, run.canceled); flow = order; hook_end'
CONFIG = 'config REGION = "eu-west-1";'
SCHEDULE = """schedule nightly
    flow = shipping;  cron = "0 2 * * *";  zone = "Europe/Berlin";  input = (order = ${ "o-" & $scheduled });
schedule_end"""


NEVER_TIME = "2099-01-01T00:00:00Z"


class Place(Protocol):
    """Where the story happens: a clock, services, and workers that handle one batch of a queue."""

    @property
    def clock(self) -> FakeClock: ...
    @property
    def services(self) -> Services: ...

    def work(self, queue: QueueName = QueueName.DELIVERIES) -> object: ...


class Teller:
    """Calls the app with `call`, and records the exchanges."""

    def __init__(self, host: Place, call: Callable[..., Reply] = call) -> None:
        self.host = host
        self.told: list[Exchange] = []
        self._call = call

    def __call__(self, title: str, method: str, template: str, body: Any = None, **given: Any) -> Any:
        """Make a call, and return the response. `given` holds the parameters of the path and those of the query."""
        self.host.clock.advance(1_000)
        path = {name: value for name, value in given.items() if f"{{{name}}}" in template}
        query = {name: value for name, value in given.items() if name not in path}
        url = template.format(**{name: quote(value, safe="") for name, value in path.items()})
        sent = {name: "true" if value is True else value for name, value in query.items()}
        headers = {"headers": {"Content-Type": FORM}} if template == "/task/{link}/answer" else {}
        reply = self._call(method, f"{url}?{urlencode(sent, doseq=True)}" if sent else url, body, **headers)
        media = reply.headers["Content-Type"].partition(";")[0]
        answer = reply.json if media == "application/json" else reply.text
        found = Exchange(
            title=title,
            call=(method, template),
            path=path,
            query=query,
            body=body,
            status=reply.status,
            media=media,
            answer=answer,
        )
        self.told.append(found)
        return answer


def tell(host: Place, call: Callable[..., Reply] = call) -> list[Exchange]:
    """Make every call in a realistic order, and return all exchanges."""
    say = settle(host, call)
    _orders(say)
    _events(say)
    _schedules(say)
    _holds(say)
    _batches(say)
    _server(say)
    _ends(say)
    return say.told


def settle(host: Place, call: Callable[..., Reply] = call) -> Teller:
    """Run the first half of the story: definitions and running runs."""
    say = Teller(host, call)
    _definitions(say)
    _runs(say)
    return say


def _definitions(say: Teller) -> None:
    mistaken = ORDER.replace("AGREE -> Charge", "AGREE -> Chrage")
    say("a document with a mistake", "POST", "/fsl", mistaken, dry_run=True)
    say("what would change", "POST", "/fsl", {"data": ORDER}, dry_run=True)
    say("a document", "POST", "/fsl", ORDER)
    say("if nothing has changed", "POST", "/fsl", ORDER, expect=["flow:order@1"])
    say("it has changed", "POST", "/fsl", ORDER, expect=["flow:order@2"])
    say("an action", "POST", "/action", {"data": ACTION})
    say("a flow", "POST", "/flow", {"data": FLOW})
    say("the declaration of an event", "POST", "/eventtype", {"data": EVENT})
    say("a value of the configuration", "POST", "/config", {"data": CONFIG})
    say("a hook", "POST", "/hook", {"data": HOOK})
    say("not of this path", "POST", "/flow", {"data": ACTION})
    say("no FSL", "POST", "/flow", {"data": "flow f step"})
    say("a run with steps of its own", "POST", "/flowrun", {"data": RUN})
    say("all actions", "GET", "/action", limit=2)
    say("one action", "GET", "/action/{name}", name="charge")
    say("no such action", "GET", "/action/{name}", name="refund")
    say("all flows", "GET", "/flow")
    say("one flow", "GET", "/flow/{name}", name="order", version=1)
    say("all declared events", "GET", "/eventtype")
    say("one declared event", "GET", "/eventtype/{name}", name="payment.received")
    say("the configuration", "GET", "/config")
    say("all hooks", "GET", "/hook")
    say("one hook", "GET", "/hook/{name}", name="pager")
    say("one value", "GET", "/config/{name}", name="REGION")
    say("as JSON", "GET", "/flow/{name}/graph", name="shipping")
    say("with positions", "GET", "/flow/{name}/graph", name="shipping", layout=True)
    say("as Mermaid", "GET", "/flow/{name}/graph", name="order", format="mermaid")
    say("what uses a flow", "GET", "/flow/{name}/used_by", name="shipping")
    say("what uses an action", "GET", "/action/{name}/used_by", name="charge")
    say("its schemas", "GET", "/flow/{name}/schema", name="order")
    say("as a machine of Step Functions", "GET", "/flow/{name}/asl", name="shipping")
    say("a flow that cannot be expressed there", "GET", "/flow/{name}/asl", name="order")
    say("with a longer wait", "POST", "/flow", {"data": FLOW.replace("action = ship;", "action = ship; timeout = 2d;")})
    say("its versions", "GET", "/flow/{name}/versions", name="shipping")
    say("versions of an action", "GET", "/action/{name}/versions", name="charge")
    say("what changed", "GET", "/flow/{name}/diff", name="shipping")
    say("a text with a mistake", "POST", "/analyze", {"text": FLOW.replace("LOST -> Ship", "LOST -> Shop")})
    add = {"op": "add", "kind": "step", "name": "Tell", "after": "Ship", "action": "ship"}
    rename = {"op": "rename", "step": "Ship", "to": "Send"}
    say("a step added, and one renamed", "POST", "/edit", {"text": FLOW, "flow": "shipping", "do": [add, rename]})
    say("no such step", "POST", "/edit", {"text": FLOW, "flow": "shipping", "do": [{**rename, "step": "Shop"}]})
    broken = FLOW.replace("=> (", "=> ", 1)
    say("a flow with a syntax error", "POST", "/edit", {"text": broken, "flow": "shipping", "do": [rename]})
    play = {"flow": "order", "input": {"order": "o-9", "amount": 20.0}}
    played = say("until the first wait", "POST", "/play", play)
    charged = {"answer": {"step": "Charge", "state": "SUCCESS", "data": {"receipt": "r-1"}}}
    say("one move more", "POST", "/play", {**play, "continue": played["state"], "event": charged})
    say("as a test", "POST", "/play", {**play, "moves": [charged]}, format="test")


def _runs(say: Teller) -> None:
    large = {"input": {"order": "o-2", "amount": 5000}, "name": "o-2", "labels": {"shop": "north"}}
    say("a run", "POST", "/flow/{name}/runs", large, name="order")
    say("a name that is taken", "POST", "/flow/{name}/runs", large, name="order")
    say("an input is missing", "POST", "/flow/{name}/runs", {"input": {"order": "o-3"}}, name="order")
    say("no such flow", "POST", "/flow/{name}/runs", {}, name="orders")
    host = {"input": {"order": "o-1", "amount": 12.5}, "name": "o-1", "key": "o-1"}
    run = say("under a key", "POST", "/flow/{name}/runs", host, name="order")
    say("the same key again", "POST", "/flow/{name}/runs", host, name="order")
    say.host.work()
    say("what the run waits for", "GET", "/step/{name}", name="o-1.Charge")
    half = answered(run, data={"percent": 50}, done=False, ackState=None)
    say("a report on the way", "POST", "/step", half)
    full = answered(run, ackState="SUCCESS", data={"receipt": 4711}, globalVariables={"receipt": 4711})
    say("an answer", "POST", "/step", full)
    say("said again", "POST", "/step", {**full, "uuid": full["uuid"].upper()})
    say("never issued", "POST", "/step", {**full, "uuid": NEVER})
    task = say("the inbox", "GET", "/task", flowId="o-2")[0]
    answer = {"flowId": task["flowId"], "stepName": task["stepName"], "uuid": task["uuid"], "done": True}
    say("a state that the step does not route", "POST", "/step", {**answer, "ackState": "MAYBE"})
    link = task["links"]["AGREE"]["page"].rpartition("/")[2]
    say("a page that asks for confirmation", "GET", "/task/{link}", link=link)
    say("a link that was changed", "GET", "/task/{link}", link=link[1:])
    say("a person's answer", "POST", "/step", {**answer, "ackState": "AGREE"})
    say("the task was answered before", "POST", "/task/{link}/answer", "confirm=yes&note=fine", link=link)
    run = say("what is to be charged", "GET", "/step/{name}", name="o-2.Charge")
    token = StepToken("default", "o-2", run["metadata"]["uuid"]).encode()
    error = {"name": "CardExpired", "cause": "the card expired in 2026"}
    say("an answer by token", "POST", "/step/{name}", {"ackState": "FAIL", "error": error}, name=token)
    say("no such token", "POST", "/step/{name}", {"ackState": "FAIL"}, name="o-2")
    say("a flow with an each", "POST", "/flow", {"data": EACH})
    say("a run with items", "POST", "/flow/{name}/runs", {"name": "parcels-1"}, name="parcels")
    say("the newest runs", "GET", "/flowrun", status="running,paused", limit=1)
    say("by label", "GET", "/flowrun", flow="order", label="shop:north", since="2027-01-15T08:00:00Z")
    say("one run", "GET", "/flowrun/{name}", name="o-1")
    say("what its items did", "GET", "/flowrun/{name}/items", name="parcels-1", limit=2)
    say("its cost", "GET", "/flowrun/{name}/cost", name="o-1")
    say("what was sent and came back", "GET", "/flowrun/{name}/activation/{uuid}", name="o-1", uuid=full["uuid"])
    say("its history", "GET", "/flowrun/{name}/history", name="o-1", after=1, limit=2)
    rows = [{"item": number, "note": "fragile " * 10} for number in range(300)]
    hosting.services().operator.set_vars("default", "o-1", {"rows": rows})
    say("in brief", "GET", "/flowrun", view="summary", limit=1)
    say("by status", "GET", "/flowrun/count", group="status", label="shop:north")
    say("a part of a variable", "GET", "/flowrun/{name}/value", name="o-1", of="vars", path="/rows", count=2)
    reference = say("its variables", "GET", "/flowrun/{name}", name="o-1")["spec"]["global_variable"]["rows"]["$ref"]
    key = reference.rpartition("/")[2]
    say("a part of a large value", "GET", "/flowrun/{name}/value/{key}", name="o-1", key=key, path="/7/note")
    hosting.services().operator.set_vars("default", "o-1", {}, remove=["rows"])
    say("what is new", "GET", "/flowrun/{name}/watch", name="o-1", after=3, wait=20)
    say("with its path", "GET", "/flowrun/{name}/graph", name="o-1", format="mermaid")
    say("a recorded run, up to an entry", "POST", "/play", {"run": "o-1", "upto": 2})
    say("steps that were started", "GET", "/step", limit=2)


def _orders(say: Teller) -> None:
    say("pause", "POST", "/flowrun/{name}/pause", name="o-2")
    say("change variables", "POST", "/flowrun/{name}/vars", {"vars": {"urgent": True, "clerk": None}}, name="o-2")
    say("remove variables", "POST", "/flowrun/{name}/vars", {"remove": ["clerk"]}, name="o-2")
    say("continue", "POST", "/flowrun/{name}/continue", name="o-2")
    say("change labels", "POST", "/flowrun/{name}/labels", {"set": {"shop": "south"}, "remove": ["team"]}, name="o-2")
    say("what is due", "GET", "/timer", limit=2, until="2027-02-15T08:00:00Z")
    say("stop", "POST", "/flowrun/{name}/stop", {"reason": "ordered twice"}, name="o-2")
    say("it was stopped", "POST", "/flowrun/{name}/vars", {"vars": {"urgent": False}}, name="o-2")
    mended = {"step": "Charge", "version": "latest", "vars": {"urgent": False}, "reason": "the amount was wrong"}
    say("retry, mended", "POST", "/flowrun/{name}/retry", mended, name="o-2")
    say("what fits", "POST", "/flowrun/{name}/migrate", {"version": 1, "dry_run": True}, name="o-2")
    again = {"step": "Charge", "reason": "the service has lost the request"}
    say("go to a step", "POST", "/flowrun/{name}/goto", again, name="o-2")


def _events(say: Teller) -> None:
    say("for one run", "POST", "/flowrun/{name}/signal", {"name": "paid", "data": {"by": "card"}}, name="o-1")
    say("for all runs", "POST", "/event", {"name": "paid", "key": "o-2", "data": {"by": "card"}, "ttl": "2h"})
    identified = {"name": "payment.received", "data": {"order": "o-2", "amount": 9.5}, "id": "receipt-4711"}
    say("whom it would wake", "POST", "/event", {"name": "paid", "key": "o-2"}, dry_run=True)
    say("a declared event, once", "POST", "/event", identified)
    say("data that does not fit", "POST", "/event", {"name": "payment.received", "data": {"order": 7}})
    resource = {"metadata": {"name": "paid", "kind": "event"}, "event_type": 0, "message": "card", "object": {"n": 1}}
    say("in the form of the original echoer", "POST", "/event", resource)
    say("what was published", "GET", "/event", limit=10)
    changed = {"resource": ["event"], "version": 1_800_000_000_000}
    say("changes", "GET", "/watch", **changed)


def _schedules(say: Teller) -> None:
    never = SCHEDULE.replace("0 2 * * *", "0 0 30 2 *")
    say("a schedule", "POST", "/schedule", {"data": SCHEDULE})
    say("a schedule that never starts a run", "POST", "/schedule", {"data": never})
    say("its next slots", "GET", "/schedule/{name}/next", name="nightly", n=3, since="2027-03-27T00:00:00Z")
    run = say("a run now", "POST", "/schedule/{name}/run", {}, name="nightly")
    past = {"from": "2027-01-14T00:00:00Z", "to": "2027-01-15T00:00:00Z"}
    done = say("past slots", "POST", "/schedule/{name}/backfill", past, name="nightly")
    say(
        "a range that ends in the future",
        "POST",
        "/schedule/{name}/backfill",
        {**past, "to": NEVER_TIME},
        name="nightly",
    )
    say("pause a schedule", "POST", "/schedule/{name}/pause", name="nightly")
    say("one schedule", "GET", "/schedule/{name}", name="nightly")
    say("continue a schedule", "POST", "/schedule/{name}/continue", name="nightly")
    say("all schedules", "GET", "/schedule")
    say("a schedule refers to it", "DELETE", "/flow/{name}", name="shipping")
    say("whatever schedule has the name", "DELETE", "/schedule/{name}", name="nightly")
    schedule = say("defined anew", "POST", "/schedule", {"data": SCHEDULE})
    of_schedule = {"name": "nightly", "uuid": schedule["metadata"]["uuid"]}
    say("the schedule of that uuid", "DELETE", "/schedule/{name}/{uuid}", **of_schedule)
    for name in (run["run"], done["started"][0]["run"]):
        say("a run of a schedule", "POST", "/flowrun/{name}/stop", name=name)


def _holds(say: Teller) -> None:
    say("pause an action", "POST", "/action/{name}/pause", name="charge")
    say("a paused action", "GET", "/action/{name}", name="charge")
    say("continue an action", "POST", "/action/{name}/continue", name="charge")
    say("pause a flow", "POST", "/flow/{name}/pause", name="shipping")
    say("a run that waits", "POST", "/flow/{name}/runs", {"name": "s-1"}, name="shipping", wait=1)
    say("continue a flow", "POST", "/flow/{name}/continue", name="shipping")
    later = {"name": "s-2", "start_at": "2099-01-01T00:00:00Z"}
    say("a delayed start", "POST", "/flow/{name}/runs", later, name="shipping")
    say("not yet ended", "GET", "/flowrun/{name}", name="s-2", wait=1)
    for name in ("s-1", "s-2"):
        say("a run that never began", "POST", "/flowrun/{name}/stop", name=name)


def _batches(say: Teller) -> None:
    trial = {"select": {"flow": "order", "status": "running"}, "do": "stop", "dry_run": True}
    say("what would be stopped", "POST", "/batch", trial)
    wanted = {"select": {"names": ["o-2", "o-77"]}, "do": "pause", "rate": 5}
    batch = say("a batch", "POST", "/batch", wanted)
    say("a filter with a mistake", "POST", "/batch", {**trial, "select": {"flw": "order"}})
    say("stop it", "POST", "/batch/{batch_id}/stop", batch_id=batch["id"])
    say("continue it", "POST", "/batch/{batch_id}/continue", batch_id=batch["id"])
    say("all batches", "GET", "/batch", limit=1)
    say("one batch", "GET", "/batch/{batch_id}", batch_id=batch["id"])


def _server(say: Teller) -> None:
    say("a name", "GET", "/")
    say("health", "GET", "/healthz")
    say("who is calling, and what they may do", "GET", "/me")
    say("a table", "POST", "/command", {"command": "list action"})
    say("a mistake", "POST", "/command", {"command": "lst"})
    say("what does not get on", "GET", "/doctor", silent="1s")
    say("on their way again", "POST", "/doctor/repair", silent="1s")
    say("a secret", "PUT", "/secret/{name}", {"value": "it is never shown"}, name="ci.token")
    say("no name of a secret", "PUT", "/secret/{name}", {"value": "x"}, name="ci token")
    say("the names of secrets", "GET", "/secret")
    say("a secret is gone", "DELETE", "/secret/{name}", name="ci.token")
    say("no such secret", "DELETE", "/secret/{name}", name="ci.token")
    made = {"name": "ci", "role": "operator", "expires_in": "30d"}
    token = say("a new token", "POST", "/token", made)
    say("the namespace's tokens", "GET", "/token")
    say("revoked", "DELETE", "/token/{token_id}", token_id=token["id"])


def _ends(say: Teller) -> None:
    say("it has not ended", "DELETE", "/flowrun/{name}", name="o-2")
    run = say("an ended run", "GET", "/flowrun/{name}", name="o-1")
    say("the run of that uuid", "DELETE", "/flowrun/{name}/{uuid}", name="o-1", uuid=run["metadata"]["uuid"])
    for name in ("o-2", "ship_7", "parcels-1"):
        say("stop for good", "POST", "/flowrun/{name}/stop", {"reason": "nobody wants it"}, name=name)
        say("whatever run has the name", "DELETE", "/flowrun/{name}", name=name)
        for queue in (QueueName.DELIVERIES, QueueName.WAKES, QueueName.WAKES, QueueName.DELIVERIES):
            say.host.work(queue)  # one notification at a time: several are sent side by side
    say("what became of its notifications", "GET", "/hook/{name}/deliveries", name="pager")
    hook = say("the hook again", "POST", "/hook", {"data": HOOK})
    say("the hook of that uuid", "DELETE", "/hook/{name}/{uuid}", name="pager", uuid=hook["metadata"]["uuid"])
    say("a hook anew", "POST", "/hook", {"data": HOOK})
    say("whatever hook has the name", "DELETE", "/hook/{name}", name="pager")
    say("it is referred to", "DELETE", "/action/{name}", name="ship")
    flow = say("another flow", "GET", "/flow/{name}", name="shipping")
    say("the flow of that uuid", "DELETE", "/flow/{name}/{uuid}", name="shipping", uuid=flow["metadata"]["uuid"])
    say("whatever flow has the name", "DELETE", "/flow/{name}", name="order")
    say("the flow with an each", "DELETE", "/flow/{name}", name="parcels")
    (action,) = say("another action", "GET", "/action", **{"metadata.name": "ship"})
    say("the action of that uuid", "DELETE", "/action/{name}/{uuid}", name="ship", uuid=action["metadata"]["uuid"])
    say("whatever action has the name", "DELETE", "/action/{name}", name="charge")
    event = say("again", "POST", "/eventtype", {"data": EVENT})
    of_event = {"name": "payment.received", "uuid": event["metadata"]["uuid"]}
    say("the declaration of that uuid", "DELETE", "/eventtype/{name}/{uuid}", **of_event)
    say("declared anew", "POST", "/eventtype", {"data": EVENT})
    say("whatever declaration has the name", "DELETE", "/eventtype/{name}", name="payment.received")
    config = say("unchanged", "POST", "/config", {"data": CONFIG})
    say("the value of that uuid", "DELETE", "/config/{name}/{uuid}", name="REGION", uuid=config["metadata"]["uuid"])
    say("set anew", "POST", "/config", {"data": CONFIG})
    say("whatever value has the name", "DELETE", "/config/{name}", name="REGION")
    machine = {"StartAt": "Rest", "States": {"Rest": {"Type": "Wait", "Seconds": "${Rest}", "End": True}}}
    say("a machine with a value", "POST", "/import", {"asl": machine, "name": "resting", "values": {"Rest": 60}})
    say("without the value", "POST", "/import", {"asl": machine, "name": "resting"})
    say("no machine", "POST", "/import", {"asl": "StartAt: Rest"})


def written(told: list[Exchange]) -> str:
    """Return the story in the format of its file: one exchange per line."""
    lines = ",\n".join(json.dumps(_plain(one), ensure_ascii=False, separators=(",", ":")) for one in told)
    return f"[\n{lines}\n]\n"


def _plain(one: Exchange) -> dict[str, Any]:
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    return {name: value for name, value in fields.items() if value not in ({}, None) or name == "answer"}
