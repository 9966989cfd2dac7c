"""The world without time: what happens in it, in which order, and what it tells."""

from __future__ import annotations

import pytest

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import CommandRefused, InputRefused
from chalicelib.engine.events import RunContinued, RunPaused, RunRetried, RunStopped, StepAcked, VarsSet
from chalicelib.model.run import encode
from chalicelib.model.status import Status
from fsl.testing.cipher import run_in_the_open
from fsl.testing.drive import DAWN, World
from fsl.testing.outside import Answer, Failure, Kind, Outside, Reply, Request
from tests.fsl.testing.worlds import DAY, HOUR, SECOND, after, silent, world

WORK = 'action work addr = "http://work"; return = (OK | NO); action_end\n/\n'
ONE = WORK + "flow one step A => (OK -> done | NO -> A) { action = work; }; flow_end"
CALLING = (
    ONE
    + """
/
flow outer
    call One => (DONE -> done | TIMEOUT -> stopped) { flow = one; timeout = 1h; };
flow_end
"""
)
EACH = (
    WORK
    + """
flow f
    each E => () { items = [1, 2, 3]; max = 2; step A => (OK -> done | NO -> stopped) { action = work; }; };
flow_end
"""
)
PERSON = "action ask method = human; return = (YES | NO); action_end\n/\n"
SAGA = """
action book addr = "http://b"; return = (OK); undo = cancel; action_end
/
action cancel addr = "http://c"; return = (OK); action_end
/
action pay addr = "http://p"; return = (PAID | NO); action_end
/
flow saga
    timeout = 1h;
    step Book => (OK -> Pay) { action = book; };
    step Pay  => (PAID -> done | NO -> stopped) { action = pay; };
flow_end
"""


def test_a_month_passes_at_once() -> None:
    made = world("flow month wait A => (DONE -> B) { for = 30d; }; wait B => () { for = 1s; }; flow_end")
    made.start("month")
    assert made.pass_time()
    assert made.head("run").status is Status.SUCCEEDED
    assert made.now - DAWN == 30 * DAY + SECOND


def test_the_same_calls_make_the_same_world() -> None:
    def played() -> World:
        made = world(ONE, _failing(2))
        made.start("one")
        made.pass_time()
        return made

    one, other = played(), played()
    assert encode(one.head("run")) == encode(other.head("run"))
    assert one.history("run") == other.history("run")
    assert one.calls == other.calls


def _failing(times: int) -> Outside:
    left = [times]

    def reply(_request: Request) -> Reply:
        left[0] -= 1
        return Failure(error="refused") if left[0] >= 0 else (Answer(state="OK"),)

    return reply


def test_what_is_said_first_happens_first() -> None:
    made, seen = world(ONE), list[int]()
    for n in (1, 2, 3):
        made.later(HOUR, lambda n=n: seen.append(n))  # type: ignore[misc]
    made.later(0, lambda: seen.append(0))
    made.pass_time()
    assert seen == [0, 1, 2, 3]


def test_time_passes_only_so_far() -> None:
    made = world(ONE, after(2 * HOUR))
    made.start("one")
    assert made.pass_time(DAWN + HOUR)
    assert made.now == DAWN + HOUR
    assert made.head("run").status is Status.RUNNING
    made.pass_time()
    assert made.head("run").ended_at == DAWN + 2 * HOUR


def test_a_world_that_never_rests_is_left() -> None:
    made = world("flow round wait A => (DONE -> A) { for = 1s; }; flow_end")
    made.start("round")
    assert not made.pass_time(moves=1_000)


def test_a_delivery_that_fails_is_tried_again_until_it_is_given_up() -> None:
    made = world(ONE, lambda _: Failure(error="refused"))
    made.start("one")
    made.pass_time()
    assert [call.attempt for call in made.calls] == [1, 2, 3]
    assert made.head("run").status is Status.FAILED
    assert "refused" in made.head("run").last_err


def test_a_paused_run_is_sent_nothing_until_it_goes_on() -> None:
    made = world(WORK + "flow two step A => (OK -> B) { action = work; }; step B => (OK) { action = work; }; flow_end",
                 after(HOUR))  # fmt: skip
    made.start("two")
    made.pass_time(DAWN + 1)
    made.apply("run", RunPaused(**made.of("operator")))
    made.pass_time(DAWN + 5 * HOUR)
    assert [call.step for call in made.calls] == ["A"]
    made.apply("run", RunContinued(**made.of("operator")))
    made.pass_time()
    assert [call.step for call in made.calls] == ["A", "B"]
    assert made.head("run").ended_at == DAWN + 6 * HOUR


def test_a_state_that_is_not_routed_is_refused_and_told() -> None:
    made = world(ONE, lambda request: (Answer(state="MAYBE"), Answer(state="OK", after=HOUR)))
    made.start("one")
    made.pass_time()
    assert [refusal.why for refusal in made.refusals] == ["step 'A' does not accept state 'MAYBE'; it accepts OK, NO"]
    assert made.head("run").status is Status.SUCCEEDED


def test_a_late_answer_changes_nothing() -> None:
    made = world(ONE, silent)
    made.start("one")
    made.pass_time(DAWN)
    (token,) = made.head("run").tokens
    assert token.activation is not None
    answer = StepAcked(**made.of("action"), step="A", uuid=token.activation.uuid, state="OK")
    assert made.apply("run", answer) is Outcome.ADVANCED
    assert made.apply("run", answer) is Outcome.DUPLICATE


def test_an_order_that_is_refused_raises() -> None:
    made = world(ONE)
    made.start("one")
    made.pass_time()
    with pytest.raises(CommandRefused):
        made.apply("run", RunStopped(**made.of("operator")))


def test_a_run_begins_only_with_what_its_flow_asks_for() -> None:
    made = world("flow asks input = (str a); wait A => () { for = 1s; }; flow_end")
    with pytest.raises(InputRefused):
        made.start("asks", {"b": 1})
    with pytest.raises(KeyError):
        made.start("unknown")
    made.start("asks", {"a": "x"})
    with pytest.raises(ValueError, match="already"):
        made.start("asks", {"a": "x"})


def test_flows_call_flows_and_a_child_that_is_not_waited_for_is_stopped() -> None:
    made = world(CALLING, lambda request: None if request.kind is Kind.FLOW else ())
    made.start("outer")
    made.pass_time()
    child = made.runs[1]
    assert made.head("run").last_state == "One"
    assert made.head(child).status is Status.CANCELED
    assert "no longer waits" in made.head(child).last_err


def test_an_outside_that_answers_for_a_flow_saves_running_it() -> None:
    made = world(CALLING, lambda request: (Answer(state="DONE", data=7, after=SECOND),))
    made.start("outer")
    made.pass_time()
    assert (made.runs, made.head("run").output) == (("run",), 7)


# ── what the engine once got wrong ───────────────────────────────────────────────────────────────────────────────────


def test_undoing_is_not_bound_by_the_time_of_the_run() -> None:
    """The run's deadline, passed while it was undone, rang its timer again and again."""

    def reply(request: Request) -> Reply:
        hours = {"book": 0, "pay": 50 * 60 * SECOND, "cancel": 2 * HOUR}
        return (Answer(state="NO" if request.name == "pay" else "OK", after=hours[request.name]),)

    made = world(SAGA, reply)
    made.start("saga")
    assert made.pass_time(moves=200)
    assert made.head("run").status is Status.FAILED
    assert "returned NO" in made.head("run").last_err


def test_a_persons_own_timeout_of_seven_days_is_seven_days() -> None:
    """It was taken for the default of actions, and became a person's default of thirty."""
    made = world(
        PERSON + "flow f step A => (YES -> done | NO -> done) { action = ask; timeout = 7d; }; flow_end", silent
    )
    made.start("f")
    made.pass_time()
    assert made.head("run").ended_at == DAWN + 7 * DAY


def test_a_pause_gives_a_wait_only_what_it_lost() -> None:
    """A step that began while its run was paused got the whole pause on top."""
    made = world(
        WORK + "flow f step A => (OK -> B) { action = work; }; wait B => () { for = 1h; }; flow_end", after(5 * HOUR)
    )
    made.start("f")
    made.later(HOUR, lambda: made.apply("run", RunPaused(**made.of("operator"))))
    made.later(6 * HOUR, lambda: made.apply("run", RunContinued(**made.of("operator"))))
    made.pass_time()
    assert made.head("run").ended_at == DAWN + 7 * HOUR


def test_a_paused_run_starts_no_other_run() -> None:
    waiting = "flow outer wait A => (DONE -> B) { condition = ${ $vars.go }; }; call B => () { flow = one; }; flow_end"
    made = world(f"{ONE}\n/\n{waiting}")
    made.start("outer")
    made.apply("run", RunPaused(**made.of("operator")))
    made.apply("run", VarsSet(**made.of("operator"), vars={"go": True}))
    made.pass_time(DAWN + HOUR)
    assert made.runs == ("run",)
    made.apply("run", RunContinued(**made.of("operator")))
    made.pass_time()
    assert made.head("run").status is Status.SUCCEEDED


def test_items_that_were_in_flight_when_the_run_was_stopped_are_begun_again() -> None:
    made = world(EACH, after(HOUR))
    made.start("f")
    made.later(90 * 60 * SECOND, lambda: made.apply("run", RunStopped(**made.of("operator"))))
    made.later(2 * HOUR, lambda: made.apply("run", RunRetried(**made.of("operator"))))
    made.pass_time()
    assert made.head("run").status is Status.SUCCEEDED
    assert made.head("run").output == [None, None, None]


HIDDEN = """
action pay addr = "http://p"; args = (secret map card, secret str key = secret "api-key"); return = (OK); data = secret;
action_end
/
flow pay_once
    output = ${ $input.card };
    step Pay => (OK -> done) { action = pay; };
flow_end
/
flow outer
    input = (secret map mine);
    call Pay => (DONE -> done | STOPPED -> stopped) { flow = pay_once; input = (card = ${ $input.mine }); };
flow_end
"""
CARD = {"number": "4111"}


def test_secrets_are_sealed_in_heads_and_open_in_what_is_asked_of_the_outside() -> None:
    made = world(HIDDEN, secrets={"api-key": "k-1"})
    made.start("outer", {"mine": CARD})
    made.pass_time()
    assert [(call.name, call.args) for call in made.calls] == [
        ("pay_once", {"card": CARD}),
        ("pay", {"card": CARD, "key": "k-1"}),
    ]
    for run in made.runs:
        assert made.head(run).status is Status.SUCCEEDED
        assert CARD not in (*made.head(run).input.values(), made.head(run).output)
        assert run_in_the_open(made.head(run)).output == CARD
