"""W3C Trace Context: the trace of a run, and the span of each of its activations.

One run is one trace. Its id is derived from the run's id, unless the request that started the run named a trace
(`Run.trace` stores it). Span ids are derived from the uuid of the activation and the id of the run, so every process
computes the same ids at any time, and none needs to be stored.

As https://www.w3.org/TR/trace-context requires, malformed headers are ignored, unknown versions are read as far as
version 00 goes, and of the flags only `sampled` is used.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

import msgspec

from chalicelib.model.run import Run

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED: Final = 1


class Place(msgspec.Struct, frozen=True):
    """A span in a trace, as hex digits, and whether the trace is recorded."""

    trace: str
    span: str
    sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace}-{self.span}-{'01' if self.sampled else '00'}"


def read(header: str) -> Place | None:
    """Parse a `traceparent` header; None if it is malformed."""
    matched = _FORM.fullmatch(header)
    if matched is None:
        return None
    version, trace, span, flags, more = matched.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return Place(trace, span, sampled=bool(int(flags, 16) & _SAMPLED))


def traceparent(run: Run, uuid: str) -> str:
    """Return the header of requests that the activation sends, and the trace of runs that it starts."""
    return str(of_activation(run, uuid))


def begun_in(run: Run) -> Place | None:
    """Return the span in which the run was started; None if the request named none."""
    return read(run.trace) if run.trace else None


def of_run(run: Run) -> Place:
    """Return the span of the whole run."""
    return _in(run, f"run/{run.id}")


def of_activation(run: Run, uuid: str) -> Place:
    """Return the span of the activation."""
    return _in(run, uuid)


def _in(run: Run, subject: str) -> Place:
    begun = begun_in(run)
    span = hashlib.sha256(subject.encode()).hexdigest()[:16]
    if begun is None:
        return Place(hashlib.sha256(run.id.encode()).hexdigest()[:32], span)
    return Place(begun.trace, span, begun.sampled)
