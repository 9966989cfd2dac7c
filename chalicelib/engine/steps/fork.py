"""Branches side by side: each branch is a token, and the fork's token waits for them."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.size_limits import fit
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.transition import FOREVER_MS, Transition
from chalicelib.model.flow import DEFAULT_STATE, FAIL, ForkStep
from chalicelib.model.run import Token
from chalicelib.model.waits import ForkWait, Wait

_NOTHING_ENDED = ForkWait(results={}, failed=())


def enter(transition: Transition, token: Token, step: ForkStep, before: Wait | None) -> None:
    """Start every branch. After a retry, `before` is the wait as it was: branches that finished do not start again."""
    finished = before.results if isinstance(before, ForkWait) else {}
    token = transition.activate(token, FOREVER_MS, wait=ForkWait(results=finished, failed=()))
    for branch in step.branches:
        if branch.name not in finished:
            child = Token(
                id=f"{token.id}.{branch.name}",
                parent=token.id,
                scope=branch.name,
                step=branch.steps[0].name,
                result=token.result,
                state=token.state,
            )
            transition.arrive(child)


def child_ended(
    transition: Transition, token: Token, step: ForkStep, child: Token, *, ok: bool, error: str
) -> StepResult | None:
    """Count the branch of `child`, and return what the fork returns if that decides it. Raises ExpressionFailed."""
    wait = token.activation.wait if token.activation else None
    if not isinstance(wait, ForkWait):
        wait = _NOTHING_ENDED
    if ok:
        wait = replace(wait, results={**wait.results, child.scope: child.result})
        fit("what its branches return", wait.results)
    else:
        wait = replace(wait, failed=(*wait.failed, child.scope))
    transition.set_wait(token, wait)
    if len(wait.results) >= step.join:
        return StepResult(state=DEFAULT_STATE, data=wait.results, event="StepJoined")
    if len(step.branches) - len(wait.failed) < step.join:
        why = f"branch {child.scope!r} failed" + (f": {error}" if error else "")
        return StepResult(state=FAIL, data=wait.results, error=why, event="StepJoined")
    return None
