"""Who stands around a run: what is asked of them, and what they may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from chalicelib.engine.errors import StepError
from chalicelib.model.json_values import Json
from chalicelib.model.run_error import ErrorName
from chalicelib.model.times import Instant, Milliseconds


class Kind(StrEnum):
    ACTION = "action"
    """An action was sent; a delivery that is tried again asks again."""
    TASK = "task"
    """A person is asked to answer for an action."""
    APPROVAL = "approval"
    """A person is asked whether an action may be sent: APPROVE or REJECT."""
    FLOW = "flow"
    """A run of another flow is to be started: DONE with its output, STOPPED with its error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the outside. `name` is the action's, or the flow's."""

    kind: Kind
    at: Instant
    run: str
    step: str
    name: str
    args: dict[str, Json] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    attempt: int = 1
    undoes: bool = False
    """It undoes the step, rather than doing it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What comes back, `after` milliseconds from when it was asked. `done` False: a report of progress."""

    state: str
    data: Json = None
    vars: dict[str, Json] = field(default_factory=dict)
    after: Milliseconds = 0
    done: bool = True
    error: StepError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The delivery did not reach its action. `final`: it will not be tried again."""

    error: str
    final: bool = False
    retry_after: Milliseconds = 0
    status: int | None = None
    """The HTTP status of the answer, if there was one."""
    name: str = ErrorName.UNDELIVERABLE
    """The name of the error."""


Reply: TypeAlias = tuple[Answer, ...] | Failure
"""An empty tuple: it was taken, and no answer ever comes."""

Outside: TypeAlias = Callable[[Request], Reply | None]
"""Answers whatever is asked. None: nobody does; a FLOW is then run for real."""


def agree(request: Request) -> Reply | None:
    """An outside where everything goes well at once: the first state that may be answered; flows are run for real."""
    return None if request.kind is Kind.FLOW else (Answer(state=request.states[0]),)
