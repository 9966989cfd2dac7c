"""Request bodies: their types, and the functions that read them. A body that does not match its type raises
`Malformed`, which names the field and the expected type.

Fields that a call does not know are refused before (`strict`), but for the calls of the original echoer.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from chalicelib.engine.values.texts import key_text
from chalicelib.entrypoints.http.echoer_types import event_data
from chalicelib.entrypoints.http.reading import (
    DURATION,
    MAX_NAME_CHARACTERS,
    EventId,
    Moment,
    Name,
    Text,
    read,
    text_of,
)
from chalicelib.entrypoints.http.start_body import Labels, moment_of
from chalicelib.model import times
from chalicelib.model.json_values import Json, ready
from chalicelib.model.times import Instant
from chalicelib.service.batches.operator import DEFAULT_RATE
from chalicelib.service.errors import Invalid, Malformed
from chalicelib.service.events.publish import DEFAULT_TTL_MS, MAX_TTL_MS

Duration = Annotated[str, msgspec.Meta(min_length=1, max_length=128, extra_json_schema={"pattern": DURATION})]
_NOT_NEGATIVE: Final = msgspec.Meta(extra_json_schema={"minimum": 0})
Ttl = (
    Annotated[str, msgspec.Meta(extra_json_schema={"pattern": DURATION, "minLength": 1})]
    | Annotated[int, _NOT_NEGATIVE]
    | Annotated[float, _NOT_NEGATIVE]
)


class NoBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No field is required."""


class FslBody(msgspec.Struct, frozen=True, kw_only=True):
    """An FSL text."""

    data: str


class StopBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the run is stopped. The reason is recorded in the run's history."""

    reason: Text = ""


FlowVersion = Literal["latest"] | Annotated[int, msgspec.Meta(ge=1, le=10**9)]
"""A version of a flow: its number, or `latest`."""


class RetryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how the run continues. `step` is by default the step where it stopped; a run whose work was undone
    needs one. `token` says which token continues at `step`, if several can: those of branches and items can, too.
    `version` is the version of its flow with which it continues. `input` has the fields of its input that change, or is
    the whole input of a flow that takes one value; `vars` has the variables to set. `reason` is recorded. `undo`: true
    only repeats the undos that failed, and excludes all others but `reason`."""

    step: Text | None = None
    token: Text | None = None
    version: FlowVersion | None = None
    input: Json | msgspec.UnsetType = msgspec.UNSET
    vars: dict[str, Json] = {}
    undo: bool = False
    reason: Text = ""


class MigrateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version to which the run moves. `steps` maps names of steps to their names in that version, where these
    differ. `dry_run`: true changes nothing. `reason` is recorded."""

    version: FlowVersion
    steps: dict[str, Text] = {}
    dry_run: bool = False
    reason: Text = ""


class GotoBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The step that a token enters. `token` says which token, if several can enter it. `reason` is recorded."""

    step: Text
    token: Text | None = None
    reason: Text = ""


class BatchBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command over many runs. `select` has filters of `GET /flowrun`, or `names`; `with` the fields of the command's
    own call; `rate` is how many runs per second it commands at most. `dry_run`: nothing is done."""

    select: dict[str, Json]
    command: Literal["retry", "pause", "continue", "stop", "delete", "migrate", "signal"] = msgspec.field(name="do")
    args: dict[str, Json] = msgspec.field(name="with", default={})
    dry_run: bool = False
    rate: Annotated[float, msgspec.Meta(gt=0, le=1_000)] = DEFAULT_RATE


class SignalBody(msgspec.Struct, frozen=True, kw_only=True):
    """An event. `ttl` says how long runs that start to wait later can still receive it: a duration such as `2h`, or
    seconds. It defaults to 24 hours. The same `id` is the same event: sent again within 24 hours, or within the `ttl`,
    it is not published twice."""

    name: Name
    key: Text | int | float | bool = ""
    data: Json = None
    ttl: Ttl | None = None
    id: EventId | None = None

    def key_text(self) -> str:
        """Return the key as runs compare it: 7 and "7" are the same."""
        return key_text(self.key)

    def lifetime_ms(self) -> int:
        """Return the ttl in milliseconds. Raises Malformed, Invalid."""
        if self.ttl is None:
            return DEFAULT_TTL_MS
        found = times.duration(self.ttl) if isinstance(self.ttl, str) else self.ttl * 1000
        if found is None or isinstance(self.ttl, bool) or not found >= 0:
            raise Malformed(f"`ttl` must be a duration such as 30s or 2h, or seconds; not {self.ttl!r:.60}")
        if found > MAX_TTL_MS:
            raise Invalid(f"`ttl` must be at most 366 days, not {self.ttl!r:.60}")
        return int(found)


class EchoerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of an event in the form of the original echoer."""

    name: Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARACTERS)] = ""


class EchoerEventBody(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the form of the original echoer. Its name is `metadata.name` or, if that is empty, `message`; its
    data has the other three fields."""

    metadata: EchoerMetadata
    event_type: Annotated[float, msgspec.Meta(ge=0, le=2**31 - 1, multiple_of=1)] = 0
    message: str = ""
    object: dict[str, Json] | None = None

    def as_signal(self) -> SignalBody:
        """Return the event in Echoer's own form. Raises Malformed if it has no valid name."""
        name = self.metadata.name or self.message
        if not 0 < len(name) <= MAX_NAME_CHARACTERS:
            raise Malformed(
                f"the event needs a name of 1 to {MAX_NAME_CHARACTERS} characters in `metadata.name` or `message`"
            )
        return SignalBody(name=name, data=event_data(int(self.event_type), self.message, self.object or {}))


class RunSignalBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event for one run."""

    name: Name
    data: Json = None


class VarsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The variables to set, and the names of variables to remove. null is a value like any other."""

    vars: dict[str, Json] = {}
    remove: list[str] = []


class LabelsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The labels to set, and the names of labels to remove."""

    set: Labels = {}
    remove: list[str] = []


class BackfillBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first and the last slot to run: RFC 3339 times, both inclusive."""

    since: Moment = msgspec.field(name="from")
    until: Moment = msgspec.field(name="to")

    def range(self) -> tuple[Instant, Instant]:
        """Return the times. Raises Malformed."""
        return moment_of("from", self.since), moment_of("to", self.until)


class CommandBody(msgspec.Struct, frozen=True, kw_only=True):
    """A command of the terminal, or FSL statements."""

    command: str


class SdkBody(msgspec.Struct, frozen=True, kw_only=True):
    """What AWS's SDK sends with SendTaskSuccess (`output`), SendTaskFailure and SendTaskHeartbeat."""

    token: str = msgspec.field(name="taskToken")
    output: str | None = None
    error: str | None = None
    cause: str | None = None


ready(
    EchoerEventBody,
    NoBody,
    FslBody,
    StopBody,
    RetryBody,
    MigrateBody,
    GotoBody,
    SignalBody,
    RunSignalBody,
    VarsBody,
    BackfillBody,
    CommandBody,
    BatchBody,
    SdkBody,
)


class _EventForm(msgspec.Struct, frozen=True):
    name: Json = None
    metadata: Json = None


def event_of(body: bytes) -> SignalBody:
    """Return the event in the body. The form of the original echoer has `metadata`, and no `name`. Raises Malformed."""
    form = read(body, _EventForm)
    if form.name is None and form.metadata is not None:
        return read(body, EchoerEventBody).as_signal()
    return read(body, SignalBody)


def fsl_of(body: bytes) -> str:
    """Return the FSL text in the body: plain text or `{"data": ...}`. No FSL text begins with a brace."""
    text = text_of(body)
    return read(body, FslBody).data if text.lstrip().startswith("{") else text
