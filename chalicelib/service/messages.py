"""Messages in the queues: each asks its consumer to look at a run, or at a schedule.

The head of the run decides. A message may come late or twice, or have no effect because the run has moved on.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import msgspec.structs

from chalicelib.engine.announcements import Announcement
from chalicelib.model import formats
from chalicelib.model.holds import HeldKind
from chalicelib.model.json_values import FrozenValue, ready
from chalicelib.model.run import Run
from chalicelib.model.times import Instant


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="hint"):
    namespace: str = msgspec.field(name="ns")
    run: str
    sent_at: Instant = msgspec.field(name="at")
    version: int = msgspec.field(name="v")
    """The version of the head that the message belongs to. The message is sent before that head is committed."""
    id: str = ""
    """The id of the run; empty: any run of that name."""

    @property
    def subject(self) -> str:
        """The name of what it is about."""
        return self.run

    def is_written(self, run: Run | None) -> bool:
        """Return whether the head (None: there is no run) is the one that the message belongs to, or a later one."""
        return run is not None and run.version >= self.version and self.id in ("", run.id)


class Deliver(_Message, frozen=True, kw_only=True, omit_defaults=True, tag="deliver"):
    """Deliver an activation to its action.

    If a limiter sends it, it has waited, and was granted what it waited for.
    """

    uuid: str
    limiter: str = ""
    """The name of the limiter; empty: none sent it."""
    attempt: int = 0
    """The attempt that was granted."""
    slot: Instant = 0
    """When it may be sent."""
    granted_in: int = msgspec.field(name="gv", default=0)
    """The version of the limiter's value that holds its permit. The message is sent before it is written. 0: none."""
    grant: str = ""
    """The id of the permit in this value: others may have been sent messages for a permit that they did not get."""
    previous: str = msgspec.field(name="pu", default="")
    """The activation that it was sent for. Versions of 2026 changed messages: the one of `uuid` follows it, if that was
    committed."""
    is_net: bool = msgspec.field(name="nt", default=False)
    """Whether it was sent for the case of a crash only, by a worker of such a version that delivers the activation."""

    def current(self, run: Run | None) -> Deliver:
        """Return what the message asks for by now, by the head.

        That is what follows in its chain (`deliveries/inline.py`), if it is over what it was sent for.
        """
        if run is None or self.granted_in or run.sent_of(self.uuid) is not None:
            return self
        if self.previous and run.sent_of(self.previous) is not None:
            return msgspec.structs.replace(self, uuid=self.previous, previous="")
        held = run.held_for(self.uuid)
        if held is None or held.activation is None:
            return self
        return msgspec.structs.replace(self, uuid=held.activation.uuid, previous="")


class Wake(_Message, frozen=True, kw_only=True, tag="wake"):
    """Check the timer of the run: it may be due."""


class Listen(_Message, frozen=True, kw_only=True, tag="listen"):
    """Check for events that an activation waits for: one may have been published."""

    uuid: str


class StartChild(_Message, frozen=True, kw_only=True, tag="start"):
    """Start the run that an activation waits for."""

    uuid: str


class ExecuteStep(_Message, frozen=True, kw_only=True, tag="execute"):
    """Publish the event or start the run for which an activation's step is there."""

    uuid: str


class StopChild(_Message, frozen=True, kw_only=True, tag="stop"):
    """Stop the run `child`, of which this run needs no result."""

    child: str


class SyncChild(_Message, frozen=True, kw_only=True, tag="sync"):
    """Pause or continue the run `child`, as this run is paused or not."""

    child: str


class TellParent(_Message, frozen=True, kw_only=True, tag="tell"):
    """Report the end of this run to the run that waits for it."""


class TellSchedule(_Message, frozen=True, kw_only=True, tag="ended"):
    """Report the end of this run to the schedule of which slots wait for it."""


class Tick(_Message, frozen=True, kw_only=True, tag="tick"):
    """Look at the schedule: a slot may be due, or its definition may have changed.

    `run` is empty, and `version` is that of the definition, which is stored after the message is sent; 0: any.
    """

    run: str = ""
    schedule: str

    @property
    def subject(self) -> str:
        return self.schedule


class Begin(_Message, frozen=True, kw_only=True, omit_defaults=True, tag="begin"):
    """Begin a pending run, if its turn has come. Its limiter sends it when it has granted the permit."""

    uuid: str = ""
    """The id of the run, if its limiter sends it."""
    limiter: str = ""
    attempt: int = 0
    slot: Instant = 0
    granted_in: int = msgspec.field(name="gv", default=0)
    grant: str = ""
    """As of a delivery."""


class Release(_Message, frozen=True, kw_only=True, omit_defaults=True, tag="release"):
    """Return the permit of an activation that has ended or waits for a retry, or of a run that has ended."""

    uuid: str
    """That of the activation, or the id of the run."""
    limiter: str
    attempt: int | None = None
    """The attempt for which the activation waits; None: it has ended."""


class Serve(_Message, frozen=True, kw_only=True, tag="serve"):
    """Grant the waiters of a limiter what is free. `run` is empty."""

    limiter: str
    due: Instant
    """When it is to be done: a queue delays a message by 15 minutes at most."""


class Wanted(FrozenValue, frozen=True, kw_only=True):
    """An event of a run, and the names of the hooks that are notified of it."""

    announcement: Announcement = msgspec.field(name="a")
    hooks: tuple[str, ...] = msgspec.field(name="h")


class ReleaseHeld(_Message, frozen=True, kw_only=True, tag="release-held"):
    """Send what waits for the action or flow of that name, which was continued. `run` is empty.

    `version` is that of the value without the pause.
    """

    run: str = ""
    kind: HeldKind
    name: str

    @property
    def subject(self) -> str:
        return self.name


class RunBatch(_Message, frozen=True, kw_only=True, tag="batch"):
    """Work on the batch. `run` is empty, and `version` is that of the batch, which it continues; 0: any."""

    run: str = ""
    batch: str

    @property
    def subject(self) -> str:
        return self.batch


class Announce(_Message, frozen=True, kw_only=True, tag="announce"):
    """Notify hooks of events of a transition, if it was committed."""

    written: str
    """`written` of the head that the transition made."""
    seq: int
    """The number of the newest history entry of that head."""
    mark: str
    """What distinguishes that entry (`announcements.mark_of`)."""
    wanted: tuple[Wanted, ...]


class Notify(_Message, frozen=True, kw_only=True, tag="notify"):
    """Deliver a notification to a hook. It holds all that is sent: the run may have changed."""

    hook: str
    event: str
    """The id of the notification."""
    body: str


class FindStuck(_Message, frozen=True, kw_only=True, tag="stuck"):
    """Look for stuck runs of which hooks are notified. `namespace` and `run` are empty."""


Message: TypeAlias = (
    Deliver
    | Wake
    | Listen
    | StartChild
    | ExecuteStep
    | StopChild
    | SyncChild
    | TellParent
    | TellSchedule
    | Tick
    | Begin
    | Release
    | Serve
    | ReleaseHeld
    | RunBatch
    | Announce
    | Notify
    | FindStuck
)


def encode(message: Message) -> str:
    """Return the body of the message, in the current format."""
    return formats.MESSAGE.encode(message).decode()


def decode(body: str) -> Message:
    """Return the message with that body. Raises msgspec.DecodeError if it is invalid or of a newer format."""
    try:
        message: Message = formats.MESSAGE.decode(body, Message)  # type: ignore[arg-type]  # a union of types
    except formats.NewerFormat as error:
        raise msgspec.DecodeError(str(error)) from error
    return message


ready(Message)
