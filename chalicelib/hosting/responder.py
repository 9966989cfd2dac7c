"""What a scripted host asks of the world outside, and what the world may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from chalicelib.model.json_values import Json
from chalicelib.model.run_error import ErrorName, StepError
from chalicelib.model.times import Instant, Milliseconds


class Kind(StrEnum):
    ACTION = "action"
    """An action was delivered. Each further delivery of the same activation asks again."""
    TASK = "task"
    """A person is asked to answer for an action."""
    APPROVAL = "approval"
    """A person is asked whether an action may be delivered: APPROVE or REJECT."""
    FLOW = "flow"
    """A run of another flow is to be started: DONE with its output, STOPPED with its error."""
    HOOK = "hook"
    """A hook is notified; `args` are the data of the event. Only a Failure has a meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing that is asked. `name` is that of the action or flow; `attempt` counts deliveries from 1."""

    kind: Kind
    at: Instant
    run: str
    step: str
    name: str
    args: dict[str, Json] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    attempt: int = 1
    undoes: bool = False
    """Whether the action undoes the step instead of performing it."""
    flow: str = ""
    """The flow of the run; for a run with its own steps, the name of the run."""
    direct: bool = False
    """Whether what the request returns is the answer (`callback = none`)."""
    uuid: str = ""
    """The uuid of the activation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, `after` milliseconds from the request. `done` False: a report of progress.

    `by_token`: it names its activation by `$step.token`.
    """

    state: str
    data: Json = None
    vars: dict[str, Json] = field(default_factory=dict)
    after: Milliseconds = 0
    done: bool = True
    error: StepError | None = None
    by_token: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The delivery did not reach its action. `final`: it is not repeated."""

    error: str
    final: bool = False
    retry_after: Milliseconds = 0
    status: int | None = None
    """The HTTP status of the answer, if there was one."""
    name: str = ErrorName.UNDELIVERABLE
    """The name of the error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """The response to a direct request. A body that is no text is JSON; text is what its media type says."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Json = None
    after: Milliseconds = 0


Reply: TypeAlias = tuple[Answer, ...] | Failure | HttpReply
"""An empty tuple: the action accepts the delivery and never answers. A direct request may have any of the three."""

Responder: TypeAlias = Callable[[Request], Reply | None]
"""Replies to each request. None: no answer ever comes; a FLOW is then run for real, and a HOOK accepts."""


def first_state(request: Request) -> Reply | None:
    """Answer everything at once with the first state that it may return; run flows for real."""
    return None if request.kind in (Kind.FLOW, Kind.HOOK) else (Answer(state=request.states[0]),)
