"""A list of states in the making: those of the machine, of a branch or of an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from chalicelib.asl.export.values.names import (
    EXECUTION_INPUT,
    INPUT,
    NOTHING,
    Meaning,
    Reads,
    held_error,
    refused,
    step_meaning,
)
from chalicelib.asl.export.values.templates import Writer
from chalicelib.asl.problems import Level, Problem
from chalicelib.model.actions import Action
from chalicelib.model.flow import Step
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template

MAX_NAME: Final = 80
"""Characters of the name of a state."""


@dataclass(slots=True)
class Findings:
    """Problems, each once, in the order in which they are found."""

    found: dict[Problem, None] = field(default_factory=dict)

    def add(self, pointer: str, level: Level, message: str) -> None:
        """Add a problem at a place of the definition."""
        self.found[Problem(pointer, level, message)] = None


@dataclass(slots=True)
class Names:
    """The names of all states of a machine, and of all variables in it."""

    states: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)

    def state(self, wanted: str) -> str:
        """Return a name for a state that no other has."""
        return self._new(wanted, self.states, MAX_NAME)

    def variable(self, wanted: str) -> str:
        """Return a name for a variable that no other has."""
        word = "".join(char if char.isalnum() or char == "_" else "_" for char in wanted)
        word = f"_{word}" if not word or word[0].isdigit() else word
        return self._new(word, self.variables, MAX_NAME)

    @staticmethod
    def _new(wanted: str, taken: set[str], longest: int) -> str:
        name, number = wanted[:longest], 2
        while name in taken:
            ending = str(number)
            name, number = wanted[: longest - len(ending)] + ending, number + 1
        taken.add(name)
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A branch or the items of an each: its steps, their place, its variables. `label`: its name."""

    steps: tuple[Step, ...]
    pointer: str
    variables: Mapping[str, Template]
    label: str
    is_item: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is the same in all scopes of a machine."""

    actions: Mapping[str, Action]
    config: Meaning
    names: Names
    findings: Findings
    shim: str
    state_of: Mapping[str, str]
    """The name of the state of each step."""
    inner: Callable[[Scope, Inner], dict[str, Json]]
    """Returns the states of a branch or an item."""


@dataclass(kw_only=True)
class Scope:
    """The states of one scope.

    Attributes:
        around: What all scopes share.
        pointer: The JSON pointer of its steps in the definition.
        input: What `$input` is.
        variables: The names in the machine of all variables that are seen here, by their names in FSL.
        own: The variables that are set here: Step Functions sets no variable of an outer scope.
        unset: The variables that may be read before anything sets them: then they have no value, as in FSL.
        error: The variable that holds `$error`.
        output: What its end yields; None: the result of the last step.
        live: Which names of the step before each step reads (`graph.read_on_entry`).
        at_end: Those that its end reads.
        item, index: What `$item` and `$index` are.
        states: The states by name.
    """

    around: Around
    pointer: str
    input: Meaning
    variables: dict[str, str]
    own: frozenset[str]
    unset: frozenset[str]
    error: str
    output: Template
    live: Mapping[str, frozenset[str]]
    at_end: frozenset[str]
    item: Meaning
    index: Meaning
    states: dict[str, dict[str, Json]] = field(default_factory=dict)
    fails: dict[tuple[str, str], str] = field(default_factory=dict)
    """The Fail states by their error and cause, as JSON."""
    done: str = ""
    """The name of the state at which it ends, once there is one."""

    def add(self, name: str, state: dict[str, Json]) -> str:
        """Add a state with a name like this one; return its name."""
        found = self.around.names.state(name)
        self.states[found] = state
        return found

    def state_named(self, name: str) -> str:
        """Return the name of the state of a step; the name itself if it is that of an added state."""
        return self.around.state_of.get(name, name)

    def entering(self, step: Step, *, has_token: bool = False) -> Writer:
        """Return the writer of what a step reads when it is entered."""
        return self.writer(step.name, result=Meaning(whole=INPUT), has_token=has_token)

    def writer(
        self,
        step: str,
        *,
        result: Meaning,
        error: Meaning | None = None,
        state: Meaning | None = None,
        response: Meaning = NOTHING,
        has_token: bool = False,
    ) -> Writer:
        """Return the writer of what is read at a step."""
        reads = Reads(
            input=self.input,
            variables=self.variables,
            result=result,
            state=state or refused("a state does not know the state of the step before it"),
            error=error or held_error(self.error),
            response=response,
            step=step_meaning(step, has_token=has_token),
            item=self.item,
            index=self.index,
            config=self.around.config,
        )
        sure = {("result", member) for member in result.members} | (set() if error is NOTHING else {("error",)})
        return Writer(reads, self.always | sure)

    @cached_property
    def always(self) -> frozenset[tuple[str, ...]]:
        """The paths that have a value at every place of the scope."""
        found: set[tuple[str, ...]] = {("input", member) for member in self.input.members}
        found |= {("vars", name) for name in self.variables.keys() - self.unset} | {
            ("error", "name"),
            ("error", "cause"),
        }
        return frozenset(found)

    def problem(self, pointer: str, message: str, level: Level = Level.ERROR) -> None:
        """Add a problem at a place below the steps of the scope."""
        self.around.findings.add(self.pointer + pointer, level, message)


def input_meaning(names: Sequence[str], root: str = EXECUTION_INPUT) -> Meaning:
    """Return what `$input` is, with the inputs that are declared."""
    return Meaning(whole=root, members={name: _member(root, name) for name in names})


def _member(root: str, name: str) -> str:
    is_word = name.isidentifier() and name.isascii() and name not in ("and", "or", "in", "true", "false", "null")
    return f"{root}.{name}" if is_word else f"{root}.`{name}`"
