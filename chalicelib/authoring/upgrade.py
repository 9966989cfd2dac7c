"""Rewrite documents of FSL 0.3 for FSL 0.4, where what they meant can be written without a decision of a person.

Two things are rewritten: an undo whose action can return several states gets `on` with the states after which 0.3 undid
the step (those whose routes lead to another step or to `done`), and `$error`, which was a text, becomes `$error.cause`.
What cannot be rewritten, or means something else in 0.4, is noted with its place. The rest of the text is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.authoring.analyze import SourceFile
from chalicelib.language.check.readers.members import property_named
from chalicelib.language.check.readers.values import leaves_of
from chalicelib.language.format import spelling
from chalicelib.language.source import Source, Span
from chalicelib.language.syntax.embedded import pieces_of
from chalicelib.language.syntax.tree import (
    Assignment,
    Call,
    Expression,
    Group,
    Member,
    Property,
    Route,
    Statement,
    Step,
    Use,
    Value,
    Word,
    steps_within,
)
from chalicelib.model.flow import DEFAULT_STATE, DONE, STOPPED

_ERROR: Final = re.compile(r"\$error\b(?!\.)")
_WORDS_OF_0_4: Final = frozenset({"repeat", "abandoned", "max_steps", "on_enter", "on_leave"})
"""Properties that no document of 0.3 has."""

_STEPS_OF_0_4: Final = frozenset({"emit", "start"})
"""Kinds of steps that no document of 0.3 has."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person must decide. Line and column count from 1."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The text of one document for 0.4, and what could not be rewritten."""

    name: str
    text: str
    notes: tuple[Note, ...]


def upgrade_all(files: Sequence[SourceFile]) -> list[Upgraded]:
    """Upgrade documents that may use each other's actions. They must have no syntax errors."""
    known = _Known(files)
    return [_Upgrade(file, known).run() for file in files]


class _Known:
    """The actions of all documents, and the steps that send them."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self.states: dict[str, tuple[str, ...]] = {}
        self.steps: dict[str, list[Step]] = {}
        for statement in (one for file in files for one in file.document.statements):
            if statement.kind.key == "action":
                self.states.setdefault(statement.name.text, _declared(statement))
            for step in steps_within(statement.members):
                members = step.body.members if step.body else ()
                action = _word(property_named(members, "action"))
                if action is not None:
                    self.steps.setdefault(action, []).append(step)


class _Upgrade:
    """The upgrade of one document."""

    def __init__(self, file: SourceFile, known: _Known) -> None:
        self._file = file
        self._known = known
        self._source = Source(file.text)
        self._edits: list[tuple[Span, str]] = []
        self._notes: list[Note] = []

    def run(self) -> Upgraded:
        is_new = _is_of_0_4(self._file.document.statements)
        for statement in self._file.document.statements:
            self._undo_of_action(statement)
            for step in steps_within(statement.members):
                self._undo_of_step(step)
            if not is_new:
                for value in _values(statement.members):
                    self._errors_in(value)
        text = self._file.text
        for span, new in sorted(self._edits, key=lambda edit: edit[0].start, reverse=True):
            text = text[: span.start] + new + text[span.end :]
        notes = sorted(self._notes, key=lambda note: (note.line, note.column))
        return Upgraded(self._file.name, text, tuple(notes))

    def _undo_of_action(self, statement: Statement) -> None:
        undo = property_named(statement.members, "undo")
        if statement.kind.key != "action" or undo is None or _has_states(undo.value):
            return
        name, states = statement.name.text, _declared(statement)
        steps = [step for step in self._known.steps.get(name, ()) if not _own_undo(step)]
        led = {tuple(state for state in states if _leads_on(step, state, states) is not False) for step in steps}
        unclear = [step.name.text for step in steps if _is_unclear(step, states)]
        if len(states) > 1 and len(led) != 1:
            listed = " or ".join(states)
            reason = "its steps differ in the states that lead on" if led else "no step of these files sends it"
            self._note(undo.name.span, f"write after which of {listed} action '{name}' is undone: {reason}")
        elif led:
            self._write(undo, f"action '{name}'", next(iter(led)), states, unclear)

    def _undo_of_step(self, step: Step) -> None:
        undo = _own_undo(step)
        action = _word(property_named(step.body.members if step.body else (), "action"))
        if undo is None or action is None or _has_states(undo.value):
            return
        name, states = step.name.text, self._known.states.get(action)
        if states is None:
            self._note(
                undo.name.span, f"the states of action '{action}' are unknown: give the file that defines it too"
            )
            return
        led = tuple(state for state in states if _leads_on(step, state, states) is not False)
        self._write(undo, f"step '{name}'", led, states, [name] if _is_unclear(step, states) else [])

    def _write(
        self, undo: Property, owner: str, led: tuple[str, ...], states: tuple[str, ...], unclear: list[str]
    ) -> None:
        """Add `on` with the states that lead on, if there is a choice."""
        if not led:
            self._note(undo.name.span, f"{owner} never led on, so 0.3 never undid it: remove the undo or write 'on'")
        elif unclear:
            steps = ", ".join(f"'{name}'" for name in unclear)
            message = f"0.4 undoes {owner} after a state whatever route it takes; in 0.3, step {steps} was undone only"
            self._note(undo.name.span, f"{message} on some of the routes of {' or '.join(led)}")
        if led and len(states) > 1 and undo.value is not None:
            end = undo.value.span.end
            self._edits.append((Span(end, end), f" on {' | '.join(map(spelling.name, led))}"))

    def _errors_in(self, value: Expression) -> None:
        """Read the text of `$error` from its cause."""
        for kind, start, end in pieces_of(value.source):
            if kind == "operand" and value.source[start] not in "\"'`":
                for found in _ERROR.finditer(value.source[start:end]):
                    at = value.span.start + 2 + start + found.end()
                    self._edits.append((Span(at, at), ".cause"))

    def _note(self, span: Span, message: str) -> None:
        self._notes.append(Note(*self._source.position(span.start), message))


def _declared(statement: Statement) -> tuple[str, ...]:
    returned = property_named(statement.members, "return")
    value = returned.value if returned else None
    routes = [one for one in value.items if isinstance(one, Route)] if isinstance(value, Group) else []
    return tuple(dict.fromkeys(word.text for route in routes for word in route.states)) or (DEFAULT_STATE,)


def _own_undo(step: Step) -> Property | None:
    return property_named(step.body.members if step.body else (), "undo")


def _word(member: Property | None) -> str | None:
    return member.value.text if member and isinstance(member.value, Word) else None


def _has_states(value: Value | None) -> bool:
    return isinstance(value, Call) and bool(value.states)


def _leads_on(step: Step, state: str, states: tuple[str, ...]) -> bool | None:
    """Whether a state leads to another step or to `done`; None if that depends on conditions."""
    found: list[bool] = []
    for route in _routes(step):
        names = [word.text for word in route.states]
        is_else = route.when is None and [word.key for word in route.states] == ["else"] and names[0] not in states
        if not names or is_else or state in names:
            target = route.target.text if route.target else DONE
            found.append(target.lower() != STOPPED and target != step.name.text)
            if route.when is None:
                break
    else:
        found.append(False)
    return found[0] if len(set(found)) == 1 else None


def _is_unclear(step: Step, states: tuple[str, ...]) -> bool:
    return any(_leads_on(step, state, states) is None for state in states)


def _routes(step: Step) -> list[Route]:
    routes = [one for one in step.routes.items if isinstance(one, Route)] if step.routes else []
    span = step.name.span
    return routes or [Route((Word(DEFAULT_STATE, quoted=False, span=span),), None, None, span)]


def _values(members: Iterable[Member]) -> Iterator[Expression]:
    """Yield the expressions of members, of the steps in them and of their routes."""
    for member in members:
        if isinstance(member, Property) and member.value is not None:
            yield from _expressions(member.value)
        elif isinstance(member, Step):
            yield from _expressions(member.routes) if member.routes else ()
            yield from _values(member.body.members if member.body else ())


def _expressions(value: Value) -> Iterator[Expression]:
    match value:
        case Group():
            for item in value.items:
                if isinstance(item, Assignment):
                    yield from _expressions(item.value)
                elif isinstance(item, Route) and item.when:
                    yield item.when
        case Call():
            yield from _expressions(value.group) if value.group else ()
        case _:
            yield from (leaf for leaf in leaves_of(value) if isinstance(leaf, Expression))


def _is_of_0_4(statements: Iterable[Statement]) -> bool:
    """Whether a document has a construct that 0.3 does not have."""
    return any(_are_of_0_4(statement.members) for statement in statements)


def _are_of_0_4(members: Iterable[Member]) -> bool:
    for member in members:
        if isinstance(member, Use) or (isinstance(member, Step) and member.kind.key in _STEPS_OF_0_4):
            return True
        if isinstance(member, Property) and (member.name.key in _WORDS_OF_0_4 or _has_states(member.value)):
            return True
        if isinstance(member, Step):
            new = [one for one in _routes(member) if one.entries is not None or len(one.states) > 1]
            if new or _are_of_0_4(member.body.members if member.body else ()):
                return True
    return False
