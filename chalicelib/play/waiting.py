"""What each token of a play waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.invocation import APPROVED, REJECTED, UNDO, awaits_approval, invocation_of
from chalicelib.engine.request_args import args_of
from chalicelib.model.actions import shown_args
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.flow import EventStep, TimerStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait, RepeatWait
from chalicelib.play.play_host import PlayHost
from chalicelib.service.runs.blobs import blob_reader

ACTION: Final = "action"
PERSON: Final = "person"
APPROVAL: Final = "approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A token that waits. `args` are what its action receives, secrets masked."""

    run: str
    step: str
    token: str
    uuid: str
    kind: str
    """`action`, `person`, `approval`, `event`, `condition`, `timer`, `call` or `repeat`."""
    name: str = ""
    """The action, the event or the called run."""
    states: tuple[str, ...] = ()
    args: dict[str, Json] = field(default_factory=dict)
    attempt: int = 1
    """The number of the delivery that waits for a move."""
    deadline: Instant | None = None
    retry_at: Instant | None = None
    is_held: bool = False
    """Whether a delivery waits for a move."""


def waiting(host: PlayHost, run: Run) -> Iterator[Waiting]:
    """Yield what the tokens of a run wait for."""
    definition = host.services.definition_cache.of(run)
    for token in run.tokens:
        activation, invocation = token.activation, invocation_of(definition, run, token)
        if activation is not None and invocation is None:
            yield _of_step(host, run, token, activation)
        elif activation is not None and invocation is not None:
            yield _of_action(host, run, token, activation, invocation)


def _of_action(host: PlayHost, run: Run, token: Token, activation: Activation, invocation: Invocation) -> Waiting:
    approval = awaits_approval(token)
    repeats = isinstance(activation.wait, RepeatWait)
    kind = "repeat" if repeats else APPROVAL if approval else PERSON if invocation.is_human else ACTION
    states = (APPROVED, REJECTED) if approval else () if repeats else invocation.states
    return Waiting(
        run=run.name,
        step=token.step,
        token=token.id,
        uuid=activation.uuid,
        kind=kind,
        name=invocation.action.name,
        states=states,
        args=_args(host, run, token, invocation),
        attempt=activation.attempt + 1,
        deadline=activation.deadline,
        retry_at=activation.retry_at,
        is_held=activation.uuid in host.held,
    )


def _of_step(host: PlayHost, run: Run, token: Token, activation: Activation) -> Waiting:
    step, wait = host.services.definition_cache.of(run).step(token.step), activation.wait
    kind, name = "condition", ""
    if isinstance(wait, ChildWait):
        kind, name = "call", wait.child
    elif isinstance(wait, RepeatWait):
        kind = "repeat"
    elif isinstance(step, EventStep):
        kind, name = "event", ", ".join(step.events)
    elif isinstance(step, TimerStep):
        kind = "timer"
    return Waiting(
        run=run.name,
        step=token.step,
        token=token.id,
        uuid=activation.uuid,
        kind="undo" if token.id == UNDO and kind == "condition" else kind,
        name=name,
        deadline=activation.deadline,
        retry_at=activation.retry_at,
    )


def _args(host: PlayHost, run: Run, token: Token, invocation: Invocation) -> dict[str, Json]:
    definition, read_blob = host.services.definition_cache.of(run), blob_reader(host.services.runs, run)
    try:
        return shown_args(args_of(definition, run, token, invocation, read_blob, None))
    except ExpressionFailed:
        return {}
