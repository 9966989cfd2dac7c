"""What happens rarely, so that each function makes the calls that only this needs."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.service.batches.operator import COLLECTING_MS
from chalicelib.service.ports.actions import NotTaken, Reply
from chalicelib.service.ports.batches import CHUNK_ITEMS
from chalicelib.service.ports.queues import QueueName
from tests.deploy.cloud import Cloud
from tests.hosts import answer_at_once

DOCUMENT: Final = """
action lost addr = "http://lost.test/"; return = (OK | FAIL); retry = (max = 50, delay = 1s); action_end
/
action quick addr = "http://quick.test/"; return = (OK | FAIL); action_end
/
action never addr = "http://never.test/"; return = (UNDONE); retry = (max = 1); action_end
/
action sealed addr = "http://work.test/"; args = (secret str key, any x = null); return = (OK); action_end
/
action issue addr = "http://work.test/"; args = (any x = "s3cret"); return = (OK); data = secret; action_end
/
flow issues
    step Issue => (OK -> done) { action = issue; };
flow_end
/
flow waits
    wait First => (CAME -> done) { events = (CAME = "early"); timeout = 3d; };
flow_end
/
flow taken_back
    step Work => (OK -> stopped | FAIL -> stopped) { action = quick; undo = never() on OK; };
flow_end
/
flow timed
    input = (any big = null);
    wait First => (DONE -> Copy) { for = 1h; };
    set Copy   => (DONE -> Quick) { save = (copy = ${ $append($input.big, ["more"]) }); };
    step Quick => (OK -> done | FAIL -> stopped) { action = quick; };
flow_end
/
flow sealed_child
    input = (secret str key);
    step Sealed => (OK -> done) { action = sealed; args = (key = ${ $input.key }); };
flow_end
/
flow sealed_parent
    input = (secret str key);
    call Child => (DONE -> done | STOPPED -> stopped) { flow = sealed_child; input = (key = ${ $input.key }); };
flow_end
"""


RACE: Final = """
flow race_ACTION
    input = (any big = null);
    fork First => (DONE -> Later | FAIL -> stopped) {
        join = any;
        branch left  { step Try => (OK -> done | ERROR -> done | FAIL -> stopped) { action = ACTION; }; };
        branch right { wait Never => (CAME -> done) { events = (CAME = "never"); timeout = 3d; }; };
    };
    set Later  => (DONE -> Sealed) { save = (copy = ${ $append($input.big, ["more"]) }); };
    step Sealed => (OK -> done) {
        action = sealed; args = (key = secret "k", x = ${ $vars.copy }); timeout = 10m; undo = quick();
    };
flow_end
/
"""
"""Of two branches one wins: an event is no longer waited for. Then large and secret values are stored."""

_BIG: Final = ["x" * 100] * 3_500


def happen(cloud: Cloud) -> None:
    """Let it happen, one thing after the other; then the same with `dead_letter` in the place of `wake`."""
    cloud.actions.script = answer_at_once
    cloud.request("PUT", "/secret/k", {"value": "s3cret"})
    races = [RACE.replace("ACTION", action) for action in ("quick", "lost")]
    assert cloud.request("POST", "/fsl", "/\n".join([DOCUMENT, *races])).status == 200
    _actions_answer_later(cloud)
    for cloud.wakes_die in (False, True):
        _a_delivery_ends_a_wait(cloud)
        _a_dead_delivery_ends_a_wait(cloud)
        _an_event_came_early(cloud)
        _a_timer_is_due(cloud)
        _a_called_run_gets_a_secret(cloud)
        _dead_letters_are_shown_and_sent_again(cloud)
        _dynamodb_refuses(cloud)
    _undos_fail(cloud)
    for cloud.wakes_die in (False, True):
        _runs_are_found_for_a_batch(cloud)


def _actions_answer_later(cloud: Cloud) -> None:
    """They answer at the Function URL, also with a token, and what follows is decided there."""
    cloud.actions.script = cloud.answer_later
    token = cloud.request("POST", "/token", {"name": "actions", "role": "action"}).json["token"]
    assert cloud.answer("/step", {}, {"Authorization": f"Bearer {token}"}).status == 400
    _a_delivery_ends_a_wait(cloud)
    _a_called_run_gets_a_secret(cloud)
    _a_timer_is_due(cloud)
    _an_answer_is_secret(cloud)
    with cloud.throttled():
        assert cloud.answer("/step", {"flowId": "r", "stepName": "s", "uuid": "u"}).status == 503
    cloud.actions.script = answer_at_once


def _a_delivery_ends_a_wait(cloud: Cloud) -> None:
    run = _start(cloud, "race_quick", big=_BIG)
    cloud.settle()
    assert _status(cloud, run) == "succeeded"


def _a_dead_delivery_ends_a_wait(cloud: Cloud) -> None:
    run = _start(cloud, "race_lost", big=_BIG)
    assert cloud.bury(QueueName.DELIVERIES)
    cloud.settle()
    assert _status(cloud, run) == "succeeded"


def _an_event_came_early(cloud: Cloud) -> None:
    """The run finds it when it begins to wait, and then waits no longer."""
    assert cloud.request("POST", "/event", {"name": "early", "ttl": "1h"}).status < 300
    run = _start(cloud, "waits")
    cloud.settle()
    assert _status(cloud, run) == "succeeded"


def _a_timer_is_due(cloud: Cloud) -> None:
    """The step after it stores a large value, which has several parts."""
    run = _start(cloud, "timed", big=_BIG)
    cloud.settle()
    cloud.pass_time(3_600_000)
    cloud.sweep()
    cloud.settle()
    assert _status(cloud, run) == "succeeded"


def _an_answer_is_secret(cloud: Cloud) -> None:
    run = _start(cloud, "issues")
    cloud.settle()
    assert _status(cloud, run) == "succeeded"


def _a_called_run_gets_a_secret(cloud: Cloud) -> None:
    """It is decrypted and encrypted again, since a stored secret is bound to its run."""
    run = _start(cloud, "sealed_parent", key="s3cret")
    cloud.settle()
    assert _status(cloud, run) == "succeeded"


def _dead_letters_are_shown_and_sent_again(cloud: Cloud) -> None:
    run = _start(cloud, "race_quick", big=_BIG)
    assert cloud.bury(QueueName.DELIVERIES)
    shown, repaired = cloud.request("GET", "/doctor"), cloud.request("POST", "/doctor/repair")
    for reply in (shown, repaired):
        assert run in {found["run"] for found in reply.json["findings"]}, reply.text
    cloud.settle()
    assert _status(cloud, run) == "succeeded"


def _dynamodb_refuses(cloud: Cloud) -> None:
    """Messages of all queues are put off."""
    runs = []
    for is_dead in (False, True):
        runs.append(_start(cloud, "race_quick", big=_BIG))
        if is_dead:
            cloud.bury(QueueName.DELIVERIES)
        with cloud.throttled():
            cloud.settle()
    cloud.pass_time(15 * 60_000)
    cloud.settle()
    assert {_status(cloud, run) for run in runs} == {"succeeded"}


def _undos_fail(cloud: Cloud) -> None:
    """So many runs fail, with an undo that failed, that a list of them has two pages."""
    cloud.actions.script = _undo_nothing
    order = {"labels": {"team": "returns"}}
    for _ in range(CHUNK_ITEMS + 1):
        assert cloud.request("POST", "/flow/taken_back/runs", order).status == 201
    cloud.settle()


def _runs_are_found_for_a_batch(cloud: Cloud) -> None:
    """The API finds the first runs, and `wake` all others, by each index that a list uses."""
    for select in ({"flow": "taken_back"}, {"status": "failed"}, {"label": "team:returns"}, {"undo": "failed"}):
        with cloud.slow(COLLECTING_MS):
            batch = cloud.request("POST", "/batch", {"select": select, "do": "pause", "rate": 1}).json
        assert (batch["status"], batch["matched"]) == ("collecting", CHUNK_ITEMS), batch
        cloud.pass_time(1_000)
        cloud.settle()
        assert cloud.request("POST", f"/batch/{batch['id']}/stop").json["matched"] > CHUNK_ITEMS


def _undo_nothing(request: dict[str, Any]) -> Reply:
    """Answer, but refuse the undo, whose action has the state UNDONE alone."""
    return NotTaken("no", final=True) if request["ackStates"] == ["UNDONE"] else answer_at_once(request)


def _start(cloud: Cloud, flow: str, **given: Any) -> str:
    reply = cloud.request("POST", f"/flow/{flow}/runs", {"input": given})
    assert reply.status == 201, reply.text
    return str(reply.json["metadata"]["name"])


def _status(cloud: Cloud, name: str) -> str:
    return str(cloud.request("GET", f"/flowrun/{name}").json["spec"]["status"])
