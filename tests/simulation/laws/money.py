"""Invariant 8 of docs/architecture.md, 4: work is registered with its state, and undone exactly when it must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chalicelib.engine.invocation import UNDO
from chalicelib.engine.scopes import child_id, in_scope
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.flow import BUILT_IN_STATES, DEFAULT_STATE, DONE, EachStep, ForkStep
from chalicelib.model.history import Entry
from chalicelib.model.pending_undo import PendingUndo
from chalicelib.model.run import Run, Token
from chalicelib.model.status import Status
from chalicelib.model.waits import EachWait, ForkWait

_ANSWERS = frozenset({"StepAcked", "ChildEnded", "ChildStopped"})
"""Events by which work is answered."""


class Ledger:
    """The work that one run did and undid, derived from its history."""

    def __init__(self) -> None:
        self._before: Run | None = None
        """The run before the write."""
        self._work: dict[str, Entry] = {}
        """The answers after which there is something to undo, by activation, in the order of the history."""
        self._undone: set[str] = set()
        self._registrations: dict[str, tuple[str, bool]] = {}
        """For each registered activation: its state, and whether a run of a flow undoes it, by the version of then."""
        self._attempts: Counter[str] = Counter()
        self._activations: dict[str, str] = {}
        """For each activation of an undo: the activation that it undoes."""
        self._finished: dict[str, int] = {}
        """For each token: the number of the entry by which it last led to `done`."""
        self._arrived: dict[str, int] = {}
        """For each token: the number of its last entry that led to a step."""
        self._retried = 0
        self._kept_all = False
        """Whether the run failed without undoing, because its output could not be made."""

    def commit(self, after: Run, added: list[Entry], definition: Definition, children: list[Run]) -> Iterator[str]:
        """Take in one write; yield what is wrong with it. `children` are the live child runs of the run.

        All undos are in the head of `after`, in any order.
        """
        before, self._before = self._before, after
        for entry in added:
            yield from self._take(entry, before, after, definition)
        yield from self._registered(before, after, added, definition)
        for token in after.tokens:
            if token.id == UNDO and token.activation and token.activation.uuid not in self._activations:
                yield from self._started(token, after, definition, children)
        yield from self._ended(after)

    def _take(self, entry: Entry, before: Run | None, after: Run, definition: Definition) -> Iterator[str]:
        if entry.event == "UndosRetried":
            self._retried += 1
        if entry.event == "RunFailed":
            self._kept_all = True
        if entry.event == "RunRetried":
            self._kept_all = False
        if entry.token == UNDO:
            yield from self._undo_returned(entry, after)
            return
        if entry.event == "StepJoined" and entry.state == DEFAULT_STATE:
            yield from self._joined(entry, after, definition)
        if entry.event in _ANSWERS and _does_work(entry, definition):
            self._work[entry.uuid] = entry
        if entry.target == DONE:
            self._finished[entry.token] = entry.seq
        elif entry.target and entry.event not in ("RunPaused", "RunContinued"):
            self._arrived[entry.token] = entry.seq

    def _undo_returned(self, entry: Entry, after: Run) -> Iterator[str]:
        work = self._activations.get(entry.uuid)
        if not entry.state or entry.event == "StepReported" or work is None:
            return
        _, by_flow = self._registrations.get(work, ("", False))
        failed = entry.state != DEFAULT_STATE if by_flow else entry.state in BUILT_IN_STATES
        known = next((undo for undo in after.undos if undo.uuid == work), None)
        if failed and (known is None or not (known.failed or known.is_due)):
            yield f"the undo of {entry.step!r} failed, and the run does not record it"
        if not failed:
            if work in self._undone:
                yield f"step {entry.step!r} was undone twice"
            self._undone.add(work)

    def _joined(self, entry: Entry, after: Run, definition: Definition) -> Iterator[str]:
        """What lost branches and tolerated items did is undone before the fork or each returns."""
        step = definition.step(entry.step)
        if not isinstance(step, (ForkStep, EachStep)) or step.keep_abandoned:
            return
        above = [token for token in self._arrived if in_scope(entry.token, token)]
        began = max((self._arrived[token] for token in above), default=0)
        open_ = {undo.uuid for undo in after.undos if not undo.failed}
        for work in self._work.values():
            if work.seq > began and work.token != entry.token and in_scope(work.token, entry.token):
                rest = work.token.removeprefix(f"{entry.token}.").split(".")[0]
                finished = self._finished.get(f"{entry.token}.{rest}", 0) > began
                if not finished and work.uuid in open_:
                    yield f"{step.name!r} returned, and {work.step!r} of {rest!r}, which did not finish, is not undone"

    def _registered(self, before: Run | None, after: Run, added: list[Entry], definition: Definition) -> Iterator[str]:
        known = {undo.uuid for undo in after.undos}
        if len(known) < len(after.undos):
            yield "work is registered twice"
        has_succeeded = after.status is Status.SUCCEEDED
        for entry in added:
            new = entry.uuid in self._work and entry.token != UNDO and entry.event in _ANSWERS
            if new and entry.uuid not in known and not has_succeeded:
                yield f"step {entry.step!r} answered {entry.state}, and its work is not registered"
        for undo in after.undos:
            if undo.uuid not in self._work or not self._is_declared(undo, definition):
                yield f"step {undo.step!r} has nothing to undo after {undo.state}, and is registered"
        for undo in before.undos if before else ():
            lost = undo.uuid not in known and undo.uuid not in self._undone
            if lost and not (has_succeeded and not undo.failed):
                yield f"the work of step {undo.step!r} was forgotten"

    def _is_declared(self, undo: PendingUndo, definition: Definition) -> bool:
        """Whether the version of the run declares the undo; once the run has moved, that in which it was registered."""
        registered = self._registrations.get(undo.uuid)
        if undo.pinned is not None and registered is not None:
            return (undo.state, undo.pinned.is_flow) == registered
        step = definition.steps.get(undo.step)
        if step is None or step.undo is None or undo.state not in step.undo.states:
            return False
        self._registrations[undo.uuid] = (undo.state, step.undo.is_flow)
        return True

    def _started(self, token: Token, after: Run, definition: Definition, children: list[Run]) -> Iterator[str]:
        """One undo begins: it is allowed now, and the newest of those that are due."""
        if token.activation:
            self._activations[token.activation.uuid] = token.undoes
        self._attempts[token.undoes] += 1
        if self._attempts[token.undoes] > 1 + self._retried:
            yield f"the undo of step {token.step!r} was sent {self._attempts[token.undoes]} times"
        place = next((n for n, undo in enumerate(after.undos) if undo.uuid == token.undoes), None)
        if place is None:
            yield f"an undo of step {token.step!r} began that is not registered"
            return
        undo = after.undos[place]
        if undo.incomplete:
            yield f"the undo of step {token.step!r} is incomplete, and was sent"
        if after.ending is None and not _is_abandoned(undo, after.tokens, definition):
            yield f"step {token.step!r} is undone, and neither failed its run nor was it abandoned"
        if after.ending in status.STOPPED and not self._retried:
            done = list(self._work)
            newer = frozenset(done[done.index(undo.uuid) + 1 :]) if undo.uuid in self._work else frozenset()
            if any(other.uuid in newer and not other.failed for other in after.undos):
                yield f"step {token.step!r} is undone before newer work"
            running = [child.name for child in children if child.parent and child.parent.uuid not in self._activations]
            if running:
                yield f"step {token.step!r} is undone before the child runs {running} have ended"

    def _ended(self, after: Run) -> Iterator[str]:
        if after.status in status.STOPPED and not self._kept_all:
            left = [undo.step for undo in after.undos if not undo.failed]
            if left:
                yield f"the run is {after.status}, and {left} are not undone"
        if after.failed_undos != sum(bool(undo.failed) for undo in after.undos):
            yield f"the run counts {after.failed_undos} failed undos"


def _does_work(entry: Entry, definition: Definition) -> bool:
    compiled = definition.steps.get(entry.step)
    return compiled is not None and compiled.undo is not None and entry.state in compiled.undo.states


def _is_abandoned(undo: PendingUndo, tokens: tuple[Token, ...], definition: Definition) -> bool:
    """Whether the branch or item of the work did not finish, and its fork or each does not need it."""
    return any(in_scope(undo.token, scope) for token in tokens for scope in _lost_scopes(token, definition))


def _lost_scopes(token: Token, definition: Definition) -> list[str]:
    """The branches and items below the token that did not finish and are not needed."""
    wait = token.activation.wait if token.activation else None
    step = definition.step(token.step)
    if isinstance(step, ForkStep) and isinstance(wait, ForkWait) and wait.decided and not step.keep_abandoned:
        return [child_id(token.id, branch.name) for branch in step.branches if branch.name not in wait.results]
    if isinstance(step, EachStep) and isinstance(wait, EachWait) and not step.keep_abandoned:
        running = wait.again if wait.decided else ()  # the each returns TIMEOUT
        return [child_id(token.id, index) for index in (*wait.failed, *running)]
    return []
