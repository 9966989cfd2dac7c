"""`on_enter` and `on_leave` of waits: notices, which are delivered beside the run's path."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.engine.errors import StateNotRouted, Unsigned
from chalicelib.model.run import decode_run, encode
from chalicelib.model.status import Status
from chalicelib.model.waits import NoticeWait
from chalicelib.service.doctor.findings import FindingKind
from chalicelib.service.ports.actions import NotTaken, Reply, Response, Taken
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.runs.answer import Answer
from tests.hosts import NS, Host, accept

HOUR = 3_600_000
DAY = 24 * HOUR

FLOWS = """
action watch
    addr = "http://files.test/watch"; args = (any id, secret any key = null, any note = null); return = (ON | READY);
action_end
/
action unwatch
    addr = "http://files.test/unwatch"; args = (any id, any note = null); return = (OFF);
action_end
/
action work addr = "http://work.test/"; return = (OK); action_end
/
flow f
    input = (any id = 1, any note = null);
    vars  = (n = 0, times = 0);
    wait W => (GO -> done | NEXT -> W | TIMEOUT -> stopped | ERROR -> stopped) {
        events   = (GO = "go", NEXT = "next"); timeout = 1d;
        on_enter = watch (id = ${ [$input.id, $vars.n, $step.uuid] }, note = ${ $input.note });
        on_leave = unwatch (id = ${ [$input.id, $vars.n, $step.uuid] });
        save     = (n = ${ $vars.n + 1 });
    };
flow_end
/
flow leaves
    wait W => (GO -> After) { events = (GO = "go"); on_leave = unwatch (id = 1); };
    step After => (OK -> done) { action = work; };
flow_end
/
flow enters
    wait W => (GO -> done | ERROR -> stopped) { events = (GO = "go"); on_enter = watch (id = 1); };
flow_end
/
flow races
    fork F => (DONE -> done) {
        join = any;
        branch a { wait A => (GO -> done) { events = (GO = "go"); on_leave = unwatch (id = "a"); }; };
        branch b { wait B => (GO -> done) { events = (GO = "other"); on_leave = unwatch (id = "b"); }; };
    };
flow_end
"""


class Files:
    """The service that watches: `replies` are taken one after another, and then it accepts."""

    def __init__(self, **replies: list[Reply]) -> None:
        self.replies = replies

    def __call__(self, request: dict[str, Any]) -> Reply:
        name = "unwatch" if request["ackStates"] == ["OFF"] else "watch" if "ON" in request["ackStates"] else "work"
        replies = self.replies.get(name, [])
        return replies.pop(0) if replies else Taken({"ackState": "OK"} if name == "work" else None)


def host_with(script: Any = accept) -> Host:
    host = Host(script)
    host.submit(FLOWS)
    return host


def begun(host: Host, flow: str = "f", **given: Any) -> Host:
    host.start(flow, **given)
    host.settle()
    return host


def calls(host: Host) -> list[tuple[str, Any]]:
    """What was delivered: the name of the action and the id."""
    names = {"OFF": "unwatch", "ON": "watch", "OK": "work"}
    return [(names[request["ackStates"][0]], request.get("id")) for request in host.actions.requests]


def names_of(host: Host) -> list[str]:
    return [name for name, _ in calls(host)]


def history(host: Host) -> list[tuple[str, str]]:
    entries = host.services.reader.history(NS, "r", 0, 1_000)
    return [(entry.event, entry.error) for entry in entries if entry.event.startswith(("Notice", "Delivery"))]


def publish(host: Host, name: str = "go") -> None:
    host.services.signaler.publish(NS, name)
    host.settle()


def test_a_wait_is_announced_when_it_begins_and_when_it_ends() -> None:
    host = begun(host_with())
    uuid = host.uuid("W")
    assert calls(host) == [("watch", [1, 0, uuid])]
    assert [notice.activation.wait for notice in host.run().notices if notice.activation] == [
        NoticeWait(kind="enter", of=uuid, is_taken=True)  # type: ignore[arg-type]  # as JSON has it
    ]
    publish(host)
    assert host.run().status is Status.SUCCEEDED
    assert calls(host)[1:] == [("unwatch", [1, 0, uuid])]
    assert host.run().notices == ()
    assert history(host) == [("NoticeDelivered", "")] * 2
    request = host.actions.requests[1]
    assert (request["flowId"], request["stepName"], request["ackStates"]) == ("r", "W", ["OFF"])
    assert request["globalVariables"] == {"n": 1, "times": 0}


@pytest.mark.parametrize("how", ["time-out", "stop", "stop while paused", "timeout of the flow"])
def test_a_wait_is_ended_in_whatever_way_it_ends(how: str) -> None:
    host = host_with()
    if "flow" in how:
        host.submit(FLOWS.replace("flow f\n", "flow f timeout = 12h;\n"))
    begun(host)
    if how == "stop while paused":
        host.services.operator.pause(NS, "r")
    if how.startswith("stop"):
        host.services.operator.stop(NS, "r")
    host.pass_time(2 * DAY)
    assert host.run().status in (Status.FAILED, Status.CANCELED)
    assert names_of(host) == ["watch", "unwatch"]
    assert host.run().notices == ()


def test_a_branch_that_lost_ends_its_wait() -> None:
    host = begun(host_with(), "races")
    publish(host)
    assert host.run().status is Status.SUCCEEDED
    assert sorted(calls(host)) == [("unwatch", "a"), ("unwatch", "b")]


def test_a_wait_that_begins_again_is_announced_after_the_last_one_has_ended() -> None:
    host = host_with(Files(unwatch=[NotTaken("busy", final=False), NotTaken("busy", final=False)]))
    begun(host)
    publish(host, "next")
    assert names_of(host)[:2] == ["watch", "unwatch"]
    assert len(host.run().notices) == 2
    host.pass_time(HOUR)
    assert [(name, found[1]) for name, found in calls(host)] == [
        ("watch", 0), ("unwatch", 0), ("unwatch", 0), ("unwatch", 0), ("watch", 1),
    ]  # fmt: skip
    assert len({found[2] for _, found in calls(host)}) == 2


def test_the_work_of_an_end_holds_nothing_up() -> None:
    host = begun(host_with(Files(unwatch=[NotTaken("down", final=True)])), "leaves")
    publish(host)
    assert host.run().status is Status.SUCCEEDED
    assert sorted(names_of(host)) == ["unwatch", "work"]
    assert history(host) == [("NoticeFailed", "down")]
    assert host.run().last_err == ""


def test_deliveries_of_an_end_are_repeated_also_when_the_run_has_ended() -> None:
    host = begun(host_with(Files(unwatch=[NotTaken("down", final=False)] * 3)))
    publish(host)
    assert host.run().status is Status.SUCCEEDED
    host.pass_time(HOUR)
    assert history(host) == [("NoticeDelivered", ""), *[("DeliveryFailed", "down")] * 2, ("NoticeFailed", "down")]
    assert names_of(host) == ["watch", *["unwatch"] * 3]
    bodies = [{**request} for request in host.actions.requests[1:]]
    assert bodies[0] == bodies[1] == bodies[2]
    assert host.run().notices == ()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (
            NotTaken("no such file", final=True, status=404),
            "Refused: its on_enter, action 'watch', failed: no such file",
        ),
        (
            Taken({"ackState": "ERROR", "error": {"name": "Gone", "cause": "the disk is gone"}}),
            "Gone: its on_enter, action 'watch', failed: the disk is gone",
        ),
        (Taken({"ackState": "ERROR"}), "Refused: its on_enter, action 'watch', failed: action 'watch' answered ERROR"),
    ],
)
def test_a_wait_that_cannot_be_announced_returns_error(reply: Reply, error: str) -> None:
    host = begun(host_with(Files(watch=[reply])))
    assert (host.run().status, host.run().last_err) == (Status.FAILED, error)
    assert names_of(host) == ["watch", "unwatch"]
    assert begun(host_with(Files(watch=[reply])), "enters").run().last_err == error


def test_an_event_that_comes_while_the_wait_is_announced_is_taken() -> None:
    host = host_with(Files(watch=[NotTaken("busy", final=False), NotTaken("busy", final=False)]))
    publish(host)
    begun(host)
    assert host.run().status is Status.SUCCEEDED
    host.pass_time(HOUR)
    assert names_of(host) == ["watch", "watch", "watch", "unwatch"]
    assert history(host)[-2:] == [("NoticeDelivered", "")] * 2


def test_the_failure_of_an_announcement_after_the_wait_has_ended_is_only_recorded() -> None:
    host = host_with(Files(watch=[NotTaken("busy", final=False)] * 3))
    publish(host)
    begun(host)
    host.pass_time(HOUR)
    assert host.run().status is Status.SUCCEEDED
    assert names_of(host) == ["watch", "watch", "watch", "unwatch"]
    assert history(host)[-2:] == [("NoticeFailed", "busy"), ("NoticeDelivered", "")]


def test_an_announcement_that_is_answered_later_ends_nothing_unless_it_failed() -> None:
    host = begun(host_with())
    (notice,) = host.run().notices
    assert notice.activation

    def answer(state: str, done: bool = True) -> Answer:
        assert notice.activation
        return Answer(run="r", step="W", uuid=notice.activation.uuid, state=state, done=done)

    with pytest.raises(StateNotRouted):
        host.services.answerer.answer(NS, answer("OFF"))
    assert host.services.answerer.answer(NS, answer("ON", done=False)) == "ignored"
    assert host.services.answerer.answer(NS, answer("READY")) == "progress"
    assert host.run().notices == ()
    assert host.services.answerer.answer(NS, answer("ERROR")) == "duplicate"
    assert host.run().status is Status.RUNNING
    host = begun(host_with())
    (notice,) = host.run().notices
    host.services.answerer.answer(NS, answer("ERROR"))
    host.settle()
    assert host.run().status is Status.FAILED
    assert names_of(host) == ["watch", "unwatch"]


def test_nothing_is_announced_while_a_run_is_paused() -> None:
    host = host_with()
    host.start("f")
    host.services.operator.pause(NS, "r")
    host.pass_time(HOUR)
    assert calls(host) == []
    publish(host)
    assert host.run().status is Status.SUCCEEDED
    assert names_of(host) == ["watch", "unwatch"]


def test_what_is_held_is_sent_when_the_run_continues() -> None:
    host = begun(host_with())
    host.services.operator.pause(NS, "r")
    publish(host, "next")
    host.pass_time(HOUR)
    assert names_of(host) == ["watch"]
    host.services.operator.resume(NS, "r")
    host.settle()
    assert names_of(host) == ["watch", "unwatch", "watch"]


def test_secrets_go_only_to_the_action() -> None:
    host = host_with()
    host.services.secrets.put(NS, "files", "s3cret", by="test")
    host.submit("""
        flow g input = (secret str key);
            wait W => (GO -> done) {
                events = (GO = "go");
                on_enter = watch (id = 1, key = ${ $input.key });
                on_leave = watch (id = 2, key = secret "files");
            };
        flow_end""")
    begun(host, "g", key="k-1")
    publish(host)
    assert [(request["id"], request["key"]) for request in host.actions.requests] == [(1, "k-1"), (2, "s3cret")]
    stored = encode(host.run()).decode()
    assert "k-1" not in stored
    assert "s3cret" not in stored


def test_args_that_cannot_be_made_make_the_wait_return_error() -> None:
    host = host_with()
    host.submit("""
        flow g wait W => (GO -> done | ERROR -> stopped) {
            events = (GO = "go"); on_leave = unwatch (id = ${ $vars.none });
        }; flow_end""")
    begun(host, "g")
    assert (host.run().status, calls(host)) == (Status.FAILED, [])
    assert host.run().last_err.startswith("ExpressionFailed: arg 'id' has no value")


def test_answers_to_an_announcement_must_be_signed_if_its_action_says_so() -> None:
    host = host_with(Files(watch=[Taken({"ackState": "ERROR"})]))
    host.submit(FLOWS.replace("return = (ON | READY);", "return = (ON | READY); callback = signed;"))
    begun(host)
    assert host.run().status is Status.RUNNING  # the HTTP response is not signed: it only says that it was taken
    (notice,) = host.run().notices
    assert notice.activation
    answer = Answer(run="r", step="W", uuid=notice.activation.uuid, state="ERROR")
    with pytest.raises(Unsigned):
        host.services.answerer.answer(NS, answer)


def test_a_forged_answer_does_not_suppress_the_end_of_a_wait() -> None:
    host = host_with(Files(unwatch=[NotTaken("busy", final=False)]))
    host.submit(FLOWS.replace("return = (OFF);", "return = (OFF); callback = signed;"))
    begun(host, "leaves")
    publish(host)
    (notice,) = host.run().notices
    assert notice.activation
    with pytest.raises(Unsigned):
        host.services.answerer.answer(NS, Answer(run="r", step="W", uuid=notice.activation.uuid, state="OFF"))
    host.pass_time(HOUR)
    assert names_of(host).count("unwatch") == 2


def test_large_args_are_stored_beside_the_head() -> None:
    host = begun(host_with(Files(unwatch=[NotTaken("busy", final=False)])), id="x" * 100_000)
    publish(host)
    assert len(host.store.runs.load(NS, "r").notices) == 1  # type: ignore[union-attr]
    assert len(encode(host.store.runs.load(NS, "r"))) < 8_000  # type: ignore[arg-type]
    host.pass_time(HOUR)
    assert [found[0][:3] for _, found in calls(host)] == ["xxx"] * 3


def test_a_notice_that_is_lost_is_shown_and_sent_again() -> None:
    host = host_with()
    host.start("f")
    lost = host.queue.receive(QueueName.DELIVERIES, 10, 0)
    host.queue.delete(QueueName.DELIVERIES, [message.receipt for message in lost])
    host.pass_time(HOUR)
    findings = host.services.doctor.examine(NS, 100, silent=HOUR // 2, repair=True).findings
    assert {(found.kind, found.step) for found in findings} == {(FindingKind.SILENT_STEP, "W")}
    host.settle()
    assert names_of(host) == ["watch"]


def test_a_notice_comes_back_from_its_json() -> None:
    host = begun(host_with(Files(unwatch=[NotTaken("busy", final=False)])))
    publish(host)
    assert decode_run(encode(host.run())) == host.run()
    assert len(host.run().notices) == 1


WATCHED = """
action watch addr = "https://files.test/{id}"; method = https; verb = PUT; callback = none; args = (str id);
    return = (OK | THERE on 409);
action_end
/
action unwatch addr = "https://files.test/{id}"; method = https; verb = DELETE; callback = none; args = (str id);
    return = (OK);
action_end
/
flow f
    wait W => (GO -> done | ERROR -> stopped) {
        events = (GO = "go"); on_enter = watch (id = "a"); on_leave = unwatch (id = "a");
    };
flow_end
"""


@pytest.mark.parametrize(
    ("status", "ends"),
    [(200, Status.SUCCEEDED), (202, Status.SUCCEEDED), (409, Status.SUCCEEDED), (404, Status.FAILED)],
)
def test_any_http_api_can_be_told(status: int, ends: Status) -> None:
    host = Host(lambda request: Response(status if request["verb"] == "PUT" else 404, {"location": "/jobs/1"}))
    host.submit(WATCHED)
    begun(host)
    publish(host)
    assert host.run().status is ends
    assert [request["verb"] for request in host.actions.requests] == ["PUT", "DELETE"]
    assert history(host)[-1][0] == "NoticeFailed"
    assert host.run().notices == ()


KEYED = """
action told addr = "http://told.test/"; args = (any id); return = (OK);
    limit = (concurrent = 1, per_second = 0.1, key = ${ $vars.tenant });
action_end
/
flow k
    input = (any tenant, bool leaves = false);
    vars  = (tenant = ${ $input.tenant });
    wait W => (GO -> done | ERROR -> done (output = ${ $error })) {
        events = (GO = "go"); timeout = 1d; %s = told (id = ${ $vars.tenant });
    };
flow_end
"""


def told(host: Host) -> list[str]:
    return [request["flowId"] for request in host.actions.requests]


def test_notices_are_sent_at_the_rate_of_each_value_of_the_key() -> None:
    host = Host(accept)
    host.submit(KEYED % "on_enter")
    for name, tenant in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")):
        host.start("k", name, tenant=tenant)
    host.settle()
    assert sorted(told(host)) == ["a1", "b1"]
    host.pass_time(10_000)
    assert told(host)[2:] == ["a2"]
    host.pass_time(10_000)
    assert told(host)[3:] == ["a3"]


def test_the_key_of_a_notice_at_the_end_is_that_of_the_beginning() -> None:
    host = Host(accept)
    host.submit(KEYED % "on_leave")
    for name in ("r1", "r2"):
        host.start("k", name, tenant="a")
    host.settle()
    host.services.operator.set_vars(NS, "r2", {"tenant": "b"})
    for name in ("r1", "r2"):
        host.services.operator.stop(NS, name)
    host.settle()
    assert told(host) == ["r1"]
    host.pass_time(10_000)
    assert told(host) == ["r1", "r2"]


def test_a_wait_of_which_the_key_of_a_notice_yields_nothing_returns_error() -> None:
    host = Host(accept)
    host.submit(KEYED % "on_enter")
    host.start("k", tenant={"not": "a key"})
    host.settle()
    assert host.run().output["name"] == "ExpressionFailed"
    assert told(host) == []
