"""Branches side by side: each branch is a token, and the fork's token waits for them."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.scope_vars import begin_fork_scope
from chalicelib.engine.scopes import child_id
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.transition import JOIN_TIMEOUT_MS, Transition
from chalicelib.engine.values.evaluation import Names
from chalicelib.engine.values.options import duration_of
from chalicelib.engine.values.size_limits import fit
from chalicelib.model.flow import DEFAULT_STATE, FAIL, ForkStep
from chalicelib.model.run import Token
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.waits import ForkWait, Wait

_NOTHING_ENDED = ForkWait(results={}, failed=())


def enter(transition: Transition, token: Token, step: ForkStep, names: Names, before: Wait | None) -> StepResult | None:
    """Start every branch. After a retry, `before` is the wait as it was, and the variables of the fork stay.

    Branches that finished do not start again, and the others are resumed where they were. If enough have finished, the
    fork returns immediately. Raises ExpressionFailed.
    """
    finished = before.results if isinstance(before, ForkWait) else {}
    if len(finished) >= step.join:
        fit("what its branches return", finished)
        return StepResult(state=DEFAULT_STATE, data=finished)
    timeout = JOIN_TIMEOUT_MS if step.timeout is None else duration_of("timeout", step.timeout, names)
    if not isinstance(before, ForkWait):
        begin_fork_scope(transition, token)
    token = transition.activate(token, timeout, wait=ForkWait(results=finished, failed=()))
    for branch in step.branches:
        branch_id = child_id(token.id, branch.name)
        if branch.name not in finished and not transition.resume(branch_id):
            child = Token(
                id=branch_id,
                parent=token.id,
                scope=branch.name,
                step=branch.steps[0].name,
                result=token.result,
                state=token.state,
                response=token.response,
                error=token.error,
            )
            transition.arrive(child)
    return None


def child_ended(
    transition: Transition, token: Token, step: ForkStep, child: Token, error: StepError | None
) -> StepResult | None:
    """Count the branch of `child`, which failed if there is an error. Raises ExpressionFailed.

    Return what the fork returns if that decides it.
    """
    wait = token.activation.wait if token.activation else None
    if not isinstance(wait, ForkWait):
        wait = _NOTHING_ENDED
    if error is None:
        wait = replace(wait, results={**wait.results, child.scope: child.result})
    else:
        wait = replace(wait, failed=(*wait.failed, child.scope))
    transition.set_wait(token, wait)
    fit("what its branches return", wait.results)
    if len(wait.results) >= step.join:
        return StepResult(state=DEFAULT_STATE, data=wait.results, event="StepJoined")
    if len(step.branches) - len(wait.failed) < step.join:
        return StepResult(state=FAIL, data=wait.results, error=_error(step, wait, child, error), event="StepJoined")
    return None


def _error(step: ForkStep, wait: ForkWait, child: Token, error: StepError | None) -> StepError | None:
    """Return the error of the branch, or of all that failed if the fork allowed some to fail."""
    if step.join == len(step.branches):
        return error
    cause = f"{len(wait.failed)} of {len(step.branches)} branches failed"
    return StepError(ErrorName.BRANCHES_FAILED, cause + (f", the last, {child.scope!r}: {error.text}" if error else ""))


def lost_branches(token: Token, step: ForkStep) -> list[str]:
    """Return the ids of the tokens of branches that did not finish, though the fork returns DONE."""
    wait = token.activation.wait if token.activation else None
    finished = wait.results if isinstance(wait, ForkWait) else {}
    return [child_id(token.id, branch.name) for branch in step.branches if branch.name not in finished]
