"""The timer in a replay: which waits end by it, as far as a history says or implies it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.invocation import UNDO
from chalicelib.engine.returning.repeats import is_repeating
from chalicelib.model.history import Entry
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import EachWait
from chalicelib.play.facts import due_by

_OF_THE_RUN: Final = frozenset({"RunPaused", "RunContinued", "RunStopped", "VarsSet", "LabelsSet"})
"""Entries that say nothing of what a token waits for."""


@dataclass(frozen=True, slots=True)
class Shield:
    """A head in which only some waits have ended. `before` is the head with the waits as they are."""

    run: Run
    before: Run

    def taken_from(self, after: Run) -> Run:
        """Return the head that was decided from `run`, with the waits that go on as they were."""
        waits = {one.activation.uuid: one.activation for one in self.before.tokens if one.activation}
        shielded_ones = {one.activation.uuid: one.activation for one in self.run.tokens if one.activation}
        tokens = tuple(
            replace(one, activation=replace(one.activation, deadline=known.deadline, heartbeat=known.heartbeat))
            if one.activation is not None
            and (known := waits.get(one.activation.uuid)) is not None
            and one.activation.deadline == shielded_ones[one.activation.uuid].deadline != known.deadline
            else one
            for one in after.tokens
        )
        is_moved = after.deadline is not None and after.deadline == self.run.deadline != self.before.deadline
        return replace(after, tokens=tokens, deadline=self.before.deadline if is_moved else after.deadline)


def shielded(run: Run, at: Instant, ended: Sequence[Entry]) -> Shield:
    """Return the head in which the waits of these entries have ended at that moment, and no other wait."""
    by_place = {(one.token, one.step): one for one in ended}
    tokens = tuple(_shielded(one, at, by_place.get((one.id, one.step))) for one in run.tokens)
    deadline = run.deadline
    if deadline is not None:
        is_over = any(one.event == "RunTimedOut" for one in ended)
        deadline = min(deadline, at) if is_over else max(deadline, at + 1)
    made = replace(run, tokens=tokens, deadline=deadline, timer_at=min(run.timer_at or at, at))
    return Shield(made, run)


def _shielded(token: Token, at: Instant, ended: Entry | None) -> Token:
    activation = token.activation
    if activation is None:
        return token
    if ended is not None:
        return due_by(token, ended)
    if activation.due > at:
        return token
    return replace(token, activation=replace(activation, deadline=max(activation.deadline, at + 1), heartbeat=None))


def sleeping(run: Run, entry: Entry) -> Token | None:
    """Return the token that must wake before the entry can be made: the delay of a `repeat` is over, or an each begins
    the items that it deferred."""
    if entry.event in _OF_THE_RUN:
        return None
    known = {one.id: one for one in run.tokens}
    token = known.get(entry.token)
    if token is not None and is_repeating(token) and token.step == entry.step:
        return token if entry.event != "TokenMoved" or _is_over(token, entry) else None
    above = entry.token
    while token is None and "." in above:
        above = above.rpartition(".")[0]
        token = known.get(above)
        if token is not None and (is_repeating(token) or _is_deferred(token)):
            return token
    return None


def woken(run: Run, entry: Entry) -> list[Entry]:
    """Return an entry for each token that wakes by this one: its delay is over, or it begins items."""
    token = sleeping(run, entry)
    over = [one for one in run.tokens if (is_repeating(one) or _is_deferred(one)) and _is_over(one, entry)]
    found = over if token is None or token in over else [token, *over]
    return [Entry(seq=entry.seq, at=entry.at, event="TimerRang", token=one.id, step=one.step) for one in found]


def times_out(run: Run, token: Token, entries: Sequence[Entry]) -> bool:
    """Return whether the join of the token must have timed out before the next entry, and waits for its undos.

    The step returns TIMEOUT next, and the entry is about an undo, or about what was abandoned below the join.
    """
    entry = entries[0]
    is_below = entry.token.startswith(f"{token.id}.") and entry.event in (
        "LateAnswer",
        "ChildStopped",
        "NoticeDelivered",
    )
    is_undo = entry.token == UNDO and all(one.id != UNDO for one in run.tokens)
    returned = (one for one in entries if (one.token, one.step) == (token.id, token.step) and one.is_return)
    return (is_below or is_undo) and next((one.event for one in returned), "") == "StepTimedOut"


def _is_over(token: Token, entry: Entry) -> bool:
    return token.activation is not None and token.activation.due <= entry.at


def _is_deferred(token: Token) -> bool:
    wait = token.activation.wait if token.activation else None
    return isinstance(wait, EachWait) and wait.remaining is not None
