"""What all types of states have in common: the document that they read, their exits, Retry and Catch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.asl.convert.flow.scopes import Scope
from chalicelib.asl.convert.flow.steps import Plain, Property, Sent, Step
from chalicelib.asl.convert.jsonata.documents import Document, Kind, Shape, as_expression
from chalicelib.asl.convert.jsonata.durations import LONGEST, MAX_SECONDS, computed_seconds, seconds
from chalicelib.asl.convert.jsonata.expressions import ERROR, Literal, bare
from chalicelib.asl.convert.jsonata.jsonata_values import is_expression
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.convert.states.drafts import Exit, next_of
from chalicelib.asl.convert.states.failures import Failures, error_names, read_retry
from chalicelib.asl.convert.states.values import Values
from chalicelib.asl.problems import Level

if TYPE_CHECKING:
    from chalicelib.asl.convert.machine import Machine


@dataclass
class Reader:
    """Reads one state. `document` is the document at its entry."""

    machine: Machine
    scope: Scope
    name: str
    state: Mapping[str, Any]
    document: Document

    @cached_property
    def pointer(self) -> str:
        return self.machine.pointer_of(self.scope, self.name)

    @cached_property
    def is_jsonata(self) -> bool:
        language = self.state.get("QueryLanguage", self.scope.language)
        return bool(language == "JSONata")

    @cached_property
    def values(self) -> Values:
        """What reads values over the whole document."""
        return Values(
            self.scope,
            self.name,
            self.document,
            self.is_jsonata,
            {"input": self.document},
            is_task=self.state.get("Type") == "Task",
            has_token=_reads_token(self.state),
            has_retries="State.RetryCount" in json.dumps(own_fields(self.state)),
        )

    @cached_property
    def input(self) -> Values:
        """What reads values over the document as InputPath leaves it."""
        if self.is_jsonata:
            return self.values
        return self.values.over(self.values.narrowed(self.state, "InputPath"))

    def tell(self, level: Level, message: str, *keys: str | int) -> None:
        """Report a problem of this state."""
        self.machine.tell(self.pointer, level, message, *keys)

    # ── exits ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def passed(self, states: tuple[str, ...]) -> Exit:
        """Return the exit of a state that has no result."""
        if self.is_jsonata:
            made = self.values.field(self.state, "Output") if "Output" in self.state else self.document
        else:
            made = self.input.narrowed(self.state, "OutputPath")
        return Exit(next_of(self.state), made, states, assigns=self.input.assigns(self.state))

    def succeeded(self, states: tuple[str, ...], result: Document) -> Exit:
        """Return the exit of a state with a result."""
        if self.is_jsonata:
            over = self.values.over(self.document, result=result)
            made = over.field(self.state, "Output") if "Output" in self.state else result
            return Exit(next_of(self.state), made, states, assigns=over.assigns(self.state))
        over = self.values.over(result)
        selected = over.field(self.state, "ResultSelector") if "ResultSelector" in self.state else result
        whole = self.values.laid(self.state, "ResultPath", selected)
        made = self.values.over(whole).narrowed(self.state, "OutputPath")
        return Exit(next_of(self.state), made, states, assigns=over.assigns(self.state))

    def caught(self, failures: Failures) -> list[Exit]:
        """Return the exits of Catch. An exit that an earlier one hides is left out."""
        exits: list[Exit] = []
        hidden: set[str] = set()
        catchers = self.state.get("Catch")
        for number, catcher in enumerate(catchers if isinstance(catchers, list) else ()):
            try:
                found = self.caught_by(catcher, failures)
            except Unsayable as problem:
                raise problem.at("Catch", number) from None
            for way_out in found:
                way_out.states = tuple(state for state in way_out.states if state not in hidden)
                hidden.update(way_out.states if way_out.when is None else ())
                exits += [way_out] if way_out.states else []
        return exits

    def caught_by(self, catcher: Any, failures: Failures, *, is_before: bool = False) -> list[Exit]:
        """Return the exits of one catcher."""
        exits: list[Exit] = []
        for states, when in failures.matching(error_names(catcher)) if error_names(catcher) else ():
            found = self._caught(catcher)
            found.states, found.when, found.is_before = states, when, is_before
            exits.append(found)
        return exits

    def _caught(self, catcher: Mapping[str, Any]) -> Exit:
        error = Shape(Kind.FAILED, ERROR, self.name)
        if self.is_jsonata:
            over = self.values.over(self.document, errorOutput=error)
            made: Document = over.field(catcher, "Output") if "Output" in catcher else error
        else:
            over = self.values.over(error)
            made = self.values.laid(catcher, "ResultPath", error)
        return Exit(next_of(catcher), made, assigns=over.assigns(catcher), is_success=False)

    def repeated(self, step: Step, failures: Failures, *, delivered: bool = False) -> None:
        """Give the step its rules of `repeat`, and its `retry`."""
        repeats = read_retry(self.state.get("Retry"), failures, delivered=delivered)
        step.repeat, step.retry = list(repeats.rules), repeats.delivery

    # ── options ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def duration(self, name: str, *, longest: bool = False) -> Property | None:
        """Return a field of so many seconds, or what its path leads to; None if the state does not have it."""
        value = self.state.get(name)
        if is_expression(value) and self.is_jsonata:
            return Sent(computed_seconds(bare(as_expression(self.values.field(self.state, name)))))
        if value is not None:
            if isinstance(value, (int, float)) and value > MAX_SECONDS and not longest:
                raise Unsayable(f"{name} is longer than {LONGEST}", name)
            written = seconds(value)
            if written is None:
                raise Unsayable(f"{name} must be a number of seconds", name)
            return Plain(written)
        if not self.is_jsonata and f"{name}Path" in self.state:
            return Sent(computed_seconds(bare(as_expression(self._path(f"{name}Path")))))
        return None

    def number(self, name: str) -> Document | None:
        """Return a field that is a number, an expression or a path; None if the state does not have it."""
        if name in self.state:
            return self.values.field(self.state, name) if self.is_jsonata else Literal(self.state[name])
        return self._path(f"{name}Path") if not self.is_jsonata and f"{name}Path" in self.state else None

    def _path(self, name: str) -> Document:
        try:
            return self.input.path(self.state[name])
        except Unsayable as problem:
            raise problem.at(name) from None

    def text(self, name: str) -> Document | None:
        """Return a text, or what its expression, its path or its intrinsic function yields."""
        if name in self.state:
            return self.values.field(self.state, name) if self.is_jsonata else Literal(self.state[name])
        return self._path(f"{name}Path") if not self.is_jsonata and f"{name}Path" in self.state else None


def own_fields(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a state without the states within it."""
    return {name: value for name, value in state.items() if name not in ("Branches", "ItemProcessor", "Iterator")}


def _reads_token(state: Mapping[str, Any]) -> bool:
    """Return whether a Task has a task token: it waits for one, or reads it."""
    resource = state.get("Resource")
    if state.get("Type") != "Task" or not isinstance(resource, str):
        return False
    if resource.endswith(".waitForTaskToken"):
        return True
    sent = json.dumps([state.get("Parameters"), state.get("Arguments")])
    return "$$.Task" in sent or ".context.Task" in sent
