"""Args given to what declares them: actions, undo actions, flows. And the input that a flow's steps ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from chalicelib.definition import Action, ArgType, Parameter, Template, Undo, expression
from chalicelib.language.context import Context, described, fits
from chalicelib.language.members import read_assignments
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.tree import Assignment, Call, Value
from chalicelib.language.values import UNREADABLE, read_json, read_name, read_template

_PLAIN: Final = re.compile(r"(?!(and|or|in|true|false|null|function)$)[A-Za-z_][A-Za-z0-9_]*")


def given_args(
    context: Context, entries: dict[str, Assignment], parameters: Iterable[Parameter] | None,
    owner: str, *, what: str = "arg", plain: bool = False,
) -> dict[str, Template]:  # fmt: skip
    """The args that the entries give, each declared and of its type; `parameters` None: nothing is known of them.

    `owner` is who declares them ("action 'ci'"). `plain`: no expressions may stand there.
    """
    declared = None if parameters is None else {parameter.name: parameter for parameter in parameters}
    found: dict[str, Template] = {}
    for name, entry in entries.items():
        if declared is not None and name not in declared:
            near = Suggestion(name, tuple(declared))
            context.findings.report(Problem.UNKNOWN_ARG, entry.name.span, near=near, owner=owner, what=what, name=name)
            continue
        value = (read_json if plain else read_template)(context, name, entry.value)
        if value is UNREADABLE:
            value = None
        elif declared is not None and not fits(declared[name].type, value):
            context.findings.report(
                Problem.WRONG_TYPE,
                entry.value.span,
                name=name,
                type=declared[name].type.value,
                found=described(entry.value),
            )
        found[name] = value
    return found


def lacking(action: Action, given: Iterable[str]) -> list[Parameter]:
    """The args without a default that are not among those given."""
    names = set(given)
    return [parameter for parameter in action.parameters if parameter.required and parameter.name not in names]


def report_missing(
    context: Context, missing: Iterable[Parameter], at: Span, *, step: str, owner: str, what: str = "arg"
) -> None:
    for parameter in missing:
        context.findings.report(
            Problem.MISSING_ARG, at, step=step, what=what, name=parameter.name, type=parameter.type.value, owner=owner
        )


def read_undo(context: Context, name: str, value: Value, owner: str) -> Undo | None:
    """`refund` or `refund (order = 1)`. Args that are left out are for the caller to find."""
    word = value.name if isinstance(value, Call) else value
    action_name = read_name(context, name, word)
    if action_name is None:
        return None
    entries = (read_assignments(context, name, value.group) or {}) if isinstance(value, Call) else {}
    action = context.action(action_name)
    if action is None and action_name not in context.broken["action"]:
        near = Suggestion(action_name, context.names())
        context.findings.report(Problem.UNKNOWN_ACTION, word.span, near=near, owner=owner, name=action_name)
    parameters = action.parameters if action else None
    return Undo(action=action_name, args=given_args(context, entries, parameters, f"action '{action_name}'"))


class Inputs:
    """The input of a flow: what it declares, and what its steps leave out and therefore ask of it."""

    def __init__(self, context: Context, flow: str, declared: tuple[Parameter, ...]) -> None:
        self._context = context
        self._flow = flow
        self._declared = {parameter.name: parameter for parameter in declared}
        self._asked: dict[str, Parameter] = {}

    def ask(self, parameter: Parameter, at: Span) -> Template:
        """An expression for the input of the parameter's name, which is the flow's input from now on."""
        name = parameter.name
        declared, asked = self._declared.get(name), self._asked.get(name)
        if declared:
            if not _covers(parameter.type, declared.type):
                self._conflict(parameter, declared, at)
        elif asked:
            both = _common(asked.type, parameter.type)
            if both is None:
                self._conflict(parameter, asked, at)
            else:
                self._asked[name] = Parameter(name=name, type=both)
        else:
            self._asked[name] = Parameter(name=name, type=parameter.type)
        return expression(f"$input.{name}") if _PLAIN.fullmatch(name) else expression(_lookup(name))

    def parameters(self) -> tuple[Parameter, ...]:
        return (*self._declared.values(), *self._asked.values())

    def _conflict(self, wanted: Parameter, known: Parameter, at: Span) -> None:
        self._context.findings.report(
            Problem.CONFLICTING_INPUT,
            at,
            name=wanted.name,
            type=wanted.type.value,
            other=known.type.value,
            flow=self._flow,
        )


def _lookup(name: str) -> str:
    """JSONata for the input of a name that is no plain word."""
    return f"$input.`{name}`" if "`" not in name else f"$lookup($input, {json.dumps(name)})"


def _common(one: ArgType, other: ArgType) -> ArgType | None:
    """The type of all values that are of both types."""
    match {one, other}:
        case kinds if len(kinds) == 1:
            return one
        case kinds if ArgType.ANY in kinds:
            return next(iter(kinds - {ArgType.ANY}))
        case kinds if kinds == {ArgType.INT, ArgType.FLOAT}:
            return ArgType.INT
    return None


def _covers(wanted: ArgType, declared: ArgType) -> bool:
    """Whether a declared input will do for an arg; one declared as any is judged when the run has it."""
    return declared is ArgType.ANY or _common(wanted, declared) is declared
