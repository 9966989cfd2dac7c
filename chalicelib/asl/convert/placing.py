"""Where the document of a scope is kept: what each state finds at its entry, and what each way out must save.

In parts, the ways forward are followed: each hands on what is known of the document. Where two ways that meet hand on
different documents, the state is a meeting: there the document is in the variable `data`, saved on every way in.
As a whole, every state is a meeting.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from chalicelib.asl.convert.flow.scopes import Scope, Way, targets_of
from chalicelib.asl.convert.flow.steps import DONE, STOPPED, Block, Entry, Route, Step
from chalicelib.asl.convert.jsonata.documents import (
    Document,
    Lst,
    Obj,
    Shape,
    as_expression,
    changed,
    expressions_in,
    get,
    is_computed,
    is_place,
    is_stable,
    may_fail,
    variables_in,
)
from chalicelib.asl.convert.jsonata.expressions import RESULT, Expr, Literal, Var, Variable, bare, source
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.convert.states import simple
from chalicelib.asl.convert.states.drafts import Draft, Exit
from chalicelib.language.limits import MAX_NAME_CHARACTERS
from chalicelib.model.flow import DEFAULT_STATE
from chalicelib.model.visible_text import is_safe

if TYPE_CHECKING:
    from chalicelib.asl.convert.machine import Machine

_MAX_PASSES: Final = 8
_MAX_MEMBERS: Final = 16
"""Parts of a document that are followed: beyond, a whole one reads better."""
_MAX_MERGE: Final = 70
"""The characters of a `$merge` that still reads well."""
_MAX_STATES: Final = 400
"""A scope with more states is written as a whole."""


@dataclass(frozen=True)
class Handed:
    """An exit as a route: what it saves, and the document that the next state finds."""

    target: str | None
    document: Document
    entries: list[Entry]
    given: dict[str, Document] | None = None


class Placer:
    """Places the document of one scope."""

    def __init__(self, machine: Machine, scope: Scope) -> None:
        self.machine = machine
        self.scope = scope
        self.ways_in = Counter(target for state in scope.states.values() for target in targets_of(state))
        self.ways_in[scope.start] += 1
        self.is_whole = scope.way is Way.WHOLE or len(scope.states) > _MAX_STATES
        self.meetings: set[str] = set()
        self.found: set[str] = set()
        self.entries: dict[str, Document] = {}
        self.drafts: dict[str, Draft] = {}
        self._beginnings: list[Entry] = []

    def steps(self) -> list[Step]:
        """Return the steps of the scope, the first one first."""
        for _ in range(_MAX_PASSES):
            if self._pass():
                break
        else:
            self.is_whole = True
            self._pass()
        self.scope.begins += self._beginnings
        order = sorted(self.drafts, key=lambda name: name != self.scope.start)
        position = {name: number for number, name in enumerate(self.scope.states)}
        order.sort(key=lambda name: (name != self.scope.start, position[name]))
        return [step for name in order for step in self._finished(name)]

    # ── following the document ───────────────────────────────────────────────────────────────────────────────────────

    def _pass(self) -> bool:
        """Follow the document from the start; return whether no new meeting was found."""
        self.entries, self.drafts, self.found = {}, {}, set()
        self.entries[self.scope.start] = self._at_start()
        waiting = deque([self.scope.start])
        while waiting:
            name = waiting.popleft()
            draft = self.drafts[name] = self.machine.draft(self.scope, name, self.entries[name])
            for way_out in draft.exits:
                handed = self._handed(name, way_out)
                if handed.target is None:
                    continue
                if handed.target not in self.entries:
                    self.entries[handed.target] = handed.document
                    waiting.append(handed.target)
                elif self.entries[handed.target] != handed.document:
                    self.found.add(handed.target)
        self.meetings |= self.found
        return not self.found

    def _at_start(self) -> Document:
        start = self.scope.start
        if self.is_whole or start in self.meetings:
            self._beginnings = [Entry(self.scope.data, self.scope.document)]
            return Var(self.scope.data)
        self._beginnings = []
        return self._settled(self.scope.document, ())

    def _settled(self, document: Document, path: tuple[str, ...]) -> Document:
        """Return the document with which the scope begins; what must be computed is kept in a variable of the scope.

        A place is read where it is used, and fails there where it is missing.
        """
        if all(is_place(bare(expr)) for expr in expressions_in(document)):
            return changed(document, bare_place)
        match document:
            case Obj(base=base, members=members):
                below = None if base is None else self._settled(base, path)
                return Obj(below, {name: self._settled(one, (*path, name)) for name, one in members.items()})
            case Lst(items=items):
                return Lst(tuple(self._settled(one, (*path, str(number))) for number, one in enumerate(items)))
            case Literal():
                return document
            case _:
                variable = self.scope.keeper(path, "input", own=True)
                self._beginnings.append(Entry(variable, document))
                return Var(variable)

    def _is_meeting(self, name: str) -> bool:
        return self.is_whole or name in self.meetings

    def _handed(self, name: str, way_out: Exit) -> Handed:
        """Return the exit as a route from the state."""
        assigns = [Entry(variable, value) for variable, value in way_out.assigns]
        if way_out.given is not None:
            return Handed(None, way_out.document, [], way_out.given)
        target = way_out.target
        if target is None or target not in self.scope.states:
            return Handed(None, way_out.document, assigns)
        ended = self._ended(target, way_out)
        if ended is not None:
            return ended
        if self._is_meeting(target):
            return Handed(target, Var(self.scope.data), [*assigns, *stored(self.scope.data, way_out.document)])
        keeping = _Keeping(self.scope, name, way_out.document)
        if keeping.clashes or _size(keeping.document) > _MAX_MEMBERS:
            self.found.add(target)
            # The next pass finds this there, too. A document that was followed on could double with each state.
            return Handed(target, Var(self.scope.data), assigns)
        return Handed(target, keeping.document, [*assigns, *keeping.entries])

    def _ended(self, target: str, way_out: Exit) -> Handed | None:
        """Return the exit as one to an end, where the state that it leads to is no more than that."""
        state = self.scope.states[target]
        if not isinstance(state, dict) or target == self.scope.start:
            return None
        reader = self.machine.reader(self.scope, target, way_out.document)
        try:
            if state.get("Type") == "Succeed" and not way_out.assigns:
                return Handed(None, simple.succeeded_document(reader), [])
            is_fixed = simple.has_fixed_words(state) and self._is_short(target, state)
            if state.get("Type") == "Fail" and is_fixed and not is_computed(way_out.document):
                return Handed(None, way_out.document, [], simple.failed_with(reader))
        except Unsayable:
            return None
        return None

    def _is_short(self, name: str, state: Mapping[str, Any]) -> bool:
        return self.ways_in[name] == 1 or not state.keys() & {"Error", "Cause"}

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _finished(self, name: str) -> list[Step]:
        """Return the step of a state, with those before and behind it."""
        draft = self.drafts[name]
        blocks: list[Block] = []
        if draft.blocks is not None:
            try:
                blocks = draft.blocks()
            except Unsayable as problem:
                draft = self.machine.refused(self.scope, name, problem, self.entries[name])
        step = draft.step
        first, last = draft.before or step, draft.after or step
        step.name = self.machine.word(self.scope, name)
        first.name = self.machine.entry(self.scope, name)
        step.blocks = blocks
        if draft.before is not None:
            self._lead(draft.before, step)
        if draft.after is not None:
            draft.after.name = self.machine.word_beside(self.scope, name, "Write")
            step.routes.append(Route((DEFAULT_STATE,), draft.after.name))
        for way_out in draft.exits:
            owner = first if way_out.is_before else last if way_out.is_success else step
            states = ("OK",) if way_out.is_success and owner is draft.after else way_out.states
            owner.routes.append(self._route(owner, replace(way_out, states=states), self._handed(name, way_out)))
        if not all(way_out.is_success for way_out in draft.exits):
            step.save = []  # it would be evaluated where the step fails, too
        return [one for one in (draft.before, step, draft.after) if one is not None]

    def _lead(self, before: Step, step: Step) -> None:
        """Let the step before lead to the step; where it has routes already, the last of them, the others to itself."""
        before.routes = before.routes or [Route(("OK",), "")]
        for route in before.routes:
            route.target = before.name
        before.routes[-1].target = step.name
        begun = {entry.variable for entry in self.scope.begins}
        for entry in before.routes[-1].entries:
            if entry.variable not in begun:
                self.scope.begins.append(Entry(entry.variable, Literal(None)))

    def _route(self, step: Step, way_out: Exit, handed: Handed) -> Route:
        route = Route(way_out.states, "", way_out.when, way_out.otherwise)
        if handed.target is not None:
            route.target = self.machine.entry(self.scope, handed.target)
            if step.kind in ("set", "wait"):
                step.save = handed.entries
            else:
                route.entries = handed.entries
            return route
        route.is_end = True
        if handed.given is not None:
            route.target, route.given = STOPPED, handed.given
            return route
        route.target = DONE
        if step.kind != "deci" and way_out.is_success:
            read = set(variables_in(handed.document))  # before they are assigned
            step.save = [entry for entry in handed.entries if may_fail(entry.value) and entry.variable not in read]
        if not (step.has_result and way_out.is_success and handed.document == RESULT):
            route.given = {"output": handed.document}
        return route


def bare_place(expr: Expr) -> Expr | None:
    """Return the place that an expression needs; None where it is no `$need` of a place."""
    return bare(expr) if bare(expr) is not expr and is_place(bare(expr)) else None


def _size(document: Document) -> int:
    size, pending = 0, [document]
    while pending:
        one = pending.pop()
        size += 1
        if isinstance(one, Obj):
            pending.extend(one.members.values())
            pending.extend([] if one.base is None else [one.base])
        elif isinstance(one, Lst):
            pending.extend(one.items)
    return size


def stored(data: Variable, document: Document) -> list[Entry]:
    """Return what saves the document in the variable: only what has changed in it, where that is known."""
    if isinstance(document, Obj) and document.base is not None and document.base != Var(data):
        entries = _laid_over(data, document.base, document, ())
        if len(entries) > 1 and _reads_better(document, entries):
            return entries
    return _laid_over(data, Var(data), document, ())


def _reads_better(document: Obj, entries: list[Entry]) -> bool:
    """Return whether entries read better than one `$merge`."""
    return any(len(entry.members) > 1 for entry in entries) or len(source(as_expression(document))) > _MAX_MERGE


def _laid_over(data: Variable, place: Document, document: Document, members: tuple[str, ...]) -> list[Entry]:
    """Return what makes the document of what is at the place, in the variable or, at first, somewhere else."""
    if document == place:
        return [] if members or place == Var(data) else [Entry(data, document)]
    if isinstance(document, Obj) and document.base == place and all(map(_is_name, document.members)):
        first = [] if members or place == Var(data) else [Entry(data, place)]
        below = (
            entry
            for name, one in document.members.items()
            for entry in _laid_over(data, get(place, name), one, (*members, name))
        )
        return [*first, *below]
    return [Entry(data, document, members)]


def _is_name(name: str) -> bool:
    return bool(name.strip()) and len(name) <= MAX_NAME_CHARACTERS and is_safe(name) and '"' not in name


class _Keeping:
    """Saves the parts of a document that cannot be read later, each in a variable.

    Attributes:
        document: The document, which can be read later.
        entries: What is saved.
        clashes: A variable would be overwritten that the document still reads.
    """

    def __init__(self, scope: Scope, state: str, document: Document) -> None:
        self._scope, self._state = scope, state
        self._read = set(_stable_variables(document))
        self.entries: list[Entry] = []
        self.clashes = False
        self.document = self._kept(document, ())

    def _kept(self, document: Document, path: tuple[str, ...]) -> Document:
        if is_stable(document):
            return document
        if isinstance(document, Obj) and document.base is not None:
            base = self._kept(document.base, path)
            return Obj(base, {name: self._kept(one, (*path, name)) for name, one in document.members.items()})
        if isinstance(document, Shape):
            return Shape(document.kind, self._variable(path, document.base), document.owner, document.names)
        return self._variable(path, document)

    def _variable(self, path: tuple[str, ...], value: Document) -> Var:
        variable = self._scope.keeper(path, self._state)
        if variable in self._read or any(entry.variable is variable for entry in self.entries):
            variable = self._scope.keeper(path, self._state, own=True)
            self.clashes = self.clashes or variable in self._read
        self.entries.append(Entry(variable, value))
        return Var(variable)


def _stable_variables(document: Document) -> list[Variable]:
    """Return the variables that the parts of the document read that are not saved anew."""
    if is_stable(document):
        return list(variables_in(document))
    if isinstance(document, Obj) and document.base is not None:
        parts = [document.base, *document.members.values()]
        return [variable for part in parts for variable in _stable_variables(part)]
    return []
