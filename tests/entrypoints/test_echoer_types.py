"""The Go types of the original echoer (pkg/core, pkg/resource) decode every answer of its paths.

The tables below are the fields of those types; `decode` does what Go's encoding/json does with them.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest

from chalicelib.engine.paging import MAX_PAGED_STEPS
from chalicelib.service.ports.queues import QueueName
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import answered, defined
from tests.hosts import Host

RANGES = {
    "uint8": (0, 2**8 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
METADATA = {
    "name": "string",
    "kind": "string",
    "version": "int64",
    "uuid": "string",
    "labels": "map[string]any",
}
ACTION = {
    "metadata": METADATA,
    "spec": {
        "system": "string",
        "serve_type": "uint8",
        "endpoints": "[]string",
        "params": "map[string]uint8",
        "return_states": "[]string",
        "reference_count": "uint64",
    },
}
FLOW = {
    "metadata": METADATA,
    "spec": {"steps": [{"action_name": "string", "returns": "map[string]string"}]},
}
STEP = {
    "metadata": METADATA,
    "spec": {
        "flow_id": "string",
        "flow_run_uuid": "string",
        "action_run": {
            "action_name": "string",
            "action_params": "map[string]any",
            "return_state_map": "map[string]string",
            "done": "bool",
        },
        "response": {"state": "string"},
        "data": "string",
        "retry_count": "int32",
        "global_variables": "map[string]any",
    },
}
RUN = {
    "metadata": METADATA,
    "spec": {
        "steps": [STEP],
        "history_states": "[]string",
        "last_state": "string",
        "current_state": "string",
        "last_event": "string",
        "last_err": "string",
        "global_variable": "map[string]any",
    },
}
EVENT = {"metadata": METADATA, "event_type": "int32", "message": "string", "object": "map[string]any"}


def refuse(kind: Any, value: Any, at: str) -> NoReturn:
    raise TypeError(f"json: cannot unmarshal {value!r} into Go value of type {kind} at {at}")


def decode(kind: Any, value: Any, at: str = "$") -> Any:
    """What encoding/json makes of the value. null leaves the zero value; fields are found without regard to case."""
    if value is None:
        return None
    if isinstance(kind, list):
        items = value if isinstance(value, list) else refuse("[]struct", value, at)
        return [decode(kind[0], item, f"{at}[{number}]") for number, item in enumerate(items)]
    if isinstance(kind, dict):
        fields = value if isinstance(value, dict) else refuse("struct", value, at)
        names = {name.lower(): name for name in kind}
        return {
            names[name.lower()]: decode(kind[names[name.lower()]], field, f"{at}.{name}")
            for name, field in fields.items()
            if name.lower() in names
        }
    return _scalar(kind, value, at)


def _scalar(kind: str, value: Any, at: str) -> Any:
    of, _, item = kind.rpartition("]")
    if of:
        items = value if isinstance(value, list if kind.startswith("[]") else dict) else refuse(kind, value, at)
        pairs = items.items() if isinstance(items, dict) else enumerate(items)
        return {name: _scalar(item, one, f"{at}.{name}") for name, one in pairs}
    if kind == "any" or value is None:
        return value
    if kind in RANGES:
        low, high = RANGES[kind]
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    else:
        fits = isinstance(value, {"string": str, "bool": bool}[kind])
    return value if fits else refuse(kind, value, at)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", {"n": 1}),
        ("string", 1),
        ("bool", 1),
        ("uint8", 256),
        ("uint8", "http"),
        ("int32", 2**31),
        ("int64", 1.5),
        ("map[string]string", {"OK": 1}),
        ("map[string]uint8", {"order": "str"}),
        ("[]string", {"a": "b"}),
        ([STEP], {}),
        (STEP, {"Metadata": {"UUID": 7}}),
    ],
)
def test_what_go_refuses_is_refused_here(kind: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="cannot unmarshal"):
        decode(kind, value)


# ── a run with everything that Go's types might stumble over ─────────────────────────────────────────────────────────

ACTIONS = """action work
    addr = "https://work.test/"; method = https;
    args = (str order, int times = 1, float price = 1.5, bool fast = true, list tags = [], map more = {}, any x = 1);
    return = (OK | FAIL);
action_end
/
action ask
    method = human; args = (str order); return = (AGREE | REJECT);
action_end"""
ORDER = """flow order
    input = (str order, float amount); labels = (order = ${ $input.order }, amount = ${ $input.amount });
    deci Size   => (when ${ $input.amount > 1000 } -> Review | else -> Charge);
    deci Review => (AGREE -> Charge | REJECT -> stopped) { action = ask; args = (order = ${ $input.order }); };
    step Charge => (OK when ${ $result.n > 1 } -> Paid | OK -> Spare | FAIL -> Charge) {
        action = work; args = (order = ${ $input.order }, more = ${ {"a": [1, null]} });
    };
    set Spare   => (DONE -> Paid) { save = (spare = true); };
    wait Paid   => (PAID -> done | TIMEOUT -> stopped) { events = (PAID = "paid"); timeout = 2d; };
flow_end"""


def recorded(host: Host) -> list[tuple[str, Any, Any]]:
    """(path, type, answer) of every call of echoer's, at each stage of runs."""
    defined(ACTIONS, ORDER)
    run = call("POST", "/flow/order/runs", {"name": "r", "input": {"order": "o", "amount": 12.5}}).json
    call("POST", "/flow/order/runs", {"name": "waits", "input": {"order": "p", "amount": 5e3}})
    call("POST", "/event", {"name": "other", "key": 1.5, "data": [1, None]})
    call("POST", "/event", {"metadata": {"kind": "event"}, "event_type": 2, "message": "gone", "object": {"a": 1}})
    found = _answers(host)
    host.work()
    call("POST", "/step", answered(run, done=False, ackState=None, data={"percent": 50}))
    found += _answers(host)
    run = call("GET", "/flowrun/r").json
    call("POST", "/step", answered(run, data={"n": 2}, globalVariables={"a": None, "b": [1.5]}))
    found += _answers(host)
    call("POST", "/flowrun/r/signal", {"name": "paid", "data": 7})
    host.work(QueueName.WAKES)
    found += _answers(host)
    call("POST", "/flowrun/waits/stop", {"reason": "enough"})
    found += _answers(host)
    found.append(("POST /flowrun", RUN, call("POST", "/flowrun", {"data": OWN}).json))
    found.append(("DELETE", RUN, call("DELETE", "/flowrun/waits").json))
    return found


OWN = "flow_run own step S => (OK -> done) { action = work; args = (order = 'o'); }; flow_run_end".replace("'", '"')


def _answers(host: Host) -> list[tuple[str, Any, Any]]:
    host.clock.advance(1)
    paths: list[tuple[str, Any]] = [
        ("/action", [ACTION]),
        ("/action/work", ACTION),
        ("/flow", [FLOW]),
        ("/flow/order", FLOW),
        ("/flowrun", [RUN]),
        ("/flowrun/r", RUN),
        ("/step", [STEP]),
        ("/step/r.Charge", STEP),
        ("/event", [EVENT]),
    ]
    found = []
    for path, kind in paths:
        reply = call("GET", path)
        assert reply.status == 200, reply.text
        found.append((path, kind, reply.json))
    for resource, kind in (("step", STEP), ("flowrun", RUN), ("action", ACTION), ("flow", FLOW), ("event", EVENT)):
        stream = call("GET", f"/watch?resource={resource}?version=1").text
        lines = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
        found += [(f"/watch {resource}", kind, one) for one in lines]
    return found


def test_go_decodes_every_answer(host: Host) -> None:
    answers = recorded(host)
    assert len(answers) > 60
    for path, kind, answer in answers:
        decoded = decode(kind, answer, path)
        assert decoded, path


def test_a_step_shows_its_routes_as_they_are(host: Host) -> None:
    defined(ACTIONS, ORDER)
    steps = {step["name"]: step["returns"] for step in call("GET", "/flow/order").json["spec"]["steps"]}
    assert steps["Size"] == {"when $input.amount > 1000": "Review", "else": "Charge"}
    assert steps["Charge"] == {"OK when $result.n > 1": "Paid", "OK": "Spare", "FAIL": "Charge"}
    call("POST", "/flow/order/runs", {"name": "r", "input": {"order": "o", "amount": 1}})
    for step in call("GET", "/flowrun/r").json["spec"]["steps"]:
        assert step["spec"]["action_run"]["return_state_map"] == steps[step["metadata"]["name"]]


def test_an_action_shows_echoers_numbers_and_its_own_words(host: Host) -> None:
    defined(ACTIONS)
    spec = call("GET", "/action/work").json["spec"]
    assert (spec["serve_type"], spec["method"]) == (0, "https")
    assert spec["params"] == {"order": 0, "times": 1, "price": 1, "fast": 2, "tags": 3, "more": 4, "x": 5}
    assert spec["args"]["fast"] == "bool"
    assert call("GET", "/action/ask").json["spec"]["serve_type"] == 2


def started_steps(query: str = "") -> dict[str, tuple[bool, str]]:
    return {
        step["metadata"]["name"]: (step["spec"]["action_run"]["done"], step["spec"]["response"]["state"])
        for step in call("GET", f"/step?{query}").json
    }


def test_steps_that_were_started_are_listed_done_or_not(host: Host) -> None:
    defined(ACTIONS, ORDER)
    run = call("POST", "/flow/order/runs", {"name": "r", "input": {"order": "o", "amount": 1}}).json
    assert started_steps() == {"Size": (True, ""), "Charge": (False, "")}
    call("POST", "/step", answered(run, data={"n": 1}))
    assert started_steps() == {
        "Size": (True, ""),
        "Charge": (True, "OK"),
        "Spare": (True, "DONE"),
        "Paid": (False, ""),
    }
    assert started_steps("metadata.name=Charge") == {"Charge": (True, "OK")}
    call("POST", "/flowrun/r/stop")
    assert started_steps()["Paid"] == (False, "")
    assert started_steps()["Charge"] == (True, "OK")


LOOP = """flow loop
    step First => (OK -> Again | FAIL -> stopped) { action = work; args = (order = "o"); };
    step Again => (OK -> Again | FAIL -> Last) { action = work; args = (order = "o"); };
    step Last  => (OK -> done | FAIL -> Never) { action = work; args = (order = "o"); };
    step Never => (OK -> done | FAIL -> done) { action = work; args = (order = "o"); };
flow_end"""


@pytest.mark.parametrize("rounds", [0, 3, 40])
def test_a_step_that_is_done_is_never_shown_as_not_done(host: Host, rounds: int) -> None:
    """The head has only the newest entries of the history, and lists read only heads."""
    defined(ACTIONS, LOOP)
    run = call("POST", "/flow/loop/runs", {"name": "r"}).json
    for _ in range(rounds + 1):
        call("POST", "/step", answered(run, data="x" * 50))
        run = call("GET", "/flowrun/r").json
        assert started_steps() == {"First": (True, "OK"), "Again": (False, "")}
        assert _states(call("GET", "/flowrun").json[0]) == _states(run)
    call("POST", "/step", answered(run, ackState="FAIL"))
    assert started_steps() == {"First": (True, "OK"), "Again": (True, "FAIL"), "Last": (False, "")}
    run = call("GET", "/flowrun/r").json
    assert _states(call("GET", "/flowrun").json[0]) == _states(run)
    assert _states(run)["Never"] == (False, "")


def test_steps_of_a_flow_with_very_many_are_read_from_the_pages(host: Host) -> None:
    count = MAX_PAGED_STEPS + 10
    sets = " ".join(f"set S{n} => (DONE -> S{n + 1}) {{ save = (x = {n}); }};" for n in range(count))
    defined(
        ACTIONS,
        f"flow many {sets} step S{count} => (OK -> S{count} | FAIL -> done) {{ action = work; "
        'args = (order = "o"); }; flow_end',
    )
    run = call("POST", "/flow/many/runs", {"name": "r"}).json
    for _ in range(20):
        call("POST", "/step", answered(run))
        run = call("GET", "/flowrun/r").json
    assert started_steps() == {f"S{n}": (True, "DONE") for n in range(count)} | {f"S{count}": (False, "")}


def _states(run: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    return {
        step["metadata"]["name"]: (step["spec"]["action_run"]["done"], step["spec"]["response"]["state"])
        for step in run["spec"]["steps"]
    }


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"metadata": {"name": "paid", "kind": "event"}, "event_type": 1, "message": "m", "object": {"a": 1}}, "paid"),
        ({"metadata": {"kind": "event", "labels": None}, "message": "paid", "object": None}, "paid"),
    ],
)
def test_an_event_in_echoers_form_wakes_runs(host: Host, given: dict[str, Any], name: str) -> None:
    wait = 'flow w wait W => (PAID -> done | TIMEOUT -> stopped) { events = (PAID = "paid"); timeout = 1d; }; flow_end'
    defined(wait)
    call("POST", "/flow/w/runs", {"name": "r"})
    reply = call("POST", "/event", given)
    assert reply.status == 200, reply.text
    assert reply.json["metadata"]["name"] == name
    fields = {"event_type": given.get("event_type", 0), "message": given["message"], "object": given["object"] or {}}
    assert {key: reply.json[key] for key in fields} == fields
    assert reply.json["spec"]["data"] == fields
    call("POST", "/flow/w/runs", {"name": "later"})
    host.work(QueueName.WAKES)
    assert {run["spec"]["status"] for run in call("GET", "/flowrun").json} == {"succeeded"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metadata": {}}, "the event needs a name of 1 to 128 characters in `metadata.name` or `message`"),
        ({"metadata": {}, "message": "x" * 129}, "the event needs a name"),
        ({"metadata": {"name": "x" * 129}}, "`metadata.name` must be a string of at most 128 characters"),
        ({"metadata": {"name": "x"}, "event_type": -1}, "`event_type` must be a number >= 0"),
        ({"metadata": {"name": "x"}, "event_type": 1.5}, "`event_type` must be a number that's a multiple of 1"),
        ({"metadata": {"name": "x"}, "event_type": "Added"}, "`event_type` must be a number, not a string"),
        ({"metadata": {"name": "x"}, "object": [1]}, "`object` must be an object or null, not a list"),
        ({"metadata": "x"}, "`metadata` must be an object, not a string"),
        ({"metadata": None}, "`name` is missing"),
    ],
)
def test_an_event_without_a_name_is_malformed(host: Host, given: dict[str, Any], message: str) -> None:
    reply = call("POST", "/event", given)
    assert (reply.status, reply.code) == (400, "malformed")
    assert message in reply.json["message"]
    assert call("GET", "/event").json == []
