"""A flow, played on a recorded execution; the first difference is what counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.adapters.memory import MemoryStore
from chalicelib.adapters.virtual import START, VirtualClock
from chalicelib.engine.errors import Refused
from chalicelib.hosting.seen import ReportingTasks
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.flow import Flow
from chalicelib.model.run import Run
from chalicelib.model.statements import DefinitionValue
from chalicelib.model.status import ENDED, Status
from chalicelib.service.errors import ServiceError
from chalicelib.service.runs.start import StartOrder
from fsl.comparing.recordings import Recording
from fsl.comparing.values import difference
from fsl.comparing.world import RecordedWorld

_RUN: Final = "run"
_MAX_EVENTS: Final = 100_000

_NAMES: Final = {
    "ExpressionFailed": (
        "States.Runtime",
        "States.ParameterPathFailure",
        "States.IntrinsicFailure",
        "States.ResultPathMatchFailure",
        "States.QueryEvaluationError",
    ),
    "Timeout": ("States.Timeout",),
    "HeartbeatTimeout": ("States.Timeout", "States.HeartbeatTimeout"),
    "NoMatch": ("States.NoChoiceMatched",),
    "ItemsFailed": ("States.ExceedToleratedFailureThreshold",),
    "TaskFailed": ("States.TaskFailed", ""),
    "TooLarge": ("States.DataLimitExceeded",),
    "Forbidden": ("States.Permissions",),
    "Stopped": ("",),
}
"""The names of errors in Step Functions that correspond to a name of Echoer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a recording. `differs` is the first difference; empty if there is none."""

    recording: str
    status: str
    differs: str


def compared(
    values: Sequence[DefinitionValue], flow: Flow, recording: Recording, ignored: Collection[str] = ()
) -> Verdict:
    """Play the flow on the input and the answers of a recording; return the first difference.

    `ignored`: JSON pointers of places in requests and outputs that may differ.
    """
    differs = _differs(values, flow, recording, ignored)
    return Verdict(recording=recording.name, status=recording.status, differs=differs)


def _differs(values: Sequence[DefinitionValue], flow: Flow, recording: Recording, ignored: Collection[str]) -> str:
    if recording.status in ("ABORTED", "RUNNING", "PENDING_REDRIVE"):
        return f"it cannot be compared: the execution is {recording.status}"
    world = RecordedWorld(recording.tasks or (), ignored)
    store = MemoryStore()
    store.tasks = ReportingTasks(world.opened)
    clock = VirtualClock(START if recording.started is None else recording.started)
    host = world.host = VirtualHost(world, store=store, clock=clock)
    host.define(*values)
    try:
        order = StartOrder(flow=flow.name, name=_run_name(recording.name), input=recording.input)
        name = host.services.starter.start(host.namespace, order).run.name
    except (ServiceError, Refused) as refusal:
        return f"the run does not start: {refusal}"
    host.run_until(max_events=_MAX_EVENTS)
    run = host.services.reader.run(host.namespace, name)
    if world.problems:
        hint = "" if recording.tasks is not None else "; the file has no history (get-execution-history)"
        return world.problems[0] + hint
    end = _end_difference(run, recording, ignored)
    if end:
        return end
    return f"state {world.left[0].state} is not called; Step Functions calls it" if world.left else ""


def _end_difference(run: Run, recording: Recording, ignored: Collection[str]) -> str:
    if run.status not in ENDED:
        return f"the run has not ended: it is at {', '.join(sorted({token.step for token in run.tokens}))}"
    error = run.error.name if run.error else ""
    cause = f" ({run.error.text})" if run.error else ""
    if run.status is Status.SUCCEEDED:
        if recording.status != "SUCCEEDED":
            named = f" ({recording.error})" if recording.error else ""
            return f"the run succeeds; Step Functions ends with {recording.status}{named}"
        unlike = difference(run.output, recording.output, ignored)
        return f"the output: {unlike}" if unlike else ""
    if recording.status == "SUCCEEDED":
        return f"the run fails{cause}; Step Functions succeeds"
    is_late = recording.status == "TIMED_OUT"
    if is_late or error == recording.error or recording.error in _NAMES.get(error, ()):
        return ""
    return f"the run fails with {error}{cause}; Step Functions with {recording.error or 'no named error'}"


def _run_name(name: str) -> str:
    """Return the name of an execution as that of a run."""
    word = "".join(char if char.isalnum() or char in "-_." else "-" for char in name)
    return word[:128] or _RUN
