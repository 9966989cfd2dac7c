"""The first week of a stage, in which every function makes each of its kinds of request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters import sqs
from chalicelib.entrypoints.http.openapi.examples import Exchange
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.ports.queues import QueueName
from tests.deploy.cloud import Cloud
from tests.entrypoints.story import tell
from tests.hosts import answer_at_once

DOCUMENT = """
action work addr = "http://work.test/"; args = (any x = null); return = (OK | NO); retry = (max = 9); action_end
/
action late addr = "http://late.test/"; args = (any x = null); return = (OK | NO); callback = signed; action_end
/
action bounded addr = "http://work.test/"; args = (secret str key); return = (OK);
    limit = (concurrent = 1, per_second = 5); action_end
/
action ask method = human; return = (YES | NO); action_end
/
flow small
    step Only => (OK -> done) { action = work; };
flow_end
/
flow waiting
    step Ask => (OK -> done) { action = late; };
flow_end
/
flow asking
    deci Ask => (YES -> done | NO -> stopped | TIMEOUT -> Heard) { action = ask; timeout = 5m; };
    wait Heard => (PAID -> done | TIMEOUT -> done) { events = (PAID = "paid"); key = "never"; timeout = 5m; };
flow_end
/
flow large
    input  = (any big = null);
    labels = (team = "payments");
    step One  => (OK -> Sides) { action = work; args = (x = ${ $input.big }); save = (kept = ${ $result }); };
    fork Sides => (DONE -> All | FAIL -> stopped) {
        branch left  { step Left  => (OK -> done) { action = work; args = (x = ${ $vars.kept }); }; };
        branch right { step Right => (OK -> done) { action = bounded; args = (key = secret "k"); }; };
    };
    each All => (DONE -> Child | FAIL -> stopped) {
        items = ${ [1, 2, 3] };
        step Item => (OK -> done) { action = work; args = (x = ${ $item }); };
    };
    call Child => (DONE -> Human | STOPPED -> stopped) { flow = small; };
    deci Human => (YES -> Heard | NO -> stopped) { action = ask; };
    wait Heard => (PAID -> Rest) { events = (PAID = "paid"); key = "k"; timeout = 2d; };
    wait Rest  => (DONE -> Late) { for = 1h; };
    step Late  => (OK -> done)   { action = late; };
flow_end
"""

VIEWS = (
    "/",
    "/healthz",
    "/action",
    "/flow/small",
    "/flowrun",
    "/flowrun?flow=large",
    "/flowrun?label=team:payments",
    "/flowrun?status=succeeded",
    "/flowrun?undo=failed",
    "/step",
    "/event",
    "/watch?resource=flowrun&version=0&wait=0",
)


@dataclass(frozen=True)
class Life:
    """The results."""

    told: list[Exchange]
    submitted: int
    large: dict[str, Any]
    history: int
    callback: str
    signatures: set[bool]
    asked: dict[str, Any]
    lost: dict[str, Any]
    slow: dict[str, Any]
    scheduled: dict[str, Any]
    notified: list[tuple[str, str]]
    views: dict[str, int]
    deleted: list[int]
    authorized: dict[str, str]


def live(cloud: Cloud) -> Life:
    """Run the week."""
    cloud.actions.script = lambda _: Taken()
    told = tell(cloud, cloud.request)
    cloud.actions.script = _script
    cloud.request("PUT", "/secret/k", {"value": "s3cret"})
    submitted = cloud.request("POST", "/fsl", DOCUMENT).status
    large, history = _every_kind_of_step(cloud)
    calls = cloud.actions.calls
    life: dict[str, Any] = {
        "callback": json.loads(calls[-1].body)["callbackUrl"],
        "signatures": {"webhook-signature" in {name.lower() for name in call.headers} for call in calls},
        "asked": _nobody_answers(cloud),
        "lost": _undeliverable(cloud),
        "authorized": _let_in(cloud),
        "slow": _forgotten(cloud),
        "scheduled": _scheduled(cloud),
        "notified": _notified(cloud),
        "views": {url: cloud.request("GET", url).status for url in VIEWS},
        "deleted": [cloud.request("DELETE", url).status for url in ("/flowrun/r", "/flow/waiting")],
    }
    return Life(told=told, submitted=submitted, large=large, history=history, **life)


def _script(request: dict[str, Any]) -> Reply:
    """Answer at once, except for two steps and a hook: their deliveries are only accepted."""
    if "specversion" in request:
        return Taken()
    return Taken() if request["stepName"] in ("Late", "Ask") else answer_at_once(request)


def _every_kind_of_step(cloud: Cloud) -> tuple[dict[str, Any], int]:
    big = {"rows": ["x" * 100] * 3_500}
    cloud.request("POST", "/flow/large/runs", {"name": "r", "input": {"big": big}, "key": "once"})
    cloud.settle()
    (task,) = cloud.request("GET", "/task").json
    named = {key: task[key] for key in ("flowId", "stepName", "uuid")}
    assert cloud.request("POST", "/step", {**named, "ackState": "YES"}).json == {"outcome": "advanced"}
    cloud.settle()
    cloud.request("POST", "/event", {"name": "paid", "key": "k"})
    cloud.settle()
    _time(cloud, *[15] * 5)
    _answer(cloud, json.loads(cloud.actions.calls[-1].body), "OK")
    cloud.settle()
    return cloud.request("GET", "/flowrun/r").json, len(cloud.request("GET", "/flowrun/r/history").json)


def _let_in(cloud: Cloud) -> dict[str, str]:
    """Return the policies that the authorizer gives API Gateway for several tokens."""
    good, gone = (cloud.request("POST", "/token", {"name": name, "role": "viewer"}).json for name in ("ci", "old"))
    cloud.request("DELETE", f"/token/{gone['id']}")
    tokens = {"admin": cloud.token, "made": good["token"], "made up": "x" * 40, "revoked": gone["token"]}
    return {who: cloud.authorize(f"Bearer {token}") for who, token in tokens.items()}


def _nobody_answers(cloud: Cloud) -> dict[str, Any]:
    cloud.request("POST", "/flow/asking/runs", {"name": "asked"})
    _time(cloud, 6, 6, 6)
    return _run(cloud, "asked")


def _undeliverable(cloud: Cloud) -> dict[str, Any]:
    """A delivery is received too often, and moves to the queue of dead letters."""
    client = cloud.client("sqs")
    url = sqs.find_queues(client, cloud.stage.prefix)[QueueName.DELIVERIES]
    (told,) = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"].values()
    once = json.dumps({**json.loads(told), "maxReceiveCount": 1})
    client.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": once})
    cloud.actions.script = lambda _: NotTaken("nobody there", final=False)
    cloud.request("POST", "/flow/small/runs", {"name": "lost"})
    _time(cloud, 1, 1, 1, 1)
    client.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": told})
    cloud.actions.script = _script
    return _run(cloud, "lost")


def _forgotten(cloud: Cloud) -> dict[str, Any]:
    """A run's timer is lost; the sweep finds the run."""
    cloud.request("POST", "/flow/waiting/runs", {"name": "slow"})
    cloud.settle()
    client = cloud.client("sqs")
    client.purge_queue(QueueUrl=sqs.find_queues(client, cloud.stage.prefix)[QueueName.WAKES])
    cloud.pass_time(8 * 24 * 3_600_000)
    cloud.sweep()
    cloud.settle()
    return _run(cloud, "slow")


def _scheduled(cloud: Cloud) -> dict[str, Any]:
    """A schedule starts runs, is commanded, and is deleted."""
    text = "schedule quarterly  flow = small;  every = 15m;  overlap = queue;  catch_up = 1h;  schedule_end"
    cloud.request("POST", "/schedule", json.dumps({"data": text}))
    _time(cloud, 20, 20)
    for command in ("pause", "continue", "run"):
        cloud.request("POST", f"/schedule/quarterly/{command}", "{}")
    cloud.settle()
    found: dict[str, Any] = cloud.request("GET", "/schedule/quarterly").json
    cloud.request("DELETE", "/schedule/quarterly")
    _time(cloud, 20)
    return found


def _notified(cloud: Cloud) -> list[tuple[str, str]]:
    """A hook is notified of a run, and of one that is stuck. Return the types and subjects."""
    text = 'hook pager addr = "http://hook.test/"; on = (run.succeeded, run.stuck); hook_end'
    cloud.request("POST", "/hook", json.dumps({"data": text}))
    cloud.request("POST", "/flow/small/runs", {"name": "told"})
    cloud.settle()
    cloud.actions.script = lambda request: Taken() if "specversion" in request else Taken({"ackState": "NEVER"})
    cloud.request("POST", "/flow/waiting/runs", {"name": "stuck"})
    _time(cloud, *[1] * 6)
    cloud.actions.script = _script
    cloud.request("POST", "/flowrun/stuck/stop", "{}")
    cloud.request("GET", "/hook/pager/deliveries")
    cloud.request("DELETE", "/hook/pager")
    sent = [json.loads(call.body) for call in cloud.actions.calls if call.addresses == ("http://hook.test/",)]
    return [(one["type"], one["subject"]) for one in sent]


def _time(cloud: Cloud, *minutes: int) -> None:
    for passing in minutes:
        cloud.settle()
        cloud.pass_time(passing * 60_000)
        cloud.sweep()
        cloud.settle()


def _answer(cloud: Cloud, asked: dict[str, Any], state: str) -> None:
    said = {key: asked[key] for key in ("flowId", "stepName", "uuid")}
    body = json.dumps({**said, "ackState": state, "done": True})
    told = cloud.answer("/step", body, cloud.signed(body))
    assert told.json == {"outcome": "advanced"}, told.text


def _run(cloud: Cloud, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.request("GET", f"/flowrun/{name}").json
    return found
