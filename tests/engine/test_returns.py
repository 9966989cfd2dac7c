"""What follows when a step returns: `save`, the route and its entries, and what happens if any of it fails."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.engine.effects import Decision, DeliverAction, Outcome
from chalicelib.engine.events import RunContinued, RunPaused, RunStopped, TimerFired, VarsSet
from chalicelib.engine.request_args import sent_vars
from chalicelib.model.actions import Undo
from chalicelib.model.flow import (
    ActionStep,
    Branch,
    ChoiceStep,
    ConditionStep,
    EachStep,
    ForkStep,
    Jitter,
    RepeatRule,
    Route,
    SetStep,
    TimerStep,
)
from chalicelib.model.history import Entry
from chalicelib.model.ids import mint_uuid
from chalicelib.model.run import ABSENT, Activation, Token
from chalicelib.model.run_error import StepError
from chalicelib.model.status import Status
from chalicelib.model.waits import RepeatWait
from tests.engine.driving import Driven, defined, to, value
from tests.engine.flows import DAY, nonce

FAILS = "$number('x')"
"""An expression that fails."""


def work(name: str, *routes: Route, **more: object) -> ActionStep:
    return ActionStep(name=name, routes=routes, action="work", **more)  # type: ignore[arg-type]


# ── entries of routes ────────────────────────────────────────────────────────────────────────────────────────────────


def test_save_reads_the_old_variables_and_entries_read_the_new_ones() -> None:
    first = work(
        "A",
        to("B", "OK", "$vars.n = 2", m=value("$vars.n * 10")),
        save={"n": value("$vars.n + 1"), "old": value("$vars.n")},
    )
    driven = Driven(defined(first, work("B", to("done", "OK")), vars={"n": 1}))
    driven.answer("OK")
    assert (driven.token().step, driven.run.vars) == ("B", {"n": 2, "old": 1, "m": 20})


def test_entries_are_saved_on_their_own_route_only() -> None:
    first = work("A", to("B", "OK", n=1), to("B", "BAD", m=2))
    driven = Driven(defined(first, work("B", to("done", "OK"))))
    driven.answer("BAD")
    assert driven.run.vars == {"m": 2}


def test_done_may_say_what_the_output_is() -> None:
    driven = Driven(defined(work("A", to("done", "OK", output={"id": value("$result.id")})), output=value(FAILS)))
    ended = driven.answer("OK", data={"id": 7}).run
    assert (ended.status, ended.output) == (Status.SUCCEEDED, {"id": 7})


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ({}, StepError("Stopped", "step 'A' returned OK, which leads to stopped", "A", "OK")),
        ({"error": "Declined"}, StepError("Declined", "step 'A' returned OK, which leads to stopped", "A", "OK")),
        ({"error": "Declined", "cause": value("$result.why")}, StepError("Declined", "no cover", "A", "OK")),
        ({"cause": value("$result.why")}, StepError("Stopped", "no cover", "A", "OK")),
        ({"cause": value("$result.code")}, StepError("Stopped", "51", "A", "OK")),
        ({"error": value("$result.none"), "cause": value("$result.none")}, StepError("Stopped", "", "A", "OK")),
    ],
)
def test_stopped_may_say_why(entries: dict[str, object], error: StepError) -> None:
    driven = Driven(defined(work("A", Route(target="stopped", state="OK", entries=entries))))
    run = driven.answer("OK", data={"why": "no cover", "code": 51}).run
    assert (run.status, run.error, run.last_err) == (Status.FAILED, error, error.text)


def test_stopped_keeps_the_error_of_its_step() -> None:
    driven = Driven(defined(work("A", to("stopped", "ERROR"))))
    run = driven.answer("ERROR", error=StepError("CardExpired", "it expired")).run
    assert run.error == StepError("CardExpired", "it expired", "A", "ERROR")


@pytest.mark.parametrize("routed", [True, False])
def test_a_failure_of_which_nothing_can_be_saved_keeps_its_name(*, routed: bool) -> None:
    steps = (work("A", to("stopped", "BAD", error="Broken")),)
    routes = (to("done", "DONE"), *([to("stopped", "FAIL")] if routed else []))
    step = EachStep(name="E", routes=routes, items=[1], steps=steps, save={"n": value(FAILS)})
    error = Driven(defined(step, vars={"n": 1})).answer("BAD", "0.0").run.error
    assert error is not None
    assert (error.name, error.step, error.state) == ("Broken", "A", "BAD")
    assert "; then" in error.cause


def test_a_cause_that_is_no_text_fails() -> None:
    driven = Driven(defined(work("A", to("stopped", "OK", cause=value("$result")))))
    error = driven.answer("OK", data={"a": 1}).run.error
    assert error is not None
    assert (error.name, error.state) == ("ExpressionFailed", "OK")
    assert "`cause` must be text" in error.cause


def test_done_in_a_branch_says_what_the_branch_returns() -> None:
    branches = (
        Branch(name="a", steps=(work("A", to("done", "OK", output=value("$result.id"))),)),
        Branch(name="b", steps=(work("B", to("done", "OK")),)),
    )
    driven = Driven(defined(ForkStep(name="F", routes=(to("done", "DONE"),), branches=branches, join=2)))
    driven.answer("OK", "0.a", data={"id": 7})
    assert driven.answer("OK", "0.b", data={"id": 8}).run.output == {"a": 7, "b": {"id": 8}}


def test_done_and_stopped_in_an_item_speak_of_the_item() -> None:
    steps = (work("A", to("done", "OK", output=value("$result * 2")), to("stopped", "BAD", error="Broken")),)
    driven = Driven(defined(EachStep(name="E", routes=(to("done", "DONE"),), items=[1, 2], steps=steps, tolerate=1)))
    driven.answer("BAD", "0.0")
    assert (driven.run.status, driven.run.error) == (Status.RUNNING, None)
    assert driven.answer("OK", "0.1", data=4).run.output == [None, 8]


# ── something fails after the return ─────────────────────────────────────────────────────────────────────────────────


def test_a_failing_save_keeps_the_answer_and_returns_error_once() -> None:
    first = work(
        "A",
        to("done", "OK"),
        to("B", "ERROR", why=value("$error")),
        save={"n": 1, "x": value(FAILS)},
    )
    driven = Driven(defined(first, work("B", to("done", "OK"))))
    before, uuid = driven.run, mint_uuid("run-id", "B", nonce(1), 0)
    cause = 'expression fails at character 1: "x" is not the text of a number'
    answered = Entry(
        seq=2,
        at=2_000,
        event="StepAcked",
        step="A",
        origin="A",
        state="OK",
        data={"id": 7},
        vars={"seen": 1},
        uuid=driven.uuid(),
    )
    failed = Entry(
        seq=3,
        at=2_000,
        event="StepFailed",
        step="A",
        origin="A",
        target="B",
        state="ERROR",
        uuid=driven.uuid(),
        error=cause,
        error_name="ExpressionFailed",
    )
    why = {"name": "ExpressionFailed", "cause": cause, "step": "A", "state": "OK", "data": {"id": 7}}
    activation = Activation(uuid=uuid, since=2_000, deadline=2_000 + 7 * DAY)
    after = replace(
        before,
        version=2,
        updated_at=2_000,
        steps=2,
        vars={"seen": 1, "why": why},
        tokens=(
            Token(
                step="B",
                state="ERROR",
                error=StepError("ExpressionFailed", cause, "A", "OK", None, {"id": 7}),
                activation=activation,
            ),
        ),
        last_state="A",
        stored_event="_ERROR",
        written=nonce(1)[:8],
        stored_tail=before.stored_tail.plus((answered, failed)),
    )
    decision = driven.answer("OK", data={"id": 7}, variables={"seen": 1})
    assert decision == Decision(after, Outcome.ADVANCED, (DeliverAction(uuid),))


@pytest.mark.parametrize(
    "step",
    [
        work("A", to("done", "OK"), save={"x": value(FAILS)}),
        work("A", to("done", "OK", f"{FAILS} = 1")),
        work("A", to("done", "OK", output=value(FAILS))),
        work("A", to("B", "OK", x=value(FAILS))),
        work("A", to("done", "OK"), repeat=(RepeatRule(when=f"{FAILS} = 1", max=1),)),
        work("A", to("done", "OK"), undo=Undo(action="back", args={"id": value("$result.none")})),
    ],
)
def test_whatever_fails_after_a_declared_state_the_answer_is_kept(step: ActionStep) -> None:
    driven = Driven(defined(step, work("B", to("done", "OK"))))
    driven.answer("OK", data={"id": 7})
    assert driven.history[:2] == [("StepAcked", "OK", "", ""), ("StepFailed", "ERROR", "stopped", "ExpressionFailed")]
    assert driven.run.tail[1].data == {"id": 7}
    assert driven.run.error is not None
    assert (driven.run.error.name, driven.run.error.state) == ("ExpressionFailed", "OK")
    assert driven.run.error.data == {"id": 7}


def test_the_error_of_a_failing_save_is_not_repeated() -> None:
    rule = RepeatRule(state="ERROR", max=5)
    driven = Driven(defined(work("A", to("done", "OK"), save={"x": value(FAILS)}, repeat=(rule,))))
    assert driven.answer("OK").run.status is Status.FAILED


def test_nothing_is_saved_if_the_route_cannot_be_chosen() -> None:
    first = work("A", to("done", "OK", f"{FAILS} = 1"), to("B", "ERROR"), save={"n": 1})
    driven = Driven(defined(first, work("B", to("done", "OK"))))
    driven.answer("OK")
    assert (driven.token().step, driven.run.vars) == ("B", {})


def test_a_route_of_the_error_that_fails_too_ends_the_run() -> None:
    first = work("A", to("done", "OK"), to("done", "ERROR", f"{FAILS} = 1"), save={"x": value(FAILS)})
    ended = Driven(defined(first)).answer("OK", data=1).run
    assert ended.status is Status.FAILED
    assert [entry.event for entry in ended.tail] == ["RunStarted", "StepAcked", "StepFailed"]


def test_an_error_that_cannot_be_saved_keeps_its_name() -> None:
    first = work("A", to("B", "ERROR", why=value("$error.name")), save={"x": value(FAILS)})
    driven = Driven(defined(first, work("B", to("done", "OK"))))
    driven.answer("ERROR", error=StepError("CardExpired", "it expired"))
    assert (driven.token().step, driven.run.vars) == ("B", {"why": "CardExpired"})
    assert "it expired; then expression fails" in driven.run.tail[-1].error


def test_work_that_was_answered_is_undone_though_its_save_failed() -> None:
    step = work("A", to("done", "OK"), save={"x": value(FAILS)}, undo=Undo(action="back", args={"id": 1}))
    driven = Driven(defined(step))
    driven.answer("OK")
    assert driven.run.status is Status.COMPENSATING
    driven.answer("OK", "undo")
    assert (driven.run.status, driven.run.last_err) == (
        Status.FAILED,
        'ExpressionFailed: expression fails at character 1: "x" is not the text of a number',
    )


def test_large_data_of_an_error_stays_out_of_the_head() -> None:
    driven = Driven(defined(work("A", to("done", "OK"))))
    ended = driven.answer("ODD", data="x" * 5_000).run
    assert ended.error is not None
    assert ended.error.data is None
    assert ended.tail[-1].data == "x" * 5_000


def test_variables_that_become_too_large_are_an_error_of_their_own() -> None:
    routes = (to("A", "OK"), to("B", "ERROR", why=value("$error.name"), of=value("$error.state")))
    first = work("A", *routes, save={"big": value("$append($vars.big, $result)")})
    driven = Driven(defined(first, work("B", to("done", "OK")), vars={"big": []}))
    for _ in range(2):
        driven.answer("OK", data="x" * 3_000_000)
    assert (driven.token().step, driven.run.vars["why"], driven.run.vars["of"]) == ("B", "TooLarge", "OK")
    assert len(driven.run.vars["big"]) == 1


# ── repeat ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def repeated(*rules: RepeatRule, **more: object) -> Driven:
    routes = (to("B", "OK"), to("A", "BAD"), to("B", "ERROR"), to("B", "TIMEOUT"))
    return Driven(defined(work("A", *routes, repeat=rules, **more), work("B", to("A", "OK"))))


def test_a_repetition_waits_and_then_is_a_new_activation() -> None:
    driven = repeated(RepeatRule(state="ODD", max=2, delay=30_000), save={"n": 1})
    before, first, waiting = driven.run, driven.uuid(), mint_uuid("run-id", "A", nonce(1), 0)
    decision = driven.answer("ODD", data="d")
    entry = Entry(
        seq=2,
        at=2_000,
        event="StepAcked",
        step="A",
        origin="A",
        target="A",
        state="ODD",
        data="d",
        uuid=first,
        rule=1,
    )
    activation = Activation(uuid=waiting, since=2_000, deadline=32_000, wait=RepeatWait(rule=0, state="ODD"))
    after = replace(
        before,
        version=2,
        updated_at=2_000,
        timer_at=32_000,
        tokens=(Token(step="A", repeats={"0": 1}, activation=activation),),
        last_state="A",
        stored_event="_ODD",
        written=nonce(1)[:8],
        stored_tail=before.stored_tail.plus((entry,)),
    )
    assert decision.run == after
    assert decision.outcome is Outcome.ADVANCED
    again = driven.ring()
    assert DeliverAction(driven.uuid()) in again.effects
    assert driven.uuid() not in (first, waiting)
    assert driven.token().repeats == {"0": 1}
    assert driven.run.vars == {}


def test_each_rule_counts_by_itself_and_the_first_that_fits_is_used() -> None:
    driven = repeated(
        RepeatRule(state="ODD", max=1, delay=0),
        RepeatRule(state="ERROR", when="$error.name = 'Throttled'", max=2, delay=0),
        RepeatRule(state="ERROR", max=1, delay=0),
    )
    for state, name in [("ODD", ""), ("ERROR", "Throttled"), ("ERROR", "Other"), ("ERROR", "Throttled")]:
        driven.answer(state, error=StepError(name, "") if name else None)
        assert driven.token().step == "A"
    assert driven.token().repeats == {"0": 1, "1": 2, "2": 1}
    driven.answer("ERROR", error=StepError("Throttled", ""))
    assert driven.token().step == "B"


def test_rules_count_anew_when_a_route_leads_to_the_step() -> None:
    driven = repeated(RepeatRule(state="BAD", max=1, delay=0))
    for repeats in ({"0": 1}, {}, {"0": 1}, {}):
        driven.answer("BAD")
        assert (driven.token().step, driven.token().repeats) == ("A", repeats)


def test_rules_count_anew_when_a_person_retries() -> None:
    driven = Driven(defined(work("A", to("done", "OK"), repeat=(RepeatRule(state="ODD", max=1, delay=0),))))
    driven.answer("ODD")
    driven.answer("ODD")
    assert driven.run.status is Status.FAILED
    driven.retry()
    assert driven.token().repeats == {}


def test_a_rule_without_a_state_has_a_condition_over_any() -> None:
    driven = repeated(RepeatRule(when="$result.pending", max=9, delay=0))
    driven.answer("OK", data={"pending": True})
    assert driven.token().step == "A"
    driven.answer("OK", data={"pending": False})
    assert driven.token().step == "B"


def test_delays_grow_up_to_their_cap() -> None:
    driven = repeated(RepeatRule(state="ODD", max=9, delay=1_000, rate=3.0, cap=5_000))
    for delay in (1_000, 3_000, 5_000, 5_000):
        decision = driven.answer("ODD", at=10_000)
        activation = decision.run.tokens[0].activation
        assert activation is not None
        assert activation.deadline - activation.since == delay
        driven.ring()


def test_full_jitter_draws_the_delay() -> None:
    delays = set()
    for n in range(50):
        driven = repeated(RepeatRule(state="ODD", max=9, delay=1_000, jitter=Jitter.FULL))
        for _ in range(n):
            driven.nonce()
        driven.answer("ODD")
        activation = driven.token().activation
        assert activation is not None
        delays.add(activation.deadline - activation.since)
    assert 0 <= min(delays) < 300 < 700 < max(delays) <= 1_000


def test_a_late_answer_of_a_repeated_activation_is_a_duplicate() -> None:
    driven = repeated(RepeatRule(state="ODD", max=9, delay=1_000))
    first = driven.uuid()
    driven.answer("ODD")
    assert driven.answer("OK", uuid=first).outcome is Outcome.DUPLICATE


def test_args_of_a_repetition_read_the_same_result() -> None:
    driven = repeated(RepeatRule(state="BAD", max=1, delay=0))
    driven.answer("OK", data="first")
    driven.answer("OK", data="second")
    assert (driven.token().step, driven.token().result, driven.token().state) == ("A", "second", "OK")
    driven.answer("BAD", data="third")
    assert (driven.token().step, driven.token().result, driven.token().state) == ("A", "second", "OK")


def test_a_pause_postpones_a_repetition() -> None:
    driven = repeated(RepeatRule(state="ODD", max=1, delay=1_000))
    driven.apply(RunPaused(at=1_500, nonce=driven.nonce()))
    driven.answer("ODD", at=2_000)
    continued = driven.apply(RunContinued(at=12_000, nonce=driven.nonce()))
    assert not any(isinstance(effect, DeliverAction) for effect in continued.effects)
    assert driven.run.timer_at == 13_000
    effects = driven.ring().effects
    assert DeliverAction(driven.uuid()) in effects


def test_a_fork_that_is_repeated_begins_anew() -> None:
    branches = tuple(Branch(name=n, steps=(work(n.upper(), to("done", "OK"), to("stopped", "BAD")),)) for n in "ab")
    rule = RepeatRule(state="FAIL", max=1, delay=1_000)
    step = ForkStep(name="F", routes=(to("done", "DONE"),), branches=branches, join=2, repeat=(rule,))
    driven = Driven(defined(step))
    driven.answer("OK", "0.a")
    driven.answer("BAD", "0.b")
    assert [token.id for token in driven.run.tokens] == ["0"]
    driven.ring()
    assert [token.id for token in driven.run.tokens] == ["0", "0.a", "0.b"]


def test_a_condition_is_repeated_after_its_delay_only() -> None:
    rule = RepeatRule(state="DONE", when="$vars.n < 2", max=9, delay=1_000)
    step = ConditionStep(name="C", routes=(to("B", "DONE"),), condition="true", repeat=(rule,))
    driven = Driven(defined(step, work("B", to("done", "OK")), vars={"n": 1}))
    assert (driven.token().step, driven.run.timer_at) == ("C", 2_000)


# ── loops ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def counting(*more: Route, limit: int) -> tuple[SetStep, ChoiceStep]:
    again = SetStep(name="S", routes=(to("C", "DONE"), *more), save={"n": value("$vars.n + 1")})
    return again, ChoiceStep(name="C", routes=(to("S", None, f"$vars.n < {limit}"), to("done")))


def test_loops_that_end_are_allowed() -> None:
    run = Driven(defined(*counting(limit=999), vars={"n": 0})).run
    assert (run.status, run.vars["n"], run.steps) == (Status.SUCCEEDED, 999, 1_998)


def test_a_long_way_is_no_loop() -> None:
    steps = [SetStep(name=f"S{n}", routes=(to(f"S{n + 1}" if n < 1_500 else "done", "DONE"),)) for n in range(1_501)]
    assert Driven(defined(*steps)).run.status is Status.SUCCEEDED


def test_the_thousandth_pass_returns_error_which_can_be_routed() -> None:
    driven = Driven(defined(*counting(limit=10_000), work("B", to("done", "OK")), vars={"n": 0}))
    assert driven.run.error is not None
    assert (driven.run.status, driven.run.error.name, driven.run.error.step) == (Status.FAILED, "RunawayLoop", "S")
    set_only = SetStep(name="S", routes=(to("S", "DONE"), to("B", "ERROR")), save={"n": value("$vars.n + 1")})
    routed = Driven(defined(set_only, work("B", to("done", "OK")), vars={"n": 0}))
    assert (routed.run.status, routed.token().step, routed.run.vars["n"]) == (Status.RUNNING, "B", 999)
    assert routed.history[-1] == ("StepPassed", "ERROR", "B", "RunawayLoop")


def test_a_loop_that_routes_its_error_to_itself_ends_the_run() -> None:
    step = SetStep(name="S", routes=(to("S", "DONE"), to("S", "ERROR")), save={})
    run = Driven(defined(step)).run
    assert run.error is not None
    assert (run.status, run.error.name, run.steps) == (Status.FAILED, "RunawayLoop", 1_999)


def test_a_wait_of_no_length_is_no_wait() -> None:
    pause = TimerStep(name="T", routes=(to("T", "DONE"), to("B", "ERROR")), duration=0)
    driven = Driven(defined(pause, work("B", to("done", "OK"))))
    for _ in range(999):
        assert driven.token().step == "T"
        driven.apply(TimerFired(at=1_000, nonce=driven.nonce()))
    driven.apply(TimerFired(at=1_000, nonce=driven.nonce()))
    assert (driven.token().step, driven.run.tail[-1].error_name) == ("B", "RunawayLoop")


def test_a_wait_ends_the_count() -> None:
    pause = TimerStep(name="T", routes=(to("S", "DONE"),), duration=1)
    driven = Driven(defined(pause, SetStep(name="S", routes=(to("T", "DONE"),))))
    for _ in range(5):
        driven.ring()
        assert (driven.token().step, driven.token().passes) == ("T", 1)


def test_a_run_that_enters_too_many_steps_fails() -> None:
    driven = Driven(defined(work("A", to("A", "OK")), max_steps=3))
    for _ in range(3):
        driven.answer("OK")
    cause = "the run has entered 3 steps, which is the limit"
    assert (driven.run.status, driven.run.error) == (Status.FAILED, StepError("RunawayLoop", cause, "A"))
    assert driven.history[-1] == ("RunFailed", "", "stopped", "RunawayLoop")
    driven.retry()
    assert (driven.run.status, driven.run.steps) == (Status.RUNNING, 1)


def test_a_flow_has_its_own_limit_of_steps() -> None:
    definition = defined(work("A", to("A", "OK")), max_steps=1)
    limited = defined(work("A", to("A", "OK")))
    assert definition.step_limit == 1
    assert limited.step_limit == 1_000_000
    flow = replace(limited.flow, max_steps=2)
    driven = Driven(dataclasses.replace(limited, flow=flow))
    driven.answer("OK")
    assert driven.answer("OK").run.status is Status.FAILED


# ── output and labels ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_output_that_cannot_be_made_undoes_nothing_and_is_made_again_by_retry() -> None:
    step = work("A", to("done", "OK"), undo=Undo(action="back"))
    driven = Driven(defined(step, vars={"n": "x"}, output=value("$number($vars.n)")))
    undo = driven.uuid()
    failed = driven.answer("OK", data="d").run
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert (failed.error.name, failed.error.step) == ("ExpressionFailed", "A")
    assert failed.last_err.startswith("ExpressionFailed: the flow's output could not be made: ")
    assert [pending.uuid for pending in failed.undos] == [undo]
    assert driven.history == [("StepAcked", "OK", "done", ""), ("RunFailed", "", "stopped", "ExpressionFailed")]
    again = driven.retry().run
    assert (again.status, again.steps) == (Status.FAILED, 0)
    driven.decision = Decision(replace(again, vars={"n": "7"}), Outcome.ADVANCED)
    succeeded = driven.retry()
    assert (succeeded.run.status, succeeded.run.output, succeeded.run.error) == (Status.SUCCEEDED, 7, None)
    assert not any(isinstance(effect, DeliverAction) for effect in succeeded.effects)


def test_a_run_whose_output_failed_may_be_retried_at_a_step_and_still_undoes_its_work() -> None:
    step = work("A", to("done", "OK"), undo=Undo(action="back"))
    driven = Driven(defined(step, output=value(FAILS)))
    driven.answer("OK")
    driven.retry("A")
    assert driven.answer("ODD").run.status is Status.COMPENSATING


@pytest.mark.parametrize("what", ["labels", "vars"])
def test_labels_and_variables_that_cannot_be_made_fail_the_run_and_are_made_again_by_retry(what: str) -> None:
    definition = defined(work("A", to("done", "OK")))
    flow = replace(definition.flow, **{what: {"n": value("$number($run.name)")}})
    driven = Driven(dataclasses.replace(definition, flow=flow))
    failed = driven.run
    assert (failed.status, failed.tokens, failed.steps) == (Status.FAILED, (), 0)
    assert driven.history == [("RunFailed", "", "stopped", "ExpressionFailed")]
    driven.decision = Decision(replace(failed, name="7"), Outcome.ADVANCED)
    begun_again = driven.retry().run
    assert (begun_again.status, getattr(begun_again, what)) == (Status.RUNNING, {"n": 7})
    assert (driven.token().step, begun_again.steps) == ("A", 1)
    assert [entry.event for entry in begun_again.tail][2:] == ["RunRetried"]
    assert [type(effect) for effect in driven.decision.effects].count(DeliverAction) == 1


# ── variables that were sent ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("old", "new"), [(0.0, -0.0), (7, 7.0), (True, 1), ([7], [7.0]), (None, False)])
def test_variables_that_were_sent_are_sent_again_as_they_were(old: object, new: object) -> None:
    driven = Driven(defined(work("A", to("done", "OK")), vars={"v": old}))
    driven.apply(VarsSet(at=5_000, nonce=driven.nonce(), vars={"v": new, "w": 1}))
    driven.apply(VarsSet(at=6_000, nonce=driven.nonce(), vars={"v": "later"}, remove=("w",)))
    activation = driven.token().activation
    assert activation is not None
    assert repr(activation.old_vars) == repr({"v": old, "w": ABSENT})
    assert sent_vars(driven.run.vars, activation) == {"v": old}


# ── retry keeps what is done ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("routes", [(), (to("stopped", "FAIL"),)], ids=["unrouted", "routed"])
def test_finished_branches_stay_done(routes: tuple[Route, ...]) -> None:
    branches = tuple(Branch(name=n, steps=(work(n.upper(), to("done", "OK"), to("stopped", "BAD")),)) for n in "abc")
    step = ForkStep(name="F", routes=(to("done", "DONE"), *routes), branches=branches, join=3)
    driven = Driven(defined(step))
    driven.answer("OK", "0.a", data="a")
    driven.answer("BAD", "0.b")
    assert driven.run.status is Status.FAILED
    driven.retry()
    assert [token.id for token in driven.run.tokens] == ["0", "0.b", "0.c"]
    driven.answer("OK", "0.b", data="b")
    assert driven.answer("OK", "0.c", data="c").run.output == {"a": "a", "b": "b", "c": "c"}


@pytest.mark.parametrize("routes", [(), (to("stopped", "FAIL"),)], ids=["unrouted", "routed"])
def test_finished_items_stay_done(routes: tuple[Route, ...]) -> None:
    steps = (work("A", to("done", "OK"), to("stopped", "BAD")),)
    step = EachStep(name="E", routes=(to("done", "DONE"), *routes), items=[0, 1, 2, 3], steps=steps, max=3)
    driven = Driven(defined(step))
    driven.answer("OK", "0.0", data="a")
    driven.answer("BAD", "0.1")
    assert driven.run.status is Status.FAILED
    driven.retry()
    assert [token.id for token in driven.run.tokens] == ["0", "0.1", "0.2", "0.3"]
    for index, data in ((1, "b"), (2, "c"), (3, "d")):
        driven.answer("OK", f"0.{index}", data=data)
    assert driven.run.output == ["a", "b", "c", "d"]


BAD_STOPS = (to("done", "OK"), to("stopped", "BAD"))
BOTH = pytest.mark.parametrize("routes", [(), (to("stopped", "FAIL"),)], ids=["unrouted", "routed"])


def _fork(name: str, *routes: Route, **branches: tuple[ActionStep | ForkStep | EachStep, ...]) -> ForkStep:
    made = tuple(Branch(name=branch, steps=steps) for branch, steps in branches.items())
    return ForkStep(name=name, routes=(to("done", "DONE"), *routes), branches=made, join=len(made))


def _each(name: str, *steps: ActionStep | ForkStep | EachStep, routes: tuple[Route, ...] = (), **more: Any) -> EachStep:
    return EachStep(name=name, routes=(to("done", "DONE"), *routes), items=[0, 1], steps=steps, **more)


@BOTH
@pytest.mark.parametrize("stops", [False, True], ids=["fails", "is stopped"])
def test_finished_branches_of_a_fork_in_an_item_stay_done(routes: tuple[Route, ...], *, stops: bool) -> None:
    inner = _fork("F", *routes, a=(work("A", *BAD_STOPS),), b=(work("B1", to("B", "OK")), work("B", *BAD_STOPS)))
    driven = Driven(defined(_each("E", work("First", to("F", "OK")), inner, routes=routes)))
    driven.answer("OK", "0.0")
    driven.answer("OK", "0.0.a", data="a")
    driven.answer("OK", "0.0.b", data="b1")
    driven.answer("OK", "0.1", data="first")
    if stops:
        driven.apply(RunStopped(at=5_000, nonce=driven.nonce()))
    else:
        driven.answer("BAD", "0.0.b")
    assert driven.run.status in (Status.FAILED, Status.CANCELED)
    driven.retry()
    at = {token.id: token.step for token in driven.run.tokens}
    assert at == {"0": "E", "0.0": "F", "0.0.b": "B", "0.1": "F", "0.1.a": "A", "0.1.b": "B1"}
    assert driven.token("0.0.b").result == "b1"
    retried = [(entry.token, entry.target) for entry in driven.run.tail if entry.event == "RunRetried"]
    assert dict(retried) == {"0": "E", "0.0": "F", "0.0.b": "B", "0.1": "F", "0.1.a": "A", "0.1.b": "B1"}
    assert driven.run.interrupted == ()
    for token in ("0.0.b", "0.1.a", "0.1.b", "0.1.b"):
        driven.answer("OK", token, data=token)
    assert driven.run.output == [{"a": "a", "b": "0.0.b"}, {"a": "0.1.a", "b": "0.1.b"}]


@BOTH
def test_finished_items_of_an_each_in_a_branch_stay_done(routes: tuple[Route, ...]) -> None:
    inner = _each("E", _each("G", work("A", *BAD_STOPS), routes=routes), routes=routes)
    driven = Driven(defined(_fork("F", *routes, a=(inner,), b=(work("B", *BAD_STOPS),))))
    driven.answer("OK", "0.a.0.0", data="0.0")
    driven.answer("OK", "0.a.1.0", data="1.0")
    driven.answer("OK", "0.a.1.1", data="1.1")
    driven.answer("BAD", "0.a.0.1")
    assert driven.run.status is Status.FAILED
    driven.retry()
    assert [token.id for token in driven.run.tokens] == ["0", "0.a", "0.b", "0.a.0", "0.a.0.1"]
    driven.answer("OK", "0.b", data="b")
    ended = driven.answer("OK", "0.a.0.1", data="0.1").run
    assert ended.output == {"a": [["0.0", "0.1"], ["1.0", "1.1"]], "b": "b"}


def test_an_interrupted_item_is_resumed_at_its_step_with_what_it_knew() -> None:
    second = work("B", *BAD_STOPS, save={"seen": value("$result")})
    driven = Driven(defined(_each("E", work("A", to("B", "OK")), second, max=1)))
    driven.answer("OK", "0.0", data="from A")
    driven.answer("BAD", "0.0", data="from B")
    driven.retry()
    token = driven.token("0.0")
    assert (token.step, token.result, token.state) == ("B", "from A", "OK")
    assert [token.id for token in driven.run.tokens] == ["0", "0.0"]


def test_a_run_is_resumed_with_the_result_that_its_step_had() -> None:
    driven = Driven(defined(work("A", to("B", "OK")), work("B", *BAD_STOPS)))
    driven.answer("OK", data="from A")
    driven.answer("BAD", data="from B")
    driven.retry()
    assert (driven.token().result, driven.token().state) == ("from A", "OK")


def test_a_tolerated_item_starts_again() -> None:
    steps = (work("A", to("B", "OK")), work("B", *BAD_STOPS))
    driven = Driven(defined(_each("E", *steps, tolerate=1)))
    for token in ("0.0", "0.1"):
        driven.answer("OK", token)
    driven.answer("BAD", "0.0")
    driven.apply(RunStopped(at=5_000, nonce=driven.nonce()))
    driven.retry()
    assert {token.id: token.step for token in driven.run.tokens} == {"0": "E", "0.0": "A", "0.1": "B"}


@pytest.mark.parametrize("step", ["fork", "each", "tolerant each"])
def test_a_fork_or_each_that_had_finished_returns_at_once(step: str) -> None:
    """Nothing was left to start, so the run waited for a year."""
    one = work("A", *BAD_STOPS)
    routes = (to("done", "DONE", "$vars.ok"), to("stopped", "DONE"))
    steps: dict[str, ForkStep | EachStep] = {
        "fork": replace(_fork("S", **{"0": (one,), "1": (work("B", *BAD_STOPS),)}), routes=routes, join=1),
        "each": replace(_each("S", one), routes=routes),
        "tolerant each": replace(_each("S", one, tolerate=1), routes=routes),
    }
    driven = Driven(defined(steps[step]))
    driven.answer("OK", "0.0", data="a")
    if step != "fork":
        driven.answer("OK" if step == "each" else "BAD", "0.1", data="b")
    assert driven.run.status is Status.FAILED
    driven.decision = Decision(replace(driven.run, vars={"ok": True}), Outcome.ADVANCED)
    ended = driven.retry().run
    outputs = {"fork": {"0": "a"}, "each": ["a", "b"], "tolerant each": ["a", None]}
    assert (ended.status, ended.output, ended.interrupted) == (Status.SUCCEEDED, outputs[step], ())


def test_a_route_that_goes_on_forgets_what_was_interrupted() -> None:
    inner = _fork("F", to("Help", "FAIL"), a=(work("A", *BAD_STOPS),), b=(work("B", *BAD_STOPS),))
    driven = Driven(defined(inner, work("Help", to("F", "OK"), *BAD_STOPS[1:])))
    driven.answer("BAD", "0.a")
    assert (driven.token().step, driven.run.interrupted) == ("Help", ())
    driven.answer("OK")
    assert [token.id for token in driven.run.tokens] == ["0", "0.a", "0.b"]
