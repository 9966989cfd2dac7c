"""Runs as OpenTelemetry traces, by OTLP/HTTP: loaded only where ECHOER_OTLP_ENDPOINT asks for it.

A run is a trace; in it one span is the whole run, and below that lies one for each activation, from when it began to
wait until it ended. A run that another waits for lies below the activation that started it. The ids are those that
`traceparent` told the services (`service.traceparent`), so their spans hang where they belong, though ours come only
when an activation, or the run, has ended: a span of OpenTelemetry is sent once. A run that is taken up again after its
end (`retry`) is therefore sent again, under the same id, when it ends anew.

Nobody waits for a collector that is down: what is to be sent lies in a bounded queue of the SDK's and goes out from a
thread of its own; on Lambda, whose processes sleep between calls, at the end of each call. An attempt ends within a
second, and after one that failed nothing is sent for half a minute: what comes meanwhile is dropped, and counted.

Headers, compression and certificates are OpenTelemetry's own settings: OTEL_EXPORTER_OTLP_HEADERS, _COMPRESSION,
_CERTIFICATE; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say who we are (`echoer` if they do not).

Cost, measured on Python 3.11 (medians): 52 ms of import on top of ours, 2.2 MB more in the zip (6.4 MB unpacked), so
the packages are in `requirements-traces.txt`, and in a stage's zip only if the stage has an endpoint.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event, StepAcked
from chalicelib.model import status
from chalicelib.model.flow import ERROR, TIMEOUT
from chalicelib.model.history import Entry
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.observability import traceparent
from chalicelib.service.observability.observer import Observer, news
from chalicelib.service.observability.traceparent import Place
from chalicelib.service.ports.clock import Clock

LOG = logging.getLogger("echoer.traces")

PATIENCE: Final = 1.0
"""How long an attempt to send may take, in seconds."""

REST: Final = 30_000
"""For how long nothing is sent after an attempt that failed, in milliseconds."""

QUEUED: Final = 2_048
"""How many spans may wait; the oldest go first."""

_ASKED: Final = frozenset({"StepAcked", "DeliveryFailed"})
"""How activations end that asked a service: those are a client's spans."""


def otlp(endpoint: str, clock: Clock, patience: float = PATIENCE) -> SpanExporter:
    """Sends to the collector at `endpoint`: its base, as in OTEL_EXPORTER_OTLP_ENDPOINT, or the whole path."""
    base = endpoint.rstrip("/")
    url = base if base.endswith("/v1/traces") else f"{base}/v1/traces"
    return Patient(OTLPSpanExporter(endpoint=url, timeout=patience), clock)


class Patient(SpanExporter):
    """An exporter that rests after a failure. `dropped` counts what was lost."""

    def __init__(self, exporter: SpanExporter, clock: Clock) -> None:
        self.dropped = 0
        self._exporter = exporter
        self._clock = clock
        self._until: Instant = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._clock.now() >= self._until:
            if self._exporter.export(spans) is SpanExportResult.SUCCESS:
                return SpanExportResult.SUCCESS
            self._until = self._clock.now() + REST
            LOG.warning("spans could not be sent; %d dropped so far", self.dropped + len(spans))
        self.dropped += len(spans)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Given(IdGenerator):
    """Not drawn, but said: the ids of the next span. Whoever says them holds the lock until it is made."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.next = (0, 0)

    def generate_trace_id(self) -> int:
        return self.next[0]

    def generate_span_id(self) -> int:
        return self.next[1]


@dataclass(frozen=True, slots=True)
class _Ended:
    """An activation that ended; the history's last word on it, if there is one."""

    step: str
    uuid: str
    since: Instant
    attempt: int
    entry: Entry | None


class Traces(Observer):
    """`at_once`: what ended is sent at each `flush`, as the process may sleep then."""

    def __init__(self, exporter: SpanExporter, *, at_once: bool) -> None:
        self._ids = _Given()
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {SERVICE_NAME: "echoer"}
        self._provider = TracerProvider(ALWAYS_ON, Resource.create(named), id_generator=self._ids)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=QUEUED, schedule_delay_millis=1_000, max_export_batch_size=512)
        )
        self._tracer = self._provider.get_tracer("echoer")
        self._at_once = at_once

    def began(self, run: Run) -> None:
        self._history(None, run, {})

    def advanced(
        self,
        before: Run,
        after: Run,
        events: Sequence[Event],
        results: Sequence[Outcome | Refused],
        trace: str = "",
    ) -> None:
        if after is before:
            return
        caller = traceparent.read(trace)
        told = zip(events, results, strict=True)
        ended = {event.uuid for event, result in told if isinstance(event, StepAcked) and result is Outcome.ADVANCED}
        self._history(before, after, dict.fromkeys(ended, caller) if caller else {})

    def flush(self) -> None:
        if self._at_once:
            self._provider.force_flush()

    def close(self) -> None:
        """What waits is sent, and nothing more."""
        self._provider.shutdown()

    def _history(self, before: Run | None, after: Run, answered: dict[str, Place]) -> None:
        if not traceparent.of_run(after).sampled:
            return
        for ended in _ended(before, after):
            self._activation(after, ended, answered.get(ended.uuid))
        if after.status in status.ENDED and (before is None or before.status not in status.ENDED):
            self._run(after)

    def _activation(self, run: Run, ended: _Ended, caller: Place | None) -> None:
        entry = ended.entry
        outcome, state = (entry.event, entry.state) if entry else ("Abandoned", "")
        span = self._begun(
            traceparent.of_activation(run, ended.uuid),
            traceparent.of_run(run),
            ended.step,
            ended.since,
            SpanKind.CLIENT if entry and entry.event in _ASKED else SpanKind.INTERNAL,
            [Link(_context(caller))] if caller else [],
        )
        told = _attributes(run, step=ended.step, attempt=ended.attempt, outcome=outcome, state=state)
        span.set_attributes(told)
        if state in (ERROR, TIMEOUT):
            span.set_status(Status(StatusCode.ERROR, state))
        span.end(_nanoseconds(max(ended.since, entry.at if entry else run.updated_at)))

    def _run(self, run: Run) -> None:
        name = run.definition.flow or run.name
        span = self._begun(
            traceparent.of_run(run), traceparent.begun_in(run), name, run.created_at, SpanKind.INTERNAL, []
        )
        span.set_attributes(_attributes(run, status=str(run.status)))
        if run.status is status.Status.FAILED:
            span.set_status(Status(StatusCode.ERROR))
        span.end(_nanoseconds(max(run.created_at, run.ended_at or run.updated_at)))

    def _begun(
        self, place: Place, parent: Place | None, name: str, since: Instant, kind: SpanKind, links: Sequence[Link]
    ) -> Span:
        """A span with exactly that id, below `parent`."""
        above = set_span_in_context(NonRecordingSpan(_context(parent))) if parent else Context()
        with self._ids.lock:
            self._ids.next = int(place.trace, 16), int(place.span, 16)
            return self._tracer.start_span(name, above, kind, links=links, start_time=_nanoseconds(since))


def _ended(before: Run | None, after: Run) -> Iterator[_Ended]:
    """The activations that this write ended."""
    entries = {entry.uuid: entry for entry in (after.tail if before is None else news(before, after)) if entry.uuid}
    waiting = () if after.status in status.ENDED else after.tokens
    still = {token.activation.uuid for token in waiting if token.activation}
    known = () if before is None or before.status in status.ENDED else before.tokens
    for token in (*known, *(after.tokens if after.status in status.ENDED else ())):
        if token.activation and token.activation.uuid not in still:
            still.add(token.activation.uuid)
            entry = entries.get(token.activation.uuid)
            yield _Ended(token.step, token.activation.uuid, token.activation.since, token.activation.attempt, entry)
    for uuid, entry in entries.items():
        if uuid not in still:  # it began and ended in this very write
            yield _Ended(entry.step, uuid, entry.at, 0, entry)


def _attributes(run: Run, **more: str | int) -> dict[str, str | int]:
    """No value of a variable, an arg or an answer: names, and words of the definition."""
    told = {"namespace": run.namespace, "run": run.name, "flow": run.definition.flow, **more}
    return {f"echoer.{name}": value for name, value in told.items() if value != ""}


def _context(place: Place) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if place.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(place.trace, 16), int(place.span, 16), is_remote=True, trace_flags=flags)


def _nanoseconds(at: Instant) -> int:
    return at * 1_000_000
