"""A machine on its way to a flow: what all its states share, and its scopes one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.asl.convert.flow.scopes import Scope, Way
from chalicelib.asl.convert.flow.steps import Actions, Block, Step
from chalicelib.asl.convert.jsonata.documents import Document
from chalicelib.asl.convert.jsonata.expressions import INPUT, Literal
from chalicelib.asl.convert.jsonata.names import Names, step_word
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.convert.placing import Placer
from chalicelib.asl.convert.states import nesting, simple, tasks
from chalicelib.asl.convert.states.drafts import Draft, Exit
from chalicelib.asl.convert.states.reader import Reader, own_fields
from chalicelib.asl.problems import Level, Problem, pointer
from chalicelib.language import Operations

MAX_DEPTH: Final = 8
"""How deep scopes may be nested: each takes up to three of the 32 brackets that FSL allows within each other."""

_ARNS: Final = re.compile(r"(?:\$\$|\$states\.context)\.(Execution\.Id|Execution\.RoleArn|StateMachine\.Id)\b")
_STANDS_FOR: Final = {
    "Execution.Id": "it is the id of the run",
    "Execution.RoleArn": "it is an empty text",
    "StateMachine.Id": "it is the name of the flow",
}

_READERS: Final = {
    "Pass": simple.read_pass,
    "Wait": simple.read_wait,
    "Choice": simple.read_choice,
    "Succeed": simple.read_succeed,
    "Fail": simple.read_fail,
    "Task": tasks.read_task,
    "Parallel": nesting.read_parallel,
    "Map": nesting.read_map,
}


@dataclass
class Machine:
    """What the states of a machine share.

    Attributes:
        ways: How each scope keeps its document, by its pointer; WHOLE where it says nothing.
        whole: The states with a response that is needed as a whole.
        flows: The flow that each known machine became, by what StateMachineArn says.
    """

    definition: Mapping[str, Any]
    ways: Mapping[str, Way]
    whole: frozenset[str]
    name: str = ""
    """The name of the flow."""
    flows: Mapping[str, str] = field(default_factory=dict)
    operations: Operations | None = None
    """The operations that actions may call; None if they are not known."""
    refused_by_checker: Mapping[str, str] = field(default_factory=dict)
    """Why the checker refuses the steps of some states, by the pointers of these states."""
    actions: Actions = field(default_factory=Actions)
    problems: dict[Problem, None] = field(default_factory=dict)
    scopes: list[Scope] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    """The name of the step of each state, by its pointer."""
    owners: dict[str, str] = field(default_factory=dict)
    """The state that each step is of: its pointer, by the name of the step."""
    _beside: dict[tuple[str, str], str] = field(default_factory=dict)
    _names: Names = field(default_factory=Names)

    def tell(self, place: str, level: Level, message: str, *keys: str | int) -> None:
        """Report a problem, once."""
        self.problems[Problem(pointer(place, *keys), level, message)] = None

    def pointer_of(self, scope: Scope, state: str) -> str:
        """Return the pointer of a state."""
        return pointer(scope.pointer, "States", state)

    def word(self, scope: Scope, state: str) -> str:
        """Return the name of the step of a state."""
        place = self.pointer_of(scope, state)
        if place not in self.words:
            self.words[place] = self._take(step_word(state), place)
        return self.words[place]

    def _take(self, wish: str, place: str) -> str:
        word = self._names.take(wish)
        self.owners[word] = place
        return word

    def entry(self, scope: Scope, state: str) -> str:
        """Return the name of the step that is entered first: of a Map with an ItemReader, that which reads."""
        written = scope.states[state]
        has_reader = isinstance(written, dict) and written.get("Type") == "Map" and "ItemReader" in written
        return self.word_beside(scope, state, "Read") if has_reader else self.word(scope, state)

    def word_beside(self, scope: Scope, state: str, verb: str) -> str:
        """Return the name of a step beside that of a state."""
        place = self.pointer_of(scope, state)
        if (place, verb) not in self._beside:
            word = step_word(state)
            self._beside[place, verb] = self._take(f"{verb}{word[:1].upper()}{word[1:]}", place)
        return self._beside[place, verb]

    # ── scopes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def top(self) -> Scope:
        """Open the scope of the machine itself."""
        return self._scope("", self.definition, INPUT, None, -1, _language(self.definition, "JSONPath"))

    def open_scope(
        self, reader: Reader, processor: Mapping[str, Any], keys: tuple[str | int, ...], language: str, each: int | None
    ) -> Scope:
        """Open the scope of a branch, or (`each` None) of an item. Its document is given afterwards."""
        place = pointer(reader.pointer, *keys)
        # A state within a Map or Parallel takes the query language of the machine (see `asl.language`).
        language = _language(self.definition, "JSONPath")
        return self._scope(place, processor, INPUT, reader.scope, each, language)

    def _scope(
        self, place: str, owner: Mapping[str, Any], document: Document, parent: Scope | None, each: int | None,
        language: str,
    ) -> Scope:  # fmt: skip
        number = len(self.scopes)
        scope = Scope(
            place, number, owner["States"], owner["StartAt"], document, self.ways.get(place, Way.WHOLE), parent,
            number if each is None else each, language,
        )  # fmt: skip
        self.scopes.append(scope)
        return scope

    def block(self, name: str, scope: Scope) -> Block:
        """Return the steps of a scope."""
        steps = Placer(self, scope).steps()
        return Block(name, steps, scope.begins, scope.number)

    # ── states ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def reader(self, scope: Scope, name: str, document: Document) -> Reader:
        """Return the reader of a state."""
        state = scope.states[name]
        return Reader(self, scope, name, state if isinstance(state, dict) else {}, document)

    def draft(self, scope: Scope, name: str, document: Document) -> Draft:
        """Return the step of a state. One that FSL cannot express becomes a step that stops."""
        reader = self.reader(scope, name, document)
        kind = reader.state.get("Type")
        read = _READERS.get(kind) if isinstance(kind, str) else None
        try:
            if reader.pointer in self.refused_by_checker:
                raise Unsayable(self.refused_by_checker[reader.pointer])
            if read is None:
                raise Unsayable(f"`{str(kind)[:40]}` is no type of a state", "Type")
            if kind in ("Map", "Parallel") and _depth(scope) >= MAX_DEPTH:
                raise Unsayable(f"states are nested more than {MAX_DEPTH} levels deep")
            found = read(reader)
        except Unsayable as problem:
            return self.refused(scope, name, problem, document)
        found.step.comments[:0] = _comment(reader.state)
        self._tell_of_arns(reader)
        return found

    def _tell_of_arns(self, reader: Reader) -> None:
        for name in dict.fromkeys(found[1] for found in _ARNS.finditer(json.dumps(own_fields(reader.state)))):
            self.tell(reader.pointer, Level.NOTE, f"{name} is no ARN here: {_STANDS_FOR[name]}")

    def refused(self, scope: Scope, name: str, problem: Unsayable, document: Document) -> Draft:
        """Return a step that stops, in place of a state that FSL cannot express, and report why."""
        self.tell(self.pointer_of(scope, name), Level.ERROR, problem.reason, *problem.keys)
        comments = [*_comment(scope.states[name]), f"NOT IMPORTED: {problem.reason}"]
        given: dict[str, Document] = {"error": Literal("NotImported"), "cause": Literal(problem.reason)}
        way_out = Exit(None, document, otherwise=True, given=given, is_success=False)
        return Draft(Step("deci", name, comments=comments), [way_out])


def _comment(state: Any) -> list[str]:
    comment = state.get("Comment") if isinstance(state, dict) else None
    return [line.strip() for line in comment.splitlines() if line.strip()] if isinstance(comment, str) else []


def _language(owner: Mapping[str, Any], otherwise: str) -> str:
    language = owner.get("QueryLanguage")
    return language if isinstance(language, str) else otherwise


def _depth(scope: Scope) -> int:
    depth, above = 0, scope.parent
    while above is not None:
        depth, above = depth + 1, above.parent
    return depth
