"""How the tokens of a run must fit one another."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.engine import admission
from chalicelib.engine.invocation import UNDO
from chalicelib.engine.steps.each import MAX_CONCURRENT_ITEMS
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.flow import EachStep, ForkStep
from chalicelib.model.run import Run, Token
from chalicelib.model.waits import EachWait, ForkWait, RepeatWait, Wait


def crooked(run: Run, definition: Definition) -> Iterator[str]:
    """Yield where tokens do not fit together: no token waits for them, or there are too many or too few."""
    if run.status not in status.LIVE:
        return
    tokens = [*run.tokens, *_aside(run)]
    resumed = run.interrupted if admission.waits(run) else ()  # also those that their fork or each counts
    known = {token.id for token in (*tokens, *resumed)}
    children: dict[str, list[Token]] = {}
    for token in tokens:
        if token.parent and token.parent not in known:
            yield f"token {token.id} works for token {token.parent}, which is gone"
        children.setdefault(token.parent, []).append(token)
    for token in tokens:
        if token.id == UNDO or token.activation is None or run.ending is not None:
            continue
        yield from _crooked_wait(token, definition, children.get(token.id, []))


def _aside(run: Run) -> list[Token]:
    """The tokens that a retried run which waits for its turn resumes, but for those that their fork or each counts."""
    if not admission.waits(run):
        return []
    waits = {token.id: token.activation.wait for token in (*run.tokens, *run.interrupted) if token.activation}
    counted: set[tuple[str, int | str]] = set()
    for parent, wait in waits.items():
        if isinstance(wait, EachWait):
            counted.update((parent, index) for index in (*wait.again, *wait.failed))
        elif isinstance(wait, ForkWait):
            counted.update((parent, scope) for scope in wait.failed)
    places = {token.id: token.scope if token.index is None else token.index for token in run.interrupted}
    return [token for token in run.interrupted if (token.parent, places[token.id]) not in counted]


def _crooked_wait(token: Token, definition: Definition, below: list[Token]) -> Iterator[str]:
    step, wait = definition.step(token.step), token.activation.wait if token.activation else None
    if isinstance(wait, RepeatWait):
        if below:
            yield f"step {token.step!r} waits to be repeated, and has tokens below it"
    elif isinstance(step, ForkStep):
        yield from _crooked_fork(step, wait, below)
    elif isinstance(step, EachStep):
        yield from _crooked_each(step, wait, below)
    elif below:
        yield f"step {token.step!r} has tokens below it"


def _crooked_fork(step: ForkStep, wait: Wait | None, below: list[Token]) -> Iterator[str]:
    if not isinstance(wait, ForkWait):
        yield f"fork {step.name!r} remembers {wait}"
        return
    places = [*wait.results, *wait.failed, *(child.scope for child in below)]
    if wait.decided:
        if below:
            yield f"fork {step.name!r} has returned in all but name, and has tokens below it"
        return
    if sorted(places) != sorted(branch.name for branch in step.branches):
        yield f"fork {step.name!r} counts {places}"
    if len(wait.results) >= step.join:
        yield f"fork {step.name!r} waits though {len(wait.results)} branches finished"


def _crooked_each(step: EachStep, wait: Wait | None, below: list[Token]) -> Iterator[str]:
    most = step.max if isinstance(step.max, int) else 0
    if len(below) > min(most or MAX_CONCURRENT_ITEMS, MAX_CONCURRENT_ITEMS):
        yield f"each {step.name!r} works on {len(below)} items at once"
    if not isinstance(wait, EachWait):
        yield f"each {step.name!r} remembers {wait}"
        return
    if wait.decided and below:
        yield f"each {step.name!r} has returned in all but name, and has tokens below it"
    begun = wait.finished + len(wait.failed) + len(below) + len(wait.again)
    if begun != wait.next:
        yield f"each {step.name!r} began {wait.next} items and knows of {begun}"
