"""A result as text: the failures, the history of the run, and where it waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.model import status
from chalicelib.model.history import Entry
from chalicelib.model.run import Activation
from chalicelib.model.times import format_elapsed
from fsl.testing.case_run import CaseRun, branch_of
from fsl.testing.program import Program
from fsl.testing.suite import Result
from fsl.transition_text import fields_of, transition

MAX_HISTORY_LINES: Final = 40
"""A longer history is shown by its first and its last half of so many lines."""

_NEVER: Final = 36_600 * 86_400_000
"""Milliseconds: a deadline that is this far away is none."""


def describe(result: Result) -> list[str]:
    """Return a failed test, line by line."""
    lines = [f"FAILED {result.file}:{result.line}: {result.case.name}"]
    for failure in result.failures:
        lines.append(f"  {failure.what}: {failure.message}")
        lines += [f"      {line}" for line in failure.difference]
    for run in result.run.runs or (result.run,):
        lines += describe_history(run)
        lines += [f"  {line}" for line in _waits(run, result.program)]
    return lines


def describe_history(run: CaseRun) -> list[str]:
    """Return the transitions of the run, each with the virtual time since its start."""
    lines = [
        f"  {format_elapsed(entry.at - run.started_at):>12}  {_branch(entry)}{_transition(entry)}"
        for entry in run.history
    ]
    if len(lines) > MAX_HISTORY_LINES:
        left_out = f"  {'':>12}  ... {len(lines) - MAX_HISTORY_LINES} more ..."
        lines = [*lines[: MAX_HISTORY_LINES // 2], left_out, *lines[-MAX_HISTORY_LINES // 2 :]]
    return [f"  history of {run.name}:" if run.is_part else "  history:", *lines]


def _transition(entry: Entry) -> str:
    return transition(fields_of(entry))


def _branch(entry: Entry) -> str:
    """The branch or item in brackets; empty for the run's first token."""
    branch = branch_of(entry)
    return f"[{branch}] " if branch else ""


def _waits(run: CaseRun, program: Program) -> Iterator[str]:
    head = run.head
    yield f"the run is {head.status} after {format_elapsed(run.duration)}"
    flow = run.host.services.definition_cache.of(head).flow.name
    for token in head.tokens:
        if not (token.activation or head.status in status.STOPPED):
            continue
        place = program.places.get((flow, token.step))
        waits = _since(run, token.activation) if token.activation and head.status not in status.ENDED else ""
        yield f"at {token.step}{waits}" + (f": {place}" if place else "")
        if place:
            yield f"{place.line:>5} | {place.text}"


def _since(run: CaseRun, activation: Activation) -> str:
    """Since when an activation waits, and until when at most."""
    due = activation.due - run.started_at
    until = f"at most until {format_elapsed(max(0, due))}" if due < _NEVER else "until the steps within it have ended"
    return f", waiting since {format_elapsed(activation.since - run.started_at)}, {until}"
