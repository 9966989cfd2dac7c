"""Plays: moves on a virtual clock over the real service."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chalicelib.hosting.responder import Answer
from chalicelib.model.status import Status
from chalicelib.play.moves import Move
from chalicelib.play.play_host import PLACEHOLDER, PlayHost
from chalicelib.play.recorded import PlayTooLong
from chalicelib.play.session import Play, Played, UnknownFlow, play
from chalicelib.service.documents.results import FslMalformed, FslRefused
from chalicelib.service.ports.runs import RunQuery
from tests.hosts import NS, Host

TEXT = """
action size addr = "http://size.test/"; args = (int n); return = (BIG | SMALL); action_end
/
action review method = human; args = (int n); return = (AGREE | REJECT); timeout = 1d; action_end
/
flow order
    input = (int n);
    step Size   => (BIG -> Review | SMALL -> Pause | ERROR -> Failed) { action = size; args = (n = ${ $input.n }); };
    step Review => (AGREE -> Pause | REJECT -> stopped | TIMEOUT -> stopped) {
        action = review; args = (n = ${ $input.n }); save = (note = ${ $result.note });
    };
    wait Pause  => (DONE -> Paid) { for = 30d; };
    wait Paid   => (PAID -> done | TIMEOUT -> stopped) { events = (PAID = "paid"); key = ${ $input.n }; timeout = 2d; };
    set Failed  => (DONE -> stopped) { save = (why = ${ $error.name }); };
flow_end
"""

SECRET = """
action pay
    addr = "http://pay.test/"; headers = ("Authorization" = secret "key"); callback = none; return = (OK);
action_end
/
flow f step Pay => (OK -> done) { action = pay; save = (got = ${ $result }); }; flow_end
"""


@pytest.fixture
def lender() -> Host:
    return Host()


def played(lender: Host, *moves: Any, text: str = TEXT, **given: Any) -> Played:
    script = tuple(msgspec.convert(move, Move) for move in moves)
    return play(lender.services, NS, Play(text=text, input={"n": 7}, script=script, **given))


def answer(step: str, state: str, data: Any = None) -> dict[str, Any]:
    return {"answer": {"step": step, "state": state, "data": data}}


NEXT = {"clock": {"next": True}}


def test_a_delivery_waits_for_a_move(lender: Host) -> None:
    found = played(lender)
    (wait,) = found.waits
    assert (wait.step, wait.kind, wait.name, wait.states, wait.args) == (
        "Size",
        "action",
        "size",
        ("BIG", "SMALL"),
        {"n": 7},
    )
    assert wait.is_held
    assert [one.what.step for one in found.asked] == ["Size"]


def test_answers_time_and_events_lead_to_the_end(lender: Host) -> None:
    moves = [
        answer("Size", "BIG"),
        answer("Review", "AGREE", {"note": "fine"}),
        NEXT,
        {"event": {"name": "paid", "key": 7}},
    ]
    found = played(lender, *moves)
    assert found.run.status is Status.SUCCEEDED
    assert found.vars == {"note": "fine"}
    assert found.now - found.run.created_at == 30 * 86_400_000
    assert not found.refused
    assert found.next_at is None


def test_a_wait_for_an_event_names_the_event(lender: Host) -> None:
    (wait,) = played(lender, answer("Size", "SMALL"), NEXT).waits
    assert (wait.step, wait.kind, wait.name, wait.states) == ("Paid", "event", "paid", ())


def test_the_same_moves_give_the_same_play(lender: Host) -> None:
    moves = [answer("Size", "BIG"), answer("Review", "AGREE", {"note": "fine"})]
    assert played(lender, *moves).history == played(lender, *moves).history
    assert played(lender, *moves[:1]).history == played(lender, *moves).history[:2]


def test_a_failed_delivery_is_repeated_when_its_time_comes(lender: Host) -> None:
    failed = {"fail": {"step": "Size", "status": 503}}
    found = played(lender, failed)
    assert not found.waits[0].is_held
    assert found.next_what == "step Size is tried again"
    found = played(lender, failed, NEXT)
    assert (found.waits[0].is_held, found.waits[0].attempt) == (True, 2)
    assert played(lender, failed, NEXT, answer("Size", "SMALL")).waits[0].step == "Pause"


def test_a_final_failure_is_an_error_of_the_step(lender: Host) -> None:
    found = played(lender, {"fail": {"step": "Size", "status": 404}})
    assert found.run.status is Status.FAILED
    assert found.vars == {"why": "Refused"}


def test_a_deadline_is_one_move_away(lender: Host) -> None:
    found = played(lender, answer("Size", "BIG"), NEXT)
    assert found.run.status is Status.FAILED
    assert found.now - found.run.created_at == 86_400_000


@pytest.mark.parametrize(
    ("move", "why"),
    [
        (answer("Nowhere", "OK"), "no token waits at step 'Nowhere'; tokens wait at Size"),
        (answer("Size", "HUGE"), "'HUGE' is not a state of 'size', which answers BIG | SMALL"),
        ({"clock": {"by": "soon"}}, "the clock cannot go to 'soon'"),
        ({"clock": {}}, "`clock` has exactly one of `next`, `by` and `to`"),
        ({}, "a move has exactly one of answer, fail, event, command, clock, auto"),
        ({"command": {"do": "retry"}}, "run 'run' is running: it cannot retry"),
    ],
)
def test_a_refused_move_says_why_and_changes_nothing(lender: Host, move: dict[str, Any], why: str) -> None:
    found = played(lender, move)
    assert [(one.move, one.why) for one in found.refused] == [(0, why)]
    assert found.history == played(lender).history


def test_commands_pause_stop_and_retry(lender: Host) -> None:
    stop = {"command": {"do": "stop", "reason": "enough"}}
    assert played(lender, stop).run.status is Status.CANCELED
    assert played(lender, stop, {"command": {"do": "retry"}}).waits[0].step == "Size"
    assert played(lender, {"command": {"do": "pause"}}).run.status is Status.PAUSED
    assert played(lender, {"command": {"do": "vars", "set": {"a": 1}}}).vars == {"a": 1}


def test_auto_answers_everything_that_is_asked(lender: Host) -> None:
    assert played(lender, {"auto": {}}).waits[0].step == "Pause"
    assert played(lender, {"auto": {"until": "Review"}}).waits[0].step == "Review"


def test_auto_lets_time_pass_where_it_may(lender: Host) -> None:
    found = played(lender, {"auto": {"until": "Paid", "time": True}})
    assert (found.waits[0].step, found.now - found.run.created_at) == ("Paid", 30 * 86_400_000)
    assert played(lender, {"auto": {"time": True}}).run.status is Status.FAILED


def test_names_that_the_text_does_not_define_come_from_the_namespace(lender: Host) -> None:
    lender.submit(TEXT)
    text = """
    flow two
        input = (int n);
        call Kid => (DONE -> done | STOPPED -> stopped) { flow = order; input = (n = ${ $input.n }); };
    flow_end
    """
    found = played(lender, text=text)
    assert [(one.step, one.run != "run") for one in found.waits] == [("Kid", False), ("Size", True)]
    found = played(lender, answer("Size", "SMALL"), NEXT, {"clock": {"by": "3d"}}, text=text)
    assert found.run.status is Status.FAILED
    assert not lender.services.runs.list(NS, RunQuery()).runs


def test_a_text_may_use_actions_of_the_namespace(lender: Host) -> None:
    lender.submit(TEXT)
    text = TEXT[TEXT.index("flow order") :].replace("SMALL -> Pause", "SMALL -> done")
    assert played(lender, answer("Size", "SMALL"), text=text).run.status is Status.SUCCEEDED


def test_a_version_of_a_stored_flow_is_played(lender: Host) -> None:
    lender.submit(TEXT)
    lender.submit(TEXT.replace("wait Pause  =>", "wait Rest  =>").replace("-> Pause", "-> Rest"))
    assert played(lender, answer("Size", "SMALL"), text="", flow="order").waits[0].step == "Rest"
    assert played(lender, answer("Size", "SMALL"), text="", flow="order", version=1).waits[0].step == "Pause"


def test_secrets_have_placeholder_values(lender: Host) -> None:
    lender.services.secrets.put(NS, "key", "the real one", by="test")
    found = play(lender.services, NS, Play(text=SECRET, script=(msgspec.convert(answer("Pay", "OK", {"a": 1}), Move),)))
    assert found.run.status is Status.SUCCEEDED
    assert found.vars == {"got": {"a": 1}}


def test_a_delivery_of_a_play_sends_no_real_secret(lender: Host) -> None:
    lender.services.secrets.put(NS, "key", "the real one", by="test")
    host = PlayHost(lender.services, NS)
    host.services.submitter.submit(NS, SECRET)
    host.start("f", {}, name="run")
    assert host.run_until(host.clock.now())
    host.deliver_held(next(iter(host.held)), (Answer(state="OK"),))
    cipher = host.services.secrets.cipher(NS, host.head("run").id)
    assert cipher.secret("key") == PLACEHOLDER


def test_a_text_with_errors_is_refused_with_its_diagnostics(lender: Host) -> None:
    with pytest.raises(FslMalformed):
        played(lender, text="flow")
    with pytest.raises(FslRefused):
        played(lender, text="flow f step A => (OK -> done) { action = nobody; }; flow_end")
    with pytest.raises(UnknownFlow):
        played(lender, text="")


def test_a_flow_that_goes_round_in_circles_is_refused(lender: Host) -> None:
    text = """
    action a addr = "http://a.test/"; return = (OK); action_end
    /
    flow f step A => (OK -> A) { action = a; }; flow_end
    """
    with pytest.raises(PlayTooLong):
        play(lender.services, NS, Play(text=text, script=(msgspec.convert({"auto": {}}, Move),)))
