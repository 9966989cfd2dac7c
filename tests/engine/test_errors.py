"""Errors as data: their names, `$error`, and what a run stores of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chalicelib.engine.effects import Decision, DeliverAction, Outcome
from chalicelib.engine.errors import StateNotRouted
from chalicelib.engine.events import ChildEnded, DeliveryFailed, RunStopped
from chalicelib.engine.steps.call import error_of
from chalicelib.model.actions import Options
from chalicelib.model.flow import (
    ActionStep,
    Branch,
    CallStep,
    ChoiceStep,
    ConditionStep,
    EachStep,
    EventStep,
    ForkStep,
    Route,
    SetStep,
)
from chalicelib.model.history import Entry
from chalicelib.model.ids import mint_uuid
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.status import Status
from tests.engine.driving import Driven, defined, to, value
from tests.engine.flows import DAY, nonce

EXPIRED = StepError("CardExpired", "the card expired")


def work(name: str, *routes: Route, **more: object) -> ActionStep:
    return ActionStep(name=name, routes=routes, action="work", **more)  # type: ignore[arg-type]


# ── `$error` ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_save_when_and_entries_read_the_whole_error() -> None:
    first = work(
        "A",
        to("B", "ERROR", "$error.name = 'CardExpired'", step=value("$error.step")),
        save={"why": value("$error")},
    )
    driven = Driven(defined(first, work("B", to("done", "OK"))))
    driven.answer("ERROR", error=EXPIRED)
    assert driven.token().step == "B"
    assert driven.run.vars == {
        "why": {"name": "CardExpired", "cause": "the card expired", "step": "A", "state": "ERROR"},
        "step": "A",
    }


def test_an_answered_error_is_decided_like_any_answer() -> None:
    driven = Driven(defined(work("A", to("B", "OK"), to("B", "ERROR")), work("B", to("done", "OK"))))
    before, uuid = driven.run, mint_uuid("run-id", "B", nonce(1), 0)
    entry = Entry(
        seq=2,
        at=2_000,
        event="StepAcked",
        step="A",
        origin="A",
        target="B",
        state="ERROR",
        data="d",
        uuid=driven.uuid(),
        error="the card expired",
        error_name="CardExpired",
    )
    after = replace(
        before,
        version=2,
        updated_at=2_000,
        steps=2,
        tokens=(
            Token(
                step="B",
                state="ERROR",
                result="d",
                activation=Activation(uuid=uuid, since=2_000, deadline=2_000 + 7 * DAY),
            ),
        ),
        last_state="A",
        stored_event="_ERROR",
        written=nonce(1)[:8],
        stored_tail=before.stored_tail.plus((entry,)),
    )
    assert driven.answer("ERROR", error=EXPIRED, data="d") == Decision(after, Outcome.ADVANCED, (DeliverAction(uuid),))


def test_error_is_not_bound_where_nothing_failed() -> None:
    driven = Driven(defined(work("A", to("B", "OK", "$exists($error)"), to("done", "OK")), work("B", to("done", "OK"))))
    assert driven.answer("OK").run.status is Status.SUCCEEDED


def test_any_state_may_come_with_an_error() -> None:
    first = work("A", to("B", "BAD", "$error.name = 'CardExpired'"), to("done", "OK"))
    driven = Driven(defined(first, work("B", to("done", "OK"))))
    driven.answer("BAD", error=EXPIRED)
    assert driven.token().step == "B"


@pytest.mark.parametrize("state", ["ERROR", "TIMEOUT"])
def test_a_route_does_not_make_a_built_in_state_one_of_the_action(state: str) -> None:
    driven = Driven(defined(work("A", to("done", "OK"), to("done", "ERROR"), to("done", "TIMEOUT"))))
    with pytest.raises(StateNotRouted, match=f"step 'A' does not accept state '{state}'; it accepts OK, BAD, ODD"):
        driven.answer(state)
    assert driven.answer("OK").outcome is Outcome.ADVANCED


def test_error_needs_a_reason_to_be_answered() -> None:
    driven = Driven(defined(work("A", to("done", "OK"))))
    with pytest.raises(StateNotRouted, match="step 'A' does not accept state 'ERROR'; it accepts OK, BAD, ODD"):
        driven.answer("ERROR")
    ended = driven.answer("ERROR", error=EXPIRED, data={"n": 1}).run
    assert (ended.status, ended.last_err) == (Status.FAILED, "CardExpired: the card expired")
    assert ended.error == StepError("CardExpired", "the card expired", "A", "ERROR")
    assert driven.history == [("StepAcked", "ERROR", "stopped", "CardExpired")]
    assert ended.tail[-1].data == {"n": 1}


def test_error_after_a_set_that_failed_says_why() -> None:
    flow = defined(
        SetStep(
            name="S",
            routes=(to("done", "DONE"), to("B", "ERROR", why=value("$error"))),
            save={"x": value("$number('no number')")},
        ),
        work("B", to("done", "OK")),
    )
    why = Driven(flow).run.vars["why"]
    assert (why["name"], why["step"], why["state"]) == ("ExpressionFailed", "S", "DONE")
    assert why["cause"] == 'expression fails at character 1: "no number" is not the text of a number'


# ── the names of the engine's errors ─────────────────────────────────────────────────────────────────────────────────


def delivery(driven: Driven, **more: object) -> DeliveryFailed:
    return DeliveryFailed(at=2_000, nonce=driven.nonce(), uuid=driven.uuid(), error="it said no", **more)  # type: ignore[arg-type]


def test_a_final_refusal_has_its_status() -> None:
    driven = Driven(defined(work("A", to("done", "OK"))))
    ended = driven.apply(delivery(driven, final=True, name="Refused", status=422)).run
    assert ended.error == StepError("Refused", "it said no", "A", "ERROR", status=422)
    assert ended.last_err == "Refused: it said no"


def test_used_up_deliveries_are_undeliverable() -> None:
    driven = Driven(defined(work("A", to("done", "OK"), options=Options())))
    for _ in range(3):
        driven.apply(delivery(driven, status=503))
    assert driven.run.error == StepError("Undeliverable", "it said no", "A", "ERROR", status=503)
    assert [entry.error_name for entry in driven.run.tail] == ["", *["Undeliverable"] * 3]


@pytest.mark.parametrize(
    ("step", "name", "cause"),
    [
        (work("A", to("done", "OK")), "Timeout", "no final answer came in time"),
        (work("A", to("done", "OK"), options=Options(heartbeat=5)), "HeartbeatTimeout", "no report came within"),
        (
            work("A", to("done", "OK"), options=Options(approval=True)),
            "ApprovalExpired",
            "no person approved it in time",
        ),
        (
            EventStep(name="A", routes=(to("done", "GO"),), events={"GO": "go", "NO": "no"}, key="k", timeout=5),
            "Timeout",
            "no event 'go' or 'no' with key 'k' came in time",
        ),
        (EventStep(name="A", routes=(to("done", "GO"),), events={"GO": "go"}), "Timeout", "no event 'go' came in time"),
        (
            ConditionStep(name="A", routes=(to("done", "DONE"),), condition="false"),
            "Timeout",
            "its condition did not hold",
        ),
        (CallStep(name="A", routes=(to("done", "DONE"),), flow="child", timeout=5), "Timeout", "did not end in time"),
    ],
)
def test_a_timeout_says_what_did_not_happen(step: ActionStep, name: str, cause: str) -> None:
    driven = Driven(defined(step))
    driven.ring()
    while driven.run.ending:  # a child run is told to stop
        uuid = driven.run.stopping[0].uuid
        driven.apply(ChildEnded(at=9_000, nonce=driven.nonce(), uuid=uuid, state="STOPPED"))
    error = driven.run.error
    assert error is not None
    assert (error.name, error.step, error.state) == (name, "A", "TIMEOUT")
    assert cause in error.cause


def test_the_timeout_of_the_whole_run() -> None:
    driven = Driven(defined(work("A", to("done", "OK")), timeout=60_000))
    ended = driven.ring().run
    assert ended.error == StepError("Timeout", "the run took longer than its flow's timeout", "A", "TIMEOUT")
    assert ended.last_err == "Timeout: the run took longer than its flow's timeout"


def test_a_person_who_rejects_gives_the_reason() -> None:
    flow = defined(work("A", to("done", "OK"), options=Options(approval=True)))
    assert Driven(flow).answer("REJECT").run.error == StepError("ApprovalRejected", "a person refused it", "A", "ERROR")
    why = StepError("ApprovalRejected", "too expensive")
    assert Driven(flow).answer("REJECT", error=why).run.last_err == "ApprovalRejected: too expensive"


def test_a_canceled_run_has_no_error() -> None:
    driven = Driven(defined(work("A", to("done", "OK"))))
    stopped = driven.apply(RunStopped(at=2_000, nonce=driven.nonce(), reason="wrong order")).run
    assert (stopped.status, stopped.error, stopped.last_err) == (Status.CANCELED, None, "wrong order")


def test_an_expression_that_fails_when_a_step_is_entered_can_be_routed() -> None:
    step = EventStep(
        name="E", routes=(to("done", "GO"), to("B", "ERROR")), events={"GO": "go"}, key=value("$input.none")
    )
    driven = Driven(defined(step, work("B", to("done", "OK"))))
    assert driven.token().step == "B"
    assert driven.history == [("StepPassed", "ERROR", "B", "ExpressionFailed")]


def test_texts_of_errors_that_are_too_long_are_cut_off() -> None:
    driven = Driven(defined(work("A", to("done", "OK"))))
    error = driven.answer("ERROR", error=StepError("N" * 999, "c" * 9_999)).run.error
    assert error is not None
    assert (len(error.name), len(error.cause)) == (128, 2_000)


# ── NotRouted ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_declared_state_without_a_route_stops_the_run_and_keeps_the_answer() -> None:
    driven = Driven(defined(work("A", to("done", "OK"))))
    ended = driven.answer("ODD", data={"id": 7}, variables={"seen": 1}).run
    cause = "step 'A' returned ODD, which it does not route"
    assert (ended.status, ended.last_err) == (Status.FAILED, f"NotRouted: {cause}")
    assert ended.error == StepError("NotRouted", cause, "A", "ODD", data={"id": 7})
    entry = ended.tail[-1]
    assert (entry.state, entry.data, entry.target, entry.error_name) == ("ODD", {"id": 7}, "stopped", "NotRouted")
    assert ended.vars == {"seen": 1}
    retried = driven.retry().run
    assert (retried.status, retried.error, retried.last_err) == (Status.RUNNING, None, "")
    assert driven.token().step == "A"


def test_not_routed_is_no_error_that_a_route_takes() -> None:
    driven = Driven(defined(work("A", to("done", "OK"), to("B", "ERROR")), work("B", to("done", "OK"))))
    error = driven.answer("ODD", error=EXPIRED).run.error
    assert error is not None
    assert error.name == "NotRouted"
    assert "CardExpired: the card expired" in error.cause


def test_a_declared_state_of_which_no_condition_holds_is_not_routed() -> None:
    driven = Driven(defined(work("A", to("done", "OK", "false"))))
    error = driven.answer("OK").run.error
    assert error is not None
    assert (error.name, error.state) == ("NotRouted", "OK")


# ── data decis ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_choice_keeps_the_result_and_state_of_the_step_before_it() -> None:
    choice = ChoiceStep(name="C", routes=(to("B", None, "$result.n = 1 and $state = 'OK'"), to("stopped")))
    later = work("B", to("done", "OK"), args={"n": value("$result.n")})
    driven = Driven(defined(work("A", to("C", "OK")), choice, later))
    driven.answer("OK", data={"n": 1})
    assert (driven.token().step, driven.token().result, driven.token().state) == ("B", {"n": 1}, "OK")


@pytest.mark.parametrize(("condition", "name"), [("$number('x') = 1", "ExpressionFailed"), ("false", "NoMatch")])
def test_a_choice_may_route_its_error(condition: str, name: str) -> None:
    routes = (to("done", None, condition), to("B", "ERROR", why=value("$error.name"), kept=value("$result")))
    driven = Driven(defined(work("A", to("C", "OK")), ChoiceStep(name="C", routes=routes), work("B", to("done", "OK"))))
    driven.answer("OK", data="d")
    assert driven.token().step == "B"
    assert driven.run.vars == {"why": name, "kept": "d"}


@pytest.mark.parametrize(("condition", "name"), [("$number('x') = 1", "ExpressionFailed"), ("false", "NoMatch")])
def test_no_other_condition_of_a_choice_takes_its_error(condition: str, name: str) -> None:
    routes = (to("B", None, condition), to("done", None, "$state = 'ERROR'"))
    flow = defined(work("A", to("C", "OK")), ChoiceStep(name="C", routes=routes), work("B", to("done", "OK")))
    ended = Driven(flow).answer("OK").run
    assert ended.error is not None
    assert (ended.status, ended.error.name, ended.error.step) == (Status.FAILED, name, "C")


def test_a_condition_that_fails_does_not_lead_to_else() -> None:
    routes = (to("done", None, "$number('x') = 1"), to("done"))
    assert Driven(defined(ChoiceStep(name="C", routes=routes))).run.status is Status.FAILED


# ── branches, items and children ─────────────────────────────────────────────────────────────────────────────────────


def fork(join: int, *routes: Route) -> ForkStep:
    branches = tuple(Branch(name=n, steps=(work(n.upper(), to("done", "OK"), to("stopped", "BAD")),)) for n in "abc")
    return ForkStep(name="F", routes=(to("done", "DONE"), *routes), branches=branches, join=join)


def test_the_error_of_a_fork_is_that_of_the_branch_that_failed() -> None:
    driven = Driven(defined(fork(3, to("H", "FAIL", why=value("$error"))), work("H", to("done", "OK"))))
    driven.answer("ERROR", "0.b", error=EXPIRED)
    assert driven.token().step == "H"
    assert driven.run.vars["why"] == {
        "name": "CardExpired",
        "cause": "the card expired",
        "step": "B",
        "state": "ERROR",
    }


def test_a_fork_that_allows_branches_to_fail_has_an_error_of_its_own() -> None:
    driven = Driven(defined(fork(2)))
    driven.answer("BAD", "0.a")
    assert driven.run.status is Status.RUNNING
    ended = driven.answer("ERROR", "0.c", error=EXPIRED).run
    cause = "2 of 3 branches failed, the last, 'c': CardExpired: the card expired"
    assert ended.error == StepError("BranchesFailed", cause, "F", "FAIL")


def each(tolerate: int | None) -> EachStep:
    steps = (work("A", to("done", "OK"), to("stopped", "BAD", error="Broken", cause=value("$result"))),)
    return EachStep(name="E", routes=(to("done", "DONE"),), items=[1, 2, 3], steps=steps, tolerate=tolerate)


def test_the_error_of_an_each_is_that_of_its_item() -> None:
    driven = Driven(defined(each(None)))
    assert driven.answer("BAD", "0.1", data="smoke").run.error == StepError("Broken", "smoke", "A", "BAD")


def test_an_each_that_says_that_no_item_may_fail_has_an_error_of_its_own() -> None:
    error = Driven(defined(each(0))).answer("BAD", "0.1", data="smoke").run.error
    assert error == StepError("ItemsFailed", "1 of 3 items failed, the last: Broken: smoke", "E", "FAIL")


def test_an_each_that_tolerates_items_has_an_error_of_its_own() -> None:
    driven = Driven(defined(each(1)))
    driven.answer("BAD", "0.0", data="fire")
    ended = driven.answer("BAD", "0.1", data="smoke").run
    assert ended.error == StepError("ItemsFailed", "2 of 3 items failed, the last: Broken: smoke", "E", "FAIL")


def child(status: Status, error: StepError | None = None, last_err: str = "") -> Run:
    return replace(Driven(defined(work("A", to("done", "OK")))).run, status=status, error=error, last_err=last_err)


@pytest.mark.parametrize(
    ("ended", "error"),
    [
        (child(Status.SUCCEEDED), None),
        (
            child(Status.FAILED, StepError("Declined", "no cover", "Pay", "NO")),
            StepError("Declined", "no cover", "Pay", "NO"),
        ),
        (child(Status.FAILED, None, "old text"), StepError(ErrorName.CHILD_FAILED, "old text")),
        (child(Status.CANCELED, None, "wrong order"), StepError(ErrorName.CHILD_CANCELED, "wrong order")),
    ],
)
def test_the_caller_gets_the_error_of_the_child(ended: Run, error: StepError | None) -> None:
    assert error_of(ended) == error


def test_a_call_returns_the_error_of_the_child() -> None:
    call = CallStep(name="C", routes=(to("done", "DONE"), to("B", "STOPPED", why=value("$error"))), flow="child")
    driven = Driven(defined(call, work("B", to("done", "OK"))))
    error = StepError("Declined", "no cover", "Pay", "NO")
    driven.apply(ChildEnded(at=2_000, nonce=driven.nonce(), uuid=driven.uuid(), state="STOPPED", error=error))
    assert driven.run.vars["why"] == {"name": "Declined", "cause": "no cover", "step": "Pay", "state": "NO"}
