"""Tokens and activations: the positions of a run in its flow, and what they wait for.

They are parts of a head (`model.run`), and stored with short field names as the head is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import FrozenValue, Json
from chalicelib.model.run_error import StepError
from chalicelib.model.times import Instant
from chalicelib.model.waits import EachWait, ForkWait, Wait

ABSENT: Final = {"\0absent": True}
"""The value in `Activation.old_vars` of a variable that did not exist."""


class Pinned(FrozenValue, frozen=True, kw_only=True):
    """What every delivery of an activation repeats, though its run has moved to another version since it began."""

    step: str = msgspec.field(name="s")
    """The name of the step as the action knows it."""
    states: tuple[str, ...] = msgspec.field(name="t", default=())
    """`ackStates`."""
    args: tuple[str, ...] = msgspec.field(name="a", default=())
    """The names of the args, in their order. The activation holds the values of those that refer to no secret."""


class Activation(FrozenValue, frozen=True, kw_only=True):
    """One visit of one step by one token. Services and people can move the token only with its uuid."""

    uuid: str = msgspec.field(name="u")
    since: Instant = msgspec.field(name="s")
    deadline: Instant = msgspec.field(name="d")
    """When the step returns TIMEOUT. Every wait has one."""
    heartbeat: int | None = msgspec.field(name="h", default=None)
    """The maximum time between reports, in milliseconds."""
    reported_at: Instant | None = msgspec.field(name="l", default=None)
    """When the action last reported, if it has a heartbeat."""
    attempt: int = msgspec.field(name="n", default=0)
    """How many deliveries have failed."""
    retry_at: Instant | None = msgspec.field(name="r", default=None)
    held: bool = msgspec.field(name="p", default=False)
    """Nothing was sent because the run was paused: `continue` sends it."""
    data: Json = msgspec.field(name="x", default=None)
    """The data of the last report."""
    args: dict[str, Json] | None = msgspec.field(name="a", default=None)
    """The args of its action as they were evaluated when the step was entered, except of those that never change."""
    old_vars: dict[str, Json] = msgspec.field(name="o", default_factory=dict)
    """What variables that changed since the step was entered were before, or ABSENT: every delivery sends these."""
    ignored_reply: str = msgspec.field(name="ir", default="")
    """Why the last HTTP response of its action was ignored, though it looked like an answer; empty if none was."""
    circuit_open: bool = msgspec.field(name="co", default=False)
    """Whether its delivery waits because the breaker of its action is open."""
    permit_key: str = msgspec.field(name="pk", default="")
    """The value of the `key` of its action's limit."""
    location: str = msgspec.field(name="lo", default="")
    """Where an action without callback, which has answered 202, is asked for its answer."""
    settled: int = msgspec.field(name="ls", default=0)
    """How many deliveries had failed when it last answered 202: they do not count any more."""
    suspended_at: Instant | None = msgspec.field(name="sp", default=None)
    """Since when its time-outs are suspended because its action is paused; None: they are not."""
    is_unsent: bool = msgspec.field(name="us", default=False)
    """Whether nothing was sent because its action is paused: its continuation sends it."""
    pinned: Pinned | None = msgspec.field(name="pd", default=None)
    """What it was sent, if the run has moved to another version of its flow since then."""
    is_taken: bool = msgspec.field(name="dt", default=False)
    """Whether its action took a delivery of a message that had been received before (`service/deliveries/inline`)."""
    held_by: str = msgspec.field(name="hb", default="")
    """Which message asks for its delivery, if it has none of its own: `held_mark` of the activation that was sent with
    it. The worker that has this message delivers what follows, too."""
    awaits_delivery: bool = msgspec.field(name="ad", default=False)
    """Whether its heartbeat does not count yet: its delivery, which may wait for a limit, was not taken."""
    role: str = msgspec.field(name="ro", default="")
    """The role that its step has computed; empty: it computes none."""
    wait: Wait | None = msgspec.field(name="m", default=None)
    """What the token waits for, if the kind of its step must remember anything."""

    @property
    def is_join(self) -> bool:
        """Whether it waits for the tokens of branches or items."""
        return isinstance(self.wait, (ForkWait, EachWait))

    @property
    def due(self) -> Instant:
        """The moment at which the wait ends without an answer or a report."""
        if self.heartbeat is None or self.awaits_delivery:
            return self.deadline
        return min(self.deadline, (self.reported_at or self.since) + self.heartbeat)


_MARK_CHARACTERS: Final = 8


def held_mark(uuid: str) -> str:
    """Return what distinguishes the activation from others of its run. It is short, because heads hold it.

    If two had the same one, a delivery of either could be made once more.
    """
    return uuid[:_MARK_CHARACTERS]


class Token(FrozenValue, frozen=True, kw_only=True):
    """One position of the run in its flow. A simple run has one token; `fork` and `each` make more."""

    id: str = msgspec.field(name="i", default=ROOT)
    step: str = msgspec.field(name="s")
    activation: Activation | None = msgspec.field(name="a", default=None)
    parent: str = msgspec.field(name="p", default="")
    """The id of the token that waits for this one; empty for the root."""
    index: int | None = msgspec.field(name="x", default=None)
    """The index of the item, in an `each`."""
    scope: str = msgspec.field(name="b", default="")
    """The name of the branch, in a `fork`."""
    state: str = msgspec.field(name="t", default="")
    """The state that its last finished step returned (`$state`)."""
    result: Json = msgspec.field(name="r", default=None)
    """The data of its last finished step (`$result`)."""
    response: dict[str, Json] | None = msgspec.field(name="w", default=None)
    """What its last finished step was answered with (`$response`: status and headers), if its flow reads that."""
    error: StepError | None = msgspec.field(name="e", default=None)
    """The error of its last finished step (`$error`), if its flow reads that."""
    repeats: dict[str, int] = msgspec.field(name="c", default_factory=dict)
    """How often each rule of its step's `repeat` (by its index) was used since a route led to the step."""
    passes: int = msgspec.field(name="l", default=0)
    """How often it went back to an earlier step, or to the same one, since it last waited."""
    undoes: str = msgspec.field(name="u", default="")
    """The activation whose work it undoes; empty for a token that follows the flow."""
    vars: dict[str, Json] | None = msgspec.field(name="v", default=None)
    """The variables of its branch or item; None if these have none, or have not begun."""
    fork_vars: dict[str, Json] | None = msgspec.field(name="vf", default=None)
    """The variables of the fork that it waits at; None if the fork has none."""
