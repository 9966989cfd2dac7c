"""How far the eaches are for which a run waits."""

from __future__ import annotations

import msgspec

from chalicelib.model.run import Run, Token
from chalicelib.model.status import LIVE
from chalicelib.model.waits import EachWait


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an each is. `left` are items that have not started."""

    step: str
    token: str
    total: int
    done: int
    failed: int
    running: int
    left: int


def progress_of(run: Run) -> list[Progress]:
    """Return how far each `each` is for which the run waits."""
    if run.status not in LIVE:
        return []
    running: dict[str, int] = {}
    for token in run.tokens:
        if token.index is not None:
            running[token.parent] = running.get(token.parent, 0) + 1
    return [
        progress_at(token, wait, running.get(token.id, 0))
        for token in run.tokens
        if (wait := each_wait_of(token)) is not None
    ]


def progress_at(token: Token, wait: EachWait, running: int) -> Progress:
    left = max(wait.count - wait.finished - wait.failures - running, 0)
    return Progress(
        step=token.step,
        token=token.id,
        total=wait.count,
        done=wait.finished,
        failed=wait.failures,
        running=running,
        left=left,
    )


def each_wait_of(token: Token) -> EachWait | None:
    wait = token.activation.wait if token.activation else None
    return wait if isinstance(wait, EachWait) else None
