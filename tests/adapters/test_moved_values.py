"""Values that only move are the same at the end, whatever store keeps them (fsl/manual.md, 6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from chalicelib.adapters.memory import MemoryStore
from chalicelib.adapters.sqlite.database import MEMORY, Database
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import Reply, Taken
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.start import StartOrder
from tests.hosts import NS, Host

FLOWS: Final = """
action echo addr = "http://echo.test/"; args = (any x, any more = null); return = (OK); action_end
/
action back addr = "http://back.test/"; args = (any x, any of_step); return = (BACK); action_end
/
action end addr = "http://end.test/"; args = (any x); return = (OK | BAD); action_end
/
flow child
    input  = (any x);
    output = ${ $input.x };
    step Echo => (OK -> done) { action = echo; args = (x = ${ $input.x }); };
flow_end
/
flow whole input = any; output = ${ $input }; set S => (DONE -> done); flow_end
/
flow moved
    input  = (any x, bool bad = false);
    vars   = (from_input = ${ $input.x });
    output = {"vars": ${ $vars }, "last": ${ $result }};

    step Echo => (OK -> Wait (entry = ${ $result })) {
        action = echo;
        args   = (x = ${ $input.x }, more = {"deep": [${ $vars.from_input }]});
        save   = (answered = ${ $result }, member.deep = ${ $result });
        undo   = back (x = ${ $result }, of_step = ${ $vars.from_input }) on OK;
    };
    wait Wait => (GO -> Call) { events = (GO = "go"); save = (event = ${ $result }, data = ${ $event.data }); };
    call Call => (DONE -> Whole) { flow = child; input = (x = ${ $vars.event }); save = (called = ${ $result }); };
    call Whole => (DONE -> Each) { flow = whole; input = ${ $vars.event }; save = (one_value = ${ $result }); };
    each Each => (DONE -> Fork | FAIL -> stopped) {
        items = ${ $list($vars.called, $input.x) };
        save  = (items = ${ $result });
        step Item => (OK -> done) { action = echo; args = (x = ${ $item }); };
    };
    fork Fork => (DONE -> Set) {
        branch a { set A => (DONE -> done (output = ${ $input.x })); };
        save = (branch = ${ $result.a });
    };
    set Set => (DONE -> End) { save = (set = ${ $vars.called }); };
    step End => (OK -> done | BAD -> stopped) { action = end; args = (x = ${ $vars.set }); };
flow_end
"""


def _nest(depth: int) -> Json:
    inner: Json = 7.0
    for n in range(depth):
        inner = [inner] if n % 2 else {"in": inner}
    return inner


_VALUES: Final[dict[str, Json]] = {
    "null": None,
    "a large integer": 123456789012345678901234567890,
    "a large negative integer": -(2**70),
    "2**53 + 1": 9007199254740993,
    "7.0": 7.0,
    "-0.0": -0.0,
    "a large float": 1.7976931348623157e308,
    "a small float": 5e-324,
    "0.1 + 0.2": 0.1 + 0.2,
    "text of a number": "0012",
    "text of a float": "7.0",
    "text of JSON": '{"a": 1}',
    "text of true": "true",
    "empty text": "",
    "unicode": "naïve 流程 😀 \u2028 \x7f \x00 é",
    "empty list": [],
    "empty map": {},
    "a list": [7.0, 1, [2.0, None], {"n": 10**25}],
    "a list of one": [7.0],
    "odd names": {"": 1, "a.b": 2.0, "$x": None, "流": {"S": "N"}, "${": "x"},
    "a deep nest": _nest(58),
    "a large text": "äé" * 5_000,
    "many numbers": [n / 2 for n in range(3_000)],
}

VALUES: Final[dict[str, Json]] = {
    "all values": _VALUES,
    **{name: _VALUES[name] for name in ("null", "a large integer", "7.0", "text of a number", "text of JSON")},
}


class Moving:
    """A host with a store, whose actions answer what they were sent."""

    def __init__(self, store: Store) -> None:
        self.is_bad = False
        self.host = Host(self._reply)
        self.host.rebuild(store=store)
        self.host.submit(FLOWS)

    def _reply(self, request: dict[str, Any]) -> Reply:
        state = "BAD" if request["stepName"] == "End" and self.is_bad else request["ackStates"][0]
        data = request["x"]
        # echoer's services answer objects and lists as the text of their JSON
        return Taken({"ackState": state, "data": json.dumps(data) if isinstance(data, (dict, list)) else data})

    def run(self, value: Json, *, is_bad: bool = False) -> None:
        self.is_bad = is_bad
        self.host.services.starter.start(NS, StartOrder(flow="moved", name="r", input={"x": value, "bad": is_bad}))
        self.host.settle()
        self.host.rebuild()
        self.host.services.signaler.publish(NS, "go", data=value)
        self.host.settle()

    def sent(self, step: str) -> list[Json]:
        return [request["x"] for request in self.host.actions.requests if request["stepName"] == step]


def same(one: Json, other: Json) -> bool:
    """Whether both have the same JSON: 7 and 7.0 differ, and so do -0.0 and 0.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.fixture
def sqlite() -> Iterator[Store]:
    database = Database.open(MEMORY)
    yield SqliteStore(database)
    database.close()


@pytest.fixture(params=["memory", "sqlite", "dynamo"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = MemoryStore() if request.param == "memory" else request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_only_moves_is_not_changed(store: Store, name: str) -> None:
    value, moving = VALUES[name], Moving(store)
    read = json.loads(value) if name == "text of JSON" else value  # where an action answered it
    moving.run(value)
    run = moving.host.run()
    assert run.status is Status.SUCCEEDED, run.last_err
    assert same(run.input["x"], value)
    assert [step for step in ("Echo", "Item", "End") for sent in moving.sent(step) if not same(sent, value)] == []
    assert [len(moving.sent(step)) for step in ("Echo", "Item", "End")] == [2, 2, 1]
    assert same(run.output["vars"], run.vars)
    expected = {
        "from_input": value,
        "answered": read,
        "member": {"deep": read},
        "entry": read,
        "event": value,
        "data": value,
        "called": value,
        "one_value": value,
        "items": [read, read],
        "branch": value,
        "set": value,
    }
    assert {known: kept for known, kept in expected.items() if not same(run.vars[known], kept)} == {}
    assert same(run.output["last"], read)
    history = moving.host.services.reader.history(NS, "r", 0, 1_000)
    assert [entry.seq for entry in history] == list(range(1, len(history) + 1))
    (event,) = [entry for entry in history if entry.event == "EventArrived"]
    assert same(event.data, value)


@pytest.mark.parametrize("name", ["all values", "7.0"])
def test_an_undo_gets_values_as_they_are(store: Store, name: str) -> None:
    value, moving = VALUES[name], Moving(store)
    moving.run(value, is_bad=True)
    run = moving.host.run()
    assert (run.status, run.undone) == (Status.FAILED, ("Echo",))
    (undo,) = [request for request in moving.host.actions.requests if request["ackStates"] == ["BACK"]]
    assert same(undo["of_step"], value)
    assert same(undo["x"], json.loads(value) if name == "text of JSON" else value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(7.0, "7"), (7, "7"), (2**53, str(2**53)), (0.5, "0.5"), ("0012", "0012"), (True, "true"), ("流:😀", "流:😀")],
)
def test_labels_find_the_run_by_their_text(store: Store, value: Json, shown: str) -> None:
    host = Host()
    host.rebuild(store=store)
    host.submit("flow f input = (any x); labels = (v = ${ $input.x }); set S => (DONE -> done); flow_end")
    host.services.starter.start(NS, StartOrder(flow="f", name="r", input={"x": value}))
    host.settle()
    assert same(host.run().labels, {"v": value})
    found, _ = host.services.reader.views(NS, RunQuery(labels=(("v", shown),)))
    assert [view.run.name for view in found] == ["r"]
