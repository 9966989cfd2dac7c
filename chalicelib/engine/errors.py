"""Why the engine refuses an event. A refusal changes nothing."""

from __future__ import annotations

from chalicelib.engine.lifecycle import Command
from chalicelib.model.errors import EchoerError
from chalicelib.model.status import Status


class Refused(EchoerError):
    """The event does not fit the run."""


class NeverIssued(Refused):
    """No activation of that step of the run ever bore the uuid."""

    code = "never-issued"

    def __init__(self, run: str, step: str, uuid: str) -> None:
        super().__init__(f"run {run!r} never issued uuid {uuid!r} for a step {step!r}")


class RunIsStopped(Refused):
    """The run was stopped before the answer came."""

    code = "run-is-stopped"

    def __init__(self, run: str, why: str) -> None:
        super().__init__(f"run {run!r} was stopped" + (f": {why}" if why else ""))


class StateNotRouted(Refused):
    """The step routes other states; it goes on waiting."""

    code = "state-not-routed"

    def __init__(self, step: str, state: str, routed: tuple[str, ...]) -> None:
        super().__init__(f"step {step!r} does not route state {state!r}; it routes {', '.join(routed) or 'none'}")
        self.routed = routed


class Unsigned(Refused):
    """The step's action answers under a signature, and this was none of its answers; the step goes on waiting."""

    code = "unsigned"

    def __init__(self, step: str) -> None:
        super().__init__(
            f"answers to step {step!r} must be signed (Standard Webhooks): `webhook-id`, one of the answer's own and "
            "not the delivery's; `webhook-timestamp`, at most 5 minutes off; `webhook-signature`, by the secret with "
            "which deliveries are verified"
        )


class CommandRefused(Refused):
    """A run in that status does not take that command."""

    code = "order-refused"

    def __init__(self, run: str, status: Status, command: Command) -> None:
        super().__init__(f"run {run!r} is {status}: it cannot {command}")


class NoSuchStep(Refused):
    """The flow has no step of that name where the run could go on."""

    code = "no-such-step"

    def __init__(self, run: str, step: str) -> None:
        super().__init__(f"the flow of run {run!r} has no step {step!r}")


class InputRefused(Refused):
    """The input does not fit what the flow declares; `problems` maps each input's name to what is wrong with it."""

    code = "input-refused"

    def __init__(self, flow: str, problems: dict[str, str]) -> None:
        told = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        super().__init__(f"the input does not fit flow {flow!r}: {told}")
        self.problems = problems


class TooLarge(Refused):
    """More came than a run may hold; the message names the limit."""

    code = "too-large"


class ExpressionFailed(EchoerError):
    """An expression could not be evaluated, or yielded nothing where a value is needed."""

    code = "expression-failed"
