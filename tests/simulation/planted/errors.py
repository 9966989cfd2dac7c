"""Bugs put in on purpose into what follows when a step returns, and into errors."""

from __future__ import annotations

from typing import Any, Final

import msgspec.structs

from chalicelib.engine import token_moves
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.handlers import answers
from chalicelib.engine.returning import repeats, returns
from chalicelib.engine.transition import Transition
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.run_error import StepError


def _answer_lost(right: Any) -> Any:
    """The entry of the answer is replaced by that of the failure."""
    return lambda token, returned, failure: msgspec.structs.replace(
        right(token, returned, failure), event=returned.event
    )


def _failure_is_repeated(right: Any) -> Any:
    return lambda token, returned, failure: msgspec.structs.replace(
        right(token, returned, failure), after_failure=False
    )


def _counts_go_on(right: Any) -> Any:
    return lambda value, **fields: right(value, **{name: field for name, field in fields.items() if name != "repeats"})


def _save_before_failing(right: Any) -> Any:
    """What the step saves is there before it is known whether the rest succeeds."""

    def next_move(transition: Transition, token: Any, returned: Any) -> Any:
        before = transition.run
        try:
            return right(transition, token, returned)
        except ExpressionFailed:
            before.vars.update(transition.run.vars)
            raise

    return next_move


def _routed_states_only(_: Any) -> Any:
    return lambda self, state: state in self.states or state in self.routed


def _error_forgotten(right: Any) -> Any:
    return lambda transition, event: right(
        transition, msgspec.structs.replace(event, error=event.error and StepError("Lost"))
    )


ERROR_BUGS: Final = (
    ("answer lost by what failed after it", token_moves, "failure_of", _answer_lost),
    ("failure after an answer is repeated", token_moves, "failure_of", _failure_is_repeated),
    ("what was saved before a failure stays", token_moves, "next_move", _save_before_failing),
    ("repeat has no end", repeats, "_used", lambda _: lambda token, index: 0),
    ("repeats count on after a route", token_moves, "replace", _counts_go_on),
    ("delay of repeat ignores its cap", repeats, "_delay", lambda right: lambda *args: 3 * right(*args) + 60_000),
    ("declared state without a route is refused", Invocation, "accepts", _routed_states_only),
    ("answered error forgotten", answers, "acked", _error_forgotten),
    ("error of the run is not its step's", returns, "_stop_error", lambda _: lambda *args: StepError("Unknown")),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
