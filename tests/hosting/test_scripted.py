"""A scripted host: what happens on it, in which order, and what it records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import CommandRefused, InputRefused
from chalicelib.hosting.responder import Answer, Failure, Kind, Reply, Request, Responder
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.model.run import encode
from chalicelib.model.status import Status
from chalicelib.service.errors import NotFound, RunExists
from chalicelib.service.runs import answer as service
from tests.hosting.programs import DAY, HOUR, SECOND, after, host_of, silent

WORK: Final = 'action work addr = "http://work"; return = (OK | NO); action_end\n/\n'
ONE: Final = WORK + "flow one step A => (OK -> done | NO -> A) { action = work; }; flow_end"
CALLING: Final = (
    ONE
    + """
/
flow outer
    call One => (DONE -> done | TIMEOUT -> stopped) { flow = one; timeout = 1h; };
flow_end
"""
)
EACH: Final = (
    WORK
    + """
flow f
    each E => () { items = [1, 2, 3]; max = 2; step A => (OK -> done | NO -> stopped) { action = work; }; };
flow_end
"""
)
PERSON: Final = "action ask method = human; return = (YES | NO); action_end\n/\n"
SAGA: Final = """
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


def started(text: str, flow: str, responder: Responder | None = None) -> ScriptedHost:
    """Return a host with a run of the flow, called `run`, to which nothing has happened yet."""
    host = host_of(text, responder) if responder else host_of(text)
    host.start(flow, {})
    return host


def do(host: ScriptedHost, command: str, **options: object) -> Callable[[], object]:
    """Return a call that gives the run this command."""
    return lambda: getattr(host.services.operator, command)(host.namespace, "run", **options)


def took(host: ScriptedHost) -> int:
    run = host.head("run")
    return (run.ended_at or 0) - run.created_at


def test_the_same_calls_give_the_same_runs() -> None:
    one, other = (started(ONE, "one", _failing(2)) for _ in range(2))
    one.run_until()
    other.run_until()
    assert encode(one.head("run")) == encode(other.head("run"))
    assert one.history("run") == other.history("run")
    assert one.requests == other.requests


def _failing(times: int) -> Responder:
    left = [times]

    def reply(_request: Request) -> Reply:
        left[0] -= 1
        return Failure(error="refused") if left[0] >= 0 else (Answer(state="OK"),)

    return reply


def test_a_failing_delivery_is_repeated_until_its_attempts_are_used_up() -> None:
    host = started(ONE, "one", lambda _: Failure(error="refused"))
    host.run_until()
    assert [request.attempt for request in host.requests] == [1, 2, 3]
    assert host.head("run").status is Status.FAILED
    assert "refused" in host.head("run").last_err


def test_a_paused_run_sends_nothing_until_it_continues() -> None:
    text = WORK + "flow two step A => (OK -> B) { action = work; }; step B => (OK) { action = work; }; flow_end"
    host = started(text, "two", after(HOUR))
    start = host.clock.now()
    host.run_until(start + 1)
    do(host, "pause")()
    host.run_until(start + 5 * HOUR)
    assert [request.step for request in host.requests] == ["A"]
    do(host, "resume")()
    host.run_until()
    assert [request.step for request in host.requests] == ["A", "B"]
    assert took(host) == 6 * HOUR


def test_an_answer_with_a_state_that_is_not_routed_is_recorded_as_refused() -> None:
    host = started(ONE, "one", lambda _: (Answer(state="MAYBE"), Answer(state="OK", after=HOUR)))
    host.run_until()
    reasons = [refusal.reason for refusal in host.refusals]
    assert reasons == ["step 'A' does not accept state 'MAYBE'; it accepts OK, NO"]
    assert host.head("run").status is Status.SUCCEEDED


def test_a_repeated_answer_changes_nothing() -> None:
    host = started(ONE, "one", silent)
    host.run_until(host.clock.now())
    (token,) = host.head("run").tokens
    assert token.activation is not None
    answer = service.Answer(run="run", step="A", uuid=token.activation.uuid, state="OK", done=True)
    assert host.services.answerer.answer(host.namespace, answer) is Outcome.ADVANCED
    assert host.services.answerer.answer(host.namespace, answer) is Outcome.DUPLICATE


def test_a_refused_command_raises_and_a_planned_one_is_recorded() -> None:
    host = started(ONE, "one")
    host.later(DAY, "run", do(host, "stop"))
    host.run_until()
    with pytest.raises(CommandRefused):
        do(host, "stop")()
    assert [(refusal.run, refusal.reason) for refusal in host.refusals] == [
        ("run", "run 'run' is succeeded: it cannot stop")
    ]


def test_a_signal_for_a_run_that_has_ended_is_recorded_as_refused() -> None:
    host = started(ONE, "one")
    host.later(DAY, "run", lambda: host.signal("run", "late"))
    host.run_until()
    assert [refusal.reason for refusal in host.refusals] == ["run 'run' is succeeded: it cannot take a signal"]


def test_a_run_starts_only_with_the_input_that_its_flow_declares() -> None:
    host = host_of("flow asks input = (str a); wait A => () { for = 1s; }; flow_end")
    with pytest.raises(InputRefused):
        host.start("asks", {"b": 1})
    with pytest.raises(NotFound):
        host.start("unknown", {})
    host.start("asks", {"a": "x"})
    with pytest.raises(RunExists):
        host.start("asks", {"a": "x"})


def test_flows_call_flows_and_a_child_that_is_no_longer_awaited_is_stopped() -> None:
    host = started(CALLING, "outer", lambda request: None if request.kind is Kind.FLOW else ())
    host.run_until()
    (child,) = (run for run in host.runs() if run.name != "run")
    assert host.head("run").last_state == "One"
    assert child.status is Status.CANCELED
    assert "no longer waits" in child.last_err


def test_a_responder_can_answer_in_the_place_of_a_called_flow() -> None:
    host = started(CALLING, "outer", lambda request: (Answer(state="DONE", data=7, after=SECOND),))
    host.run_until()
    assert [run.name for run in host.runs()] == ["run"]
    assert (host.head("run").output, took(host)) == (7, SECOND)


def test_a_person_answers_a_task_and_an_approval() -> None:
    text = (
        PERSON
        + """
action ship addr = "http://s"; args = (str item, secret str key = secret "key"); return = (SENT);
    approval = required; action_end
/
flow f
    step Ask  => (YES -> Ship | NO -> stopped) { action = ask; };
    step Ship => (SENT -> done) { action = ship; args = (item = "x"); };
flow_end
"""
    )
    host = host_of(text, after(HOUR), {"key": "k-1"})
    host.start("f", {})
    host.run_until()
    assert [(one.kind, one.name, one.states, one.args) for one in host.requests] == [
        (Kind.TASK, "ask", ("YES", "NO"), {}),
        (Kind.APPROVAL, "ship", ("APPROVE", "REJECT"), {"item": "x", "key": "***"}),
        (Kind.ACTION, "ship", ("SENT",), {"item": "x", "key": "k-1"}),
    ]
    assert (host.head("run").status, took(host)) == (Status.SUCCEEDED, 3 * HOUR)


def test_answers_are_signed() -> None:
    text = WORK.replace("action_end", "callback = signed; action_end")
    host = started(text + "flow one step A => (OK -> done | NO -> A) { action = work; }; flow_end", "one")
    host.run_until()
    assert (host.head("run").status, host.refusals) == (Status.SUCCEEDED, [])


# ── what the engine once got wrong ───────────────────────────────────────────────────────────────────────────────────


def test_undoing_is_not_bound_by_the_deadline_of_the_run() -> None:
    """The run's deadline, which passed while its steps were undone, fired its timer again and again."""

    def reply(request: Request) -> Reply:
        hours = {"book": 0, "pay": 50 * 60 * SECOND, "cancel": 2 * HOUR}
        return (Answer(state="NO" if request.name == "pay" else "OK", after=hours[request.name]),)

    host = started(SAGA, "saga", reply)
    assert host.run_until(max_events=200)
    assert host.head("run").status is Status.FAILED
    assert "returned NO" in host.head("run").last_err


def test_a_task_with_a_timeout_of_seven_days_has_seven_days() -> None:
    """The timeout was mistaken for the default of actions, and replaced by the default of tasks, thirty days."""
    text = PERSON + "flow f step A => (YES -> done | NO -> done) { action = ask; timeout = 7d; }; flow_end"
    host = started(text, "f", silent)
    host.run_until()
    assert took(host) == 7 * DAY


def test_a_pause_extends_a_wait_only_by_what_it_lost() -> None:
    """A step that began while its run was paused was extended by the whole pause."""
    text = WORK + "flow f step A => (OK -> B) { action = work; }; wait B => () { for = 1h; }; flow_end"
    host = started(text, "f", after(5 * HOUR))
    host.later(HOUR, "run", do(host, "pause"))
    host.later(6 * HOUR, "run", do(host, "resume"))
    host.run_until()
    assert took(host) == 7 * HOUR


def test_a_paused_run_starts_no_other_run() -> None:
    waiting = "flow outer wait A => (DONE -> B) { condition = ${ $vars.go }; }; call B => () { flow = one; }; flow_end"
    host = started(f"{ONE}\n/\n{waiting}", "outer")
    do(host, "pause")()
    host.services.operator.set_vars(host.namespace, "run", {"go": True})
    host.run_until(host.clock.now() + HOUR)
    assert [run.name for run in host.runs()] == ["run"]
    do(host, "resume")()
    host.run_until()
    assert host.head("run").status is Status.SUCCEEDED


def test_items_that_were_in_flight_when_the_run_was_stopped_are_repeated() -> None:
    host = started(EACH, "f", after(HOUR))
    host.later(90 * 60 * SECOND, "run", do(host, "stop"))
    host.later(2 * HOUR, "run", do(host, "retry"))
    host.run_until()
    assert host.head("run").status is Status.SUCCEEDED
    assert host.head("run").output == [None, None, None]


HIDDEN: Final = """
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
CARD: Final = {"number": "4111"}


def test_secrets_are_encrypted_in_heads_and_readable_in_requests() -> None:
    host = host_of(HIDDEN, secrets={"api-key": "k-1"})
    host.start("outer", {"mine": CARD})
    host.run_until()
    assert [(request.name, request.args) for request in host.requests] == [
        ("pay_once", {"card": CARD}),
        ("pay", {"card": CARD, "key": "k-1"}),
    ]
    for run in host.runs():
        assert run.status is Status.SUCCEEDED
        assert CARD not in (*run.input.values(), run.output)
        assert host.decrypt(run, run.output) == CARD
