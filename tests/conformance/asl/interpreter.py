"""A direct interpreter of machines in Amazon States Language, for machines that are drawn at random.

Written from the specification (states-language.net/spec.html) and AWS's developer guide; it shares no code with the
conversion. It knows Pass, Task (functions), Choice, Wait, Succeed, Fail, Map (inline) and Parallel, in JSONPath with
plain reference paths and a few intrinsic functions. What it does not know raises Unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from tests.conformance.asl.paths import (
    RUNTIME,
    Document,
    Failure,
    Scope,
    Undefined,
    Unknown,
    assign,
    filled,
    placed,
    value_at,
)
from tests.conformance.asl.rules import holds, matches

Function: TypeAlias = Callable[[Document], Document]
"""What a function returns for its payload. Raises Failure."""


_FIELDS: Final = frozenset(
    {"Type", "Comment", "Next", "End", "InputPath", "OutputPath"}
    | {"ResultPath", "ResultSelector", "Parameters", "Result", "Assign", "Choices"}
    | {"Default", "Seconds", "SecondsPath", "Branches", "ItemsPath", "ItemSelector"}
    | {"Retry", "ItemProcessor", "MaxConcurrency", "Resource", "Error", "Cause"}
    | {"Catch"}
)


class Interpreter:
    """Executes one machine."""

    fields = _FIELDS
    """The fields of states that it knows."""

    def __init__(self, machine: Mapping[str, Any], function: Function, given: Document) -> None:
        self._machine = machine
        self.function = function
        self._input = given
        self.calls: Counter[str] = Counter()
        """How often each Task called its function."""
        self.is_exact = True
        """Whether the calls can be counted: no branch or item failed while others ran."""

    def run(self) -> Document:
        """Return the output. Raises Failure, Undefined."""
        return self._states(self._machine, self._input, Scope(), {"Execution": {"Input": self._input}})

    def _states(self, machine: Mapping[str, Any], given: Document, scope: Scope, context: dict[str, Any]) -> Document:
        name, document = machine["StartAt"], given
        while True:
            state, here = machine["States"][name], {**context, "State": {"Name": name}}
            if not state.keys() <= self.fields:
                raise Unknown(sorted(state.keys() - self.fields))
            if state["Type"] == "Fail":
                raise self._failure(state, document, scope, here)
            document, target = self._entered(name, state, document, scope, here)
            if target is None:
                return document
            name = target

    def _entered(
        self, name: str, state: Mapping[str, Any], document: Document, scope: Scope, context: dict[str, Any]
    ) -> tuple[Document, str | None]:
        """Return the document that leaves the state, and the next state, with Retry and Catch."""
        used: Counter[int] = Counter()
        while True:
            try:
                return self._once(name, state, document, scope, context)
            except Failure as failure:
                if self._retries(state, failure, used):
                    continue
                caught = next((one for one in state.get("Catch", ()) if matches(one, failure)), None)
                if caught is None:
                    raise
                error = {"Error": failure.name, "Cause": failure.cause}
                return self._handled(caught, error, document, scope, context), caught["Next"]

    def _failure(self, state: Mapping[str, Any], _document: Document, _scope: Scope, _context: Any) -> Failure:
        return Failure(state.get("Error"), state.get("Cause", ""))

    def _handled(
        self, caught: Mapping[str, Any], error: Document, document: Document, scope: Scope, context: dict[str, Any]
    ) -> Document:
        """Return the document that a catcher hands on."""
        after = placed(caught.get("ResultPath", "$"), document, error)
        assign(caught, error, scope, context)
        return after

    def _retries(self, state: Mapping[str, Any], failure: Failure, used: Counter[int]) -> bool:
        for number, retrier in enumerate(state.get("Retry", ())):
            if matches(retrier, failure):
                used[number] += 1
                return used[number] <= int(retrier.get("MaxAttempts", 3))
        return False

    def _once(
        self, name: str, state: Mapping[str, Any], document: Document, scope: Scope, context: dict[str, Any]
    ) -> tuple[Document, str | None]:
        effective = _kept(state.get("InputPath", "$"), document, scope, context)
        if state["Type"] == "Choice":
            for rule in state["Choices"]:
                if holds(rule, effective, scope, context):
                    assign(rule, effective, scope, context)
                    return effective, rule["Next"]
            if "Default" not in state:
                raise Failure("States.NoChoiceMatched")
            assign(state, effective, scope, context)
            return effective, state["Default"]
        result = self._result(name, state, effective, scope, context)
        if "ResultSelector" in state:
            result = filled(state["ResultSelector"], result, scope, context)
        after = result
        if state["Type"] in ("Pass", "Task", "Map", "Parallel"):
            after = placed(state.get("ResultPath", "$"), document, result)
        out = _kept(state.get("OutputPath", "$"), after, scope, context)
        assign(state, result, scope, context)
        return out, state.get("Next")

    def _result(
        self, name: str, state: Mapping[str, Any], effective: Document, scope: Scope, context: dict[str, Any]
    ) -> Document:
        given = effective
        if "Parameters" in state:
            given = filled(state["Parameters"], effective, scope, context)
        match state["Type"]:
            case "Pass":
                return state.get("Result", given)
            case "Wait":
                _wait(state, effective, scope, context)
                return effective
            case "Succeed":
                return effective
            case "Task":
                self.calls[name] += 1
                return self.function(given)
            case "Parallel":
                return self.together([(one, given, context) for one in state["Branches"]], scope)
            case "Map":
                return self._map(state, effective, scope, context)
            case other:
                raise Unknown(other)

    def _map(
        self, state: Mapping[str, Any], effective: Document, scope: Scope, context: dict[str, Any]
    ) -> list[Document]:
        if "Parameters" in state:
            raise Unknown("Parameters of a Map")
        items = value_at(state.get("ItemsPath", "$"), effective, scope, context)
        if not isinstance(items, list):
            raise Failure(RUNTIME)
        runs = []
        for index, item in enumerate(items):
            here = {**context, "Map": {"Item": {"Index": index, "Value": item}}}
            given = _selected(state["ItemSelector"], effective, scope, here) if "ItemSelector" in state else item
            runs.append((state["ItemProcessor"], given, here))
        return self.together(runs, scope)

    def together(self, runs: list[tuple[Mapping[str, Any], Document, dict[str, Any]]], scope: Scope) -> list[Document]:
        """Return the outputs of branches or items. Raises the Failure of one; Undefined if they fail differently."""
        outputs, failures = [], []
        for machine, given, context in runs:
            try:
                outputs.append(self._states(machine, given, Scope(outer=scope), context))
            except Failure as failure:
                failures.append(failure)
        if not failures:
            return outputs
        self.is_exact = False
        if len({failure.name for failure in failures}) > 1:
            raise Undefined
        raise failures[0]


def _selected(selector: Any, document: Document, scope: Scope, context: dict[str, Any]) -> Document:
    """Return an item as its ItemSelector makes it. Raises Undefined if it cannot: perhaps nothing reads the part."""
    try:
        return filled(selector, document, scope, context)
    except Failure:
        raise Undefined from None


def _kept(path: str | None, document: Document, scope: Scope, context: dict[str, Any]) -> Document:
    """Return the part of a document that goes on. Raises Undefined if there is none: perhaps nothing reads it."""
    try:
        return value_at(path, document, scope, context)
    except Failure:
        raise Undefined from None


def _wait(state: Mapping[str, Any], document: Document, scope: Scope, context: Mapping[str, Any]) -> None:
    if "SecondsPath" in state:
        seconds = value_at(state["SecondsPath"], document, scope, context)
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
            raise Failure(RUNTIME, "SecondsPath")
