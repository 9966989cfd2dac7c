"""Branches side by side. The waiting token remembers how each branch ended: `out` (finished), `bad` (failed)."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.engine.size_limits import fit
from chalicelib.engine.transition import FOREVER, StepResult, Transition
from chalicelib.model.flow import DEFAULT_STATE, FAIL, ForkStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token


def enter(transition: Transition, token: Token, step: ForkStep, before: Json) -> None:
    """Every branch begins. After a retry (`before` is what was remembered) those that finished do not begin again."""
    done = dict(before["out"]) if isinstance(before, Mapping) else {}
    token = transition.activate(token, FOREVER, memo={"out": done, "bad": []})
    for branch in step.branches:
        if branch.name not in done:
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
    """The branch of `child` has ended; what the fork returns if that decides it. Raises ExpressionFailed."""
    memo = token.activation.memo if token.activation else {"out": {}, "bad": []}
    out, bad = dict(memo["out"]), list(memo["bad"])
    if ok:
        out[child.scope] = child.result
        fit("what its branches return", out)
    else:
        bad.append(child.scope)
    transition.remember(token, {"out": out, "bad": bad})
    if len(out) >= step.join:
        return StepResult(state=DEFAULT_STATE, data=out, event="StepJoined")
    if len(step.branches) - len(bad) < step.join:
        why = f"branch {child.scope!r} failed" + (f": {error}" if error else "")
        return StepResult(state=FAIL, data=out, error=why, event="StepJoined")
    return None
