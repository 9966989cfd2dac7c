"""The direct interpreter of machines in JSONata. Expressions are evaluated by Echoer's own evaluator.

Machines name variables `u`, `v`, `w` and these with a number: their expressions are read with `$vars.u` in place of
`$u`, because the evaluator knows FSL's names only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from chalicelib import expressions
from tests.conformance.asl.interpreter import Interpreter
from tests.conformance.asl.paths import Document, Failure, Scope, Undefined

QUERY_ERROR: Final = "States.QueryEvaluationError"

_EXPRESSION: Final = re.compile(r"\{%(.*)%\}", re.DOTALL)
_NAME: Final = re.compile(r"\$(states\b|[uvw][0-9]*\b)")
_FIELDS: Final = frozenset(
    {"Type", "Comment", "Next", "End", "Output", "Assign"}
    | {"Arguments", "Items", "ItemSelector", "ItemProcessor", "Branches", "Choices"}
    | {"Default", "Seconds", "Retry", "Catch", "Resource", "Error"}
    | {"Cause"}
)


class JsonataInterpreter(Interpreter):
    """Executes one machine with the query language JSONata."""

    fields = _FIELDS

    def _once(
        self, name: str, state: Mapping[str, Any], document: Document, scope: Scope, context: dict[str, Any]
    ) -> tuple[Document, str | None]:
        known = {"input": document, "context": context}
        if state["Type"] == "Choice":
            return self._chosen(state, known, scope)
        if state["Type"] == "Wait":
            seconds = _value(state["Seconds"], known, scope)
            if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
                raise Failure(QUERY_ERROR)
        if state["Type"] in ("Task", "Map", "Parallel"):
            known["result"] = self._worked(name, state, known, scope)
        try:
            out = _value(state["Output"], known, scope) if "Output" in state else known.get("result", document)
            _assign(state, known, scope)
        except Failure:
            if "Retry" in state:  # what fails then is not repeated
                raise Undefined from None
            raise
        return out, state.get("Next")

    def _chosen(self, state: Mapping[str, Any], known: dict[str, Any], scope: Scope) -> tuple[Document, str]:
        for rule in state["Choices"]:
            holds = _value(rule["Condition"], known, scope)
            if not isinstance(holds, bool):
                raise Failure(QUERY_ERROR)
            if holds:
                return self._left(rule, known, scope), rule["Next"]
        if "Default" not in state:
            raise Failure("States.NoChoiceMatched")
        return self._left(state, known, scope), state["Default"]

    def _left(self, rule: Mapping[str, Any], known: dict[str, Any], scope: Scope) -> Document:
        out = _handed_on(rule["Output"], known, scope) if "Output" in rule else known["input"]
        _assign(rule, known, scope)
        return out

    def _worked(self, name: str, state: Mapping[str, Any], known: dict[str, Any], scope: Scope) -> Document:
        context = known["context"]
        if state["Type"] == "Map":
            return self._items(state, known, scope)
        if state["Type"] == "Parallel":
            given = _handed_on(state["Arguments"], known, scope) if "Arguments" in state else known["input"]
            return self.together([(one, given, context) for one in state["Branches"]], scope)
        given = _value(state["Arguments"], known, scope) if "Arguments" in state else known["input"]
        self.calls[name] += 1
        return self.function(given)

    def _items(self, state: Mapping[str, Any], known: dict[str, Any], scope: Scope) -> Document:
        items = _value(state["Items"], known, scope) if "Items" in state else known["input"]
        if not isinstance(items, list):
            raise Failure(QUERY_ERROR)
        runs = []
        for index, item in enumerate(items):
            here = {**known["context"], "Map": {"Item": {"Index": index, "Value": item}}}
            selector = state.get("ItemSelector")
            given = item if selector is None else _handed_on(selector, {**known, "context": here}, scope)
            runs.append((state["ItemProcessor"], given, here))
        return self.together(runs, scope)

    def _failure(self, state: Mapping[str, Any], document: Document, scope: Scope, context: Any) -> Failure:
        known = {"input": document, "context": context}
        return Failure(_value(state.get("Error"), known, scope), _value(state.get("Cause", ""), known, scope))

    def _handled(
        self, caught: Mapping[str, Any], error: Document, document: Document, scope: Scope, context: dict[str, Any]
    ) -> Document:
        known = {"input": document, "context": context, "errorOutput": error}
        try:
            out = _value(caught["Output"], known, scope) if "Output" in caught else error
            _assign(caught, known, scope)
        except Failure:
            raise Undefined from None  # the error that was caught keeps its name
        return out


def _assign(state: Mapping[str, Any], known: Mapping[str, Any], scope: Scope) -> None:
    if "Assign" in state:
        scope.variables.update(_value(state["Assign"], known, scope))


def _handed_on(form: Any, known: Mapping[str, Any], scope: Scope) -> Document:
    """Return a value of which perhaps not all is read. Raises Undefined if it cannot be made."""
    try:
        return _value(form, known, scope)
    except Failure:
        raise Undefined from None


def _value(form: Any, known: Mapping[str, Any], scope: Scope) -> Document:
    """Return a value with the expressions in it evaluated. Raises Failure if one fails or finds nothing."""
    match form:
        case dict():
            return {key: _value(one, known, scope) for key, one in form.items()}
        case list():
            return [_value(one, known, scope) for one in form]
        case str() if found := _EXPRESSION.fullmatch(form):
            source = _NAME.sub(r"$vars.\1", found[1])
            try:
                value = expressions.evaluate(source, {"vars": {**_visible(scope), "states": known}}, expressions.Draw())
            except expressions.ExpressionFailed as failure:
                raise Failure(QUERY_ERROR, str(failure)) from failure
            if value is expressions.NOTHING:
                raise Failure(QUERY_ERROR, f"{source} finds nothing")
            return value
        case _:
            return form


def _visible(scope: Scope) -> dict[str, Document]:
    return {**(_visible(scope.outer) if scope.outer else {}), **scope.variables}
