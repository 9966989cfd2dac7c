"""What one run is shown with beside its head: its parent and children, what its tokens wait for, its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib.engine.invocation import UNDO, invocation_of, limiter_name
from chalicelib.engine.steps.call import child_name
from chalicelib.model.definition import Definition
from chalicelib.model.flow import CallStep
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT
from chalicelib.model.run import Run
from chalicelib.model.status import LIVE
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait
from chalicelib.service.details.cost import MAX_COUNTED_PAGES, Cost, cost_of, page_count
from chalicelib.service.details.progress import Progress, progress_of
from chalicelib.service.details.waits import TokenWait, wait_of
from chalicelib.service.limits.limiter import Limiter
from chalicelib.service.observability.prices import LIST_PRICES, Prices
from chalicelib.service.ports.runs import RunStore
from chalicelib.service.runs.references import stored_body

if TYPE_CHECKING:
    from chalicelib.service.details.step_functions import StepFunctionsCost

MAX_CHILDREN: Final = 100
"""How many children of a run are shown: those that run, and the last ones that have ended."""

MAX_LIMITERS: Final = 10
"""Of how many limits one request reads which activations wait in their queues."""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a step of this one started and waits for, or waited for.

    `state` is what the step returned when it had ended: DONE, STOPPED or ERROR; empty while it runs.
    """

    run: str
    step: str
    token: str
    uuid: str
    state: str = ""
    is_stopping: bool = False


class RunDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is shown with. `waits` are those of its tokens, by their ids."""

    children: tuple[Child, ...]
    waits: Mapping[str, TokenWait]
    eaches: tuple[Progress, ...]
    cost: Cost


class RunDetailReader:
    """Makes details of runs. `runs` is the store of heads as they are stored.

    `by_rest`: whether actions answer through the REST API. `prices` are those of the functions.
    """

    def __init__(
        self, runs: RunStore, limiter: Limiter, *, by_rest: bool = False, prices: Prices = LIST_PRICES
    ) -> None:
        self._by_rest = by_rest
        self._prices = prices
        self._runs = runs
        self._limiter = limiter

    def of(self, run: Run, definition: Definition, entries: tuple[Entry, ...]) -> RunDetails:
        """Return the details of the run. `entries` are those of its newest history that are at hand."""
        queued = self._queued(run, definition)
        waits = {
            token.id: found
            for token in run.tokens
            if (
                found := wait_of(
                    definition, run, token, is_queued=bool(token.activation and token.activation.uuid in queued)
                )
            )
        }
        return RunDetails(
            children=tuple(children_of(run, definition, entries)),
            waits=waits,
            eaches=tuple(progress_of(run)),
            cost=self._cost(run, entries),
        )

    def compared(self, run: Run, entries: tuple[Entry, ...], now: Instant) -> tuple[Cost, StepFunctionsCost]:
        """Return what the run has cost so far, and what Step Functions would have asked for it.

        `entries` are those of its newest history that were read.
        """
        from chalicelib.service.details.step_functions import cost_of_run  # other requests do not pay for it

        found = self._cost(run, entries)
        return found, cost_of_run(run, entries, found.bytes, now, self._prices)

    def _cost(self, run: Run, entries: Sequence[Entry]) -> Cost:
        first = run.stored_tail.first
        numbers = self._runs.page_numbers(run, MAX_COUNTED_PAGES) if first > 1 else ()
        return cost_of(run, stored_body(run), page_count(numbers, first), entries, self._prices, by_rest=self._by_rest)

    def _queued(self, run: Run, definition: Definition) -> frozenset[str]:
        """Return the uuids of activations that wait in the queue of a limit."""
        if run.status not in LIVE or not definition.has_permits:
            return frozenset()
        limited: dict[str, list[str]] = {}
        for token in run.tokens:
            invocation = invocation_of(definition, run, token)
            limit = invocation.options.limit if invocation else None
            if token.activation and invocation and limit and limit.concurrent and not token.activation.held:
                limited.setdefault(limiter_name(invocation, token.activation), []).append(token.activation.uuid)
        found = set[str]()
        for name, uuids in list(limited.items())[:MAX_LIMITERS]:
            holders, _ = self._limiter.crowd(run.namespace, name, 1)
            found.update(uuid for uuid in uuids if uuid not in holders)
        return frozenset(found)


def children_of(run: Run, definition: Definition, entries: tuple[Entry, ...]) -> list[Child]:
    """Return the children that the head and these entries know of: those that run first, then the newest first."""
    found: dict[str, Child] = {}
    for token in run.tokens:
        wait = token.activation.wait if token.activation else None
        if token.activation and isinstance(wait, ChildWait):
            found[wait.child] = Child(run=wait.child, step=token.step, token=token.id, uuid=token.activation.uuid)
    for one in run.stopping:
        found.setdefault(
            one.child, Child(run=one.child, step=one.step, token=one.token, uuid=one.uuid, is_stopping=True)
        )
    for entry in reversed(entries):
        if len(found) >= MAX_CHILDREN:
            break
        if entry.uuid and entry.state and _calls(definition, entry):
            name = child_name(run, entry.step, entry.uuid)
            ended = Child(run=name, step=entry.step, token=entry.token or ROOT, uuid=entry.uuid, state=entry.state)
            found.setdefault(name, ended)
    return list(found.values())[:MAX_CHILDREN]


def _calls(definition: Definition, entry: Entry) -> bool:
    """Return whether the entry ends an activation that waited for a child."""
    compiled = definition.steps.get(entry.step)
    if compiled is None:
        return False
    if entry.token == UNDO:
        return compiled.undo is not None and compiled.undo.is_flow
    return isinstance(compiled.step, CallStep) and entry.event != "StepReported"
