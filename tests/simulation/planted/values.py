"""Bugs put in on purpose into what values are."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from chalicelib.engine import request_args
from chalicelib.engine.returning import returns
from chalicelib.engine.transition import Transition
from chalicelib.model.definition import Definition
from chalicelib.model.run import Run, Token


def _nothing_is_not_saved(right: Any) -> Any:
    return lambda *args: {name: value for name, value in right(*args).items() if value is not None}


def _args_anew(right: Any) -> Any:
    def args_of(definition: Definition, run: Run, token: Token, *more: Any) -> Any:
        if token.activation is not None:
            token = replace(token, activation=replace(token.activation, args=None, old_vars={}))
        return right(definition, run, token, *more)

    return args_of


def _old_values_forgotten(_: Any) -> Any:
    return lambda self, variables: self.set_run(vars=variables)


VALUE_BUGS: Final = (
    ("args evaluated anew at each delivery", request_args, "args_of", _args_anew),
    ("variables sent as they are now", request_args, "sent_vars", lambda _: lambda variables, _: dict(variables)),
    ("old values of variables are not kept", Transition, "replace_vars", _old_values_forgotten),
    ("save of nothing keeps the old value", returns, "assigned", _nothing_is_not_saved),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
