"""The args of an undo: evaluated when the step returns, so that later changes do not matter."""

from __future__ import annotations

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import Names, resolve_known
from chalicelib.engine.secret_values import encrypted, holds_secret, is_encrypted
from chalicelib.engine.size_limits import fit
from chalicelib.engine.transition import Transition
from chalicelib.model.compiled_step import CompiledUndo
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template


def undo_args(undo: CompiledUndo, names: Names, sent: Names, transition: Transition) -> tuple[dict[str, Json], str]:
    """Return the args that could be made, and why others could not (empty if all could).

    Args that are the step's own are made with the names `sent`. Args that are declared secret are returned encrypted.
    """
    args: dict[str, Json] = {}
    problems: list[str] = []
    for name, template in {**undo.args, **undo.secret_args}.items():
        known = sent if name in undo.inherited else names
        try:
            if name in undo.args:
                args |= _value(undo, name, template, known)
            else:
                found = _value(undo, name, template, transition.with_secrets(known))
                args |= {name: encrypted(value, transition.cipher) for name, value in found.items()}
        except ExpressionFailed as failure:
            problems.append(f"arg {name!r} of {undo.action!r} could not be made: {failure}")
    try:
        fit("the args of its undo", args)
    except ExpressionFailed as failure:
        return {}, str(failure)
    return args, "; ".join(problems)


def _value(undo: CompiledUndo, name: str, template: Template, names: Names) -> dict[str, Json]:
    """Return the arg, or nothing if the action's default is used. Raises ExpressionFailed."""
    parameter = undo.parameters.get(name)
    found = resolve_known({name: template}, names)
    if name not in found:
        if parameter is not None and not parameter.required:
            return {}
        raise ExpressionFailed("its expression yields nothing")
    value = found[name]
    if parameter is None:
        return found
    if not parameter.secret and holds_secret(value):
        raise ExpressionFailed("it would hold a secret, and is not declared secret")
    if not is_encrypted(value) and not parameter.type.admits(value):
        shown = "" if parameter.secret else f", and is {value!r:.100}"
        raise ExpressionFailed(f"it must be of type {parameter.type}{shown}")
    return found
