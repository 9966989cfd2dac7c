"""The args of an undo: evaluated when the step returns, so that later changes do not matter."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.evaluation import Names, resolve_known
from chalicelib.engine.secret_values import Cipher, encrypted, holds_secret, is_encrypted
from chalicelib.engine.size_limits import fit
from chalicelib.model.actions import Parameter
from chalicelib.model.compiled_step import CompiledUndo
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template


def undo_args(undo: CompiledUndo, names: Names, secret_names: Names, cipher: Cipher) -> tuple[dict[str, Json], str]:
    """Return the args that could be made, and why others could not (empty if all could).

    `secret_names` are the names with secrets decrypted; args that are declared secret are returned encrypted.
    """
    args, problems = _made(undo, undo.args, names)
    secret, more = _made(undo, undo.secret_args, secret_names)
    problems += more
    args |= {name: encrypted(value, cipher) for name, value in secret.items()}
    try:
        fit("the args of its undo", args)
    except ExpressionFailed as failure:
        return {}, str(failure)
    return args, "; ".join(problems)


def _made(undo: CompiledUndo, templates: Mapping[str, Template], names: Names) -> tuple[dict[str, Json], list[str]]:
    args: dict[str, Json] = {}
    problems: list[str] = []
    for name, template in templates.items():
        parameter = undo.parameters.get(name)
        try:
            value = _value(name, template, parameter, names)
        except ExpressionFailed as failure:
            problems.append(f"arg {name!r} of {undo.action!r} could not be made: {failure}")
        else:
            args |= value
    return args, problems


def _value(name: str, template: Template, parameter: Parameter | None, names: Names) -> dict[str, Json]:
    """Return the arg, or nothing if the action's default is used. Raises ExpressionFailed."""
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
