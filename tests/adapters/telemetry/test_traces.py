"""Traces of runs: the spans, their parents, and that an unavailable collector delays nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from chalicelib.adapters.telemetry import traces
from chalicelib.adapters.telemetry.traces import PAUSE_AFTER_FAILURE_MS, PausingExporter, Traces
from chalicelib.adapters.virtual import Script
from chalicelib.engine.effects import Outcome
from chalicelib.service.observability import traceparent
from chalicelib.service.observability.observer import Several
from chalicelib.service.observability.traceparent import Place
from chalicelib.service.ports.actions import NotTaken, Taken
from chalicelib.service.runs.answer import Answer
from tests.fakes import START, FakeClock
from tests.hosts import NS, Host

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"
SECRET = "v4lue"

FLOWS = """
action work addr = "http://x/"; args = (str x); return = (OK | NO); retry = (max = 2, delay = 1s); action_end
/
flow f
    input = (str x);
    step A => (OK -> done | NO -> stopped) { action = work; args = (x = ${ $input.x }); timeout = 1h; };
flow_end
/
flow outer call One => (DONE -> done) { flow = f; input = (x = "b"); }; flow_end
/
flow race
    fork Both => (DONE -> done) {
        join = any;
        branch L { step Left => (OK -> done) { action = work; args = (x = "l"); }; };
        branch R { step Right => (OK -> done) { action = work; args = (x = "r"); }; };
    };
flow_end
"""


class Traced(Host):
    """A small Echoer that records its spans."""

    def __init__(self, script: Script = lambda request: Taken()) -> None:
        self.kept = InMemorySpanExporter()
        self.traces = Traces(self.kept, at_once=True)
        super().__init__(script, observer=Several([self.traces]))
        self.submit(FLOWS)

    def spans(self) -> dict[str, ReadableSpan]:
        """Return the spans that were sent, by name."""
        self.traces.flush()
        found = self.kept.get_finished_spans()
        named = {span.name: span for span in found}
        assert len(named) == len(found)
        return named


@pytest.fixture
def traced() -> Iterator[Traced]:
    host = Traced()
    yield host
    host.traces.close()


def place(span: ReadableSpan) -> Place:
    assert span.context is not None
    return Place(f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")


def above(span: ReadableSpan) -> Place | None:
    parent = span.parent
    return Place(f"{parent.trace_id:032x}", f"{parent.span_id:016x}") if parent else None


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return {name.removeprefix("echoer."): value for name, value in (span.attributes or {}).items()}


def milliseconds(span: ReadableSpan) -> tuple[int, int]:
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time // 1_000_000 - START, span.end_time // 1_000_000 - START


# ── one run ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_activation_is_the_span_that_its_service_was_told_of(traced: Traced) -> None:
    traced.start("f", x=SECRET)
    traced.settle()
    assert traced.spans() == {}
    traced.clock.advance(1_500)
    traced.answer("A", "OK", data=SECRET)
    spans, told = traced.spans(), traceparent.read(traced.actions.calls[0].headers["traceparent"])
    assert spans.keys() == {"A", "f"}
    step, run = spans["A"], spans["f"]
    assert place(step) == told
    assert above(step) == place(run) == traceparent.of_run(traced.run())
    assert above(run) is None
    assert (milliseconds(step), milliseconds(run)) == ((0, 1_500), (0, 1_500))
    assert (step.kind, run.kind) == (SpanKind.CLIENT, SpanKind.INTERNAL)
    assert (step.status.status_code, run.status.status_code) == (StatusCode.UNSET, StatusCode.UNSET)
    common = {"namespace": NS, "run": "r", "flow": "f"}
    assert attributes(step) == {**common, "step": "A", "attempt": 0, "outcome": "StepAcked", "state": "OK"}
    assert attributes(run) == {**common, "status": "succeeded"}
    assert all(SECRET not in span.to_json() for span in spans.values())


def test_a_failure_is_an_error_whose_text_is_not_told() -> None:
    traced = Traced(lambda request: NotTaken(f"503: {SECRET}", final=False))
    traced.start("f", x="a")
    traced.settle()
    traced.pass_time(10_000)
    spans = traced.spans()
    assert [span.status.status_code for span in spans.values()] == [StatusCode.ERROR, StatusCode.ERROR]
    told = attributes(spans["A"])
    assert (told["state"], told["outcome"], told["attempt"]) == ("ERROR", "DeliveryFailed", 1)
    assert all(SECRET not in span.to_json() for span in spans.values())
    traced.traces.close()


def test_a_deadline_that_passed_is_an_error(traced: Traced) -> None:
    traced.start("f", x="a")
    traced.settle()
    traced.pass_time(61 * 60_000)
    spans = traced.spans()
    assert attributes(spans["A"])["outcome"] == "StepTimedOut"
    assert spans["A"].status.status_code is StatusCode.ERROR


def test_what_is_stopped_is_abandoned_and_no_error(traced: Traced) -> None:
    traced.start("f", x="a")
    traced.services.operator.stop(NS, "r", reason=SECRET, by="t")
    spans = traced.spans()
    assert attributes(spans["A"])["outcome"] == "Abandoned"
    assert attributes(spans["f"])["status"] == "canceled"
    assert {span.status.status_code for span in spans.values()} == {StatusCode.UNSET}


def test_a_run_that_is_taken_up_again_tells_only_what_is_new(traced: Traced) -> None:
    traced.start("f", x="a")
    traced.services.operator.stop(NS, "r", reason="", by="t")
    before = traced.spans()
    traced.kept.clear()
    traced.services.operator.retry(NS, "r", step=None, by="t")
    traced.settle()
    assert traced.spans() == {}
    traced.answer("A", "OK")
    after = traced.spans()
    assert place(after["A"]) != place(before["A"])
    assert place(after["f"]) == place(before["f"])


def test_cancelled_branches_end_too(traced: Traced) -> None:
    traced.start("race")
    traced.settle()
    traced.answer("Left", "OK")
    told = {name: attributes(span).get("outcome") for name, span in traced.spans().items()}
    assert told.keys() == {"Both", "Left", "Right", "race"}
    assert (told["Left"], told["Right"]) == ("StepAcked", "Abandoned")


# ── across runs and requests ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_hangs_below_the_request_that_started_it(traced: Traced) -> None:
    traced.start_in(GIVEN, "f", x="a")
    traced.answer("A", "OK")
    spans = traced.spans()
    assert above(spans["f"]) == traceparent.read(GIVEN)
    assert {place(span).trace for span in spans.values()} == {TRACE}


def test_a_trace_that_is_not_recorded_is_not_sent(traced: Traced) -> None:
    traced.start_in(f"00-{TRACE}-{SPAN}-00", "f", x="a")
    traced.answer("A", "OK")
    assert traced.spans() == {}


def test_a_run_that_another_waits_for_hangs_below_its_activation() -> None:
    traced = Traced(lambda request: Taken({"ackState": "OK"}))
    traced.start("outer")
    traced.settle()
    spans = traced.spans()
    assert spans.keys() == {"outer", "One", "f", "A"}
    assert (above(spans["A"]), above(spans["f"]), above(spans["One"])) == (
        place(spans["f"]),
        place(spans["One"]),
        place(spans["outer"]),
    )
    assert len({place(span).trace for span in spans.values()}) == 1
    traced.traces.close()


def test_an_answer_is_linked_to_the_request_that_brought_it(traced: Traced) -> None:
    traced.start("f", x="a")
    traced.answer("A", "OK", trace=GIVEN)
    spans = traced.spans()
    (link,) = spans["A"].links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, SPAN)
    assert spans["f"].links == ()
    assert place(spans["A"]).trace != TRACE


def test_progress_ends_nothing(traced: Traced) -> None:
    traced.start("f", x="a")
    told = Answer(run="r", step="A", uuid=traced.uuid("A"), state="OK", done=False)
    assert traced.services.answerer.answer(NS, told, trace=GIVEN) is Outcome.PROGRESS
    assert traced.spans() == {}


# ── the collector ────────────────────────────────────────────────────────────────────────────────────────────────────


class Collector(HTTPServer):
    """Accepts everything."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.taken: list[tuple[str, ExportTraceServiceRequest]] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def __exit__(self, *args: Any) -> None:
        self.shutdown()
        self._thread.join()
        super().__exit__(*args)


class Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Log nothing."""


def spans_of_a_run() -> Sequence[ReadableSpan]:
    traced = Traced()
    traced.start("f", x="a")
    traced.answer("A", "OK")
    return list(traced.spans().values())


class Failing(SpanExporter):
    """A collector that is unavailable at first."""

    def __init__(self) -> None:
        self.asked = 0
        self.result = SpanExportResult.FAILURE

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked += 1
        return self.result

    def shutdown(self) -> None:
        """Do nothing: there is nothing to close."""


def test_a_collector_that_is_down_is_left_alone_for_a_while() -> None:
    clock, down = FakeClock(), Failing()
    patient = PausingExporter(down, clock)
    spans = [ReadableSpan("a"), ReadableSpan("b")]
    assert patient.export(spans) is SpanExportResult.FAILURE
    assert patient.export(spans) is SpanExportResult.FAILURE
    assert (down.asked, patient.dropped) == (1, 4)
    clock.advance(PAUSE_AFTER_FAILURE_MS)
    down.result = SpanExportResult.SUCCESS
    assert patient.export(spans) is SpanExportResult.SUCCESS
    assert (down.asked, patient.dropped) == (2, 4)


def test_a_collector_that_does_not_answer_is_given_up_in_time() -> None:
    """The collector accepts connections and sends nothing."""
    spans = spans_of_a_run()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        exporter = traces.otlp(f"http://127.0.0.1:{silent.getsockname()[1]}", FakeClock(), timeout=0.1)
        begun = time.monotonic()
        assert exporter.export(spans) is SpanExportResult.FAILURE
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("path", ["", "/", "/v1/traces"])
def test_spans_go_to_the_collector(path: str) -> None:
    with Collector() as collector:
        exporter = traces.otlp(collector.url + path, FakeClock())
        assert exporter.export(spans_of_a_run()) is SpanExportResult.SUCCESS
        ((where, said),) = collector.taken
    (resource,) = said.resource_spans
    named = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (where, named["service.name"]) == ("/v1/traces", "echoer")
    assert [span.name for span in resource.scope_spans[0].spans] == ["A", "f"]
