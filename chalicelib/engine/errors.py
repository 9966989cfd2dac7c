"""Why the engine refuses an event. A refusal changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from chalicelib.engine.lifecycle import Command
from chalicelib.model.errors import EchoerError
from chalicelib.model.run_error import ErrorName
from chalicelib.model.status import Status

MAX_NAMED_PROBLEMS: Final = 10
"""How many problems the message of `DoesNotFit` names."""


class Refused(EchoerError):
    """The event does not fit the run."""


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """What another version of its flow means for one token of a run."""

    token: str
    step: str
    """The step at which it is."""
    target: str
    """The step at which it is in the other version."""
    problem: str = ""
    """Why it cannot be there; empty if it can."""


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
    """The step cannot be answered with the state. It keeps waiting."""

    code = "state-not-routed"

    def __init__(self, step: str, state: str, routed: tuple[str, ...]) -> None:
        super().__init__(f"step {step!r} does not accept state {state!r}; it accepts {', '.join(routed) or 'none'}")
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


class NotPermitted(Refused):
    """The sender of the answer may not answer that kind of step; the step keeps waiting."""

    code = "forbidden"

    def __init__(self, step: str, *, by_person: bool) -> None:
        self.step = step
        super().__init__(
            f"step {step!r} is answered by a person: send a token with the role clerk, or use a signed link of the task"
            if by_person
            else f"step {step!r} is answered by an action service: the role clerk answers only tasks and approvals"
        )


class NoCallback(Refused):
    """The step's action has no callback: only the response to its request answers it."""

    code = "no-callback"

    def __init__(self, step: str) -> None:
        super().__init__(
            f"step {step!r} takes no callback: its action has `callback = none`, so the response to its request answers"
        )


class CommandRefused(Refused):
    """A run in that status does not take that command."""

    code = "order-refused"

    def __init__(self, run: str, status: Status, command: Command) -> None:
        super().__init__(f"run {run!r} is {status}: it cannot {command}")


class WasUndone(Refused):
    """The run cannot continue where it stopped, because the work of its steps was undone."""

    code = "was-undone"

    def __init__(self, run: str, undone: Sequence[str], failed: Sequence[str]) -> None:
        done = ", ".join(step for step in undone if step not in failed)
        problems = f"; undoing failed for {', '.join(failed)}" if failed else ""
        super().__init__(
            f"cannot retry {run!r} where it stopped: its work was undone (steps {done or 'none'}{problems}); "
            "give the `step` from which it is to be done again"
        )


class NoFailedUndo(Refused):
    """The run has no undo that failed."""

    code = "no-failed-undo"

    def __init__(self, run: str) -> None:
        super().__init__(f"cannot retry the undos of {run!r}: none has failed")


class NoSuchStep(Refused):
    """The flow has no step of that name where the run could go on."""

    code = "no-such-step"

    def __init__(self, run: str, step: str) -> None:
        super().__init__(f"the flow of run {run!r} has no step {step!r}")


class NoSuchToken(Refused):
    """The run has no token, or not exactly one, that can enter the step."""

    code = "no-such-token"


class DoesNotFit(Refused):
    """A run cannot move to the version; `fits` says of each token why, `problems` what else does not fit."""

    code = "does-not-fit"

    def __init__(self, run: str, version: int, fits: Sequence[Fit], problems: Sequence[str] = ()) -> None:
        bad = [f"token {fit.token!r} at {fit.step!r}: {fit.problem}" for fit in fits if fit.problem]
        found = [*bad, *problems]
        more = f"; and {len(found) - MAX_NAMED_PROBLEMS} more" if len(found) > MAX_NAMED_PROBLEMS else ""
        super().__init__(f"run {run!r} cannot move to version {version}: {'; '.join(found[:MAX_NAMED_PROBLEMS])}{more}")
        self.fits = tuple(fits)
        self.problems = tuple(problems)


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
    name: str = ErrorName.EXPRESSION_FAILED
    """The name of the error that the step returns."""


class ComputedTooLarge(ExpressionFailed):
    """A value that a flow computed is too large; the message names the limit."""

    name = ErrorName.TOO_LARGE


class Runaway(ExpressionFailed):
    """Runs start one another without end."""

    name = ErrorName.RUNAWAY_LOOP


class NoMatch(ExpressionFailed):
    """No condition of a choice holds, and it has no `else`."""

    name = ErrorName.NO_MATCH
