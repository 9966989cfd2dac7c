"""Runs as OpenTelemetry traces over OTLP/HTTP. The module is imported only if ECHOER_OTLP_ENDPOINT is set.

A run is a trace with one span for the whole run and, below it, one for each activation, from its start to its end. The
span of a called run is below the activation that called it. The ids are those in the header `traceparent` of requests
(`service.observability.traceparent`), so the spans of services have the right parents, although a span of Echoer is
sent only when the activation or the run has ended: OpenTelemetry sends a span once. A run that is retried after its end
is therefore sent again, under the same id, when it ends again.

A collector that is down delays nothing: spans wait in a bounded queue of the SDK, and a thread of its own sends them.
On Lambda, where processes sleep between calls, they are sent at the end of each call. An attempt takes at most a
second. After one that failed nothing is sent for half a minute: the spans of that time are dropped and counted.

Headers, compression and certificates are set by OpenTelemetry's own variables: OTEL_EXPORTER_OTLP_HEADERS,
_COMPRESSION, _CERTIFICATE. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES name the service (default: `echoer`).

Cost, measured on Python 3.11 (medians): 52 ms of import, 2.2 MB in the zip (6.4 MB unpacked). So the packages are in
`requirements-traces.txt`, and in a stage's zip only if the stage has an endpoint.
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

EXPORT_TIMEOUT_S: Final = 1.0
"""The time limit of an attempt to send."""

PAUSE_AFTER_FAILURE_MS: Final = 30_000
"""How long nothing is sent after an attempt that failed."""

MAX_QUEUED_SPANS: Final = 2_048
"""The most spans that wait; the oldest are sent first."""

_CLIENT_EVENTS: Final = frozenset({"StepAcked", "DeliveryFailed"})
"""The events that end an activation of a service: these are spans of kind client."""


def otlp(endpoint: str, clock: Clock, timeout: float = EXPORT_TIMEOUT_S) -> SpanExporter:
    """Return an exporter for the collector at `endpoint`: a base as in OTEL_EXPORTER_OTLP_ENDPOINT, or a whole URL."""
    base = endpoint.rstrip("/")
    url = base if base.endswith("/v1/traces") else f"{base}/v1/traces"
    return PausingExporter(OTLPSpanExporter(endpoint=url, timeout=timeout), clock)


class PausingExporter(SpanExporter):
    """An exporter that pauses after a failure. `dropped` counts the lost spans."""

    def __init__(self, exporter: SpanExporter, clock: Clock) -> None:
        self.dropped = 0
        self._exporter = exporter
        self._clock = clock
        self._until: Instant = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._clock.now() >= self._until:
            if self._exporter.export(spans) is SpanExportResult.SUCCESS:
                return SpanExportResult.SUCCESS
            self._until = self._clock.now() + PAUSE_AFTER_FAILURE_MS
            LOG.warning("spans could not be sent; %d dropped so far", self.dropped + len(spans))
        self.dropped += len(spans)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Given(IdGenerator):
    """Returns the given ids for the next span. Hold the lock from setting them until the span is created."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.next = (0, 0)

    def generate_trace_id(self) -> int:
        return self.next[0]

    def generate_span_id(self) -> int:
        return self.next[1]


@dataclass(frozen=True, slots=True)
class _Ended:
    """An activation that ended, and its last history entry, if there is one."""

    step: str
    uuid: str
    since: Instant
    attempt: int
    entry: Entry | None


class Traces(Observer):
    """Makes spans of runs. `at_once`: send them at each `flush`, because the process may sleep afterwards."""

    def __init__(self, exporter: SpanExporter, *, at_once: bool) -> None:
        self._ids = _Given()
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {SERVICE_NAME: "echoer"}
        self._provider = TracerProvider(ALWAYS_ON, Resource.create(named), id_generator=self._ids)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter, max_queue_size=MAX_QUEUED_SPANS, schedule_delay_millis=1_000, max_export_batch_size=512
            )
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
        pairs = zip(events, results, strict=True)
        ended = {event.uuid for event, result in pairs if isinstance(event, StepAcked) and result is Outcome.ADVANCED}
        self._history(before, after, dict.fromkeys(ended, caller) if caller else {})

    def flush(self) -> None:
        if self._at_once:
            self._provider.force_flush()

    def close(self) -> None:
        """Send the waiting spans and stop."""
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
            SpanKind.CLIENT if entry and entry.event in _CLIENT_EVENTS else SpanKind.INTERNAL,
            [Link(_context(caller))] if caller else [],
        )
        attributes = _attributes(run, step=ended.step, attempt=ended.attempt, outcome=outcome, state=state)
        span.set_attributes(attributes)
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
        """Start a span with that id, below `parent`."""
        above = set_span_in_context(NonRecordingSpan(_context(parent))) if parent else Context()
        with self._ids.lock:
            self._ids.next = int(place.trace, 16), int(place.span, 16)
            return self._tracer.start_span(name, above, kind, links=links, start_time=_nanoseconds(since))


def _ended(before: Run | None, after: Run) -> Iterator[_Ended]:
    """Yield the activations that this write ended."""
    entries = {entry.uuid: entry for entry in (after.tail if before is None else news(before, after)) if entry.uuid}
    waiting = () if after.status in status.ENDED else after.tokens
    still = {token.activation.uuid for token in (*waiting, *after.notices) if token.activation}
    was_over = before is not None and before.status in status.ENDED
    known = () if before is None or was_over else before.tokens
    for token in (*known, *(after.tokens if after.status in status.ENDED and not was_over else ())):
        if token.activation and token.activation.uuid not in still:
            still.add(token.activation.uuid)
            entry = entries.get(token.activation.uuid)
            yield _Ended(token.step, token.activation.uuid, token.activation.since, token.activation.attempt, entry)
    for uuid, entry in entries.items():
        if uuid not in still:  # it began and ended in the same write
            yield _Ended(entry.step, uuid, entry.at, 0, entry)


def _attributes(run: Run, **more: str | int) -> dict[str, str | int]:
    """Return a span's attributes: names only, never values of variables, args or answers."""
    names = {"namespace": run.namespace, "run": run.name, "flow": run.definition.flow, **more}
    return {f"echoer.{name}": value for name, value in names.items() if value != ""}


def _context(place: Place) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if place.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(place.trace, 16), int(place.span, 16), is_remote=True, trace_flags=flags)


def _nanoseconds(at: Instant) -> int:
    return at * 1_000_000
