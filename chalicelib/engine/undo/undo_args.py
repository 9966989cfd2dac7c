"""The args of an undo: evaluated when the step returns, so that later changes do not matter."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.transition import Transition
from chalicelib.engine.values.evaluation import Names, YieldsNothing, resolve
from chalicelib.engine.values.secret_values import encrypted, holds_secret, is_encrypted, shown
from chalicelib.engine.values.size_limits import fit
from chalicelib.model.compiled_step import CompiledUndo
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template


def undo_args(
    undo: CompiledUndo, names: Names, sent: Names, stored: Mapping[str, Json], transition: Transition
) -> tuple[dict[str, Json], str]:
    """Return the args that could be made, and why others could not (empty if all could).

    Args that are the step's own are those in `stored`, or are made with the names `sent`: both are from the time when
    the step was entered. Args that are declared secret are returned encrypted.
    """
    args: dict[str, Json] = {}
    problems: list[str] = []
    for name, template in {**undo.args, **undo.secret_args}.items():
        is_inherited, is_secret = name in undo.inherited, name in undo.secret_args
        known = sent if is_inherited else names
        try:
            if is_inherited and name in stored:
                value = _checked(undo, name, stored[name])
            else:
                value = _value(undo, name, template, transition.with_secrets(known) if is_secret else known)
        except _LeftOut:
            continue
        except ExpressionFailed as failure:
            problems.append(f"arg {name!r} of {undo.action!r} could not be made: {failure}")
        else:
            args[name] = encrypted(value, transition.cipher) if is_secret else value
    try:
        fit("the args of its undo", args)
    except ExpressionFailed as failure:
        return {}, str(failure)
    return args, "; ".join(problems)


class _LeftOut(Exception):
    """The arg is left out: the default of the action or the flow is used."""


def _value(undo: CompiledUndo, name: str, template: Template, names: Names) -> Json:
    """Return the value of the arg. Raises ExpressionFailed, _LeftOut."""
    parameter = undo.parameters.get(name)
    try:
        value = resolve(template, names)
    except YieldsNothing:
        if name in undo.inherited and name in undo.sent_defaults:
            return _checked(undo, name, resolve(undo.sent_defaults[name], names))
        if parameter is not None and not parameter.required:
            raise _LeftOut from None
        raise
    return _checked(undo, name, value)


def _checked(undo: CompiledUndo, name: str, value: Json) -> Json:
    """Return the value as the arg. Raises ExpressionFailed if it is not of the arg's type."""
    parameter = undo.parameters.get(name)
    if parameter is None:
        return value
    if not parameter.secret and (is_encrypted(value) if undo.is_flow else holds_secret(value)):
        raise ExpressionFailed("it would hold a secret, and is not declared secret")
    if not is_encrypted(value) and not parameter.admits(value):
        found = "" if parameter.secret else f", and is {shown(value)}"
        raise ExpressionFailed(f"it must be of type {parameter.type}{found}")
    return parameter.type.converted(value)
