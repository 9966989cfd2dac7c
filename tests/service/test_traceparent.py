"""The trace of a run, and how `traceparent` headers of requests are read (W3C Trace Context)."""

from __future__ import annotations

import pytest

from chalicelib.model.run import encode
from chalicelib.service.observability import traceparent
from chalicelib.service.observability.work_context import about, known, note
from chalicelib.service.parallel import side_by_side
from chalicelib.service.ports.runs import RunQuery
from tests.hosts import NS, Host

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"

FLOWS = """
action work addr = "http://x/"; args = (str x); return = (OK); action_end
/
flow inner step Two => (OK -> done) { action = work; args = (x = "b"); }; flow_end
/
flow outer call One => (DONE -> done) { flow = inner; }; flow_end
"""


def started(given: str = "", flow: str = "inner") -> Host:
    host = Host()
    host.submit(FLOWS)
    host.start_in(given, flow)
    host.settle()
    return host


# ── what is read ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (GIVEN, GIVEN),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-03", GIVEN),
        (f"00-{TRACE}-{SPAN}-02", f"00-{TRACE}-{SPAN}-00"),
        (f"cc-{TRACE}-{SPAN}-01", GIVEN),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", GIVEN),
    ],
)
def test_a_valid_one_is_read_in_our_version(header: str, read: str) -> None:
    assert str(traceparent.read(header)) == read


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01.",
        f"cc-{TRACE}-{SPAN}-01more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-zz",
        f" {GIVEN}",
        f"{GIVEN}\n",
        f"{GIVEN},{GIVEN}",
    ],
)
def test_a_malformed_one_is_ignored(header: str) -> None:
    assert traceparent.read(header) is None


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_a_trace_and_an_activation_a_span() -> None:
    host = started()
    (call,) = host.actions.calls
    run, sent = host.run(), traceparent.read(call.headers["traceparent"])
    assert sent is not None
    assert (sent.trace, sent.sampled) == (traceparent.of_run(run).trace, True)
    assert sent == traceparent.of_activation(run, call.headers["webhook-id"])
    assert sent.span != traceparent.of_run(run).span


def test_a_run_goes_on_in_the_trace_in_which_it_was_started() -> None:
    host = started(GIVEN)
    sent = traceparent.read(host.actions.calls[0].headers["traceparent"])
    assert sent is not None
    assert (sent.trace, sent.sampled) == (TRACE, True)
    assert str(traceparent.begun_in(host.run())) == GIVEN


def test_a_trace_that_is_not_recorded_stays_so() -> None:
    host = started(f"00-{TRACE}-{SPAN}-00", "outer")
    assert [call.headers["traceparent"][-3:] for call in host.actions.calls] == ["-00"]


def test_a_run_that_another_waits_for_hangs_below_the_activation_that_started_it() -> None:
    host = started(flow="outer")
    parent = host.run()
    (child,) = [run for run in host.services.reader.views(NS, RunQuery())[0] if run.run.parent]
    waited = next(
        entry.uuid for entry in host.services.reader.history(NS, "r", 0, 10) if entry.step == "One" and entry.uuid
    )
    assert child.run.trace == traceparent.traceparent(parent, waited)
    assert traceparent.of_run(child.run).trace == traceparent.of_run(parent).trace


def test_a_run_of_a_document_is_in_the_trace_of_the_request_too() -> None:
    host = Host()
    host.submit(FLOWS)
    text = 'flow_run r step A => (OK -> done) { action = work; args = (x = "a"); }; flow_run_end'
    host.services.submitter.submit(NS, text, trace=GIVEN)
    assert host.run().trace == GIVEN


def test_a_head_that_is_in_no_trace_of_others_is_no_longer() -> None:
    assert b'"tr"' not in encode(started().run())


# ── what is known ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_context_ends_with_the_request() -> None:
    with about(function="f", request=""):
        with about(run="r"):
            note(step="s")
            assert known() == {"function": "f", "run": "r", "step": "s"}
        assert known() == {"function": "f"}
    assert known() == {}


def test_threads_know_what_is_known_and_keep_what_they_note() -> None:
    def work(name: str) -> dict[str, str]:
        note(run=name)
        return dict(known())

    with about(function="f"):
        assert side_by_side(work, ["a", "b"]) == [{"function": "f", "run": "a"}, {"function": "f", "run": "b"}]
        assert known() == {"function": "f"}


def test_a_name_of_any_length_is_known_by_its_begin() -> None:
    with about(run="x" * 10_000):
        assert known() == {"run": "x" * 256}
