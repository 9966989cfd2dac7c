"""Variables of scopes are those of their own branch, item or fork, and of this visit of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from chalicelib.engine.invocation import UNDO
from chalicelib.model import status
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Branch, ChoiceStep, EachStep, Flow, ForkStep, Step, scopes_of
from chalicelib.model.history import Entry
from chalicelib.model.run import Run, Token
from chalicelib.model.run_error import ErrorName
from tests.simulation.counters import MINE, OURS, WHO

_NO_RETURNS: Final = frozenset({"RunPaused", "RunContinued", "StepReported", "RunFailed"})

_OF_FORK: Final = "/"
"""Ends the place of a fork's variables: the token that waits at it, and this."""

Nesting = tuple[tuple[ForkStep | EachStep, Branch | EachStep], ...]
"""The forks and eaches around a step, outermost first, each with the scope in it."""


class Passes:
    """What the counters of one run must be, by its history."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        """By place: a token, or a fork."""
        self._is_known = True
        """Whether the history says which scopes begin anew: after a retry it does not."""
        self._undone: set[str] = set()
        """Activations of which something failed after the step returned: nothing was saved."""
        self._nesting: dict[str, Nesting] = {}

    def commit(self, after: Run, added: list[Entry], definition: Definition) -> Iterator[str]:
        """Take in one write; yield which variables are not those of their scope."""
        if not self._nesting or any(entry.event == "VersionChanged" for entry in added):
            self._nesting = dict(_nested(definition.flow.steps, ()))
        for entry in added:
            self._take(entry, definition)
        if not self._is_known or after.status not in status.LIVE or after.ending is not None:
            return
        for token in after.tokens:
            yield from self._token(token)
        yield from self._differences("the run", "", after.vars)

    def _take(self, entry: Entry, definition: Definition) -> None:
        if entry.event in ("RunRetried", "VersionChanged", "TokenMoved"):
            self._is_known = False
        step = definition.step(entry.step)
        if entry.state and not entry.target and entry.event not in _NO_RETURNS:
            self._undone.add(entry.uuid)
        if step is None or not entry.target or entry.token == UNDO or entry.event in _NO_RETURNS:
            return
        is_saved = entry.event != "StepFailed" or entry.uuid not in self._undone
        is_saved = is_saved and entry.error_name != ErrorName.RUNAWAY_LOOP  # after that failure nothing is saved
        if entry.is_return and is_saved and entry.rule is None and not isinstance(step, ChoiceStep):
            for name in {MINE, OURS} & step.save.keys():
                place = self._place(entry.token, step, name, definition.flow)
                self._counts.setdefault(place, Counter())[name] += 1
        for place in [
            known for known in self._counts if known.startswith((f"{entry.token}.", f"{entry.token}{_OF_FORK}"))
        ]:
            del self._counts[place]  # what is in it begins anew

    def _place(self, token: str, step: Step, name: str, flow: Flow) -> str:
        """Return where the step writes the variable: the innermost scope that declares it."""
        nesting = self._nesting[step.name]
        ids = token.split(".")
        for level in range(len(nesting), 0, -1):
            owner, scope = nesting[level - 1]
            if name in scope.vars:
                return ".".join(ids[: level + 1])
            if isinstance(owner, ForkStep) and name in owner.vars:
                return ".".join(ids[:level]) + _OF_FORK
        return ""

    def _token(self, token: Token) -> Iterator[str]:
        found = token.vars or {}
        yield from self._differences(f"token {token.id}", token.id, found)
        yield from self._differences(f"the fork of token {token.id}", token.id + _OF_FORK, token.fork_vars or {})
        if WHO in found and found[WHO] != token.index:
            yield f"token {token.id} works on item {token.index}, and its variables are those of item {found[WHO]}"

    def _differences(self, what: str, place: str, variables: dict[str, object]) -> Iterator[str]:
        counts = self._counts.get(place, Counter())
        for name in (MINE, OURS):
            if variables.get(name, counts[name]) != counts[name]:
                yield f"{what} passed {counts[name]} steps that count {name!r}, and has {variables[name]}"


def _nested(steps: tuple[Step, ...], around: Nesting) -> Iterator[tuple[str, Nesting]]:
    for step in steps:
        yield step.name, around
        for scope in scopes_of(step):
            if isinstance(step, (ForkStep, EachStep)) and isinstance(scope, (Branch, EachStep)):
                yield from _nested(scope.steps, (*around, (step, scope)))
