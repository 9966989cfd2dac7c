"""Plays of recorded runs: the same facts again, against the run's own definition or another one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec import structs

from chalicelib.model.history import Entries, Entry
from chalicelib.model.status import Status
from chalicelib.play.moves import MAX_MOVES, Move
from chalicelib.play.recorded import MAX_REPLAYED, CannotReplay, PlayTooLong, recorded
from chalicelib.play.session import Play, Played, play
from chalicelib.service.errors import Invalid, NotFound
from chalicelib.service.ports.runs import RunQuery
from tests.hosts import NS, Host, accept

TEXT = """
action charge addr = "http://charge.test/"; args = (float amount); return = (PAID | REFUSED); timeout = 1h;
    retry = (max = 2, delay = 1s); action_end
/
action review method = human; return = (AGREE | REJECT); timeout = 30d; action_end
/
flow order
    input = (float amount);
    vars  = (id = null, note = null, at = null);
    step Charge => (PAID -> Big | REFUSED -> stopped | TIMEOUT -> stopped | ERROR -> stopped) {
        action = charge; args = (amount = ${ $input.amount }); save = (id = ${ $result.id }, at = ${ $now() });
    };
    deci Big  => (when ${ $input.amount > 100 } -> Review | else -> done);
    step Review => (AGREE -> done | REJECT -> stopped | TIMEOUT -> stopped) {
        action = review; save = (note = ${ $result.note });
    };
flow_end
"""

MENDED = TEXT.replace("REFUSED -> stopped", "REFUSED -> Review")


@pytest.fixture
def host() -> Host:
    made = Host(accept)
    made.submit(TEXT)
    made.start("order", amount=500)
    made.settle()
    return made


def replayed(host: Host, *moves: Any, run: str = "r", **given: Any) -> Played:
    return play(host.services, NS, Play(run=run, script=tuple(msgspec.convert(one, Move) for one in moves), **given))


def test_a_replay_gives_the_recorded_entries_and_uuids(host: Host) -> None:
    host.answer("Charge", "PAID", data={"id": "c-1"})
    host.settle()
    found, head = replayed(host), host.run()
    assert found.differs is None
    assert [(one.seq, one.event, one.step, one.target, one.uuid) for one in found.history] == [
        (one.seq, one.event, one.step, one.target, one.uuid) for one in head.tail
    ]
    assert (found.run.name, found.run.id, found.run.created_at) == (head.name, head.id, head.created_at)
    assert found.vars == head.vars
    assert [(one.step, one.uuid, one.deadline) for one in found.waits] == [
        ("Review", host.uuid("Review"), head.tokens[0].activation and head.tokens[0].activation.deadline)
    ]


def test_moves_go_on_from_the_end_of_a_replay(host: Host) -> None:
    host.answer("Charge", "PAID", data={"id": "c-1"})
    host.settle()
    answer = {"answer": {"step": "Review", "state": "AGREE", "data": {"note": "fine"}}}
    found = replayed(host, answer)
    assert (found.run.status, found.vars["note"]) == (Status.SUCCEEDED, "fine")
    assert host.run().status is Status.RUNNING


def test_if_nothing_is_done_the_deadlines_end_the_run(host: Host) -> None:
    host.answer("Charge", "PAID", data={"id": "c-1"})
    host.settle()
    found = replayed(host, {"clock": {"next": True}})
    assert found.run.status is Status.FAILED
    assert found.now == host.clock.now() + 30 * 86_400_000
    host.pass_time(30 * 86_400_000)
    assert [one.event for one in host.run().tail] == [one.event for one in found.history]


def test_a_replay_stops_after_any_entry(host: Host) -> None:
    host.answer("Charge", "PAID", data={"id": "c-1"})
    host.settle()
    found = replayed(host, upto=1)
    assert (len(found.history), found.vars["id"], found.waits[0].step) == (1, None, "Charge")
    amid = replayed(host, upto=2)
    assert (len(amid.history), amid.history[-1].target, amid.waits) == (2, "Big", ())
    assert (len(replayed(host, upto=3).history), len(host.run().tail)) == (3, 3)


def test_a_failed_run_is_played_against_a_mended_text(host: Host) -> None:
    host.answer("Charge", "REFUSED")
    host.settle()
    assert host.run().status is Status.FAILED
    found = replayed(host, text=MENDED)
    assert found.differs is not None
    assert (found.differs.seq, found.differs.recorded and found.differs.recorded.target) == (2, "stopped")
    assert found.differs.now is not None
    assert found.differs.now.target == "Review"
    assert [one.step for one in found.waits] == ["Review"]
    assert replayed(host, text=TEXT).differs is None


def test_a_run_is_played_against_another_version(host: Host) -> None:
    host.answer("Charge", "REFUSED")
    host.settle()
    host.submit(MENDED)
    assert replayed(host).differs is None
    found = replayed(host, flow="order", version=2)
    assert (found.differs and found.differs.now and found.differs.now.target) == "Review"
    assert replayed(host, flow="order", version=1).differs is None


def test_an_answer_that_came_after_the_deadline_of_another_text_comes_too_late(host: Host) -> None:
    host.pass_time(50 * 60_000)
    host.answer("Charge", "PAID", data={"id": "c-1"})
    host.settle()
    assert replayed(host, text=TEXT.replace("timeout = 1h", "timeout = 2h")).differs is None
    found = replayed(host, text=TEXT.replace("timeout = 1h", "timeout = 20m"))
    assert found.differs is not None
    assert found.differs.now is not None
    assert (found.differs.seq, found.differs.now.event) == (2, "StepTimedOut")
    assert found.differs.now.at == host.run().created_at + 20 * 60_000


def test_a_state_that_another_text_does_not_know_is_no_decision_now(host: Host) -> None:
    host.answer("Charge", "REFUSED")
    host.settle()
    found = replayed(host, text=TEXT.replace("PAID | REFUSED", "PAID").replace("REFUSED -> stopped | ", ""))
    assert found.differs is not None
    assert (found.differs.seq, found.differs.now) == (2, None)
    assert found.waits[0].step == "Charge"


def test_an_input_that_another_text_does_not_take_is_refused(host: Host) -> None:
    with pytest.raises(CannotReplay, match="does not take the input"):
        replayed(host, text=TEXT.replace("(float amount);\n    vars", "(float amount, str who);\n    vars"))


def test_what_cannot_be_replayed_is_refused_with_its_reason(host: Host) -> None:
    host.answer("Charge", "REFUSED")
    host.settle()
    with pytest.raises(NotFound):
        replayed(host, run="nobody")
    with pytest.raises(Invalid, match="upto"):
        replayed(host, upto=9)
    with pytest.raises(Invalid, match="input"):
        replayed(host, input={"amount": 1})
    host.submit(MENDED)
    host.services.operator.retry(NS, "r", version=2, by="test")
    host.settle()
    with pytest.raises(CannotReplay, match="another version"):
        replayed(host, text=TEXT)
    found = replayed(host)
    assert (found.differs, found.run.definition.version, found.waits[0].step) == (None, 2, "Charge")
    assert replayed(host, upto=2).run.definition.version == 1
    host.services.operator.stop(NS, "r", reason="enough", by="test")
    host.services.operator.retry(NS, "r", new_input={"amount": 7}, by="test")
    with pytest.raises(CannotReplay, match="changed the input"):
        replayed(host)


def test_a_play_has_so_many_moves(host: Host) -> None:
    assert not replayed(host, *[{"event": {"name": "nobody", "key": 1}}] * 10).refused
    with pytest.raises(PlayTooLong, match="at most 1000 moves"):
        replayed(host, *[{"auto": {}}] * (MAX_MOVES + 1))


def test_a_history_that_is_too_long_is_refused(host: Host) -> None:
    long = structs.replace(host.run(), stored_tail=Entries.of((Entry(seq=MAX_REPLAYED + 1, at=0, event="VarsSet"),)))
    lender: Any = SimpleNamespace(reader=SimpleNamespace(run=lambda _namespace, _name: long))
    with pytest.raises(PlayTooLong, match="100001 entries"):
        recorded(lender, NS, "r")


def test_a_retry_is_replayed(host: Host) -> None:
    host.answer("Charge", "REFUSED")
    host.settle()
    host.services.operator.retry(NS, "r", by="test")
    host.settle()
    host.answer("Charge", "PAID", data={"id": 7})
    host.settle()
    host.services.operator.set_vars(NS, "r", {"note": "x"}, by="test")
    host.services.operator.stop(NS, "r", reason="enough", by="test")
    host.services.operator.retry(NS, "r", step="Charge", by="test")
    host.settle()
    found = replayed(host)
    assert found.differs is None
    assert (found.waits[0].step, found.vars["note"], found.vars["id"]) == ("Charge", "x", 7)


DRAWN = """
action a addr = "http://a.test/"; args = (str id); return = (OK | NO); action_end
/
flow f
    vars = (id = ${ $uuid() }, luck = ${ $random() }, at = ${ $now() }, token = null);
    step A => (OK -> Again | NO -> stopped) {
        action = a; args = (id = ${ $step.uuid }); save = (token = ${ $uuid() });
    };
    deci Again => (when ${ $vars.luck < 2 } -> B | else -> done);
    step B => (OK -> done | NO -> stopped) { action = a; args = (id = ${ $vars.token }); };
flow_end
"""


def test_values_that_were_drawn_are_drawn_again() -> None:
    host = Host(accept)
    host.submit(DRAWN)
    host.start("f")
    host.settle()
    host.answer("A", "OK")
    host.settle()
    found = replayed(host)
    assert found.differs is None
    assert found.vars == host.run().vars
    assert found.waits[0].args == {"id": host.run().vars["token"]}


SECRET = """
action a addr = "http://a.test/"; args = (secret str key); return = (OK); action_end
/
flow f
    input = (secret str key, int n);
    step A => (OK -> B) { action = a; args = (key = ${ $input.key }); };
    deci B => (when ${ $input.n > 1 } -> C | else -> done);
    step C => (OK -> D) { action = a; args = (key = ${ $input.key }); };
    deci D => (when ${ $input.key = "s3cret" } -> stopped | else -> done);
flow_end
"""


def test_secrets_are_masked_and_a_decision_by_one_is_refused() -> None:
    host = Host(accept)
    host.submit(SECRET)
    host.start("f", key="s3cret", n=2)
    host.settle()
    host.answer("A", "OK")
    host.settle()
    found = replayed(host)
    assert found.differs is None
    assert found.waits[0].args == {"key": "***"}
    assert "s3cret" not in repr((found.run, found.history, found.waits, found.asked))
    host.answer("C", "OK")
    host.settle()
    with pytest.raises(CannotReplay, match=r"step 'D' decides by .* which reads the secret input\.key"):
        replayed(host)


CALL = """
action a addr = "http://a.test/"; return = (OK); timeout = 2d; action_end
/
flow kid
    input = (int n); output = ${ $input.n + 1 };
    step A => (OK -> done | TIMEOUT -> stopped) { action = a; };
flow_end
/
flow f
    call Kid => (DONE -> Again | STOPPED -> stopped) { flow = kid; input = (n = 1); save = (got = ${ $result }); };
    call Again => (DONE -> done | STOPPED -> stopped) { flow = kid; input = (n = ${ $vars.got }); };
flow_end
"""


def test_called_runs_are_replayed_with_the_run_that_waits_for_them() -> None:
    host = Host(accept)
    host.submit(CALL)
    host.start("f")
    host.settle()
    kid = next(run for run in host.services.runs.list(NS, RunQuery()).runs if run.parent)
    host.answer("A", "OK", name=kid.name)
    host.settle()
    found = replayed(host)
    assert found.differs is None
    assert found.vars == {"got": 2}
    assert [(one.step, one.run == "r") for one in found.waits] == [("Again", True), ("A", False)]
    assert replayed(host, {"answer": {"step": "A", "state": "OK"}}).output == 3
    later = replayed(host, {"clock": {"by": "2d"}})
    assert (later.run.status, later.runs[0].status) == (Status.FAILED, Status.FAILED)


def test_a_replay_knows_when_a_heartbeat_that_began_late_had_ended() -> None:
    host = Host(accept)
    host.submit("""
        action work addr = "http://w/"; return = (OK); limit = (concurrent = 1);
            heartbeat = 1m; timeout = 1d; action_end
        /
        flow f step One => (OK -> done | TIMEOUT -> done (output = ${ $error.name })) { action = work; }; flow_end
    """)
    host.start("f", "first")
    host.start("f")
    host.pass_time(30_000)
    host.answer("One", "OK", "first")
    host.pass_time(60_000)
    found = replayed(host)
    assert (found.differs, found.run.output, host.run().output) == (None, "HeartbeatTimeout", "HeartbeatTimeout")
