"""Undo through the whole service, in memory: across child runs, by flows, listed and repeated."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.model import json_values
from chalicelib.model.actions import Action, ArgType, Parameter, Undo
from chalicelib.model.flow import Branch, CallStep, EachStep, Flow, ForkStep
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.templates import expression
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import RunQuery
from tests.engine.flows import route, step
from tests.hosts import NS, Host

ID = Parameter(name="id", type=ArgType.ANY, required=False)
WORK = Action(name="work", returns=("PAID", "DECLINED"), addresses=("http://work.test/",), parameters=(ID,))
REFUND = Action(name="refund", returns=("REFUNDED",), addresses=("http://refund.test/",), parameters=(ID,))
PAID = Undo(action="refund", args={"id": expression("$result")}, states=("PAID",))


class Shop:
    """A host with these flows, and services that record what they are asked."""

    def __init__(self, *flows: Flow) -> None:
        self.asked: list[tuple[str, str]] = []
        self.broken = False
        self.silent: set[str] = set()
        """Steps that are not answered."""
        self.host = Host(self._reply)
        stored = [_stored(Kind.ACTION, WORK), _stored(Kind.ACTION, REFUND), *(_stored(Kind.FLOW, one) for one in flows)]
        self.host.store.definitions.submit(NS, stored, [])

    def _reply(self, request: dict[str, Any]) -> Reply:
        step, undoes = request["stepName"], request["ackStates"] == ["REFUNDED"]
        self.asked.append(("undo" if undoes else "do", step))
        if undoes and self.broken:
            return NotTaken("the bank is closed", final=True)
        if step in self.silent and not undoes:
            return Taken()
        bad = step.startswith("Bad")
        return Taken({"ackState": request["ackStates"][-1 if bad else 0], "data": step})

    @property
    def undone(self) -> list[str]:
        return [step for kind, step in self.asked if kind == "undo"]

    def run(self, flow: str) -> Run:
        self.host.start(flow)
        self.host.settle()
        return self.host.run()

    def children(self) -> list[Run]:
        views, _ = self.host.services.reader.views(NS, RunQuery())
        return [view.run for view in views if view.run.parent]

    def listed(self) -> list[str]:
        views, _ = self.host.services.reader.views(NS, RunQuery(undo_failed=True))
        return [view.run.name for view in views]


def _stored(kind: Kind, value: Action | Flow) -> Definition:
    body = json_values.encode(value)
    return Definition(kind=kind, name=value.name, version=1, uuid=value.name, text="", value=body, created_at=0)


def pay(name: str, routes: str, undo: Undo | None = PAID) -> Any:
    return step(name, routes, undo=undo)


INNER = Flow(name="inner", steps=(pay("In1", "PAID->In2"), pay("In2", "PAID->done|DECLINED->stopped")))
OUTER = Flow(
    name="outer",
    steps=(
        pay("Out", "PAID->Call"),
        CallStep(name="Call", routes=route("DONE->Bad|STOPPED->stopped"), flow="inner"),
        pay("Bad", "DECLINED->stopped|PAID->done"),
    ),
)


def test_a_stopped_run_and_its_child_are_undone_newest_first() -> None:
    shop = Shop(INNER, OUTER)
    shop.silent = {"In2"}
    shop.run("outer")
    shop.host.services.operator.stop(NS, "r", reason="enough")
    shop.host.settle()
    assert shop.host.run().status is Status.CANCELED
    assert shop.undone == ["In1", "Out"]
    assert [child.status for child in shop.children()] == [Status.CANCELED]


def test_a_call_is_undone_by_a_flow_with_the_output_of_the_call() -> None:
    undoer = Flow(
        name="undoer",
        steps=(step("Cancel", "PAID->done", args={"id": expression("$input.id")}),),
        input=(Parameter(name="id", type=ArgType.ANY),),
    )
    undo = Undo(action="undoer", args={"id": expression("$result")}, states=("DONE",), is_flow=True)
    call = CallStep(name="Call", routes=route("DONE->Bad"), flow="inner", undo=undo)
    shop = Shop(
        INNER, undoer, Flow(name="main", steps=(pay("Out", "PAID->Call"), call, pay("Bad", "DECLINED->stopped")))
    )
    run = shop.run("main")
    assert (run.status, run.undone, run.undos) == (Status.FAILED, ("Call", "Out"), ())
    assert shop.asked[-2:] == [("do", "Cancel"), ("undo", "Out")]
    assert {child.input["id"] for child in shop.children() if child.definition.flow == "undoer"} == {"In2"}


ITEMS = EachStep(
    name="All",
    routes=route("DONE->Bad|FAIL->stopped"),
    items=list(range(60)),
    steps=(pay("A", "PAID->B"), pay("B", "PAID->done")),
    max=7,
)


@pytest.mark.parametrize("broken", [False, True], ids=["undone", "not undone"])
def test_work_of_many_items_is_undone_newest_first_from_pages(*, broken: bool) -> None:
    shop = Shop(Flow(name="main", steps=(pay("Out", "PAID->All"), ITEMS, pay("Bad", "DECLINED->stopped"))))
    shop.broken = broken
    run = shop.run("main")
    done = [step for kind, step in shop.asked if kind == "do"][:-1]
    assert shop.undone == done[::-1]
    assert (run.status, run.failed_undos) == (Status.FAILED, len(done) if broken else 0)


MONEY = """
action charge addr = "http://bank.test/"; args = (str order); return = (PAID); action_end
/
action refund addr = "http://bank.test/back"; args = (str id); return = (REFUNDED); action_end
/
action help addr = "http://help.test/"; args = (str why); return = (OK); action_end
/
flow give_back
    input = (str id, int cents, str note = "none");
    step Back => (REFUNDED -> done) { action = refund; };
flow_end
/
flow buy
    step Charge => (PAID -> stopped | ERROR -> Help (why = ${ $error.cause })) {
        action = charge;
        args   = (order = "o-1");
        undo   = give_back (id = ${ $result.id }, cents = ${ $result.cents }, note = ${ $result.note });
    };
    step Help => (OK -> stopped) { action = help; args = (why = ${ $vars.why }); };
flow_end
"""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"id": "p-1", "cents": 5.0}, ""),
        ({"id": "p-1", "cents": "5"}, "arg 'cents' of 'give_back' could not be made: it must be of type int"),
        ({"cents": 5}, "arg 'id' of 'give_back' could not be made: expression '$result.id' yields nothing"),
        (
            {"id": "p-1", "cents": 5, "note": None},
            "arg 'note' of 'give_back' could not be made: it must be of type str",
        ),
    ],
)
def test_inputs_of_a_flow_that_undoes_are_checked_when_the_step_returns(data: Any, why: str) -> None:
    host = Host(lambda request: Taken({"ackState": request["ackStates"][0], "data": data}))
    host.submit(MONEY)
    host.start("buy")
    host.settle()
    run = host.run()
    assert run.status is Status.FAILED
    if not why:
        assert (run.undos, run.undone, host.path()[-1]) == ((), ("Charge",), "stopped")
        return
    (undo,) = run.undos
    assert undo.failed.startswith(why)
    assert undo.args == {name: value for name, value in data.items() if f"'{name}'" not in why}
    (asked,) = [call for call in host.actions.requests if call["stepName"] == "Help"]
    assert why in asked["why"]


def test_a_flow_that_undoes_and_does_not_exist_is_a_failed_undo() -> None:
    undo = Undo(action="missing", states=("PAID",), is_flow=True)
    shop = Shop(Flow(name="main", steps=(pay("Out", "PAID->Bad", undo), pay("Bad", "DECLINED->stopped"))))
    run = shop.run("main")
    assert run.status is Status.FAILED
    assert [undo.failed for undo in run.undos] == ["ERROR: there is no flow 'missing'"]


def test_failed_undos_are_listed_and_done_again() -> None:
    shop = Shop(Flow(name="main", steps=(pay("Out", "PAID->Bad"), pay("Bad", "DECLINED->stopped"))))
    shop.broken = True
    run = shop.run("main")
    assert (run.status, run.failed_undos, shop.listed()) == (Status.FAILED, 1, ["r"])
    assert "the bank is closed" in run.undos[0].failed
    shop.broken = False
    shop.host.services.operator.retry_undos(NS, "r")
    shop.host.settle()
    run = shop.host.run()
    assert (run.status, run.failed_undos, shop.listed(), shop.undone) == (Status.FAILED, 0, [], ["Out", "Out"])
    history = [entry.event for entry in shop.host.services.reader.history(NS, "r", 0, 100)]
    assert history[-2:] == ["UndosRetried", "StepAcked"]


def test_the_child_of_a_lost_branch_undoes_its_work_before_the_fork_returns() -> None:
    lost = Branch(name="lost", steps=(CallStep(name="Call", routes=route("DONE->done"), flow="inner"),))
    won = Branch(name="won", steps=(pay("Won", "PAID->done"),))
    fork = ForkStep(name="Race", routes=route("DONE->Last"), branches=(lost, won), join=1)
    shop = Shop(INNER, Flow(name="main", steps=(fork, pay("Last", "PAID->done"))))
    shop.silent = {"In2", "Won"}
    shop.run("main")
    shop.host.answer("Won", "PAID")
    shop.host.settle()
    assert shop.host.run().status is Status.SUCCEEDED
    assert shop.asked[-2:] == [("undo", "In1"), ("do", "Last")]


@pytest.mark.parametrize("when", ["before it starts", "while it runs"])
def test_a_pause_reaches_child_runs_and_so_does_its_end(when: str) -> None:
    shop = Shop(INNER, OUTER)
    shop.silent = {"In1"} if when == "while it runs" else {"Out"}
    shop.run("outer")
    if when == "while it runs":
        shop.host.services.operator.pause(NS, "r")
        shop.host.settle()
        (child,) = shop.children()
        assert (child.status, child.paused_with_parent) == (Status.PAUSED, True)
    else:
        shop.host.services.operator.pause(NS, "r")
        shop.host.answer("Out", "PAID")
        shop.host.settle()
        assert shop.children() == []
    shop.host.services.operator.resume(NS, "r")
    shop.host.settle()
    (child,) = shop.children()
    assert child.status is (Status.RUNNING if when == "while it runs" else Status.SUCCEEDED)


def test_a_child_that_a_person_paused_stays_paused_when_its_parent_goes_on() -> None:
    shop = Shop(INNER, OUTER)
    shop.silent = {"In1"}
    shop.run("outer")
    operator = shop.host.services.operator
    operator.pause(NS, shop.children()[0].name)
    operator.pause(NS, "r")
    shop.host.settle()
    operator.resume(NS, "r")
    shop.host.settle()
    assert shop.children()[0].status is Status.PAUSED


def test_a_run_that_has_the_name_of_a_child_is_not_taken_for_it() -> None:
    shop = Shop(INNER, OUTER)
    shop.silent = {"Out", "In1"}
    shop.host.start("outer")
    shop.host.settle()
    shop.host.answer("Out", "PAID")
    child = f"r.Call.{shop.host.uuid('Call')}"
    shop.host.start("inner", name=child)
    shop.host.settle()
    run = shop.host.run()
    assert run.status is Status.FAILED
    assert f"a flow_run {child!r} exists already" in run.last_err
