"""A run as a value: its head, which is all that the engine needs to decide what happens next.

Heads are stored as JSON with short field names, because a head should stay within the kilobyte that DynamoDB bills as
one write. Times (`Instant`) are milliseconds since 1970 UTC. Fields with default values are not stored.
"""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.model import formats
from chalicelib.model.history import NO_ENTRIES, Entries, Entry
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import FrozenValue, Json
from chalicelib.model.pending_undo import PendingUndo, UndoPages
from chalicelib.model.run_error import StepError
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.model.token_groups import LEAST, TokenGroup, grouped, ungrouped
from chalicelib.model.tokens import ABSENT, Activation, Pinned, Token, held_mark
from chalicelib.model.waits import decode_hook

__all__ = [
    "ABSENT",
    "Activation",
    "DefinitionRef",
    "Parent",
    "Pinned",
    "Run",
    "StoppingChild",
    "Token",
    "Unanswered",
    "decode_run",
    "encode",
    "held_mark",
]


class StoppingChild(FrozenValue, frozen=True, kw_only=True):
    """A child run that was told to stop and has not ended yet: it undoes its own work first."""

    child: str = msgspec.field(name="c")
    """The name of that run."""
    uuid: str = msgspec.field(name="u")
    """The activation that started it."""
    step: str = msgspec.field(name="s")
    token: str = msgspec.field(name="k", default=ROOT)
    """The token that was at the step."""
    deadline: Instant = msgspec.field(name="d")
    """When this run stops waiting for its end."""
    is_due: bool = msgspec.field(name="b", default=False)
    """Whether what it did, if it has succeeded after all, is undone while this run goes on."""
    index: int | None = msgspec.field(name="x", default=None)
    """The index of the item that the token worked on."""
    items: str = msgspec.field(name="e", default="")
    """Where the items of its each are stored (`EachWait.id`)."""
    vars: dict[str, Json] = msgspec.field(name="v", default_factory=dict)
    """The variables of scopes that the token saw: the args of its undo may read them."""


class Unanswered(FrozenValue, frozen=True, kw_only=True):
    """An activation that ended without an answer, of which a late one is recorded."""

    uuid: str = msgspec.field(name="u")
    step: str = msgspec.field(name="s")
    token: str = msgspec.field(name="k", default=ROOT)


class DefinitionRef(FrozenValue, frozen=True, kw_only=True):
    """The definition of a run, which never changes: one version of its flow, of each action and of each config."""

    flow: str = msgspec.field(name="f", default="")
    """Empty for a run with its own steps, which are stored with the run."""
    version: int = msgspec.field(name="v", default=0)
    actions: dict[str, int] = msgspec.field(name="a", default_factory=dict)
    configs: dict[str, int] = msgspec.field(name="c", default_factory=dict)
    """The versions of the values of the configuration that its expressions read."""


class Parent(FrozenValue, frozen=True, kw_only=True):
    """The run that waits for the end of this one, and its activation."""

    run: str = msgspec.field(name="r")
    uuid: str = msgspec.field(name="u")
    depth: int = msgspec.field(name="d", default=1)
    """How many runs wait for this one, directly or indirectly."""


class Run(FrozenValue, frozen=True, kw_only=True):
    """The head of a run. `version` counts its writes; each write requires that the version is still the one read."""

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
    """When the status last changed."""
    paused_at: Instant | None = msgspec.field(name="pa", default=None)
    deadline: Instant | None = msgspec.field(name="dl", default=None)
    """When the whole run times out, if its flow has a timeout."""
    timer_at: Instant | None = msgspec.field(name="al", default=None)
    """When the run's timer fires."""
    tokens: tuple[Token, ...] = msgspec.field(name="tk", default=())
    token_groups: tuple[TokenGroup, ...] = msgspec.field(name="tg", default=())
    """More tokens. Only the JSON of a head has groups: `encode` makes them, and `decode_run` makes tokens of them."""
    input: Json = msgspec.field(name="in", default_factory=dict)
    """The values of the flow's parameters by name, or one value of the flow's `input_type`."""
    vars: dict[str, Json] = msgspec.field(name="vr", default_factory=dict)
    output: Json = msgspec.field(name="ou", default=None)
    labels: dict[str, Json] = msgspec.field(name="lb", default_factory=dict)
    last_state: str = msgspec.field(name="ls", default="")
    stored_event: str = msgspec.field(name="le", default="")
    """`last_event`; of that of a step only `_` and its state, since the head says the rest."""
    last_err: str = msgspec.field(name="er", default="")
    error: StepError | None = msgspec.field(name="eo", default=None)
    """Why the run failed; `last_err` says it as text."""
    steps: int = msgspec.field(name="sc", default=0)
    """How many steps its tokens have entered in all."""
    start_at: Instant | None = msgspec.field(name="ss", default=None)
    """When a run that was started with a delay begins; None: it began when it was started."""
    gated: bool = msgspec.field(name="gt", default=False)
    """Whether it is pending until `start_at`, or until its flow, which is paused, is continued."""
    suspended_at: Instant | None = msgspec.field(name="ha", default=None)
    """Since when its deadline and those of its joins are suspended, because a token waits for a paused action."""
    extra_messages: int = msgspec.field(name="mx", default=0)
    """How many more messages its decisions have sent in all than there were writes: none in most runs."""
    limiter: str = msgspec.field(name="lm", default="")
    """The name of the limiter that gives the run its permit, if its flow has a limit."""
    parent: Parent | None = msgspec.field(name="pr", default=None)
    trace: str = msgspec.field(name="tr", default="")
    """The W3C `traceparent` of the request that started it; empty if it had none. No decision depends on it."""
    generation: int = msgspec.field(name="gn", default=0)
    """How many runs started one another in a row, with hardly any time between, before this one."""
    scheduled: str = msgspec.field(name="sd", default="")
    """The slot of the schedule that started it (`$scheduled`), RFC 3339 with an offset; empty for other runs."""
    queued_behind: str = msgspec.field(name="sq", default="")
    """The schedule that is notified of its end, because later slots wait for it; empty: none."""
    undos: tuple[PendingUndo, ...] = msgspec.field(name="un", default=())
    """The newest work that can be undone, oldest first; in an ended run the undos that failed."""
    undo_pages: tuple[UndoPages, ...] = msgspec.field(name="up", default=())
    """Where older work that can be undone is stored (`engine.undo.undo_pages`)."""
    stopping: tuple[StoppingChild, ...] = msgspec.field(name="sp", default=())
    """Child runs that were told to stop and have not ended."""
    undone: tuple[str, ...] = msgspec.field(name="uo", default=())
    """The steps whose work was undone when the run failed or was canceled, each once, in this order."""
    interrupted: tuple[Token, ...] = msgspec.field(name="it", default=())
    """Tokens of branches and items that ended before they had finished: `retry` resumes each at its step.

    They do nothing more until then. Of their activations only those that wait for other tokens are kept.
    """
    failed_undos: int = msgspec.field(name="fu", default=0)
    """How many undos failed. Derived from `undos`, which large heads store as a blob."""
    notices: tuple[Token, ...] = msgspec.field(name="nt", default=())
    """Deliveries that no token waits for and that no action has taken yet, oldest first (`engine.notices`). The id is
    that of the token of which they speak."""
    paused_with_parent: bool = msgspec.field(name="pp", default=False)
    """Whether it was paused because its parent was."""
    ending: Status | None = msgspec.field(name="ed", default=None)
    """The status in which it will end when everything is undone."""
    received: dict[str, tuple[str, ...]] = msgspec.field(name="hd", default_factory=dict)
    """For each name and key of events: the places of the last events that the run took. An event is taken once."""
    unanswered: tuple[Unanswered, ...] = msgspec.field(name="lt", default=())
    """The last activations that ended without an answer, oldest first."""
    former_steps: dict[str, bool] = msgspec.field(name="fs", default_factory=dict)
    """Steps of versions of the flow to which it belonged before and that its version lacks; whether their answers had
    to be signed."""
    written: str = msgspec.field(name="wr", default="")
    """Derived from the nonce of the event that made it: distinguishes equal heads that two processes wrote."""
    stored_tail: Entries = msgspec.field(name="tl", default=NO_ENTRIES)
    """The newest entries of the history; older ones are in pages."""
    paged_steps: dict[str, str | None] | None = msgspec.field(name="ps", default=None)
    """For each step in the pages: the state that it returned last; None if it was entered and never returned.

    The whole is None if there are no pages, if some are of a version that did not store this, or if there are too many
    steps.
    """

    @property
    def tail(self) -> tuple[Entry, ...]:
        """The newest entries of the history; older ones are in pages."""
        return self.stored_tail.entries

    @property
    def last_event(self) -> str:
        """The last command, or the run, step and state of the last step that returned."""
        is_of_step = self.stored_event.startswith("_")
        return f"{self.name}_{self.last_state}{self.stored_event}" if is_of_step else self.stored_event

    @property
    def seq(self) -> int:
        """The number of the newest history entry; 0 before the first."""
        return self.stored_tail.last

    @property
    def messages(self) -> int:
        """How many messages its decisions have sent in all."""
        return self.version + self.extra_messages

    def token_of(self, uuid: str) -> Token | None:
        """Return the token with the activation that has this uuid, or None."""
        return next((token for token in self.tokens if token.activation and token.activation.uuid == uuid), None)

    def notice_of(self, uuid: str) -> Token | None:
        """Return the notice with this uuid, or None."""
        return next((notice for notice in self.notices if notice.activation and notice.activation.uuid == uuid), None)

    def sent_of(self, uuid: str) -> Token | None:
        """Return the token or the notice with the activation that has this uuid, or None."""
        return self.token_of(uuid) or self.notice_of(uuid)

    def held_for(self, uuid: str) -> Token | None:
        """Return the token of which the message with this uuid asks for the delivery, besides its own one, or None."""
        mark = held_mark(uuid)
        return next((token for token in self.tokens if token.activation and token.activation.held_by == mark), None)


def encode(run: Run) -> bytes:
    """Return the head as JSON text in the current format."""
    tail = run.stored_tail.packed()
    if len(run.tokens) > LEAST:
        tokens, groups = grouped(run.tokens)
        run = msgspec.structs.replace(run, stored_tail=tail, tokens=tokens, token_groups=groups)
    elif tail is not run.stored_tail:
        run = msgspec.structs.replace(run, stored_tail=tail)
    return formats.HEAD.encode(run)


def decode_run(data: bytes | str) -> Run:
    """Return the head that `encode` of this or an earlier version wrote.

    Raises NewerFormat, and msgspec.DecodeError if the JSON is not a head.
    """
    run = formats.HEAD.decode(data, Run, _DECODER)
    if not run.token_groups:
        return run
    return msgspec.structs.replace(run, tokens=ungrouped(run.tokens, run.token_groups), token_groups=())


_DECODER: Final = msgspec.json.Decoder(Run, dec_hook=decode_hook)
