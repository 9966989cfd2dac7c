"""Args given to what declares them: actions, undo actions, flows. And the input that a flow's steps ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from chalicelib.language.check.context import Context, fits
from chalicelib.language.check.descriptions import described
from chalicelib.language.check.members import read_assignments
from chalicelib.language.check.values import (
    UNREADABLE,
    Unreadable,
    is_spelt_out,
    leaves_of,
    read_json,
    read_name,
    read_template,
)
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Assignment, Call, Reference, Value
from chalicelib.model.actions import Action, ArgType, Parameter, UndoAction
from chalicelib.model.templates import Template, expression

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
        parameter = None if declared is None else declared[name]
        if plain:
            value = read_json(context, name, entry.value)
        else:
            value = _read_given(context, entry, parameter, references=what == "arg")
        found[name] = None if value is UNREADABLE else value
        if value is not UNREADABLE and parameter and not fits(parameter.type, value):
            context.findings.report(
                Problem.WRONG_TYPE,
                entry.value.span,
                name=name,
                type=parameter.type.value,
                found=described(entry.value),
            )
    return found


def _read_given(
    context: Context, entry: Assignment, parameter: Parameter | None, *, references: bool
) -> Template | Unreadable:
    """What an entry gives for a parameter, without telling its secret. `parameter` None: nothing is known of it."""
    name = entry.name.text
    if parameter is None:
        return read_template(context, name, entry.value, secrets=references)
    found = next((one for one in leaves_of(entry.value) if isinstance(one, Reference)), None)
    if found and references and not parameter.secret:
        context.misplaced(name, found, _declared_secret(parameter))
        return UNREADABLE
    value = read_template(context, name, entry.value, secrets=references and parameter.secret)
    if value is not UNREADABLE and parameter.secret and is_spelt_out(value):
        hint = (
            'write secret "NAME", or take it from the input' if references else "take it from the input or a variable"
        )
        context.findings.report(Problem.SECRET_IN_DOCUMENT, entry.value.span, hint=hint, name=name)
        return UNREADABLE
    return value


def _declared_secret(parameter: Parameter) -> str:
    return f"declare it secret: secret {parameter.type.value} {parameter.name}"


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


def refuse_plain_heirs(
    context: Context, undone: Action | None, undo: Action, heirs: Iterable[Parameter], at: Span
) -> None:
    """Reports the plain args of an undo that are to be secret args of what it undoes."""
    secret = {one.name for one in undone.parameters if one.secret} if undone else frozenset()
    for heir in heirs:
        if undone and heir.name in secret and not heir.secret:
            what = f"arg '{heir.name}' of action '{undone.name}'"
            _refuse_plain(context, heir, at, what=what, owner=f"action '{undo.name}'")


def _refuse_plain(context: Context, plain: Parameter, at: Span, *, what: str, owner: str) -> None:
    hint = _declared_secret(plain)
    context.findings.report(Problem.SECRET_INTO_PLAIN, at, hint=hint, what=what, owner=owner, name=plain.name)


def read_undo(context: Context, name: str, value: Value, owner: str) -> UndoAction | None:
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
    return UndoAction(action=action_name, args=given_args(context, entries, parameters, f"action '{action_name}'"))


class Inputs:
    """The input of a flow: what it declares, and what its steps leave out and therefore ask of it."""

    def __init__(self, context: Context, flow: str, declared: tuple[Parameter, ...]) -> None:
        self._context = context
        self._flow = flow
        self._declared = {parameter.name: parameter for parameter in declared}
        self._asked: dict[str, Parameter] = {}
        self._plain: dict[str, tuple[Parameter, Span, str]] = {}
        """Who asked for the value of a name as a plain one first."""

    def ask(self, parameter: Parameter, at: Span, owner: str) -> Template:
        """An expression for the input of the parameter's name, which is the flow's input from now on.

        `owner` is whose arg it is ("action 'ci'").
        """
        name = parameter.name
        if not parameter.secret:
            self._plain.setdefault(name, (parameter, at, owner))
        declared, asked = self._declared.get(name), self._asked.get(name)
        if declared:
            if not _covers(parameter.type, declared.type):
                self._conflict(parameter, declared, at)
        elif asked:
            both = _common(asked.type, parameter.type)
            if both is None:
                self._conflict(parameter, asked, at)
            else:
                self._asked[name] = Parameter(name=name, type=both, secret=asked.secret or parameter.secret)
        else:
            self._asked[name] = Parameter(name=name, type=parameter.type, secret=parameter.secret)
        return expression(f"$input.{name}") if _PLAIN.fullmatch(name) else expression(_lookup(name))

    def parameters(self) -> tuple[Parameter, ...]:
        """The whole input, once all steps have asked. Reports where a secret one was asked for as a plain arg."""
        for name, (parameter, at, owner) in self._plain.items():
            if (self._declared.get(name) or self._asked[name]).secret:
                _refuse_plain(self._context, parameter, at, what=f"input '{name}'", owner=owner)
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
