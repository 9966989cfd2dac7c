"""How the tokens of a run must fit one another."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.engine.invocation import UNDO
from chalicelib.engine.steps.each import AT_ONCE
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.flow import EachStep, ForkStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token


def crooked(run: Run, definition: Definition) -> Iterator[str]:
    """Where tokens do not fit one another: nobody waits for them, or there are too many or too few of them."""
    if run.status not in status.LIVE:
        return
    known = {token.id for token in run.tokens}
    children: dict[str, list[Token]] = {}
    for token in run.tokens:
        if token.parent and token.parent not in known:
            yield f"token {token.id} works for token {token.parent}, which is gone"
        children.setdefault(token.parent, []).append(token)
    for token in run.tokens:
        if token.id == UNDO or token.activation is None:
            continue
        step, memo, below = definition.step(token.step), token.activation.memo, children.get(token.id, [])
        if isinstance(step, ForkStep):
            yield from _crooked_fork(step, memo, below)
        elif isinstance(step, EachStep):
            yield from _crooked_each(step, memo, below)
        elif below:
            yield f"step {token.step!r} has tokens below it"


def _crooked_fork(step: ForkStep, memo: Json, below: list[Token]) -> Iterator[str]:
    places = [*memo["out"], *memo["bad"], *(child.scope for child in below)]
    if sorted(places) != sorted(branch.name for branch in step.branches):
        yield f"fork {step.name!r} counts {places}"
    if len(memo["out"]) >= step.join:
        yield f"fork {step.name!r} waits though {len(memo['out'])} branches finished"


def _crooked_each(step: EachStep, memo: Json, below: list[Token]) -> Iterator[str]:
    if len(below) > min(step.max or AT_ONCE, AT_ONCE):
        yield f"each {step.name!r} works on {len(below)} items at once"
    begun = memo["ok"] + len(memo["bad"]) + len(below) + len(memo["more"])
    if begun != memo["next"]:
        yield f"each {step.name!r} began {memo['next']} items and knows of {begun}"
