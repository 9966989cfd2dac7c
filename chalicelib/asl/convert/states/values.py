"""What the fields of a state say, given its documents: payload templates, paths, JSONata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.asl.convert.flow.scopes import Scope
from chalicelib.asl.convert.jsonata.documents import MISSING, Document, Lst, Obj, Shape, with_member
from chalicelib.asl.convert.jsonata.expressions import INPUT, Get, Literal, Var, Variable, Word, need
from chalicelib.asl.convert.jsonata.intrinsic_values import intrinsic_value
from chalicelib.asl.convert.jsonata.jsonata_values import expression_value, is_expression
from chalicelib.asl.convert.jsonata.path_values import path_value
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.intrinsics import Call, NotReadable, parse_value
from chalicelib.asl.path_tree import Field, Path, Root
from chalicelib.asl.paths import parse_path, parse_reference_path
from chalicelib.model.json_values import Json


@dataclass(frozen=True)
class Values:
    """Reads the values of a state.

    Attributes:
        document: What `$` is: the document of the state, or what a field before has made of it.
        special: What `$states` has, by name (JSONata).
        is_task: The context object counts how often the state was done again.
        has_token: It has a task token.
        has_retries: It counts them, though the state cannot be done again.
    """

    scope: Scope
    state: str
    document: Document
    is_jsonata: bool
    special: Mapping[str, Document]
    is_task: bool = False
    has_token: bool = False
    has_retries: bool = False

    def over(self, document: Document, **special: Document) -> Values:
        """Return what reads values over another document."""
        return replace(self, document=document, special={**self.special, **special})

    def context(self) -> Document:
        """Return the context object, as far as Echoer has it."""
        return _context(self)

    # ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def root(self, path: Path) -> Document:
        """Return the document at the root of a path."""
        match path.root:
            case Root.CONTEXT:
                return self.context()
            case Root.VARIABLE:
                return self.variable(path.variable)
            case _:
                return self.document

    def variable(self, name: str) -> Document:
        """Return the value of a variable of the machine."""
        variable = self.scope.variable(name)
        return MISSING if variable is None else Var(variable)

    def path(self, text: Json) -> Document:
        """Return what a path or an intrinsic function yields."""
        if not isinstance(text, str):
            raise Unsayable("a path must be a text")
        try:
            value = parse_value(text) if text.startswith("States.") else parse_path(text)
        except NotReadable as problem:
            raise Unsayable(f"`{text[:60]}` cannot be read: {problem.reason}") from None
        return intrinsic_value(value, self.root) if isinstance(value, Call) else path_value(value, self.root)

    def narrowed(self, state: Mapping[str, Any], name: str) -> Document:
        """Return the document as InputPath or OutputPath leaves it."""
        if name not in state or state[name] == "$":
            return self.document
        if state[name] is None:
            return Literal({})
        try:
            return _needed(self.path(state[name]))
        except Unsayable as problem:
            raise problem.at(name) from None

    def laid(self, state: Mapping[str, Any], name: str, result: Document) -> Document:
        """Return the document with a result where ResultPath puts it."""
        if name not in state or state[name] == "$":
            return result
        if state[name] is None:
            return self.document
        try:
            path = parse_reference_path(state[name] if isinstance(state[name], str) else "")
        except NotReadable as problem:
            raise Unsayable(f"`{str(state[name])[:60]}` cannot be read: {problem.reason}", name) from None
        if path.root is not Root.INPUT:
            raise Unsayable("ResultPath must lead into the document", name)
        names = tuple(step.name for step in path.steps if isinstance(step, Field))
        if len(names) < len(path.steps):
            raise Unsayable("ResultPath cannot lead into a list", name)
        return with_member(self.document, names, result)

    # ── templates ────────────────────────────────────────────────────────────────────────────────────────────────────

    def template(self, value: Json) -> Document:
        """Return what a payload template, or a value with `{% %}` in it, makes. What it reads must be there."""
        if not _is_dynamic(value, is_jsonata=self.is_jsonata):
            return Literal(value)
        match value:
            case dict():
                return Obj(None, dict(self._member(name, one) for name, one in value.items()))
            case list():
                return Lst(tuple(self._at(number, one) for number, one in enumerate(value)))
            case _:
                return _needed(expression_value(value, self.named))

    def _member(self, name: str, value: Json) -> tuple[str, Document]:
        try:
            if not self.is_jsonata and name.endswith(".$") and isinstance(value, str):
                return name[:-2], _needed(self.path(value))
            return name, self.template(value)
        except Unsayable as problem:
            raise problem.at(name) from None

    def _at(self, number: int, value: Json) -> Document:
        try:
            return self.template(value)
        except Unsayable as problem:
            raise problem.at(number) from None

    def named(self, name: str) -> Document | None:
        """Return what `$name` is in JSONata; None where it is none of AWS's names."""
        if name == "states":
            return Obj(None, {"context": self.context(), **self.special})
        variable = self.scope.variable(name)
        return None if variable is None else Var(variable)

    def field(self, state: Mapping[str, Any], name: str) -> Document:
        """Return the value of a field that is a template."""
        try:
            return self.template(state[name])
        except Unsayable as problem:
            raise problem.at(name) from None

    def assigns(self, owner: Mapping[str, Any]) -> list[tuple[Variable, Document]]:
        """Return what `Assign` sets."""
        written = owner.get("Assign")
        if not isinstance(written, dict):
            return []
        made = self.field(owner, "Assign")
        if isinstance(made, Literal):
            made = Obj(None, {name: Literal(value) for name, value in made.value.items()})
        found: list[tuple[Variable, Document]] = []
        for name, value in made.members.items() if isinstance(made, Obj) else ():
            variable = self.scope.assigned.get(name)
            if variable is not None:
                found.append((variable, value))
        return found


def _needed(document: Document) -> Document:
    return document if isinstance(document, (Obj, Lst, Shape)) else need(document)


def _is_dynamic(value: Json, *, is_jsonata: bool) -> bool:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            if not is_jsonata and any(name.endswith(".$") and isinstance(inner, str) for name, inner in one.items()):
                return True
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
        elif is_jsonata and is_expression(one):
            return True
    return False


def _context(values: Values) -> Document:
    run, step = Word("$run"), Word("$step")
    scope = values.scope
    execution: dict[str, Document] = {
        "Id": Get(run, "id"),
        "Input": INPUT,
        "StartTime": Get(run, "started_at"),
        "Name": Get(run, "name"),
        "RoleArn": Literal(""),
        "RedriveCount": Literal(0),
    }
    members: dict[str, Document] = {
        "Execution": Obj(None, dict(execution)),
        "StateMachine": Obj(None, {"Id": Get(run, "flow"), "Name": Get(run, "flow")}),
    }
    entered: dict[str, Document] = {"EnteredTime": Get(step, "entered_at"), "Name": Literal(values.state)}
    retries: dict[str, Document] = {"RetryCount": Get(step, "attempt") if values.is_task else Literal(0)}
    members["State"] = Obj(None, entered | (retries if values.is_task or values.has_retries else {}))
    if values.has_token:
        members["Task"] = Obj(None, {"Token": Get(step, "token")})
    if scope.each >= 0:
        item: dict[str, Document] = {"Index": Word("$index", scope.each), "Value": Word("$item", scope.each)}
        members["Map"] = Obj(None, {"Item": Obj(None, dict(item))})
    return Obj(None, members)
