"""Fewer variables: what is never read is not kept, and what only the next step reads is read from `$result`.

A variable is *live* before a step if its value may be read there or later, before it is set anew.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Final

from chalicelib.asl.convert.flow import walk
from chalicelib.asl.convert.flow.steps import Block, Entry, Route, Step
from chalicelib.asl.convert.jsonata.documents import Document, Lst, Obj, Shape, is_place, may_fail
from chalicelib.asl.convert.jsonata.expressions import RESULT, Expr, Literal, Var, Variable
from chalicelib.language.limits import MAX_STEPS

_MAX_ROUNDS: Final = 6
Live = frozenset[Variable]
_NONE: Final[Live] = frozenset()


def tidy(block: Block) -> None:
    """Remove needless variables from the steps of a block, and from those within it.

    This takes time in proportion to the steps and to their variables. So a flow that is refused for its steps stays as
    it is.
    """
    if sum(1 for _ in walk.steps_within(block)) > MAX_STEPS:
        return
    for one in walk.blocks_within(block):
        scope = _Steps(one)
        for _ in range(_MAX_ROUNDS):
            if not scope.improved():
                break


class _Steps:
    """The steps of one block."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.steps = {step.name: step for step in block.steps}
        self.live: dict[str, Live] = {}
        self.ways_in = Counter(route.target for step in block.steps for route in _onward(step))
        if block.steps:
            self.ways_in[block.steps[0].name] += 1

    def improved(self) -> bool:
        """Remove what is needless; return whether anything was."""
        self._find_live()
        changed = self._drop_unread()
        if changed:
            self._find_live()
        changed = self._read_beginnings() or changed
        for step in self.block.steps:
            for route in _onward(step):
                changed = self._read_result(step, route) or changed
        return changed

    # ── liveness ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _find_live(self) -> None:
        before: dict[str, list[str]] = {}
        for step in self.block.steps:
            for route in _onward(step):
                before.setdefault(route.target, []).append(step.name)
        fixed = {name: self._read_by(step) for name, step in self.steps.items()}
        self.live = dict.fromkeys(self.steps, _NONE)
        waiting = deque(reversed(self.steps))
        queued = set(waiting)
        while waiting:
            name = waiting.popleft()
            queued.discard(name)
            step = self.steps[name]
            live = fixed[name].union(*(self._beyond(step, route) for route in _onward(step)))
            if live != self.live[name]:
                self.live[name] = live
                for one in before.get(name, ()):
                    if one not in queued:
                        queued.add(one)
                        waiting.append(one)

    def _read_by(self, step: Step) -> Live:
        """Return what the step itself reads, on any route."""
        found = {variable for document in walk.documents_of(step) for variable in walk.variables_read(document)}
        found.update(_changed_in(step.save), *(_changed_in(route.entries) for route in step.routes))
        for block in step.blocks:
            found |= {variable for inner in walk.steps_within(block) for variable in self._read_by_own(inner)}
        return frozenset(found)

    def _read_by_own(self, step: Step) -> Iterator[Variable]:
        for document in walk.documents_of(step):
            yield from walk.variables_read(document)

    def _beyond(self, step: Step, route: Route) -> Live:
        """Return what is live behind the step on this way, and not set on it."""
        entries = [*step.save, *route.entries]
        return self.live[route.target] - {entry.variable for entry in entries if not entry.members}

    # ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _drop_unread(self) -> bool:
        changed = False
        for step in self.block.steps:
            onward = list(_onward(step))
            read = {one for route in step.routes for one in _read_on(route)}
            after = read.union(*(self.live[route.target] for route in onward))
            kept = [entry for entry in step.save if _is_needed(entry, after)]
            changed = changed or len(kept) < len(step.save)
            step.save = kept
            for route in onward:
                left = [entry for entry in route.entries if _is_needed(entry, self.live[route.target])]
                changed = changed or len(left) < len(route.entries)
                route.entries = left
        if self.block.steps:
            first = self.live[self.block.steps[0].name]
            begins = list(self.block.variables)
            needed = first.union(*(walk.variables_read(entry.value) for entry in begins))
            left = [entry for entry in begins if entry.variable in needed or may_fail(entry.value)]
            changed = changed or len(left) < len(begins)
            self.block.variables = left
        return changed

    def _read_beginnings(self) -> bool:
        """Read what a variable begins with, where nothing can have set it yet."""
        changed = False
        for entry in [one for one in self.block.variables if is_place(_expression(one))]:
            if isinstance(entry.value, (Literal, Var)):
                continue
            for name in self._untouched(entry.variable):
                changed = self._replace(self.steps[name], entry.variable, _expression(entry)) or changed
        return changed

    def _untouched(self, variable: Variable) -> list[str]:
        """Return the steps that are only reached before the variable is set."""
        first = self.block.steps[0].name
        reached, touched = {first}, set[str]()
        waiting = deque([(first, False)])
        while waiting:
            name, is_set = waiting.popleft()
            step = self.steps[name]
            for route in _onward(step):
                entries = [*step.save, *route.entries]
                sets = is_set or any(entry.variable is variable for entry in entries)
                known = touched if sets else reached
                if route.target not in known:
                    known.add(route.target)
                    waiting.append((route.target, sets))
        return [name for name in self.steps if name in reached and name not in touched]

    def _replace(self, step: Step, variable: Variable, expr: Expr) -> bool:
        if variable not in {one for document in walk.documents_of(step) for one in walk.variables_read(document)}:
            return False
        walk.change_step(step, lambda one: expr if isinstance(one, Var) and one.variable is variable else None)
        for block in step.blocks:
            walk.change_entries(
                block.variables, lambda one: expr if isinstance(one, Var) and one.variable is variable else None
            )
        return True

    def _read_result(self, step: Step, route: Route) -> bool:
        """Let the next step read `$result` itself, where it alone reads a variable that keeps it."""
        entry = next((one for one in route.entries if one.value == RESULT and not one.members), None)
        if entry is None or step.kind in ("set", "deci", "wait"):
            return False
        if sum(one.variable is entry.variable for one in route.entries) > 1:
            return False
        region = self._region(route.target, entry.variable)
        if region is None:
            return False
        for name in region:
            self._replace_at_entry(self.steps[name], entry.variable)
        route.entries.remove(entry)
        return True

    def _region(self, name: str, variable: Variable) -> list[str] | None:
        """Return the steps that can read `$result` in place of the variable; None if others read it too."""
        if self.ways_in[name] != 1:
            return None
        step = self.steps[name]
        if any(variable in self._within(block) for block in step.blocks):
            return None
        if step.kind not in ("deci", "set"):
            later = {one for document in _at_exit(step) for one in walk.variables_read(document)}
            if variable in later:
                return None
        found = [name]
        for route in _onward(step):
            if any(entry.variable is variable and entry.members for entry in (*step.save, *route.entries)):
                return None
            if variable not in self._beyond(step, route):
                continue
            inner = self._region(route.target, variable) if step.kind == "deci" else None
            if inner is None:
                return None
            found += inner
        return found

    def _within(self, block: Block) -> set[Variable]:
        found = {one for entry in block.variables for one in walk.variables_read(entry.value)}
        for step in walk.steps_within(block):
            found.update(self._read_by_own(step))
        return found

    def _replace_at_entry(self, step: Step, variable: Variable) -> None:
        walk.change_step(step, lambda one: RESULT if isinstance(one, Var) and one.variable is variable else None)


def _onward(step: Step) -> Iterator[Route]:
    return (route for route in step.routes if not route.is_end)


def _read_on(route: Route) -> Iterator[Variable]:
    for document in walk.documents_of_route(route):
        yield from walk.variables_read(document)
    yield from _changed_in(route.entries)


def _changed_in(entries: Iterable[Entry]) -> set[Variable]:
    """Return the variables of which members are set, and the rest is kept: they are not set as a whole before."""
    found: set[Variable] = set()
    whole: set[Variable] = set()
    for entry in entries:
        if not entry.members:
            whole.add(entry.variable)
        elif entry.variable not in whole:
            found.add(entry.variable)
    return found


def _at_exit(step: Step) -> Iterator[Document]:
    """Yield the values that are made when the step returns."""
    yield from (rule.when for rule in step.repeat if rule.when is not None)
    yield from (entry.value for entry in step.save)
    for route in step.routes:
        yield from walk.documents_of_route(route)


def _is_needed(entry: Entry, live: frozenset[Variable] | set[Variable]) -> bool:
    return entry.variable in live or may_fail(entry.value)


def _expression(entry: Entry) -> Expr:
    value = entry.value
    return Literal([None]) if isinstance(value, (Obj, Lst, Shape)) else value
