"""Late answers and rejections are in the history: who, when, what they said. A flood of them adds nothing."""

from __future__ import annotations

from typing import Final

from chalicelib.engine.late_answers import MAX_UNANSWERED
from chalicelib.model.history import Entry
from chalicelib.model.run import encode
from chalicelib.model.status import Status
from chalicelib.service.runs.answer import Answer
from tests.hosts import NS, Host, accept

ACTIONS: Final = """
action work addr = "http://a.test/"; args = (str what); return = (OK | BAD); timeout = 1m; action_end
/
action hush addr = "http://a.test/"; args = (str what); return = (OK | BAD); timeout = 1m; data = secret; action_end
/
action asks addr = "http://a.test/"; args = (str what); return = (OK); approval = required; action_end
/
"""
FLOW: Final = """
flow f
    step A => (OK -> B | BAD -> stopped | TIMEOUT -> B) { action = work; args = (what = "A"); };
    wait B => (DONE -> done) { for = 1d; };
flow_end
"""


def timed_out(flow: str = FLOW) -> tuple[Host, str]:
    """Return a host on which step A of run `r` has timed out, and the uuid of its activation."""
    host = Host(accept)
    host.submit(ACTIONS + flow)
    host.start("f")
    host.settle()
    uuid = host.uuid("A")
    host.pass_time(60_000)
    return host, uuid


def late(host: Host) -> list[Entry]:
    return [entry for entry in host.services.reader.history(NS, "r", 0, 1_000) if entry.event == "LateAnswer"]


def test_a_late_answer_is_kept_and_moves_nothing() -> None:
    host, uuid = timed_out()
    before = host.run()
    assert host.answer("A", "OK", uuid=uuid, data={"payment": 7}) == "duplicate"
    (entry,) = late(host)
    assert (entry.step, entry.uuid, entry.state, entry.data) == ("A", uuid, "OK", {"payment": 7})
    assert (entry.by, entry.at, entry.target) == ("action", host.clock.now(), "")
    assert host.run().tokens == before.tokens


def test_only_the_first_late_answer_is_kept() -> None:
    host, uuid = timed_out()
    for number in range(5):
        host.answer("A", "OK", uuid=uuid, data=number)
    assert [entry.data for entry in late(host)] == [0]


def test_a_repeated_answer_is_not_late() -> None:
    host = Host(accept)
    host.submit(ACTIONS + FLOW)
    host.start("f")
    host.settle()
    uuid = host.uuid("A")
    host.answer("A", "OK", uuid=uuid)
    version = host.run().version
    assert host.answer("A", "BAD", uuid=uuid) == "duplicate"
    assert (host.run().version, late(host)) == (version, [])


def test_the_data_of_a_secret_action_is_encrypted() -> None:
    host, uuid = timed_out(FLOW.replace("action = work", "action = hush"))
    host.answer("A", "OK", uuid=uuid, data="4711")
    assert len(late(host)) == 1
    assert b"4711" not in encode(host.run())


def test_an_ended_run_does_not_change() -> None:
    host, uuid = timed_out()
    host.pass_time(86_400_000)
    before = host.run()
    assert before.status is Status.SUCCEEDED
    assert host.answer("A", "OK", uuid=uuid) == "duplicate"
    assert host.run() == before


def test_a_retried_run_takes_what_comes_late_for_its_first_try() -> None:
    host, uuid = timed_out(FLOW.replace(" | TIMEOUT -> B", ""))
    assert host.run().status is Status.FAILED
    host.services.operator.retry(NS, "r")
    host.settle()
    assert host.answer("A", "BAD", uuid=uuid, data="too late") == "duplicate"
    assert [entry.data for entry in late(host)] == ["too late"]
    assert host.run().status is Status.RUNNING


def test_what_was_answered_before_a_retry_is_not_answered_late() -> None:
    """The simulator found this with seed 11006."""
    host = Host(accept)
    host.submit(ACTIONS + FLOW)
    host.start("f")
    host.settle()
    uuid = host.uuid("A")
    assert host.answer("A", "BAD") == "advanced"
    assert host.run().status is Status.FAILED
    host.services.operator.retry(NS, "r")
    host.settle()
    assert host.answer("A", "OK", uuid=uuid) == "duplicate"
    assert (late(host), host.run().status) == ([], Status.RUNNING)


def test_reports_that_come_late_are_not_kept() -> None:
    host, uuid = timed_out()
    answer = Answer(run="r", step="A", uuid=uuid, state="OK", done=False)
    assert host.services.answerer.answer(NS, answer) == "duplicate"
    assert late(host) == []


def test_the_head_remembers_few_of_them() -> None:
    step = '{ action = work; args = (what = "A"); repeat = (TIMEOUT -> (max = 100, delay = 1s)); };'
    host, uuid = timed_out(f"flow f step A => (OK -> done) {step} flow_end")
    host.pass_time(3_600_000)
    assert len(host.run().unanswered) == MAX_UNANSWERED
    assert host.answer("A", "OK", uuid=uuid) == "duplicate"
    assert late(host) == []


def test_the_data_of_a_rejection_is_kept() -> None:
    host = Host(accept)
    flow = 'flow f step A => (OK -> done | ERROR -> B) { action = asks; args = (what = "A"); };'
    host.submit(f"{ACTIONS}{flow} set B => (DONE -> done) {{ save = (why = ${{ $error.data }}); }}; flow_end")
    host.start("f")
    host.settle()
    host.answer("A", "REJECT", data={"reason": "too expensive"})
    (entry,) = [one for one in host.services.reader.history(NS, "r", 0, 99) if one.event == "StepRejected"]
    assert entry.data == {"reason": "too expensive"}
    assert host.run().vars == {"why": {"reason": "too expensive"}}
