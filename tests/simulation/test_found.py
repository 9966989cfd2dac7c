"""What the simulator has found, each as the smallest test that shows it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.engine.effects import Listen, StopChild, StoreBlob
from chalicelib.engine.events import (
    DeliveryHeld,
    Event,
    RunAdmitted,
    RunContinued,
    RunPaused,
    RunRetried,
    RunStarted,
    RunStopped,
    StepAcked,
    TimerFired,
    VarsSet,
)
from chalicelib.engine.invocation import invocation_of
from chalicelib.engine.machine import decide
from chalicelib.engine.paging import turn_page
from chalicelib.engine.request_args import request_fields
from chalicelib.model.actions import Action, ActionCall, Options, Undo
from chalicelib.model.definition import Definition
from chalicelib.model.flow import (
    ActionStep,
    Branch,
    CallStep,
    ConditionStep,
    EachStep,
    EventStep,
    Flow,
    FlowLimit,
    ForkStep,
    Route,
    SetStep,
    Step,
)
from chalicelib.model.history import Entries, Entry
from chalicelib.model.run import DefinitionRef, Run
from chalicelib.model.status import Status
from chalicelib.service.errors import Busy
from chalicelib.service.messages import Wake
from chalicelib.service.runs.start import StartOrder
from tests.simulation.fates import Fates
from tests.simulation.laws.tokens import crooked
from tests.simulation.people import stored
from tests.simulation.stage import Stage

DONE = (Route(state="DONE", target="done"), Route(state="TIMEOUT", target="Next"), Route(state="GO", target="done"))
NEXT = ActionStep(
    name="Next", routes=(Route(state="OK", target="done"), Route(state="FAIL", target="stopped")), action="a"
)


def _definition(*steps: Step) -> Definition:
    action = Action(name="a", returns=("OK", "FAIL"), addresses=("http://a.test/",))
    return Definition(flow=Flow(name="f", steps=steps), actions={"a": action}, defaults=Options(timeout=1_000))


def _begun(definition: Definition) -> Run:
    ref = DefinitionRef(flow="f", version=1)
    begin = RunStarted(at=0, nonce="0" * 32, namespace="n", name="r", id="i", ref=ref)
    return decide(definition, None, begin).run


def _after(definition: Definition, run: Run, *events: Event) -> Run:
    for event in events:
        run = decide(definition, run, event, lambda key: [1, 2, 3]).run
    return run


def _uuid(run: Run, step: str) -> str:
    return next(token.activation.uuid for token in run.tokens if token.step == step and token.activation)


def _said(kind: Any, at: int, **more: Any) -> Any:
    return kind(at=at, nonce=f"{at:032x}", **more)


def test_a_full_tail_to_which_nothing_is_added_stays() -> None:
    """An emptied tail made the next entry number 1 again."""
    entries = tuple(Entry(seq=seq, at=0, event="StepAcked") for seq in range(1, 9))
    before = _after(_definition(NEXT), _begun(_definition(NEXT)))
    full = Run(
        **{name: getattr(before, name) for name in before.__struct_fields__} | {"stored_tail": Entries.of(entries)}
    )
    assert turn_page(full, full) == (full, None)


def test_items_that_a_stop_cut_off_begin_again_after_a_retry() -> None:
    """They were forgotten, and the run waited for ever."""
    each = EachStep(name="Each", routes=DONE, items=[1, 2, 3], steps=(NEXT,), max=2)
    definition = _definition(each)
    run = _after(definition, _begun(definition), _said(RunStopped, 5), _said(RunRetried, 9))
    assert sorted(str(token.index) for token in run.tokens if token.parent) == ["0", "1"]


def test_a_continued_run_subscribes_until_its_new_deadline() -> None:
    """Events that came after the old one did not find it."""
    wait = EventStep(name="Wait", routes=DONE, events={"GO": "go"}, timeout=100)
    definition = _definition(wait, NEXT)
    paused = _after(definition, _begun(definition), _said(RunPaused, 50))
    (order,) = [
        effect
        for effect in decide(definition, paused, _said(RunContinued, 1_050)).effects
        if isinstance(effect, Listen)
    ]
    assert order.until == 1_100


def test_a_paused_run_that_fails_is_undone_once_it_goes_on() -> None:
    """It was undone at once, and was no longer paused."""
    first = ActionStep(name="First", routes=(Route(state="OK", target="Next"),), action="a", undo=Undo(action="a"))
    definition = _definition(first, NEXT)
    run = _begun(definition)
    run = _after(definition, run, _said(StepAcked, 1, step="First", uuid=_uuid(run, "First"), state="OK"))
    run = _after(definition, run, _said(RunPaused, 2), _said(DeliveryHeld, 3, uuid=_uuid(run, "Next")))
    failed = decide(definition, run, _said(StepAcked, 4, step="Next", uuid=_uuid(run, "Next"), state="FAIL"))
    assert (failed.run.status, failed.run.ending, failed.effects) == (Status.PAUSED, Status.FAILED, ())
    assert decide(definition, failed.run, _said(RunContinued, 5)).run.status is Status.COMPENSATING


def test_a_run_that_was_waited_for_too_long_is_stopped() -> None:
    """It continued, though no run waited for it."""
    definition = _definition(CallStep(name="Call", routes=DONE, flow="g", timeout=100), NEXT)
    decision = decide(definition, _begun(definition), _said(TimerFired, 100))
    assert [type(effect) for effect in decision.effects if isinstance(effect, StopChild)] == [StopChild]


def test_equal_writes_of_two_writers_can_be_told_apart() -> None:
    """The second of two equal answers in one millisecond was answered as if it had moved the run."""
    definition = _definition(NEXT)
    run = _begun(definition)
    one, other = (StepAcked(at=1, nonce=nonce * 32, step="Next", uuid=_uuid(run, "Next"), state="OK") for nonce in "ab")
    assert decide(definition, run, one).run != decide(definition, run, other).run


def _stage(*flows: Flow) -> Stage:
    """A stage on which nothing happens by itself, with these flows."""
    stage = Stage(Fates(1))
    action = Action(name="a", returns=("OK", "FAIL"), addresses=("http://a.test/",))
    stage.store.definitions.submit("n", [stored(action, 1), *(stored(flow, 1) for flow in flows)], [])
    return stage


def test_a_run_that_another_waits_for_is_not_deleted_before_that_one_knows() -> None:
    """The other waited for ever."""
    call = Flow(name="f", steps=(CallStep(name="Call", routes=DONE, flow="g"), NEXT))
    stage = _stage(call, Flow(name="g", steps=(NEXT,)))
    services = stage.services(0)
    parent = services.starter.start("n", StartOrder(flow="f", name="r")).run
    services.waker.wake([received.message for received in stage.messages.live.values()])
    child = services.operator.stop("n", f"r.Call.{_uuid(parent, 'Call')}")
    with pytest.raises(Busy, match="does not know yet"):
        services.operator.delete_run("n", child.name)
    services.waker.wake([received.message for received in stage.messages.live.values()])
    assert services.operator.delete_run("n", child.name).id == child.id


def test_who_was_too_late_for_an_event_still_hears_of_the_next() -> None:
    """Its subscription was removed as though it had taken the event."""
    wait = EventStep(name="Wait", routes=DONE, events={"GO": "go"})
    stage = _stage(Flow(name="f", steps=(EachStep(name="Each", routes=DONE, items=[1, 2], steps=(wait, NEXT)),)))
    services = stage.services(0)
    run = services.starter.start("n", StartOrder(flow="f", name="r")).run
    services.signaler.publish("n", "go")
    uuids = [token.activation.uuid for token in run.tokens if token.parent and token.activation]
    for uuid in uuids:
        services.signaler.listen(run, uuid)
    assert [known.uuid for known in stage.store.signals.subscriptions("n", "go", "")] == uuids[1:]


def test_what_one_event_keeps_the_next_of_the_same_write_can_read() -> None:
    """It was not there yet, so both events were refused with an error, again and again."""
    first = ActionStep(name="First", routes=(Route(state="OK", target="Each"),), action="a")
    until = ConditionStep(name="Until", routes=DONE, condition="$vars.flag")
    stage = _stage(Flow(name="f", steps=(first, EachStep(name="Each", routes=DONE, items=[1, 2], steps=(until, NEXT)))))
    services = stage.services(0)
    run = services.starter.start("n", StartOrder(flow="f", name="r")).run

    def both(at: int, nonce: str) -> list[Event]:
        acked = StepAcked(at=at, nonce=nonce, step="First", uuid=_uuid(run, "First"), state="OK")
        return [acked, VarsSet(at=at, nonce=nonce[::-1], vars={"flag": True})]

    assert services.advancer.advance("n", "r", both).run.status is Status.SUCCEEDED


def test_results_are_put_away_only_once_they_are_written() -> None:
    """Those of an earlier event of the same write were put away too; had the write lost, they would have stayed."""
    each = EachStep(name="Each", routes=DONE, items=[1, 2, 3], steps=(NEXT,))
    definition = _definition(each)
    run = _begun(definition)
    uuids = [token.activation.uuid for token in run.tokens if token.parent and token.activation]
    one, two = (
        _said(StepAcked, at, step="Next", uuid=uuid, state="OK", data="x" * 3_000)
        for at, uuid in zip((1, 2), uuids, strict=False)
    )
    after_one = _after(definition, run, one)
    folded = decide(definition, after_one, two, lambda key: [1, 2, 3], written=run)
    alone = decide(definition, after_one, two, lambda key: [1, 2, 3])
    assert not any(isinstance(order, StoreBlob) for order in folded.effects)
    assert any(isinstance(order, StoreBlob) for order in alone.effects)


def test_a_hint_of_a_run_that_is_not_written_yet_outlives_another_run_of_its_name() -> None:
    """It was dropped by the other's head; once that was deleted and the writer came to its end, nothing was sent."""
    message = Wake(namespace="n", run="r", sent_at=0, version=1, id="one")
    run = _begun(_definition(NEXT))
    assert not message.is_written(replace(run, id="another"))
    assert message.is_written(replace(run, id="one"))


def test_a_notice_sends_what_the_fork_held_when_the_wait_began() -> None:
    """A variable of the fork with the value that the run's own of that name had was sent as it was later."""
    wait = EventStep(name="Wait", routes=DONE, events={"GO": "go"}, on_enter=ActionCall(action="a"))
    count = SetStep(name="Count", routes=DONE, save={"n": 2})
    first = ActionStep(name="First", routes=(Route(state="OK", target="Count"),), action="a")
    branches = (Branch(name="b0", steps=(wait, NEXT)), Branch(name="b1", steps=(first, count)))
    fork = ForkStep(name="Fork", routes=DONE, branches=branches, join=2, vars={"n": 0})
    action = Action(name="a", returns=("OK", "FAIL"), addresses=("http://a.test/",))
    flow = Flow(name="f", steps=(fork,), vars={"n": 0})
    definition = Definition(flow=flow, actions={"a": action}, defaults=Options(timeout=1_000))
    run = _begun(definition)
    run = _after(definition, run, _said(StepAcked, 1, step="First", uuid=_uuid(run, "First"), state="OK"))
    (notice,) = run.notices
    invocation = invocation_of(definition, run, notice)
    assert invocation is not None
    assert request_fields(definition, run, notice, invocation, lambda _: None)["globalVariables"] == {"n": 0}


def test_the_deadline_of_an_each_does_not_pass_while_its_retried_run_waits_for_a_permit() -> None:
    """It passed again at once, so the run went on without the permit, or failed."""
    each = EachStep(name="Each", routes=(*DONE[:1], DONE[1]), items=[1], steps=(NEXT,), timeout=100)
    action = Action(name="a", returns=("OK", "FAIL"), addresses=("http://a.test/",))
    flow = Flow(name="f", steps=(each,), limit=FlowLimit(concurrent=1))
    definition = Definition(flow=flow, actions={"a": action}, defaults=Options(timeout=1_000))
    run = _after(definition, _begun(definition), _said(RunAdmitted, 1), _said(RunStopped, 50), _said(RunRetried, 900))
    assert run.status is Status.PENDING
    assert (run.timer_at or 0) > 900
    late = decide(definition, replace(run, timer_at=950), _said(TimerFired, 950))
    assert late.run.status is Status.PENDING
    assert all(entry.event != "StepTimedOut" for entry in late.run.tail)


def test_a_branch_of_a_failed_fork_in_a_fork_keeps_its_place_while_its_retried_run_waits_for_a_permit() -> None:
    """The law of tokens took the inner fork for gone: the outer one counts it as failed, and retry resumes both."""
    routes = (Route(state="DONE", target="done"), Route(state="FAIL", target="stopped"))
    first = replace(NEXT, name="First")
    branches = (Branch(name="b0", steps=(first,)), Branch(name="b1", steps=(NEXT,)))
    inner = ForkStep(name="Inner", routes=routes, branches=branches, join=2)
    side = Branch(name="b1", steps=(replace(NEXT, name="Side"),))
    outer = ForkStep(name="Outer", routes=routes, branches=(Branch(name="b0", steps=(inner,)), side), join=2)
    action = Action(name="a", returns=("OK", "FAIL"), addresses=("http://a.test/",))
    flow = Flow(name="f", steps=(outer,), limit=FlowLimit(concurrent=1))
    definition = Definition(flow=flow, actions={"a": action}, defaults=Options(timeout=1_000))
    run = _after(definition, _begun(definition), _said(RunAdmitted, 1))
    failed = _said(StepAcked, 2, step="First", uuid=_uuid(run, "First"), state="FAIL")
    run = _after(definition, run, failed, _said(RunRetried, 3))
    assert run.status is Status.PENDING
    assert not list(crooked(run, definition))
    lost = replace(run, interrupted=tuple(token for token in run.interrupted if token.step != "Inner"))
    assert any("which is gone" in wrong for wrong in crooked(lost, definition))
    run = _after(definition, run, _said(RunAdmitted, 4))
    assert not run.interrupted
    assert {token.step for token in run.tokens} == {"Outer", "Inner", "First", "Next", "Side"}
    assert not list(crooked(run, definition))
