"""W3C Trace Context: which trace a run is, and which span each of its activations.

One run is one trace, whose id follows from the run's id, unless whoever started the run said in which trace it is to be
(`Run.trace` keeps that). Ids of spans follow from the uuid of the activation and the id of the run: so whatever speaks
of one, in whatever process, at whatever time, says the same id, and nothing needs to be kept.

https://www.w3.org/TR/trace-context: what is malformed is ignored, a version that we do not know is read as far as ours
goes, and of the flags we know one: whether the trace is recorded.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from chalicelib.model.run import Run
from chalicelib.service.observability import work_context

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class Place:
    """A span in a trace, as hex digits; and whether that trace is recorded."""

    trace: str
    span: str
    sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace}-{self.span}-{'01' if self.sampled else '00'}"


def read(header: str) -> Place | None:
    """What a `traceparent` says; None if it is malformed."""
    matched = _FORM.fullmatch(header)
    if matched is None:
        return None
    version, trace, span, flags, more = matched.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return Place(trace, span, sampled=bool(int(flags, 16) & _SAMPLED))


def accepted() -> str:
    """The `traceparent` of the request that is being answered, in our form; empty if it bears none that can be."""
    return work_context.known().get("traceparent", "")


def traceparent(run: Run, uuid: str) -> str:
    """The trace context of whatever the activation sends or starts."""
    return str(of_activation(run, uuid))


def begun_in(run: Run) -> Place | None:
    """The span in which the run was started; None if it was started in none, or none that we know of."""
    return read(run.trace) if run.trace else None


def of_run(run: Run) -> Place:
    """The span that is the whole run."""
    return _in(run, f"run/{run.id}")


def of_activation(run: Run, uuid: str) -> Place:
    """The span that is the activation."""
    return _in(run, uuid)


def _in(run: Run, of: str) -> Place:
    begun = begun_in(run)
    span = hashlib.sha256(of.encode()).hexdigest()[:16]
    if begun is None:
        return Place(hashlib.sha256(run.id.encode()).hexdigest()[:32], span)
    return Place(begun.trace, span, begun.sampled)
