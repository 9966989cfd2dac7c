"""One run as a value: its head, which is all that the engine needs to decide what happens next.

Stores keep a head as JSON, so its fields have one-letter names there: a head should stay within the one kilobyte that
DynamoDB bills as one write. Times (`Instant`) are milliseconds since 1970 UTC. Absent fields have their defaults.
"""

from __future__ import annotations

import hashlib
from typing import Final, TypeAlias

import msgspec

from chalicelib.definition import Json, ready
from chalicelib.engine.lifecycle import Status

Instant: TypeAlias = int

ROOT: Final = "0"
"""The id of a run's outermost token."""

REMEMBERED_EVENTS: Final = 16
"""How many events of a name and key a run remembers to have taken."""

TAIL_ENTRIES: Final = 8
TAIL_BYTES: Final = 384


class _Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """A frozen value that leaves defaults out of its JSON."""


class Entry(_Value, frozen=True, kw_only=True):
    """One line of a run's history. Entries of a run are numbered from 1 without gaps."""

    seq: int = msgspec.field(name="n")
    at: Instant = msgspec.field(name="t")
    event: str = msgspec.field(name="e")
    step: str = msgspec.field(name="s", default="")
    origin: str = msgspec.field(name="f", default="")
    """Where the token stood (`from` in the API); `ready` for a run that begins."""
    target: str = msgspec.field(name="g", default="")
    state: str = msgspec.field(name="a", default="")
    data: Json = msgspec.field(name="d", default=None)
    vars: dict[str, Json] = msgspec.field(name="v", default_factory=dict)
    """The variables that this entry changed."""
    by: str = msgspec.field(name="b", default="")
    token: str = msgspec.field(name="k", default=ROOT)
    uuid: str = msgspec.field(name="u", default="")
    """The activation that this entry ended, or speaks of."""
    error: str = msgspec.field(name="x", default="")


class Activation(_Value, frozen=True, kw_only=True):
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


class Token(_Value, frozen=True, kw_only=True):
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


class Undo(_Value, frozen=True, kw_only=True):
    """A finished step that is to be undone if the run comes to nothing: the action that does so, and its args."""

    step: str = msgspec.field(name="s")
    action: str = msgspec.field(name="a")
    args: dict[str, Json] = msgspec.field(name="g", default_factory=dict)


class DefinitionRef(_Value, frozen=True, kw_only=True):
    """Which definition a run obeys, to the end: one version of the flow, and of each action that it names."""

    flow: str = msgspec.field(name="f", default="")
    """Empty for a run that brought its own steps: they are kept under the run's id."""
    version: int = msgspec.field(name="v", default=0)
    actions: dict[str, int] = msgspec.field(name="a", default_factory=dict)


class Parent(_Value, frozen=True, kw_only=True):
    """The run, and the activation in it, that waits for this run's end."""

    run: str = msgspec.field(name="r")
    uuid: str = msgspec.field(name="u")
    depth: int = msgspec.field(name="d", default=1)
    """How many runs wait for this one, directly and indirectly."""


class Run(_Value, frozen=True, kw_only=True):
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
    alarm_at: Instant | None = msgspec.field(name="al", default=None)
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


class Page(_Value, frozen=True, kw_only=True):
    """A closed part of a run's history. It holds committed entries only, so whoever writes it writes the same."""

    entries: tuple[Entry, ...]

    @property
    def last(self) -> int:
        """The number of its last entry, which is its key."""
        return self.entries[-1].seq


def turn_page(before: Run | None, after: Run) -> tuple[Run, Page | None]:
    """`after` with room in its tail, and the page to be written first if `before`'s committed tail was full.

    A tail is never left empty: its last entry's number is what the next one is counted from.
    """
    if before is None or not _full(before.tail):
        return after, None
    kept = after.tail[len(before.tail) :]
    if not kept:
        return after, None
    return msgspec.structs.replace(after, tail=kept), Page(entries=before.tail)


def _full(tail: tuple[Entry, ...]) -> bool:
    return len(tail) >= TAIL_ENTRIES or len(msgspec.json.encode(tail)) > TAIL_BYTES


def took(run: Run, name: str, key: str, place: str) -> bool:
    """Whether the run took the event with that name and key at that place.

    The last places are known one by one: of two events that came at once, or by clocks that differ, both are taken.
    What lies before all of them counts as taken.
    """
    known = run.heard.get(subject(name, key), ())
    return place in known or (len(known) == REMEMBERED_EVENTS and place < min(known))


def take(run: Run, name: str, key: str, place: str) -> dict[str, tuple[str, ...]]:
    """`heard`, once the run has taken that event."""
    known = (*run.heard.get(subject(name, key), ()), place)
    return {**run.heard, subject(name, key): known[-REMEMBERED_EVENTS:]}


def taken_until(run: Run, name: str, key: str) -> Instant:
    """The moment before which every event with that name and key counts as taken."""
    known = run.heard.get(subject(name, key), ())
    return int(min(known).partition("/")[0]) if len(known) == REMEMBERED_EVENTS else 0


def subject(name: str, key: str) -> str:
    """What events with that name and key are about: one of them is taken after the other."""
    return f"{name}\n{key}"


def mint_uuid(run_id: str, step: str, nonce: str, number: int) -> str:
    """The uuid of an activation: 90 random bits, drawn from the event's nonce, and a tag binding them to run and step.

    `number` tells apart the activations that one event makes. The form is RFC 9562's version 8.
    """
    drawn = bytearray(hashlib.sha256(f"{nonce}/{number}".encode()).digest()[:12])
    drawn[6] = 0x80 | (drawn[6] & 0x0F)
    drawn[8] = 0x80 | (drawn[8] & 0x3F)
    return _spell(bytes(drawn) + _tag(run_id, step, bytes(drawn)))


def was_minted(run_id: str, step: str, uuid: str) -> bool:
    """Whether `uuid` was made for this step of this run: tells a late answer from one to a uuid that never was."""
    try:
        raw = bytes.fromhex(uuid.replace("-", ""))
    except ValueError:
        return False
    return len(raw) == 16 and _spell(raw) == uuid.lower() and raw[12:] == _tag(run_id, step, raw[:12])


def _tag(run_id: str, step: str, drawn: bytes) -> bytes:
    return hashlib.sha256(f"{run_id}/{step}/".encode() + drawn).digest()[:4]


def _spell(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def encode(value: Run | Page) -> bytes:
    """The value as JSON text."""
    return msgspec.json.encode(value)


def decode_run(data: bytes | str) -> Run:
    """The head that `encode` wrote."""
    return msgspec.json.decode(data, type=Run)


def decode_page(data: bytes | str) -> Page:
    """The page that `encode` wrote."""
    return msgspec.json.decode(data, type=Page)


ready(Run, Page)
