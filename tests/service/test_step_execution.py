"""Steps that publish events and start runs: each does it once, when its decision is committed."""

from __future__ import annotations

from typing import Any, cast

import pytest

from chalicelib.adapters.memory import MemoryStore
from chalicelib.engine.steps.outgoing import MAX_GENERATIONS
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.doctor.findings import FindingKind
from chalicelib.service.errors import Busy
from chalicelib.service.messages import ExecuteStep
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.runs import RunQuery, RunStore
from chalicelib.service.runs.start import StartOrder
from tests.hosts import NS, Host

HOUR = 3_600_000

FLOWS = """
flow shop
    input = (any key = null, any data = null, any event = "paid", any ttl = "1d");
    output = "sold";
    emit Paid => (DONE -> done | ERROR -> stopped | TIMEOUT -> stopped) {
        event = ${ $input.event }; key = ${ $input.key = null ? "k" : $input.key }; data = ${ $input.data };
        ttl = ${ $input.ttl };
    };
flow_end
/
flow waits
    input = (str key = "k");
    vars  = (seen = []);
    wait Next => (PAID -> Next) {
        events = (PAID = "paid"); key = ${ $input.key }; save = (seen = ${ $append($vars.seen, [$event.data]) });
    };
flow_end
/
flow nudges
    input = (any to);
    emit Nudge => (DONE -> done | ERROR -> stopped) { event = "paid"; to = ${ $input.to }; data = 7; };
flow_end
/
flow once
    wait One => (PAID -> done) { events = (PAID = "paid"); };
flow_end
/
flow report
    input = (any day, float factor = 1.0);
    wait Day => (DONE -> done) { for = 1d; };
flow_end
/
flow starts
    input = (any called = null, any day = 1, any label = "lab");
    start Report => (DONE -> done (output = ${ $result.name }) | ERROR -> stopped) {
        flow = report; input = (day = ${ $input.day }); labels = (team = ${ $input.label }, none = ${ $vars.none });
        name = ${ $input.called };
    };
flow_end
/
flow unnamed
    start Report => (DONE -> done) { flow = report; input = (day = 1); };
flow_end
/
flow forever
    input = (bool slow = false);
    deci Slow => (when ${ $input.slow } -> Rest | else -> Next);
    wait Rest => (DONE -> Next) { for = 2m; };
    start Next => (DONE -> done | ERROR -> stopped) { flow = forever; input = (slow = ${ $input.slow }); };
flow_end
"""


class Crashing:
    """The store of a process that ends before it writes a head, as often as `crashes` says."""

    crashes = 0

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs, name)

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        if self.crashes:
            self.crashes -= 1
            raise Busy("the process ended")
        self._runs.save(run, seen, body)


def crashing() -> Host:
    """A host with the flows, of which the process can end."""
    store = MemoryStore()
    store.runs = cast(Any, Crashing(store.runs))
    made = Host(store=store)
    made.submit(FLOWS)
    return made


def store_of(host: Host) -> Crashing:
    return cast(Crashing, host.store.runs)


@pytest.fixture
def host() -> Host:
    made = Host()
    made.submit(FLOWS)
    return made


def started(host: Host, flow: str, name: str = "r", **given: Any) -> Run:
    host.start(flow, name, **given)
    host.settle()
    return host.run(name)


def runs_of(host: Host, flow: str) -> tuple[Run, ...]:
    return host.services.runs.list(NS, RunQuery(flow=flow, limit=10_000)).runs


def error_of(run: Run) -> tuple[str, int | None]:
    assert run.status is Status.FAILED
    assert run.error
    return run.error.name, run.error.status


def events(host: Host) -> list[tuple[str, str, Any]]:
    """The stored events, newest first."""
    return [(signal.name, signal.key, signal.data) for signal in host.store.signals.list(NS, host.clock.now(), 100)]


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_wakes_the_runs_that_wait_for_its_name_and_key(host: Host) -> None:
    for name, key in (("a", "7"), ("b", "7"), ("c", "8")):
        started(host, "waits", name, key=key)
    run = started(host, "shop", key=7, data={"amount": 12.5, "note": None})
    assert (run.status, run.output) == (Status.SUCCEEDED, "sold")
    assert [host.run(name).vars["seen"] for name in "abc"] == [[{"amount": 12.5, "note": None}]] * 2 + [[]]
    assert [(entry.event, entry.step, entry.state) for entry in run.tail[-1:]] == [("EventPublished", "Paid", "DONE")]


def test_a_run_that_receives_an_event_knows_which_run_published_it(host: Host) -> None:
    started(host, "waits", "w")
    started(host, "shop", "seller")
    started(host, "nudges", "nudger", to="w")
    host.services.signaler.publish(NS, "paid", key="k")
    host.settle()
    received = [entry.by for entry in host.run("w").tail if entry.event == "EventArrived"]
    assert received == ["run seller", "run nudger", "event"]
    kept = host.store.signals.list(NS, host.clock.now(), 100)
    assert sorted(signal.by for signal in kept) == ["", "run nudger", "run seller"]


def test_runs_that_begin_to_wait_in_time_receive_it_too(host: Host) -> None:
    started(host, "shop", data=1, ttl="1h")
    host.pass_time(HOUR - 1)
    assert started(host, "waits", "in-time").vars == {"seen": [1]}
    host.pass_time(2)
    assert started(host, "waits", "late").vars == {"seen": []}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"event": ""}, "ExpressionFailed"),
        ({"event": True}, "ExpressionFailed"),
        ({"event": "e" * 129}, "ExpressionFailed"),
        ({"key": [1]}, "ExpressionFailed"),
        ({"key": "k" * 1_025}, "ExpressionFailed"),
        ({"ttl": "soon"}, "ExpressionFailed"),
        ({"ttl": "400d"}, "ExpressionFailed"),
    ],
)
def test_what_is_no_event_is_not_published(host: Host, given: dict[str, Any], name: str) -> None:
    assert error_of(started(host, "shop", **given)) == (name, None)
    assert events(host) == []


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("${ $vars.nothing }", "ExpressionFailed"),
        ('{ "a": [1, ${ $vars.nothing }] }', "ExpressionFailed"),
        ("${ $pad('x', 3000000) & $pad('x', 3000000) }", "TooLarge"),
        ("${ $input }", "ExpressionFailed"),
    ],
)
def test_data_that_cannot_be_sent_makes_the_step_return_error(host: Host, data: str, name: str) -> None:
    host.submit(f"""flow bad input = (secret str card);
        emit Bad => (DONE -> done | ERROR -> stopped) {{ event = "bad"; data = {data}; }}; flow_end""")
    assert error_of(started(host, "bad", card="4111"))[0] == name
    assert events(host) == []


def test_data_that_does_not_fit_the_declared_event_is_not_published(host: Host) -> None:
    host.submit('event paid args = (int amount, str currency = "EUR"); event_end')
    started(host, "waits", "w")
    assert error_of(started(host, "shop", "wrong", data={"amount": "7"})) == ("Refused", 422)
    assert error_of(started(host, "nudges", "nudge", to="w")) == ("Refused", 422)
    started(host, "shop", "right", data={"amount": 7})
    assert host.run("w").vars["seen"] == [{"amount": 7, "currency": "EUR"}]


def test_a_decision_that_is_never_committed_publishes_nothing() -> None:
    host = crashing()
    host.submit("""
        flow late wait Go => (GO -> Paid) { events = (GO = "go"); };
            emit Paid => (DONE -> done) { event = "paid"; key = "k"; };
        flow_end""")
    run = started(host, "late")
    store_of(host).crashes = 1
    with pytest.raises(Busy):
        host.services.signaler.signal(NS, run, "go")  # the message is sent, and the head is not written
    (received,) = host.queue.receive(QueueName.WAKES, 10, 0)
    message = messages.decode(received.body)
    assert isinstance(message, ExecuteStep)
    assert host.handle(message) is not None  # it comes again
    host.services.operator.stop(NS, "r")
    assert host.handle(message) is None
    assert [name for name, *_ in events(host)] == ["go"]


def test_an_event_is_published_once_though_its_step_is_executed_again() -> None:
    host = crashing()
    started(host, "waits", "w")
    run = host.start("shop", data=1)
    (token,) = run.tokens
    assert token.activation
    store_of(host).crashes = 1
    with pytest.raises(Busy):
        host.handle(ExecuteStep(namespace=NS, run="r", sent_at=0, version=1, uuid=token.activation.uuid))
    assert host.run().status is Status.RUNNING
    host.pass_time(5_000)
    assert host.run().status is Status.SUCCEEDED
    assert (events(host), host.run("w").vars["seen"]) == ([("paid", "k", 1)], [1])
    assert started(host, "waits", "later").vars["seen"] == [1]


def test_each_visit_of_a_step_publishes_an_event_of_its_own(host: Host) -> None:
    host.submit("""
        flow twice vars = (n = 0);
            emit Go => (DONE when ${ $vars.n < 3 } -> Go | DONE -> done) {
                event = "paid"; key = "k"; data = ${ $vars.n }; save = (n = ${ $vars.n + 1 });
            };
        flow_end""")
    started(host, "twice")
    assert started(host, "waits", "w").vars["seen"] == [0, 1, 2]


def test_a_loop_that_only_publishes_ends(host: Host) -> None:
    host.submit("""
        flow loop
            emit Go => (DONE -> Go | ERROR -> stopped) { event = "paid"; key = "k"; };
        flow_end""")
    assert error_of(started(host, "loop")) == ("RunawayLoop", None)
    assert len(host.store.signals.list(NS, host.clock.now(), 10_000)) == 1_000


def test_nothing_is_published_or_started_while_a_run_is_paused(host: Host) -> None:
    for flow in ("shop", "starts"):
        host.start(flow, flow, **({"called": "rep"} if flow == "starts" else {}))
        host.services.operator.pause(NS, flow)
        host.pass_time(HOUR)
        assert (events(host), runs_of(host, "report")) == ([], ())
    for flow in ("shop", "starts"):
        host.services.operator.resume(NS, flow)
    host.settle()
    assert events(host) == [("paid", "k", None)]
    assert [run.name for run in runs_of(host, "report")] == ["rep"]


def test_a_step_that_is_entered_while_its_run_is_paused_waits_for_its_end(host: Host) -> None:
    host.submit("""
        flow late wait Go => (GO -> Paid) { events = (GO = "go"); };
            emit Paid => (DONE -> done) { event = "paid"; key = "k"; };
        flow_end""")
    started(host, "late")
    host.services.operator.pause(NS, "r")
    host.services.signaler.publish(NS, "go")
    host.pass_time(HOUR)
    assert [name for name, *_ in events(host)] == ["go"]
    host.services.operator.resume(NS, "r")
    host.settle()
    assert host.run().status is Status.SUCCEEDED
    assert [name for name, *_ in events(host)] == ["paid", "go"]


def test_a_step_that_is_not_executed_is_shown_and_repaired(host: Host) -> None:
    host.start("shop")
    host.queue.delete(QueueName.WAKES, [message.receipt for message in host.queue.receive(QueueName.WAKES, 10, 0)])
    host.clock.advance(HOUR)
    (found,) = host.services.doctor.examine(NS, 100, silent=HOUR // 2, repair=True).findings
    assert (found.kind, found.step, found.repaired) == (FindingKind.SILENT_STEP, "Paid", True)
    host.settle()
    assert host.run().status is Status.SUCCEEDED


def test_a_step_that_is_never_executed_returns_timeout(host: Host) -> None:
    host.start("shop")
    host.queue.delete(QueueName.WAKES, [message.receipt for message in host.queue.receive(QueueName.WAKES, 10, 0)])
    host.pass_time(8 * 24 * HOUR)
    run = host.run()
    assert (run.status, run.last_err) == (Status.FAILED, "Timeout: event 'paid' was not published in time")


# ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signal_reaches_only_its_run(host: Host) -> None:
    for name in ("a", "b"):
        started(host, "waits", name)
    assert started(host, "nudges", to="a").status is Status.SUCCEEDED
    assert [host.run(name).vars["seen"] for name in "ab"] == [[7], []]


def test_a_run_that_does_not_exist_or_has_ended_cannot_be_signalled(host: Host) -> None:
    assert error_of(started(host, "nudges", to="nowhere")) == ("Refused", 404)
    started(host, "shop", "ended")
    run = started(host, "nudges", "again", to="ended")
    assert error_of(run) == ("Refused", 409)
    assert "is succeeded: it cannot take a signal" in run.last_err
    assert error_of(started(host, "nudges", "wrong", to=[])) == ("ExpressionFailed", None)


def test_a_signal_that_ended_its_run_is_not_refused_when_it_is_sent_again() -> None:
    host = crashing()
    started(host, "once", "o")
    run = host.start("nudges", to="o")
    (token,) = run.tokens
    assert token.activation
    again = host.services.signaler.signal(NS, host.run("o"), "paid", data=7, origin=token.activation.uuid)
    host.settle()
    assert host.run("o").status is Status.SUCCEEDED
    assert host.run().status is Status.SUCCEEDED
    assert host.store.signals.list(NS, host.clock.now(), 100) == [again]


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_started_run_goes_on_by_itself(host: Host) -> None:
    run = started(host, "starts", called="rep", day="mon")
    assert (run.status, run.output) == (Status.SUCCEEDED, "rep")
    assert (run.tail[-1].event, run.tail[-1].data) == ("FlowStarted", {"name": "rep"})
    report = host.run("rep")
    assert (report.status, report.parent, report.labels) == (Status.RUNNING, None, {"team": "lab"})
    assert (report.input, report.tail[0].by) == ({"day": "mon", "factor": 1.0}, "run r")


def test_stopping_a_run_leaves_those_that_it_started(host: Host) -> None:
    host.submit("""
        flow rests
            start Report => (DONE -> Rest) { flow = report; input = (day = 1); name = "rep"; };
            wait Rest => (DONE -> done) { for = 1d; };
        flow_end""")
    started(host, "rests")
    host.services.operator.stop(NS, "r")
    host.settle()
    assert (host.run().status, host.run("rep").status) == (Status.CANCELED, Status.RUNNING)


def test_runs_without_a_name_get_one_each(host: Host) -> None:
    for name in ("a", "b"):
        started(host, "unnamed", name)
    names = {run.name for run in runs_of(host, "report")}
    assert len(names) == 2
    assert all(name.startswith("report-") for name in names)
    assert {host.run(name).output["name"] for name in "ab"} == names


def test_a_name_started_twice_is_the_same_run_if_flow_and_input_are(host: Host) -> None:
    assert started(host, "starts", "a", called="rep", day=1).output == "rep"
    assert started(host, "starts", "b", called="rep", day=1.0, label="other").output == "rep"
    assert len(runs_of(host, "report")) == 1
    for name, day in (("c", 2), ("d", True), ("e", "1")):
        run = started(host, "starts", name, called="rep", day=day)
        assert (error_of(run), run.last_err) == (("Refused", 409), "Refused: a flow_run 'rep' exists already")
    started(host, "once", "other")
    assert error_of(started(host, "starts", "f", called="other")) == ("Refused", 409)


def test_the_same_run_is_judged_by_its_own_version_of_the_flow(host: Host) -> None:
    started(host, "starts", "a", called="rep", day=1)
    host.submit("flow report input = (any day, float factor = 2.0, any more = null); set A => (DONE -> done); flow_end")
    assert started(host, "starts", "b", called="rep", day=1).status is Status.SUCCEEDED


def test_a_run_is_started_once_though_its_step_is_executed_again() -> None:
    host = crashing()
    run = host.start("unnamed")
    (token,) = run.tokens
    assert token.activation
    store_of(host).crashes = 1
    with pytest.raises(Busy):
        host.handle(ExecuteStep(namespace=NS, run="r", sent_at=0, version=1, uuid=token.activation.uuid))
    host.pass_time(5_000)
    assert (host.run().status, len(runs_of(host, "report"))) == (Status.SUCCEEDED, 1)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"called": ""}, ("ExpressionFailed", None)),
        ({"called": True}, ("ExpressionFailed", None)),
        ({"called": "n" * 129}, ("ExpressionFailed", None)),
        ({"called": "rep", "label": [1]}, ("ExpressionFailed", None)),
        ({"called": "rep", "label": "l" * 300}, ("TooLarge", None)),
    ],
)
def test_what_cannot_be_started_makes_the_step_return_error(
    host: Host, given: dict[str, Any], error: tuple[str, int | None]
) -> None:
    assert error_of(started(host, "starts", **given)) == error
    assert runs_of(host, "report") == ()


def test_a_flow_that_is_gone_or_refuses_its_input_is_not_started(host: Host) -> None:
    host.submit("flow report input = (str day); set A => (DONE -> done); flow_end")
    assert error_of(started(host, "starts", "a", called="rep", day=7)) == ("Refused", 422)
    (newest,) = host.store.definitions.latest(NS, Kind.FLOW, ["report"]).values()
    host.store.definitions.delete(NS, newest)
    host.rebuild()
    assert error_of(started(host, "starts", "b", called="rep", day="mon")) == ("Refused", 404)


def test_runs_are_started_in_the_namespace_of_their_run(host: Host) -> None:
    for namespace in (NS, "lab"):
        host.services.submitter.submit(namespace, FLOWS)
        host.services.starter.start(namespace, StartOrder(flow="starts", name="r", input={"called": "rep"}))
        host.settle()
    assert [host.services.reader.run(one, "rep").namespace for one in (NS, "lab")] == [NS, "lab"]


def test_runs_that_start_one_another_without_end_are_stopped(host: Host) -> None:
    run = started(host, "forever")
    assert (run.status, run.generation) == (Status.SUCCEEDED, 0)
    runs = runs_of(host, "forever")
    assert len(runs) == MAX_GENERATIONS + 1
    (last,) = [run for run in runs if run.status is Status.FAILED]
    assert (last.generation, error_of(last)) == (MAX_GENERATIONS, ("RunawayLoop", None))


def test_runs_that_start_one_another_with_time_between_are_not(host: Host) -> None:
    host.start("forever", slow=True)
    host.pass_time(10 * 121_000)
    assert {run.generation for run in runs_of(host, "forever")} == {0}
    assert len(runs_of(host, "forever")) >= 10
