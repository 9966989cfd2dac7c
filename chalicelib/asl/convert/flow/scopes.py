"""Scopes: the machine, a branch, or the items of a Map. Each has one document and its own variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from chalicelib.asl.convert.flow.steps import Entry
from chalicelib.asl.convert.jsonata.documents import Document
from chalicelib.asl.convert.jsonata.expressions import Variable
from chalicelib.asl.convert.jsonata.names import variable_word

ASSIGNED: Final = 0
FIELD: Final = 1
DATA: Final = 2
STATE: Final = 3


class Way(StrEnum):
    """How a scope keeps its document."""

    PARTS = "parts"
    """Each result in a variable of its own; what the document is, is known of each state."""
    WHOLE = "whole"
    """In the variable `data`, of which results become members."""


@dataclass(eq=False)
class Scope:
    """One scope.

    Attributes:
        pointer: Where its `States` are.
        number: Its number in the machine.
        document: What its document is at its start.
        each: The number of the scope of the each that `$item` means here; -1 where there is none.
    """

    pointer: str
    number: int
    states: Mapping[str, Any]
    start: str
    document: Document
    way: Way
    parent: Scope | None = None
    each: int = -1
    language: str = "JSONPath"
    data: Variable = field(init=False)
    assigned: dict[str, Variable] = field(init=False)
    kept: dict[tuple[str, ...], Variable] = field(default_factory=dict)
    pages: dict[tuple[str, str], Variable] = field(default_factory=dict)
    """The variables of Maps that read their items page by page, by the state and their wish."""
    begins: list[Entry] = field(default_factory=list)
    """The variables that have a value at its start."""

    def __post_init__(self) -> None:
        self.data = Variable("data", self.number, DATA)
        names = dict.fromkeys(name for state in self.states.values() for name in assigned_in(state))
        self.assigned = {name: Variable(variable_word(name, "value"), self.number, ASSIGNED) for name in names}

    def variable(self, name: str) -> Variable | None:
        """Return the variable that the machine calls `$name` here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.assigned:
                return scope.assigned[name]
            scope = scope.parent
        return None

    def keeper(self, path: tuple[str, ...], state: str, *, own: bool = False) -> Variable:
        """Return the variable for what a state puts at a place of the document. `own`: for it alone."""
        key = ("", state, *path) if own or not path else path
        if key not in self.kept:
            wish = path[-1] if path else state
            rank = FIELD if path else STATE
            self.kept[key] = Variable(_lowered(variable_word(wish, "result")), self.number, rank)
        return self.kept[key]


def _lowered(word: str) -> str:
    return word if word.isupper() else word[:1].lower() + word[1:]


def assigned_in(state: Any) -> Iterator[str]:
    """Yield the names that a state assigns, those of JSONPath without `.$`."""
    if not isinstance(state, dict):
        return
    for owner in (state, *_dicts(state.get("Catch")), *_dicts(state.get("Choices"))):
        assign = owner.get("Assign")
        for name in assign if isinstance(assign, dict) else ():
            yield name.removesuffix(".$")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def targets_of(state: Any) -> Iterator[str]:
    """Yield the states to which a state leads, once for each way."""
    if not isinstance(state, dict):
        return
    for owner in (state, *_dicts(state.get("Choices")), *_dicts(state.get("Catch"))):
        if isinstance(owner.get("Next"), str):
            yield owner["Next"]
    if isinstance(state.get("Default"), str):
        yield state["Default"]
