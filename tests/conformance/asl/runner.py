"""One case: its machine is converted, the text is submitted and run on the virtual clock, and the end is compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from chalicelib.adapters.memory import MemoryStore
from chalicelib.asl.convert import convert
from chalicelib.asl.problems import Level
from chalicelib.hosting.seen import ReportingTasks
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.errors import EchoerError
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED, Status
from chalicelib.service.runs.start import StartOrder
from tests.conformance.asl.cases import Case
from tests.conformance.asl.compare import difference, same_error
from tests.conformance.asl.recorded import RecordedWorld

MAX_EVENTS: Final = 20_000
RUN: Final = "run"
MACHINE: Final = "machine"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a case. `reason` is empty if it passed; `text` is the flow that ran."""

    case: Case
    reason: str
    text: str = ""

    @property
    def passed(self) -> bool:
        return not self.reason


def run_case(case: Case) -> Verdict:
    """Convert the machine of a case, run it, and compare. A defect that raises an exception is a miss."""
    try:
        return _verdict(case)
    except Exception as exc:  # the other cases are to be run all the same
        return Verdict(case, f"raised {type(exc).__name__}: {exc}")


def _verdict(case: Case) -> Verdict:
    conversion = convert(case.definition, MACHINE, {})
    errors = [f"{found.pointer}: {found.message}" for found in conversion.problems if found.level is Level.ERROR]
    if errors:
        return Verdict(case, f"not converted: {errors[0]}", conversion.text)
    return Verdict(case, run_text(case, conversion.text, conversion.name), conversion.text)


def run_text(case: Case, text: str, flow: str) -> str:
    """Run a flow on the input and the recorded answers of a case. Return in what it differs; empty if in nothing."""
    world = RecordedWorld(case)
    store = MemoryStore()
    store.tasks = ReportingTasks(world.opened)
    host = world.host = VirtualHost(world, store=store)
    try:
        host.services.submitter.submit(host.namespace, text)
        host.services.starter.start(host.namespace, StartOrder(flow=flow, name=RUN, input=case.input))
    except EchoerError as exc:
        return f"refused: {exc}"
    host.run_until(max_events=MAX_EVENTS)
    run = host.services.reader.run(host.namespace, RUN)
    if run.status not in ENDED:
        return f"it has not ended: {run.status.value} at {', '.join(token.step for token in run.tokens)}"
    unasked = [f"{task.state} did not ask {task.service}" for task in world.unasked]
    return "; ".join(filter(None, [*world.problems, *unasked, end_difference(case, run)]))


def end_difference(case: Case, run: Run) -> str:
    """Return in what the end of a run differs from the recorded one. The cause of a failure is Echoer's own."""
    error = run.error.name if run.error else None
    status = _status(run)
    if status != case.status:
        cause = f" ({run.error.text})" if run.error else f" with {run.output!r}"[:200]
        recorded = f" ({case.error})" if case.error else ""
        return f"{status}{cause}, recorded {case.status}{recorded}"
    if status == "SUCCEEDED":
        return difference(run.output, case.output, _below("/output", case.wildcards))
    return "" if status == "TIMED_OUT" or same_error(error, case.error) else f"error {error}, recorded {case.error}"


def _status(run: Run) -> str:
    if run.status is Status.SUCCEEDED:
        return "SUCCEEDED"
    return "TIMED_OUT" if any(entry.event == "RunTimedOut" for entry in run.tail) else "FAILED"


def _below(place: str, wildcards: dict[str, str]) -> dict[str, Any]:
    return {key.removeprefix(place): value for key, value in wildcards.items() if key.startswith(place)}
