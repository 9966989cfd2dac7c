"""What events make of runs: whole decisions, refusals that change nothing, every order in every status."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from chalicelib.engine import lifecycle
from chalicelib.engine.effects import Decision, DeliverAction, Outcome, SetTimer
from chalicelib.engine.errors import (
    CommandRefused,
    NeverIssued,
    NoSuchStep,
    Refused,
    RunIsStopped,
    StateNotRouted,
    Unsigned,
)
from chalicelib.engine.events import (
    DeliveryFailed,
    DeliveryHeld,
    Event,
    RunContinued,
    RunPaused,
    RunRetried,
    RunStopped,
    StepAcked,
    TimerFired,
)
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.lifecycle import Command
from chalicelib.engine.machine import decide
from chalicelib.model import status
from chalicelib.model.actions import Action, Options, Retry, Undo
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Flow
from chalicelib.model.history import Entries, Entry
from chalicelib.model.ids import mint_uuid, was_minted
from chalicelib.model.run import Activation, DefinitionRef, Run, Token
from chalicelib.model.status import Status
from tests.engine.flows import DAY, NONCE, TWO_STEPS, begun, nonce, step, token, uuid_of


def acked(run: Run, state: str = "OK", n: int = 1, at: int = 2_000, **more: object) -> StepAcked:
    return StepAcked(at=at, nonce=nonce(n), by="action", step=token(run).step, uuid=uuid_of(run), state=state, **more)  # type: ignore[arg-type]


def test_a_run_begins_at_its_first_step_with_a_delivery_and_a_timer() -> None:
    uuid = mint_uuid("run-id", "A", NONCE, 0)
    run = Run(
        namespace="default",
        name="r",
        id="run-id",
        version=1,
        status=Status.RUNNING,
        definition=DefinitionRef(flow="two", version=1, actions={"work": 1}),
        created_at=1_000,
        updated_at=1_000,
        written=NONCE[:8],
        status_at=1_000,
        timer_at=1_000 + 7 * DAY,
        tokens=(Token(step="A", activation=Activation(uuid=uuid, since=1_000, deadline=1_000 + 7 * DAY)),),
        last_state="ready",
        stored_event="start",
        steps=1,
        stored_tail=Entries.of(
            (Entry(seq=1, at=1_000, event="RunStarted", step="A", origin="ready", target="A", by="api"),)
        ),
    )
    assert begun() == Decision(run, Outcome.ADVANCED, (DeliverAction(uuid), SetTimer(1_000 + 7 * DAY)))


def test_an_answer_moves_the_run_to_the_next_step_and_arms_no_second_timer() -> None:
    run = begun().run
    decision = decide(TWO_STEPS, run, acked(run, data="x", variables={"seen": 1}))
    uuid = mint_uuid("run-id", "B", nonce(1), 0)
    assert decision == Decision(
        replace(
            run,
            version=2,
            updated_at=2_000,
            vars={"seen": 1},
            tokens=(
                Token(
                    step="B",
                    state="OK",
                    result="x",
                    activation=Activation(uuid=uuid, since=2_000, deadline=2_000 + 7 * DAY),
                ),
            ),
            last_state="A",
            stored_event="_OK",
            steps=2,
            stored_tail=run.stored_tail.plus(
                (
                    Entry(
                        seq=2,
                        at=2_000,
                        event="StepAcked",
                        step="A",
                        origin="A",
                        target="B",
                        state="OK",
                        data="x",
                        vars={"seen": 1},
                        by="action",
                        uuid=uuid_of(run),
                    ),
                )
            ),
        ),
        Outcome.ADVANCED,
        (DeliverAction(uuid),),
    )


def test_the_last_answer_ends_the_run_with_its_result_as_output() -> None:
    run = decide(TWO_STEPS, begun().run, acked(begun().run)).run
    done = decide(TWO_STEPS, run, acked(run, data='{"url": "u"}', n=2)).run
    assert (done.status, done.output, done.tokens, done.timer_at, done.ended_at) == (
        Status.SUCCEEDED,
        {"url": "u"},
        (),
        None,
        2_000,
    )
    assert done.tail[-1].target == "done"


def test_a_route_to_stopped_fails_the_run_and_says_why() -> None:
    run = decide(TWO_STEPS, begun().run, acked(begun().run)).run
    failed = decide(TWO_STEPS, run, acked(run, state="FAIL", n=2)).run
    assert failed.status is Status.FAILED
    assert failed.last_err == "Stopped: step 'B' returned FAIL, which leads to stopped"
    assert failed.tail[-1].target == "stopped"


def test_deciding_twice_on_the_same_values_yields_the_same() -> None:
    run = begun().run
    assert decide(TWO_STEPS, run, acked(run)) == decide(TWO_STEPS, run, acked(run))


def test_a_repeated_answer_is_a_duplicate_whatever_it_says() -> None:
    first = begun().run
    second = decide(TWO_STEPS, first, acked(first)).run
    again = decide(TWO_STEPS, second, replace_state(acked(first), "NONSENSE"))
    assert again == Decision(second, Outcome.DUPLICATE)
    assert again.run is second


def replace_state(event: StepAcked, state: str) -> StepAcked:
    return StepAcked(at=event.at, nonce=event.nonce, step=event.step, uuid=event.uuid, state=state)


@pytest.mark.parametrize(
    ("step_name", "uuid"),
    [
        ("A", "no uuid at all"),
        ("A", "00000000-0000-0000-0000-000000000000"),
        ("A", mint_uuid("another run", "A", NONCE, 0)),
        ("B", mint_uuid("run-id", "A", NONCE, 0)),
    ],
)
def test_an_answer_to_an_activation_that_never_was_is_refused(step_name: str, uuid: str) -> None:
    event = StepAcked(at=2_000, nonce=nonce(1), step=step_name, uuid=uuid, state="OK")
    with pytest.raises(NeverIssued):
        decide(TWO_STEPS, begun().run, event)


def test_a_state_that_is_not_routed_is_refused_naming_those_that_are() -> None:
    run = begun().run
    with pytest.raises(StateNotRouted, match=r"step 'A' does not accept state 'MAYBE'; it accepts OK, FAIL"):
        decide(TWO_STEPS, run, acked(run, state="MAYBE"))


def test_progress_is_kept_and_moves_nothing() -> None:
    run = begun().run
    decision = decide(TWO_STEPS, run, acked(run, state="", done=False, data={"pct": 40}, variables={"a": 1}))
    assert decision.outcome is Outcome.PROGRESS
    assert decision.effects == ()
    assert uuid_of(decision.run) == uuid_of(run)
    assert token(decision.run).activation.data == {"pct": 40}  # type: ignore[union-attr]
    assert decision.run.vars == {"a": 1}


# ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────────


def failed(run: Run, *, n: int = 1, at: int = 2_000, final: bool = False, retry_after: int = 0) -> DeliveryFailed:
    return DeliveryFailed(
        at=at, nonce=nonce(n), uuid=uuid_of(run), error="refused", final=final, retry_after=retry_after
    )


def test_a_failed_delivery_is_put_off_by_a_growing_random_delay() -> None:
    run = begun().run
    longest = []
    for attempt in (1, 2):
        delays = []
        for n in range(50):
            activation = token(decide(TWO_STEPS, run, failed(run, n=n)).run).activation
            assert activation is not None
            assert activation.attempt == attempt
            assert activation.retry_at is not None
            delays.append(activation.retry_at - 2_000)
        assert 0 <= min(delays) < max(delays) <= 1_000 * 2 ** (attempt - 1)
        longest.append(max(delays))
        run = decide(TWO_STEPS, run, failed(run)).run
    assert longest[0] < longest[1]


def test_a_service_may_ask_for_a_longer_pause() -> None:
    run = begun().run
    activation = token(decide(TWO_STEPS, run, failed(run, retry_after=60_000)).run).activation
    assert activation is not None
    assert activation.retry_at == 62_000


def test_used_up_deliveries_return_error_and_stop_a_run_that_does_not_route_it() -> None:
    run = begun().run
    for n in range(3):
        assert run.status is Status.RUNNING
        run = decide(TWO_STEPS, run, failed(run, n=n)).run
    assert run.status is Status.FAILED
    assert run.last_err == "Undeliverable: refused"
    assert [entry.event for entry in run.tail] == ["RunStarted", *["DeliveryFailed"] * 3]


def test_a_final_refusal_takes_the_error_route_at_once() -> None:
    routed = dataclasses.replace(
        TWO_STEPS, flow=replace(TWO_STEPS.flow, steps=(step("A", "OK->done|ERROR->B"), step("B", "OK->done")))
    )
    run = decide(routed, begun(routed).run, failed(begun(routed).run, final=True)).run
    assert (token(run).step, token(run).state, run.status) == ("B", "ERROR", Status.RUNNING)


def test_a_delivery_that_failed_after_the_answer_came_changes_nothing() -> None:
    first = begun().run
    second = decide(TWO_STEPS, first, acked(first)).run
    late = failed(first)
    assert decide(TWO_STEPS, second, late) == Decision(second, Outcome.IGNORED)


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deadline_that_passed_returns_timeout() -> None:
    run = begun().run
    decision = decide(TWO_STEPS, run, TimerFired(at=1_000 + 7 * DAY, nonce=nonce(1)))
    assert decision.run.status is Status.FAILED
    assert decision.run.last_err == "Timeout: no final answer came in time"


def test_an_alarm_before_the_deadline_changes_nothing() -> None:
    run = begun().run
    assert decide(TWO_STEPS, run, TimerFired(at=5_000, nonce=nonce(1))) == Decision(run, Outcome.IGNORED)


def test_an_alarm_for_a_step_that_ended_is_set_again_for_the_one_that_waits() -> None:
    first = begun().run
    second = decide(TWO_STEPS, first, acked(first, at=1_000 + DAY)).run
    assert second.timer_at == 1_000 + 7 * DAY
    rung = decide(TWO_STEPS, second, TimerFired(at=1_000 + 7 * DAY, nonce=nonce(2)))
    assert (rung.run.timer_at, rung.run.status) == (1_000 + 8 * DAY, Status.RUNNING)
    assert rung.effects == (SetTimer(1_000 + 8 * DAY),)
    assert rung.run.tail == second.tail


def test_an_earlier_deadline_arms_an_earlier_alarm() -> None:
    quick = dataclasses.replace(
        TWO_STEPS,
        flow=replace(
            TWO_STEPS.flow,
            steps=(step("A", "OK->B"), step("B", "OK->done", options=Options(timeout=600_000))),
        ),
    )
    run = begun(quick).run
    decision = decide(quick, run, acked(run))
    assert decision.run.timer_at == 602_000
    assert decision.effects[1] == SetTimer(602_000)


def test_silence_beyond_the_heartbeat_times_out_and_a_report_puts_it_off() -> None:
    beating = dataclasses.replace(
        TWO_STEPS, flow=replace(TWO_STEPS.flow, steps=(step("A", "OK->done", options=Options(heartbeat=10_000)),))
    )
    run = begun(beating).run
    assert run.timer_at == 11_000
    heard = decide(beating, run, acked(run, state="", done=False, at=9_000)).run
    later = decide(beating, heard, TimerFired(at=11_000, nonce=nonce(2))).run
    assert (later.status, later.timer_at) == (Status.RUNNING, 19_000)
    silent = decide(beating, later, TimerFired(at=19_000, nonce=nonce(3))).run
    assert silent.status is Status.FAILED
    assert "no report came within its heartbeat" in silent.last_err


def test_a_run_may_time_out_as_a_whole() -> None:
    timed = dataclasses.replace(TWO_STEPS, flow=replace(TWO_STEPS.flow, timeout=60_000))
    run = begun(timed).run
    assert run.timer_at == run.deadline == 61_000
    ended = decide(timed, run, TimerFired(at=61_000, nonce=nonce(1))).run
    assert (ended.status, ended.tail[-1].event) == (Status.FAILED, "RunTimedOut")


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_paused_run_takes_answers_and_sends_nothing_until_it_is_continued() -> None:
    run = begun().run
    paused = decide(TWO_STEPS, run, RunPaused(at=2_000, nonce=nonce(1))).run
    assert (paused.status, paused.timer_at) == (Status.PAUSED, None)
    moved = decide(TWO_STEPS, paused, acked(run, n=2, at=3_000))
    assert moved.effects == ()
    assert token(moved.run).step == "B"
    gone_on = decide(TWO_STEPS, moved.run, RunContinued(at=3_000 + DAY, nonce=nonce(3)))
    activation = token(gone_on.run).activation
    assert activation is not None
    assert gone_on.run.status is Status.RUNNING
    assert not activation.held
    assert activation.deadline == 3_000 + 7 * DAY + DAY  # it began while the run was paused
    assert gone_on.effects == (DeliverAction(activation.uuid), SetTimer(activation.deadline))
    assert [entry.target for entry in gone_on.run.tail] == ["A", "suspend", "B", "B"]


def test_a_delivery_whose_turn_came_while_paused_is_held() -> None:
    run = begun().run
    paused = decide(TWO_STEPS, run, RunPaused(at=2_000, nonce=nonce(1))).run
    held = decide(TWO_STEPS, paused, DeliveryHeld(at=2_001, nonce=nonce(2), uuid=uuid_of(run))).run
    gone_on = decide(TWO_STEPS, held, RunContinued(at=2_002, nonce=nonce(3)))
    assert DeliverAction(uuid_of(run)) in gone_on.effects


def test_what_was_taken_before_the_pause_is_not_sent_again() -> None:
    run = begun().run
    paused = decide(TWO_STEPS, run, RunPaused(at=2_000, nonce=nonce(1))).run
    assert DeliverAction(uuid_of(run)) not in decide(TWO_STEPS, paused, RunContinued(at=3_000, nonce=nonce(2))).effects


def test_a_stopped_run_refuses_answers_and_says_why() -> None:
    run = begun().run
    stopped = decide(TWO_STEPS, run, RunStopped(at=2_000, nonce=nonce(1), reason="wrong order")).run
    assert (stopped.status, stopped.last_err, stopped.timer_at) == (Status.CANCELED, "wrong order", None)
    with pytest.raises(RunIsStopped, match="wrong order"):
        decide(TWO_STEPS, stopped, acked(run, n=2))


def test_retry_takes_a_failed_run_up_where_it_failed_with_a_new_activation() -> None:
    first = begun().run
    failed_run = decide(TWO_STEPS, first, failed(first, final=True)).run
    retried = decide(TWO_STEPS, failed_run, RunRetried(at=9_000, nonce=nonce(5)))
    assert (retried.run.status, retried.run.last_err, token(retried.run).step) == (Status.RUNNING, "", "A")
    assert uuid_of(retried.run) != uuid_of(first)
    assert retried.effects[0] == DeliverAction(uuid_of(retried.run))
    late = decide(TWO_STEPS, retried.run, acked(first, n=6))
    assert (late.outcome, late.run.tokens) == (Outcome.LATE, retried.run.tokens)
    assert decide(TWO_STEPS, late.run, acked(first, n=7)).outcome is Outcome.DUPLICATE


def test_retry_may_name_another_step() -> None:
    run = decide(TWO_STEPS, begun().run, acked(begun().run)).run
    stopped = decide(TWO_STEPS, run, acked(run, state="FAIL", n=2)).run
    assert token(decide(TWO_STEPS, stopped, RunRetried(at=9_000, nonce=nonce(5), step="A")).run).step == "A"
    with pytest.raises(NoSuchStep):
        decide(TWO_STEPS, stopped, RunRetried(at=9_000, nonce=nonce(5), step="Z"))


ORDERS: dict[Command, Event] = {
    Command.PAUSE: RunPaused(at=9_000, nonce=nonce(9)),
    Command.CONTINUE: RunContinued(at=9_000, nonce=nonce(9)),
    Command.STOP: RunStopped(at=9_000, nonce=nonce(9)),
    Command.RETRY: RunRetried(at=9_000, nonce=nonce(9)),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("status", Status)
def test_every_order_in_every_status_is_obeyed_or_idle_or_refused_as_the_tables_say(
    order: Command, status: Status
) -> None:
    run = replace(begun().run, status=status)
    if status in lifecycle.ALLOWED[order]:
        assert decide(TWO_STEPS, run, ORDERS[order]).run.status is not status
    elif status in lifecycle.WITHOUT_EFFECT[order]:
        assert decide(TWO_STEPS, run, ORDERS[order]) == Decision(run, Outcome.IGNORED)
    else:
        with pytest.raises(CommandRefused):
            decide(TWO_STEPS, run, ORDERS[order])


@pytest.mark.parametrize("status", sorted(status.ENDED))
def test_an_ended_run_is_changed_by_no_event_but_retry(status: Status) -> None:
    begun_run = begun().run
    tokens = () if status is Status.SUCCEEDED else begun_run.tokens
    run = replace(begun_run, status=status, ended_at=1_500, timer_at=None, tokens=tokens)
    events: list[Event] = [
        acked(begun_run),
        failed(begun_run),
        failed(begun_run, final=True),
        DeliveryHeld(at=2_000, nonce=NONCE, uuid=uuid_of(begun_run)),
        TimerFired(at=99 * DAY, nonce=NONCE),
        *(event for order, event in ORDERS.items() if order is not Command.RETRY),
    ]
    for event in events:
        try:
            after = decide(TWO_STEPS, run, event).run
        except Refused:
            continue
        assert after is run


# ── signed answers ──────────────────────────────────────────────────────────────────────────────────────────────────


def signing() -> Definition:
    """The two steps; answers to A must be signed."""
    first = step("A", "OK->B|FAIL->A", options=Options(signed=True))
    return dataclasses.replace(TWO_STEPS, flow=replace(TWO_STEPS.flow, steps=(first, TWO_STEPS.flow.steps[1])))


@pytest.mark.parametrize("said", [{}, {"state": "MAYBE"}, {"done": False}])
def test_an_answer_that_must_be_signed_and_is_not_is_refused_whatever_it_says(said: dict[str, object]) -> None:
    run = begun(signing()).run
    with pytest.raises(Unsigned, match="step 'A' must be signed"):
        decide(signing(), run, acked(run, **said))  # type: ignore[arg-type]


def test_a_signed_answer_moves_the_run_as_any_other() -> None:
    run = begun(signing()).run
    assert decide(signing(), run, acked(run, signed=True)) == decide(TWO_STEPS, run, acked(run))
    assert decide(signing(), run, acked(run, signed=True, done=False)).outcome is Outcome.PROGRESS


def test_an_action_says_it_for_all_its_steps() -> None:
    action = replace(TWO_STEPS.actions["work"], options=Options(signed=True))
    run = begun(made := dataclasses.replace(TWO_STEPS, actions={"work": action})).run
    with pytest.raises(Unsigned):
        decide(made, run, acked(run))


def test_whoever_cannot_sign_hears_the_same_of_what_waits_was_stopped_or_has_ended() -> None:
    made = signing()
    waiting = begun(made).run
    stopped = decide(made, waiting, RunStopped(at=1_500, nonce=nonce(2), reason="a secret")).run
    ended = decide(made, waiting, acked(waiting, signed=True)).run
    told = set()
    for run in (waiting, stopped, ended):
        with pytest.raises(Unsigned) as caught:
            decide(made, run, acked(waiting, n=3))
        told.add(str(caught.value))
    assert len(told) == 1
    with pytest.raises(RunIsStopped, match="a secret"):
        decide(made, stopped, acked(waiting, n=3, signed=True))
    assert decide(made, ended, acked(waiting, n=3, signed=True)) == Decision(ended, Outcome.DUPLICATE)


def test_a_person_lets_a_dispatch_pass_unsigned_and_the_action_signs_its_answer() -> None:
    made = signing()
    asking = replace(made.flow.steps[0], options=Options(signed=True, approval=True))
    made = dataclasses.replace(made, flow=replace(made.flow, steps=(asking, made.flow.steps[1])))
    run = decide(made, begun(made).run, acked(begun(made).run, "APPROVE")).run
    with pytest.raises(Unsigned):
        decide(made, run, acked(run, n=2))
    assert decide(made, run, acked(run, n=2, signed=True)).outcome is Outcome.ADVANCED


def test_what_undoes_a_step_signs_if_its_own_action_says_so() -> None:
    undo = Action(name="undo", returns=("OK",), addresses=("http://undo.test/",), options=Options(signed=True))
    flow = Flow(name="two", steps=(step("A", "OK->B", undo=Undo(action="undo")), step("B", "FAIL->stopped|OK->done")))
    made = dataclasses.replace(TWO_STEPS, flow=flow, actions={**TWO_STEPS.actions, "undo": undo})
    run = decide(made, begun(made).run, acked(begun(made).run, signed=True)).run
    run = decide(made, run, acked(run, "FAIL", n=2)).run
    undoing = replace(run, tokens=tuple(one for one in run.tokens if one.id == UNDO))
    with pytest.raises(Unsigned):
        decide(made, run, acked(undoing, n=3))
    after = decide(made, run, acked(undoing, n=3, signed=True)).run
    assert (run.status, after.status) == (Status.COMPENSATING, Status.FAILED)
    with pytest.raises(Unsigned):
        decide(made, after, acked(undoing, n=4))


# ── uuids ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_uuid_is_bound_to_its_run_and_step() -> None:
    uuid = mint_uuid("run", "A", nonce(7), 0)
    assert was_minted("run", "A", uuid)
    assert not was_minted("run", "B", uuid)
    assert not was_minted("other", "A", uuid)
    assert uuid != mint_uuid("run", "A", nonce(7), 1) != mint_uuid("run", "A", nonce(8), 1)
    assert uuid[14] == "8"


def test_no_definition_lets_a_wait_be_without_end() -> None:
    endless = Definition(flow=TWO_STEPS.flow, actions=TWO_STEPS.actions, defaults=Options(retry=Retry()))
    with pytest.raises(ValueError, match="every wait needs a timeout"):
        begun(endless)
