"""What a transition announces to hooks, by comparing the heads before and after it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

from chalicelib.engine.effects import Effect, OpenTask
from chalicelib.model.history import Entry
from chalicelib.model.hooks import EVENT_OF_END, HookEvent
from chalicelib.model.json_values import FrozenValue, ready
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED
from chalicelib.model.times import Instant


class Announcement(FrozenValue, frozen=True, kw_only=True):
    """An event of a run that hooks may be notified of."""

    event: HookEvent = msgspec.field(name="e")
    at: Instant = msgspec.field(name="t")
    step: str = msgspec.field(name="s", default="")
    uuid: str = msgspec.field(name="u", default="")
    """The activation that it is about; empty if it is about the run as a whole."""
    detail: str = msgspec.field(name="d", default="")
    """Why an undo failed."""


ready(Announcement)


def announcements(before: Run | None, after: Run, effects: Iterable[Effect]) -> tuple[Announcement, ...]:
    """Return what the transition from `before` (None: the run is new) to `after` announces."""
    return tuple(_announced(before, after, effects))


def _announced(before: Run | None, after: Run, effects: Iterable[Effect]) -> Iterator[Announcement]:
    at = after.updated_at
    if before is None:
        yield Announcement(event=HookEvent.RUN_STARTED, at=at)
    for effect in effects:
        token = after.token_of(effect.uuid) if isinstance(effect, OpenTask) else None
        if token is not None and isinstance(effect, OpenTask):
            yield Announcement(event=HookEvent.TASK_OPENED, at=at, step=token.step, uuid=effect.uuid)
    known = {undo.uuid for undo in before.undos if undo.failed} if before and before.failed_undos else set()
    for undo in after.undos:
        if undo.failed and undo.uuid not in known:
            yield Announcement(event=HookEvent.UNDO_FAILED, at=at, step=undo.step, uuid=undo.uuid, detail=undo.failed)
    if after.status in ENDED and (before is None or before.status not in ENDED):
        yield Announcement(event=EVENT_OF_END[after.status], at=at)


def mark_of(entry: Entry) -> str:
    """Return what distinguishes a history entry from any other that could have its number.

    Two writers that decide different things about one head write different entries; the head has the entry of the one
    that committed.
    """
    text = msgspec.json.encode([entry.at, entry.event, entry.by, entry.step, entry.state, entry.target, entry.uuid])
    return hashlib.sha256(text).hexdigest()[:12]
