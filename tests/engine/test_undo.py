"""What is undone when: by state, by scope, in order, and what happens if undoing fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.engine.effects import Decision, DeliverAction, Outcome, StartChild, StopChild, SyncChild
from chalicelib.engine.errors import CommandRefused, NoFailedUndo, WasUndone
from chalicelib.engine.events import (
    ChildEnded,
    DeliveryFailed,
    Event,
    RunContinued,
    RunPaused,
    RunRetried,
    RunStopped,
    StepAcked,
    TimerFired,
    UndosRetried,
)
from chalicelib.engine.invocation import UNDO
from chalicelib.model.actions import Action, ArgType, Parameter, Undo
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Branch, CallStep, EachStep, Flow, ForkStep, Route, Step
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token
from chalicelib.model.run_error import StepError
from chalicelib.model.status import Status
from chalicelib.model.templates import expression
from chalicelib.model.waits import ChildWait
from tests.engine.driving import Driven
from tests.engine.flows import DAY, begun, route, step

WORK = Action(name="work", returns=("PAID", "PARTLY_PAID", "DECLINED"))
REFUND = Action(name="refund", returns=("REFUNDED",), parameters=(Parameter(name="id", type=ArgType.STR),))
PAID = Undo(action="refund", args={"id": expression("$result.id")}, states=("PAID", "PARTLY_PAID"))
CANCEL = Undo(action="cancel_invoice", args={"id": expression("$result.id")}, states=("DONE",), is_flow=True)


class World(Driven):
    """A run of these steps, whose events have times that count up."""

    def __init__(self, *steps: Step, **flow: Any) -> None:
        made = Flow(name="pay", steps=steps, **flow)
        super().__init__(Definition(flow=made, actions={"work": WORK, "refund": REFUND}))
        self.at = 10_000

    def event(self, kind: type[Event], **fields: Any) -> Decision:
        self.at += 1_000
        return self.apply(kind(at=self.at, nonce=self.nonce(), **fields))

    def waiting(self, name: str) -> Token:
        """The token at that step, or the one that undoes it."""
        return next(token for token in self.run.tokens if token.step == name and token.activation)

    def reply(self, name: str, state: str, *, id: Json = None) -> Decision:  # noqa: A002
        """Answer for the activation in which a token waits at the step, or is undone."""
        token = self.waiting(name)
        uuid = token.activation.uuid if token.activation else ""
        data = {} if id is None else {"id": id}
        error = StepError("Broken", "no such payment") if state == "ERROR" else None
        return self.event(StepAcked, step=name, uuid=uuid, state=state, data=data, error=error)

    def child_ended(self, name: str, state: str, output: Json = None) -> Decision:
        token = self.waiting(name)
        uuid = token.activation.uuid if token.activation else ""
        return self.event(ChildEnded, uuid=uuid, state=state, output=output)

    @property
    def undoing(self) -> str:
        """The step that is being undone; empty if none is."""
        return next((token.step for token in self.run.tokens if token.id == UNDO), "")

    def undos(self) -> dict[str, Mapping[str, Json]]:
        return {undo.step: undo.args for undo in self.run.undos}


def pay(name: str, routes: str, undo: Undo | None = PAID, **more: Any) -> Step:
    return step(name, routes, undo=undo, **more)


# ── after which states ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("target", ["Next", "Pay", "stopped"])
@pytest.mark.parametrize(("state", "is_undone"), [("PAID", True), ("PARTLY_PAID", True), ("DECLINED", False)])
def test_a_step_is_undone_after_its_states_on_every_route(state: str, target: str, *, is_undone: bool) -> None:
    routes = "|".join(f"{one}->{target}" for one in WORK.returns)
    world = World(pay("Pay", routes), pay("Next", "PAID->done", undo=None))
    world.reply("Pay", state, id="p-1")
    if target != "stopped":
        world.event(RunStopped)
    assert world.undoing == ("Pay" if is_undone else "")
    passing, end = Status.CANCELING, Status.CANCELED
    if target == "stopped":
        passing, end = Status.COMPENSATING, Status.FAILED
    assert world.run.status is (passing if is_undone else end)


def test_a_definition_without_states_undoes_after_every_declared_state() -> None:
    world = World(pay("Pay", "DECLINED->stopped", undo=replace(PAID, states=())))
    world.reply("Pay", "DECLINED", id="p-1")
    assert world.undoing == "Pay"


def test_a_built_in_state_leaves_nothing_to_undo() -> None:
    world = World(pay("Pay", "PAID->done"))
    uuid = world.waiting("Pay").activation
    world.event(DeliveryFailed, uuid=uuid.uuid if uuid else "", error="refused", final=True)
    assert (world.run.status, world.run.undos) == (Status.FAILED, ())


# ── args ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("given", "why"), [(None, "yields nothing"), (7, "must be of type str")])
def test_an_arg_that_cannot_be_made_is_an_error_and_a_failed_undo(given: Json, why: str) -> None:
    world = World(pay("Pay", "PAID->done|ERROR->stopped"))
    world.reply("Pay", "PAID", id=given)
    assert world.run.status is Status.FAILED
    (undo,) = world.run.undos
    assert why in undo.incomplete
    assert undo.failed == undo.incomplete
    assert (undo.state, world.run.failed_undos) == ("PAID", 1)
    assert not any(isinstance(effect, DeliverAction) for effect in world.decision.effects)
    assert [(entry.event, entry.state) for entry in world.run.tail][1:4] == [
        ("StepAcked", "PAID"),
        ("StepFailed", "ERROR"),
        ("UndoFailed", "ERROR"),
    ]
    assert "could not be undone by 'refund'" in world.run.last_err


ID = Parameter(name="id", type=ArgType.STR)
NOTE = Parameter(name="note", type=ArgType.STR, required=False, default="none")


@pytest.mark.parametrize(
    ("args", "inputs", "why"),
    [
        ({"id": "$result.id"}, (ID,), "'id' of 'cancel_invoice' could not be made: it must be of type str, and is 7"),
        ({"id": "$result.none"}, (ID,), "'id' of 'cancel_invoice' could not be made: expression '$result.none' yields"),
        ({"id": "$result.none"}, None, "'id' of 'cancel_invoice' could not be made: expression '$result.none' yields"),
        ({"note": "$result.id"}, (NOTE,), "'note' of 'cancel_invoice' could not be made: it must be of type str"),
        ({"note": "$result.none"}, (NOTE,), ""),
        ({"id": "$result.id"}, None, ""),
    ],
)
def test_inputs_of_a_flow_that_undoes_are_checked_when_the_step_returns(
    args: dict[str, str], inputs: tuple[Parameter, ...] | None, why: str
) -> None:
    templates = {name: expression(source) for name, source in {**args, "x": "$result.x"}.items()}
    known = None if inputs is None else (*inputs, Parameter(name="x", type=ArgType.ANY))
    undo = replace(CANCEL, args=templates, states=("PAID",), inputs=known)
    world = World(pay("Pay", "PAID->Next|ERROR->Help", undo), pay("Next", "PAID->done"), pay("Help", "PAID->done"))
    uuid = world.waiting("Pay").activation
    world.event(StepAcked, step="Pay", uuid=uuid.uuid if uuid else "", state="PAID", data={"id": 7, "x": None})
    (pending,) = world.run.undos
    assert [token.step for token in world.run.tokens] == ["Help" if why else "Next"]
    assert pending.incomplete.startswith(f"arg {why}" if why else "")
    assert bool(pending.incomplete) is bool(why)
    assert pending.args == {"x": None, **({"id": 7} if not why and "id" in args else {})}


def test_work_of_which_a_save_fails_is_registered_and_undone() -> None:
    broken = {"total": expression('$number("x")')}
    world = World(pay("Pay", "PAID->done|ERROR->stopped", save=broken))
    world.reply("Pay", "PAID", id="p-1")
    assert world.undoing == "Pay"
    assert world.undos() == {"Pay": {"id": "p-1"}}
    entry = next(entry for entry in world.run.tail if entry.event == "StepAcked")
    assert (entry.state, entry.data) == ("PAID", {"id": "p-1"})


def test_work_of_which_a_condition_fails_is_kept_if_the_error_is_routed() -> None:
    routes = (Route(state="PAID", when='$number("x") > 1', target="done"), Route(state="ERROR", target="Next"))
    world = World(replace(pay("Pay", "PAID->done"), routes=routes), pay("Next", "PAID->done", undo=None))
    world.reply("Pay", "PAID", id="p-1")
    assert (world.run.status, world.undoing, list(world.undos())) == (Status.RUNNING, "", ["Pay"])
    world.reply("Next", "PAID")
    assert (world.run.status, world.run.undos) == (Status.SUCCEEDED, ())


def test_args_of_the_step_itself_are_undone_as_they_were_sent() -> None:
    action = replace(WORK, parameters=REFUND.parameters)
    world = World(
        pay("First", "PAID->Pay", undo=None),
        pay(
            "Pay", "PAID->stopped", undo=replace(PAID, args={}), args={"id": expression("$vars.id")}, save={"id": "new"}
        ),
        vars={"id": "old"},
    )
    world.definition = Definition(flow=world.definition.flow, actions={"work": action, "refund": REFUND})
    world.reply("First", "PAID")
    world.reply("Pay", "PAID", id="p-2")
    assert world.undos() == {"Pay": {"id": "old"}}


# ── order, and failure ───────────────────────────────────────────────────────────────────────────────────────────────


def _two_payments() -> World:
    world = World(pay("A", "PAID->B"), pay("B", "PAID->C"), pay("C", "PAID->done|DECLINED->stopped"))
    world.reply("A", "PAID", id="a")
    world.reply("B", "PAID", id="b")
    world.reply("C", "DECLINED")
    return world


def test_the_newest_work_is_undone_first() -> None:
    world = _two_payments()
    assert world.undoing == "B"
    world.reply("B", "REFUNDED")
    assert world.undoing == "A"
    world.reply("A", "REFUNDED")
    assert (world.run.status, world.run.undos, world.run.undone) == (Status.FAILED, (), ("B", "A"))


def test_a_failed_undo_is_recorded_and_done_again() -> None:
    world = _two_payments()
    world.reply("B", "ERROR")
    world.reply("A", "REFUNDED")
    (undo,) = world.run.undos
    assert (undo.step, undo.args, world.run.failed_undos) == ("B", {"id": "b"}, 1)
    assert undo.failed.startswith("ERROR")
    before = world.run.last_err
    assert before.endswith(f"step 'B' could not be undone by 'refund': {undo.failed}")
    world.event(UndosRetried)
    assert (world.run.status, world.undoing, world.run.failed_undos) == (Status.COMPENSATING, "B", 0)
    world.reply("B", "REFUNDED")
    assert (world.run.status, world.run.undos) == (Status.FAILED, ())
    assert world.run.last_err == before.partition("; step 'B' could not")[0]


def test_undos_are_done_again_only_where_one_failed() -> None:
    world = _two_payments()
    with pytest.raises(CommandRefused):
        world.event(UndosRetried)
    world.reply("B", "REFUNDED")
    world.reply("A", "REFUNDED")
    with pytest.raises(NoFailedUndo, match="none has failed"):
        world.event(UndosRetried)


def test_a_run_that_was_undone_is_retried_only_at_a_step() -> None:
    world = _two_payments()
    world.reply("B", "ERROR")
    world.reply("A", "REFUNDED")
    with pytest.raises(WasUndone, match=r"its work was undone \(steps A; undoing failed for B\); give the `step`"):
        world.event(RunRetried)
    world.event(RunRetried, step="A")
    assert (world.run.status, world.run.undone, world.run.failed_undos) == (Status.RUNNING, (), 1)
    assert world.waiting("A").id == "0"


def test_a_run_without_undos_is_retried_where_it_stopped() -> None:
    world = World(pay("A", "DECLINED->stopped|PAID->done"))
    world.reply("A", "DECLINED")
    world.event(RunRetried)
    assert world.waiting("A").id == "0"


def test_stopping_a_run_that_is_being_undone_does_not_send_the_undo_again() -> None:
    world = _two_payments()
    sent = world.waiting("B")
    decision = world.event(RunStopped, reason="enough")
    assert world.run.status is Status.CANCELING
    assert world.waiting("B") == sent
    assert not any(isinstance(effect, DeliverAction) for effect in decision.effects)
    world.reply("B", "REFUNDED")
    world.reply("A", "REFUNDED")
    assert (world.run.status, world.run.last_err) == (Status.CANCELED, "enough")


# ── branches and items ───────────────────────────────────────────────────────────────────────────────────────────────


def _race(*, output: Json = None, **more: Any) -> World:
    slow = Branch(name="slow", steps=(pay("A", "PAID->B"), pay("B", "PAID->done", undo=None)))
    quick = Branch(name="quick", steps=(pay("Q", "PAID->done"),))
    world = World(
        ForkStep(name="Race", routes=route("DONE->Last"), branches=(slow, quick), join=1, **more),
        pay("Last", "PAID->done", undo=None),
        output=output,
    )
    world.reply("A", "PAID", id="a")
    world.reply("Q", "PAID", id="q")
    return world


def test_what_a_lost_branch_did_is_undone_before_the_fork_returns() -> None:
    world = _race()
    assert world.undoing == "A"
    assert [token.step for token in world.run.tokens] == ["Race", "A"]
    world.reply("A", "REFUNDED")
    assert world.waiting("Last").result == {"quick": {"id": "q"}}
    assert list(world.undos()) == ["Q"]
    world.event(RunStopped)
    assert world.undoing == "Q"


def test_what_a_lost_branch_did_is_kept_if_the_fork_says_so() -> None:
    world = _race(keep_abandoned=True)
    assert (world.undoing, world.waiting("Last").step) == ("", "Last")
    assert list(world.undos()) == ["A", "Q"]


def test_an_undo_of_a_lost_branch_that_fails_lets_the_fork_return_and_stays() -> None:
    world = _race()
    world.reply("A", "ERROR")
    world.reply("Last", "PAID")
    assert (world.run.status, world.run.failed_undos) == (Status.SUCCEEDED, 1)
    world.event(UndosRetried)
    with pytest.raises(CommandRefused):
        world.event(RunStopped)
    world.reply("A", "REFUNDED")
    assert (world.run.status, world.run.failed_undos, world.run.last_err) == (Status.SUCCEEDED, 0, "")
    assert world.run.output == {}


def test_an_undo_that_is_done_again_leaves_the_run_to_be_retried_where_it_failed() -> None:
    """Its output could not be made, which undoes nothing: only the lost branch was undone."""
    world = _race(output=expression('$error("no output")'))
    world.reply("A", "ERROR")
    world.reply("Last", "PAID")
    assert (world.run.status, world.run.failed_undos) == (Status.FAILED, 1)
    world.event(UndosRetried)
    world.reply("A", "REFUNDED")
    assert (world.run.status, world.run.undone, list(world.undos())) == (Status.FAILED, (), ["Q"])
    world.event(RunRetried)  # it is not refused, and fails again
    assert (world.run.status, world.run.failed_undos) == (Status.FAILED, 0)


def test_a_fork_that_fails_undoes_nothing_by_itself() -> None:
    one = Branch(name="one", steps=(pay("A", "PAID->B"), pay("B", "DECLINED->stopped", undo=None)))
    two = Branch(name="two", steps=(pay("C", "PAID->done"),))
    world = World(
        ForkStep(name="Both", routes=route("FAIL->Help"), branches=(one, two), join=2),
        pay("Help", "PAID->stopped|DECLINED->done", undo=None),
    )
    world.reply("A", "PAID", id="a")
    world.reply("C", "PAID", id="c")
    world.reply("B", "DECLINED")
    assert (world.undoing, list(world.undos())) == ("", ["A", "C"])
    world.reply("Help", "PAID")
    assert world.undoing == "C"


def test_work_of_an_earlier_visit_of_a_fork_is_not_undone_when_its_branch_loses_later() -> None:
    slow = Branch(name="slow", steps=(pay("A", "PAID->done"),))
    quick = Branch(name="quick", steps=(pay("Q", "PAID->done", undo=None),))
    world = World(
        ForkStep(name="Race", routes=route("DONE->Again"), branches=(slow, quick), join=1),
        pay("Again", "PAID->Race", undo=None),
    )
    world.reply("A", "PAID", id="first")
    world.reply("Again", "PAID")
    world.reply("Q", "PAID")
    assert (world.undoing, world.undos()) == ("", {"A": {"id": "first"}})


def test_what_a_tolerated_item_did_is_undone_before_the_each_returns() -> None:
    each = EachStep(
        name="All",
        routes=route("DONE->Last|FAIL->stopped"),
        items=[1, 2],
        steps=(pay("A", "PAID->B"), pay("B", "PAID->done|DECLINED->stopped", undo=None)),
        max=1,
        tolerate=1,
    )
    world = World(each, pay("Last", "PAID->done", undo=None))
    world.reply("A", "PAID", id="one")
    world.reply("B", "DECLINED")
    assert world.undoing == "A"
    working = next(token for token in world.run.tokens if token.index == 1)
    assert working.activation
    world.event(StepAcked, step="A", uuid=working.activation.uuid, state="PAID", data={"id": "two"})
    world.reply("B", "PAID")
    assert [token.step for token in world.run.tokens] == ["All", "A"]
    world.reply("A", "REFUNDED")
    assert (world.waiting("Last").step, world.undos()) == ("Last", {"A": {"id": "two"}})


# ── calls and child runs ─────────────────────────────────────────────────────────────────────────────────────────────


def _called(undo: Undo | None = None) -> World:
    call = CallStep(
        name="Call", routes=route("DONE->Last|STOPPED->stopped|TIMEOUT->stopped"), flow="invoice", undo=undo
    )
    world = World(pay("Pay", "PAID->Call"), call, pay("Last", "DECLINED->stopped", undo=None))
    world.reply("Pay", "PAID", id="p")
    return world


def test_a_call_is_undone_by_a_flow() -> None:
    world = _called(CANCEL)
    world.child_ended("Call", "DONE", {"id": "i-1"})
    world.reply("Last", "DECLINED")
    undoing = world.waiting("Call")
    assert undoing.activation
    assert undoing.activation.wait == ChildWait(child=f"r.Call.{undoing.activation.uuid}", input={"id": "i-1"})
    assert StartChild(undoing.activation.uuid) in world.decision.effects
    world.child_ended("Call", "STOPPED")
    (failed, _) = sorted(world.run.undos, key=lambda undo: undo.step)
    assert (failed.step, failed.failed.startswith("STOPPED"), world.undoing) == ("Call", True, "Pay")


def test_a_stopped_run_lets_its_child_end_before_it_undoes_its_own_work() -> None:
    world = _called()
    waiting = world.waiting("Call").activation
    assert waiting
    decision = world.event(RunStopped)
    assert [effect.run for effect in decision.effects if isinstance(effect, StopChild)] == [f"r.Call.{waiting.uuid}"]
    assert (world.run.status, world.undoing) == (Status.CANCELING, "")
    world.event(ChildEnded, uuid=waiting.uuid, state="STOPPED")
    assert (world.undoing, world.run.stopping) == ("Pay", ())
    assert world.event(ChildEnded, uuid=waiting.uuid, state="STOPPED").outcome is Outcome.IGNORED


def test_a_child_that_succeeded_before_it_could_be_stopped_is_undone() -> None:
    world = _called(CANCEL)
    waiting = world.waiting("Call").activation
    assert waiting
    world.event(RunStopped)
    world.event(ChildEnded, uuid=waiting.uuid, state="DONE", output={"id": "i-1"})
    assert (world.undoing, list(world.undos())) == ("Call", ["Pay", "Call"])


@pytest.mark.parametrize("nested", [False, True], ids=["in an each", "in a fork in an each"])
def test_the_undo_of_such_a_child_knows_the_item_that_it_worked_on(*, nested: bool) -> None:
    """`$item` and `$index` were nothing, because the token was gone."""
    args = {"id": expression("$item"), "at": expression("$index"), "of": expression("$result.id")}
    undo = replace(CANCEL, args=args, inputs=None)
    call = CallStep(name="Call", routes=route("DONE->done"), flow="invoice", undo=undo)
    inner: Step = call
    if nested:
        inner = ForkStep(name="F", routes=route("DONE->done"), branches=(Branch(name="b", steps=(call,)),), join=1)
    world = World(EachStep(name="E", routes=route("DONE->done"), items=[1, 2, 3], steps=(inner,)))
    second = next(token for token in world.run.tokens if token.id in ("0.1", "0.1.b") and token.step == "Call")
    assert second.activation
    stopped = world.event(RunStopped)
    assert [(one.index, bool(one.items)) for one in stopped.run.stopping] == [(0, True), (1, True), (2, True)]
    world.event(ChildEnded, uuid=second.activation.uuid, state="DONE", output={"id": "i-2"})
    assert world.undos() == {"Call": {"id": 2, "at": 1, "of": "i-2"}}


def test_retry_does_not_stop_a_child_that_has_ended_with_its_run() -> None:
    """It would wait for the end of a run that has reported its end already."""
    call = CallStep(name="Call", routes=route("DONE->done"), flow="invoice")
    world = World(EachStep(name="E", routes=route("DONE->done"), items=[1, 2, 3], steps=(call,)))
    calls = [token.activation.uuid for token in world.run.tokens if token.step == "Call" and token.activation]
    world.event(RunStopped)
    for uuid in calls:
        world.event(ChildEnded, uuid=uuid, state="STOPPED")
    assert world.run.status is Status.CANCELED
    decision = world.event(RunRetried)
    assert world.run.stopping == ()
    assert [type(effect) for effect in decision.effects].count(StartChild) == 3
    assert not any(isinstance(effect, StopChild) for effect in decision.effects)


def test_a_child_that_does_not_end_is_waited_for_no_longer_than_its_deadline() -> None:
    world = _called()
    world.event(RunStopped)
    world.at += 366 * DAY
    world.event(TimerFired)
    assert world.undoing == "Pay"


def test_a_pause_reaches_child_runs() -> None:
    world = _called()
    waiting = world.waiting("Call").activation
    assert waiting
    child = f"r.Call.{waiting.uuid}"
    assert world.event(RunPaused).effects == (SyncChild(child),)
    assert SyncChild(child) in world.event(RunContinued).effects


def test_a_run_that_a_person_paused_is_not_continued_with_its_parent() -> None:
    world = _called()
    world.event(RunPaused)
    assert world.event(RunPaused, with_parent=True).outcome is Outcome.IGNORED
    assert world.event(RunContinued, with_parent=True).outcome is Outcome.IGNORED
    world.event(RunContinued)
    world.event(RunPaused, with_parent=True)
    assert world.event(RunContinued, with_parent=True).outcome is Outcome.ADVANCED
    assert world.run.status is Status.RUNNING


@pytest.mark.parametrize("kind", ["call", "fork", "each"])
def test_every_wait_has_a_deadline(kind: str) -> None:
    steps: dict[str, Step] = {
        "call": CallStep(name="S", routes=route("DONE->done|TIMEOUT->Late"), flow="other"),
        "fork": ForkStep(
            name="S",
            routes=route("DONE->done|TIMEOUT->Late"),
            branches=(Branch(name="b", steps=(pay("B", "PAID->done", undo=None),)),),
            join=1,
        ),
        "each": EachStep(
            name="S", routes=route("DONE->done|TIMEOUT->Late"), items=[1], steps=(pay("B", "PAID->done"),)
        ),
    }
    world = World(steps[kind], pay("Late", "PAID->done", undo=None))
    world.definition = Definition(
        flow=world.definition.flow,
        actions=world.definition.actions,
        defaults=replace(world.definition.defaults, timeout=400 * DAY),
    )
    world.decision = begun(world.definition)
    world.at = 1_000 + 366 * DAY
    world.event(TimerFired)
    assert [token.step for token in world.run.tokens] == ["Late"]
