"""`goto`: a token leaves what it waits for, which is canceled, and enters another step; recorded with who and why."""

from __future__ import annotations

from typing import Any, Final

import pytest

from chalicelib.engine.errors import CommandRefused, NoSuchStep, NoSuchToken
from chalicelib.model.status import Status
from tests.hosts import NS, Host, accept

ACTIONS: Final = """
action work addr = "http://a.test/"; args = (str what); return = (OK | BAD);
    cancel = "http://a.test/cancel"; limit = (concurrent = 1); action_end
/
"""
FLOW: Final = """
flow f
    step A => (OK -> B) { action = work; args = (what = "A"); };
    step B => (OK -> done) { action = work; args = (what = "B"); };
flow_end
"""
FORK: Final = """
flow f
    fork F => (DONE -> Last | FAIL -> stopped) {
        branch left { step L => (OK -> L2) { action = work; args = (what = "L"); };
                      step L2 => (OK -> done) { action = work; args = (what = "L2"); }; };
        branch right { step R => (OK -> done) { action = work; args = (what = "R"); }; };
    };
    step Last => (OK -> done) { action = work; args = (what = "last"); };
flow_end
"""
CALL: Final = """
flow child step W => (OK -> done | BAD -> stopped) { action = work; args = (what = "child"); }; flow_end
/
flow f
    call C => (DONE -> done | STOPPED -> stopped) { flow = child; };
    step B => (OK -> done) { action = work; args = (what = "B"); };
flow_end
"""


def waiting(flow: str) -> Host:
    host = Host(accept)
    host.submit(ACTIONS + flow)
    host.start("f")
    host.settle()
    return host


def sent(host: Host) -> list[str]:
    return [request.get("what", f"cancel: {request.get('reason')}") for request in host.actions.requests]


def go_to(host: Host, step: str, **options: Any) -> None:
    host.services.operator.go_to(NS, "r", step, by="me", reason="it hangs", **options)
    host.settle()


def test_a_token_enters_another_step_and_its_action_is_notified() -> None:
    host = waiting(FLOW)
    uuid = host.uuid("A")
    go_to(host, "B")
    assert sent(host) == ["A", "cancel: left", "B"]  # B waits for no permit that A has kept
    (entry,) = [one for one in host.services.reader.history(NS, "r", 0, 99) if one.event == "TokenMoved"]
    assert (entry.step, entry.target, entry.uuid, entry.by) == ("A", "B", uuid, "me")
    assert entry.data == {"reason": "it hangs"}
    assert host.answer("A", "OK", uuid=uuid) == "duplicate"
    host.answer("B", "OK")
    assert host.run().status is Status.SUCCEEDED


def test_the_same_step_is_entered_anew() -> None:
    host = waiting(FLOW)
    uuid = host.uuid("A")
    go_to(host, "A")
    assert host.uuid("A") != uuid
    assert sent(host).count("A") == 2


def test_a_fork_is_left_with_all_its_branches() -> None:
    host = waiting(FORK)
    go_to(host, "Last")
    assert [token.id for token in host.run().tokens] == ["0"]
    assert host.run().interrupted == ()
    host.answer("Last", "OK")
    assert host.run().status is Status.SUCCEEDED


def test_a_branch_moves_within_itself() -> None:
    host = waiting(FORK)
    go_to(host, "L2")
    assert {token.id: token.step for token in host.run().tokens} == {"0": "F", "0.left": "L2", "0.right": "R"}
    with pytest.raises(NoSuchToken, match=r"token '0\.right' of run 'r' is in branch 'right'"):
        go_to(host, "L", token="0.right")
    with pytest.raises(NoSuchToken, match=r"no token '0\.x'"):
        go_to(host, "L", token="0.x")


def test_the_child_run_is_stopped() -> None:
    host = waiting(CALL)
    wait = host.run().tokens[0].activation
    assert wait is not None
    go_to(host, "B")
    child = wait.wait.child  # type: ignore[union-attr]
    assert host.run(child).status is Status.CANCELED
    host.answer("B", "OK")
    assert host.run().status is Status.SUCCEEDED


def test_a_paused_run_moves_and_sends_nothing() -> None:
    host = waiting(FLOW)
    host.services.operator.pause(NS, "r")
    go_to(host, "B")
    assert "B" not in sent(host)
    host.services.operator.resume(NS, "r")
    host.settle()
    assert sent(host)[-1] == "B"


def test_what_is_refused_changes_nothing() -> None:
    host = waiting(FLOW)
    before = host.run()
    with pytest.raises(NoSuchStep):
        go_to(host, "nowhere")
    assert host.run() == before
    host.services.operator.stop(NS, "r")
    with pytest.raises(CommandRefused, match="canceled: it cannot go to another step"):
        go_to(host, "B")


def test_an_item_must_be_named_if_several_could_be_meant() -> None:
    host = waiting(
        'flow f each E => (DONE -> done | FAIL -> stopped) { items = ["a", "b"]; '
        "step I => (OK -> J) { action = work; args = (what = ${ $item }); }; "
        'step J => (OK -> done) { action = work; args = (what = "J"); }; }; flow_end'
    )
    with pytest.raises(
        NoSuchToken, match=r"several tokens .* give `token`; its tokens are '0\.0' at 'I', '0\.1' at 'I'"
    ):
        go_to(host, "J")
    go_to(host, "J", token="0.1")
    assert {token.id: token.step for token in host.run().tokens} == {"0": "E", "0.0": "I", "0.1": "J"}
