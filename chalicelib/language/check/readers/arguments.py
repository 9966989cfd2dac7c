"""Args that steps pass to actions, undo actions and flows, and the flow inputs that follow from omitted args."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from chalicelib.language.check.context import Context, accepts
from chalicelib.language.check.descriptions import described
from chalicelib.language.check.readers.members import Properties, read_assignments
from chalicelib.language.check.readers.values import (
    INVALID_VALUE,
    InvalidValue,
    is_spelt_out,
    leaves_of,
    read_json,
    read_template,
)
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Assignment, Group, Reference, Value
from chalicelib.model.actions import WHOLE, ArgType, Parameter
from chalicelib.model.templates import Template, expression

_PLAIN: Final = re.compile(r"(?!(and|or|in|true|false|null|function)$)[A-Za-z_][A-Za-z0-9_]*")


def given_args(
    context: Context, entries: dict[str, Assignment], parameters: Iterable[Parameter] | None,
    owner: str, *, what: str = "arg", plain: bool = False,
) -> dict[str, Template]:  # fmt: skip
    """Return the args that the entries set; each must be declared and have the declared type.

    `parameters` is None if the declaration is unknown. `owner` declares them ("action 'ci'"). With `plain`, values must
    not contain expressions.
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
        found[name] = None if value is INVALID_VALUE else value
        if value is not INVALID_VALUE and parameter and not accepts(parameter, value):
            context.findings.report(
                Problem.WRONG_TYPE,
                entry.value.span,
                name=name,
                type=parameter.type.value,
                found=described(entry.value),
            )
    return found


def value_of(context: Context, name: str, value: Value) -> Template | InvalidValue:
    """Return the one value of an action with `args = any`. A group `(name = value, ...)` is a map."""
    if not isinstance(value, Group):
        return read_template(context, name, value)
    entries = read_assignments(context, name, value)
    found = {key: read_template(context, key, entry.value) for key, entry in (entries or {}).items()}
    return INVALID_VALUE if entries is None or any(one is INVALID_VALUE for one in found.values()) else found


def given_value(properties: Properties, name: str, at: Span, owner: str) -> dict[str, Template]:
    """Return the one value that a step gives to an action with `args = any` (`owner`), under the name `WHOLE`."""
    value = properties.value(name)
    if value is None and not properties.damaged:
        reason = f"{properties.owner} must give it, like: args = ${{ $input }}"
        properties.context.findings.report(Problem.ONE_VALUE, at, owner=owner, reason=reason)
    found = INVALID_VALUE if value is None else value_of(properties.context, name, value)
    return {} if found is INVALID_VALUE else {WHOLE: found}


def _read_given(
    context: Context, entry: Assignment, parameter: Parameter | None, *, references: bool
) -> Template | InvalidValue:
    """Return the value of an entry; secrets must be references or expressions. `parameter` None: it is unknown."""
    name = entry.name.text
    if parameter is None:
        return read_template(context, name, entry.value, secrets=references)
    found = next((one for one in leaves_of(entry.value) if isinstance(one, Reference)), None)
    if found and references and not parameter.secret:
        context.misplaced(name, found, _declared_secret(parameter))
        return INVALID_VALUE
    value = read_template(context, name, entry.value, secrets=references and parameter.secret)
    if value is not INVALID_VALUE and parameter.secret and is_spelt_out(value):
        hint = 'write secret "NAME" or read it from the input' if references else "read it from the input or a variable"
        context.findings.report(Problem.SECRET_IN_DOCUMENT, entry.value.span, hint=hint, name=name)
        return INVALID_VALUE
    return value


def _declared_secret(parameter: Parameter) -> str:
    return f"declare it as secret: secret {parameter.type.value} {parameter.name}"


def lacking(parameters: Iterable[Parameter], given: Iterable[str]) -> list[Parameter]:
    """Return the parameters that have no default and are not given."""
    names = set(given)
    return [parameter for parameter in parameters if parameter.required and parameter.name not in names]


def report_missing(
    context: Context, missing: Iterable[Parameter], at: Span, *, step: str, owner: str, what: str = "arg"
) -> None:
    """Report each arg that `step` must set; `owner` declares it."""
    for parameter in missing:
        if parameter.name == WHOLE:
            reason = f"{step} must give it, like: (name = value)"
            context.findings.report(Problem.ONE_VALUE, at, owner=owner, reason=reason)
            continue
        context.findings.report(
            Problem.MISSING_ARG, at, step=step, what=what, name=parameter.name, type=parameter.type.value, owner=owner
        )


def refuse_plain_heirs(
    context: Context, undone: Iterable[Parameter], heirs: Iterable[Parameter], at: Span, *, owner: str, undoer: str
) -> None:
    """Report plain parameters of an undo (`undoer`) that would take secret ones of what it undoes (`owner`)."""
    secret = {one.name for one in undone if one.secret}
    for heir in heirs:
        if heir.name in secret and not heir.secret:
            _refuse_plain(context, heir, at, what=f"arg '{heir.name}' of {owner}", owner=undoer)


def _refuse_plain(context: Context, plain: Parameter, at: Span, *, what: str, owner: str) -> None:
    hint = _declared_secret(plain)
    context.findings.report(Problem.SECRET_INTO_PLAIN, at, hint=hint, what=what, owner=owner, name=plain.name)


class Inputs:
    """The inputs of a flow: those that it declares, and the required args that its steps do not set."""

    def __init__(self, context: Context, flow: str, declared: tuple[Parameter, ...]) -> None:
        self._context = context
        self._flow = flow
        self._declared = {parameter.name: parameter for parameter in declared}
        self._derived: dict[str, Parameter] = {}
        self._plain: dict[str, tuple[Parameter, Span, str]] = {}
        """By name, the first plain (not secret) arg that takes the input."""

    def require(self, parameter: Parameter, at: Span, owner: str) -> Template:
        """Add an input with the parameter's name to the flow, and return an expression that reads it.

        `owner` declares the parameter ("action 'ci'").
        """
        name = parameter.name
        if not parameter.secret:
            self._plain.setdefault(name, (parameter, at, owner))
        declared, derived = self._declared.get(name), self._derived.get(name)
        if declared:
            if not _covers(parameter.type, declared.type):
                self._conflict(parameter, declared, at)
        elif derived:
            both = _meeting(derived.type, parameter.type) or (ArgType.ANY if self._context.is_echoer else None)
            if both is None:
                self._conflict(parameter, derived, at)
            else:
                self._derived[name] = Parameter(name=name, type=both, secret=derived.secret or parameter.secret)
        else:
            self._derived[name] = Parameter(name=name, type=parameter.type, secret=parameter.secret)
        return expression(f"$input.{name}") if _PLAIN.fullmatch(name) else expression(_lookup(name))

    def adopt(self, parameter: Parameter, at: Span, owner: str) -> None:
        """Add an input of a flow (`owner`) whose steps this flow uses.

        It keeps its default where this flow does not declare it, no step needs it, and all such flows agree.
        """
        name = parameter.name
        known = self._derived.get(name)
        self.require(parameter, at, owner)
        if name in self._declared:
            return
        if known is None:
            self._derived[name] = parameter
        elif not (known.required or parameter.required) and known.default == parameter.default:
            self._derived[name] = replace(self._derived[name], required=False, default=known.default)

    def parameters(self) -> tuple[Parameter, ...]:
        """Return all inputs, once all steps are read. Reports secret inputs that plain args take."""
        for name, (parameter, at, owner) in self._plain.items():
            if (self._declared.get(name) or self._derived[name]).secret:
                _refuse_plain(self._context, parameter, at, what=f"input '{name}'", owner=owner)
        return (*self._declared.values(), *self._derived.values())

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
    """Return JSONata that reads an input by a name that is not an identifier."""
    return f"$input.`{name}`" if "`" not in name else f"$lookup($input, {json.dumps(name)})"


def _meeting(one: ArgType, other: ArgType) -> ArgType | None:
    """Return the type of an input that two steps take with different types; None if they conflict."""
    match {one, other}:
        case kinds if len(kinds) == 1:
            return one
        case kinds if ArgType.ANY in kinds:
            return next(iter(kinds - {ArgType.ANY}))
        case kinds if kinds == {ArgType.INT, ArgType.FLOAT}:
            return ArgType.FLOAT
    return None


def _covers(wanted: ArgType, declared: ArgType) -> bool:
    """Whether a declared input fits an arg. The value of an input of type any is checked when the run starts."""
    fitting = {wanted, ArgType.ANY, *({ArgType.INT} if wanted is ArgType.FLOAT else ())}
    return declared in fitting or wanted is ArgType.ANY
