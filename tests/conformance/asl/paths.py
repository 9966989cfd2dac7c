"""Paths, templates and variables of the direct interpreter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Document: TypeAlias = Any
MISSING: Final = object()
RUNTIME: Final = "States.Runtime"


class Undefined(Exception):
    """Echoer may differ here, and says so (docs/step-functions-conformance.md): nothing can be compared.

    A path takes an index of what is no list, or a member of a list. What is handed on cannot be made: perhaps nothing
    reads it. What a Catch saves fails. A Catch or Retry of States.ALL meets States.Runtime. Branches fail with other
    errors than one another.
    """


class Unknown(Exception):
    """The direct interpreter does not know this part of the language: nothing can be compared."""


class Failure(Exception):
    """The execution, or a state, fails."""

    def __init__(self, name: str | None, cause: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.cause = cause


@dataclass
class Scope:
    """The variables of a machine, a branch or an item, over those around it."""

    variables: dict[str, Document] = field(default_factory=dict)
    outer: Scope | None = None

    def read(self, name: str) -> Document:
        if name in self.variables:
            return self.variables[name]
        return self.outer.read(name) if self.outer else MISSING


_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_PATH: Final = re.compile(rf"\$(\$|\w+)?(?:{_STEP.pattern})*")
_FUNCTION: Final = re.compile(r"States\.(\w+)\((.*)\)", re.DOTALL)


def value_at(path: str | None, document: Document, scope: Scope, context: Mapping[str, Any]) -> Document:
    """Return what a reference path leads to. Raises Failure if that is nothing."""
    if path is None:
        return {}
    value = found(path, document, scope, context)
    if path == "$$" or (path.startswith("$$") and value is MISSING):
        raise Unknown(path)
    if value is MISSING:
        raise Failure(RUNTIME, path)
    return value


def found(path: str, document: Document, scope: Scope, context: Mapping[str, Any]) -> Document:
    """Return what a reference path leads to, or MISSING."""
    if not _PATH.fullmatch(path):
        raise Unknown(path)
    if path.startswith("$$"):
        value, rest = context, path[2:]
    elif path[1:2] in ("", ".", "["):
        value, rest = document, path[1:]
    else:
        name = re.match(r"\w+", path[1:])
        word = name[0] if name else ""
        value, rest = scope.read(word), path[1 + len(word) :]
    for member, index in _STEP.findall(rest):
        if isinstance(value, list) != bool(index) and value is not None:
            raise Undefined
        if index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif member and isinstance(value, Mapping) and member in value:
            value = value[member]
        else:
            return MISSING
    return value


def placed(path: str | None, document: Document, result: Document) -> Document:
    """Return the document with the result at the ResultPath."""
    if path is None:
        return document
    if "[" in path:
        raise Unknown(path)
    names = [member for member, _ in _STEP.findall(path)]
    return _with(document, names, result)


def _with(document: Document, names: list[str], value: Document) -> Document:
    if not names:
        return value
    if not isinstance(document, Mapping):
        raise Undefined
    return {**document, names[0]: _with(document.get(names[0], {}), names[1:], value)}


def filled(form: Any, document: Document, scope: Scope, context: Mapping[str, Any]) -> Document:
    """Return a payload template with its values. Raises Failure."""
    match form:
        case dict():
            return {
                key.removesuffix(".$"): _value(one, document, scope, context)
                if key.endswith(".$")
                else filled(one, document, scope, context)
                for key, one in form.items()
            }
        case list():
            return [filled(one, document, scope, context) for one in form]
        case _:
            return form


def _value(text: str, document: Document, scope: Scope, context: Mapping[str, Any]) -> Document:
    """Return the value of a path, or of an intrinsic function of paths and constants."""
    called = _FUNCTION.fullmatch(text)
    if called is None:
        return value_at(text, document, scope, context)
    values = [_argument(one.strip(), document, scope, context) for one in called[2].split(",")]
    if called[1] not in ("Array", "MathAdd", "ArrayLength", "JsonMerge", "Format"):
        raise Unknown(text)
    match called[1], values:
        case "Array", _:
            return values
        case "MathAdd", [int(a), int(b)]:
            return a + b
        case "MathAdd", _:
            raise Unknown(text)
        case "ArrayLength", [list(one)]:
            return len(one)
        case "JsonMerge", [dict(a), dict(b), False]:
            return {**a, **b}
        case "Format", [str(form), str(one)] if form.count("{}") == 1 and "\\" not in form:
            return form.replace("{}", one)
        case "Format", _:
            raise Unknown(text)
        case _:
            raise Failure(RUNTIME, text)


def _argument(text: str, document: Document, scope: Scope, context: Mapping[str, Any]) -> Document:
    if text.startswith("$"):
        return value_at(text, document, scope, context)
    if text.startswith("'"):
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if not text.removeprefix("-").isdecimal():
        raise Unknown(text)
    return int(text)


def assign(state: Mapping[str, Any], document: Document, scope: Scope, context: Mapping[str, Any]) -> None:
    """Set the variables of an Assign, from their values before it. Raises Failure."""
    if "Assign" in state:
        scope.variables.update(filled(state["Assign"], document, scope, context))
