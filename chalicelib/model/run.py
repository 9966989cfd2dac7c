"""One run as a value: its head, which is all that the engine needs to decide what happens next.

Stores keep a head as JSON, so its fields have one-letter names there: a head should stay within the one kilobyte that
DynamoDB bills as one write. Times (`Instant`) are milliseconds since 1970 UTC. Absent fields have their defaults.
"""

from __future__ import annotations

import msgspec

from chalicelib.model import formats
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import FrozenValue, Json, ready
from chalicelib.model.status import Status
from chalicelib.model.times import Instant


class Activation(FrozenValue, frozen=True, kw_only=True):
    """One visit of one step by one token. Its uuid is the only key by which anything outside can move the token."""

    uuid: str = msgspec.field(name="u")
    since: Instant = msgspec.field(name="s")
    deadline: Instant = msgspec.field(name="d")
    """When the step returns TIMEOUT. Every wait has one."""
    heartbeat: int | None = msgspec.field(name="h", default=None)
    """The longest silence between reports, in milliseconds."""
    heard_at: Instant | None = msgspec.field(name="l", default=None)
    """When it last reported, if it must report at all."""
    attempt: int = msgspec.field(name="n", default=0)
    """Deliveries that failed so far."""
    retry_at: Instant | None = msgspec.field(name="r", default=None)
    held: bool = msgspec.field(name="p", default=False)
    """The run was paused when its turn came: nothing was sent, `continue` sends it."""
    data: Json = msgspec.field(name="x", default=None)
    """What it last reported."""
    memo: Json = msgspec.field(name="m", default=None)
    """What the step's kind must remember while it waits: a join's count, a child's name."""

    @property
    def due(self) -> Instant:
        """The moment at which this wait ends if nothing is heard."""
        if self.heartbeat is None:
            return self.deadline
        return min(self.deadline, (self.heard_at or self.since) + self.heartbeat)


class Token(FrozenValue, frozen=True, kw_only=True):
    """One place in the flow where the run stands. A plain run has one; `fork` and `each` make more."""

    id: str = msgspec.field(name="i", default=ROOT)
    step: str = msgspec.field(name="s")
    activation: Activation | None = msgspec.field(name="a", default=None)
    parent: str = msgspec.field(name="p", default="")
    """The token that waits for this one; empty for the root."""
    index: int | None = msgspec.field(name="x", default=None)
    """The item's place, in an `each`."""
    scope: str = msgspec.field(name="b", default="")
    """The branch's name, in a `fork`."""
    state: str = msgspec.field(name="t", default="")
    """The state that its last finished step returned (`$state`)."""
    result: Json = msgspec.field(name="r", default=None)
    """The data of its last finished step (`$result`)."""


class Undo(FrozenValue, frozen=True, kw_only=True):
    """A finished step that is to be undone if the run comes to nothing: the action that does so, and its args."""

    step: str = msgspec.field(name="s")
    action: str = msgspec.field(name="a")
    args: dict[str, Json] = msgspec.field(name="g", default_factory=dict)


class DefinitionRef(FrozenValue, frozen=True, kw_only=True):
    """Which definition a run obeys, to the end: one version of the flow, and of each action that it names."""

    flow: str = msgspec.field(name="f", default="")
    """Empty for a run that brought its own steps: they are kept under the run's id."""
    version: int = msgspec.field(name="v", default=0)
    actions: dict[str, int] = msgspec.field(name="a", default_factory=dict)


class Parent(FrozenValue, frozen=True, kw_only=True):
    """The run, and the activation in it, that waits for this run's end."""

    run: str = msgspec.field(name="r")
    uuid: str = msgspec.field(name="u")
    depth: int = msgspec.field(name="d", default=1)
    """How many runs wait for this one, directly and indirectly."""


class Run(FrozenValue, frozen=True, kw_only=True):
    """A run's head. `version` counts its writes; every write is conditional on the version that was read."""

    namespace: str = msgspec.field(name="ns")
    name: str = msgspec.field(name="nm")
    id: str = msgspec.field(name="id")
    version: int = msgspec.field(name="vn", default=1)
    status: Status = msgspec.field(name="st", default=Status.PENDING)
    definition: DefinitionRef = msgspec.field(name="df")
    created_at: Instant = msgspec.field(name="ca")
    updated_at: Instant = msgspec.field(name="ua")
    ended_at: Instant | None = msgspec.field(name="ea", default=None)
    status_at: Instant = msgspec.field(name="sa", default=0)
    """When its status changed last."""
    paused_at: Instant | None = msgspec.field(name="pa", default=None)
    deadline: Instant | None = msgspec.field(name="dl", default=None)
    """When the whole run times out, if its flow says so."""
    timer_at: Instant | None = msgspec.field(name="al", default=None)
    """When its one armed timer rings."""
    tokens: tuple[Token, ...] = msgspec.field(name="tk", default=())
    input: dict[str, Json] = msgspec.field(name="in", default_factory=dict)
    vars: dict[str, Json] = msgspec.field(name="vr", default_factory=dict)
    output: Json = msgspec.field(name="ou", default=None)
    labels: dict[str, Json] = msgspec.field(name="lb", default_factory=dict)
    last_state: str = msgspec.field(name="ls", default="")
    last_event: str = msgspec.field(name="le", default="")
    last_err: str = msgspec.field(name="er", default="")
    parent: Parent | None = msgspec.field(name="pr", default=None)
    trace: str = msgspec.field(name="tr", default="")
    """The W3C `traceparent` under which it was started; empty: none. Nothing is decided by it."""
    undos: tuple[Undo, ...] = msgspec.field(name="un", default=())
    """What its finished steps asked to have undone, oldest first."""
    ending: Status | None = msgspec.field(name="ed", default=None)
    """How it will have ended once everything is undone."""
    heard: dict[str, tuple[str, ...]] = msgspec.field(name="hd", default_factory=dict)
    """For each name and key (`subject`), the places of the last events that it took: an event is taken once."""
    written: str = msgspec.field(name="wr", default="")
    """Drawn from the nonce of the event that made it: tells one's own write from an equal one of somebody else."""
    tail: tuple[Entry, ...] = msgspec.field(name="tl", default=())
    """The newest entries of the history; what came before lies in pages."""

    @property
    def seq(self) -> int:
        """The number of the newest history entry; 0 before the first."""
        return self.tail[-1].seq if self.tail else 0

    def token_of(self, uuid: str) -> Token | None:
        """The token whose current activation bears `uuid`."""
        return next((token for token in self.tokens if token.activation and token.activation.uuid == uuid), None)


def encode(run: Run) -> bytes:
    """Return the head as JSON text in the current format."""
    return formats.HEAD.encode(run)


def decode_run(data: bytes | str) -> Run:
    """Return the head that `encode` of this or an earlier version wrote. Raises NewerFormat."""
    return formats.HEAD.decode(data, Run)


ready(Run)
