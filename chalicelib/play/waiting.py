"""What each token of a play waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.invocation import invocation_of
from chalicelib.engine.request_args import args_of
from chalicelib.model.actions import shown_args
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.play.play_host import PlayHost
from chalicelib.service.details.kinds import WaitKind
from chalicelib.service.details.waits import wait_of
from chalicelib.service.runs.blobs import blob_reader

PEOPLE: Final = (WaitKind.PERSON, WaitKind.APPROVAL)
"""The kinds of waits that a person ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A token that waits. `args` are what its action receives, secrets masked."""

    run: str
    step: str
    token: str
    uuid: str
    kind: WaitKind
    name: str = ""
    """The action, the names of the events, or the called run."""
    states: tuple[str, ...] = ()
    """What an action or a person may answer."""
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
        activation, found = token.activation, wait_of(definition, run, token)
        if activation is None or found is None:
            continue
        invocation = invocation_of(definition, run, token) if found.action else None
        yield Waiting(
            run=run.name,
            step=token.step,
            token=token.id,
            uuid=activation.uuid,
            kind=found.kind,
            name=found.action or ", ".join(found.events) or found.child,
            states=found.states if invocation else (),
            args=_args(host, run, token, invocation) if invocation else {},
            attempt=activation.attempt + 1,
            deadline=found.until,
            retry_at=activation.retry_at,
            is_held=activation.uuid in host.held,
        )


def _args(host: PlayHost, run: Run, token: Token, invocation: Invocation) -> dict[str, Json]:
    definition, read_blob = host.services.definition_cache.of(run), blob_reader(host.services.runs, run)
    try:
        return shown_args(args_of(definition, run, token, invocation, read_blob, None))
    except ExpressionFailed:
        return {}
