"""Notices of waits: each is sent at least once, in order, or its failure is in the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

from chalicelib.engine.notices import is_due, uuid_of
from chalicelib.model import status
from chalicelib.model.history import Entry
from chalicelib.model.run import Run, Token
from chalicelib.model.waits import EventWait, NoticeKind, NoticeWait


class Notices:
    """The waits of one run that an action hears of when they end."""

    def __init__(self) -> None:
        self._waits: dict[str, tuple[str, str]] = {}
        """The token and the step of each such wait that has not ended, by its activation."""

    def commit(self, before: Run | None, after: Run, added: list[Entry], sent: Container[str]) -> Iterator[str]:
        """Take in one write; yield which notices are missing. `sent`: the activations that were sent."""
        waits = {} if after.status in status.ENDED else dict(_waits_of(after))
        old = {uuid_of(notice) for notice in before.notices} if before else set()
        ended = Counter(place for uuid, place in self._waits.items() if uuid not in waits)
        leaves = [one for one in after.notices if uuid_of(one) not in old and _kind(one) is NoticeKind.LEAVE]
        for place, missing in (ended - Counter((one.id, one.step) for one in leaves)).items():
            yield f"{missing} waits of token {place[0]} at {place[1]!r} ended, and their on_leave is not sent"
        self._waits = waits
        kept = {uuid_of(notice) for notice in after.notices}
        for notice in before.notices if before else ():
            if uuid_of(notice) not in kept and _kind(notice) is NoticeKind.LEAVE:
                yield from self._settled(notice, added, sent)

    def _settled(self, notice: Token, added: list[Entry], sent: Container[str]) -> Iterator[str]:
        events = {entry.event for entry in added if entry.uuid == uuid_of(notice)}
        if uuid_of(notice) not in sent and "NoticeFailed" not in events:
            yield f"the on_leave of {notice.step!r} was dropped, and was never sent"
        if not events & {"NoticeFailed", "NoticeDelivered"}:
            yield f"the on_leave of {notice.step!r} was dropped, and the history does not say why"


def out_of_turn(head: Run | None, uuid: str) -> str:
    """Return why the notice may not be sent yet; empty if it may."""
    notice = head.notice_of(uuid) if head else None
    if head is None or notice is None or is_due(head, notice) or _is_taken(notice):
        return ""
    return f"the {_kind(notice)} notice of {notice.step!r} was sent before the one that comes before it"


def is_only_about(before: Run, after: Run) -> bool:
    """Return whether nothing but notices or labels differs: an ended run still sends the ones, and gets the others."""
    kept = ("status", "tokens", "vars", "output", "error", "ended_at", "undos", "input", "received")
    is_other = before.notices != after.notices or before.labels != after.labels
    return is_other and all(getattr(before, name) == getattr(after, name) for name in kept)


def _waits_of(run: Run) -> Iterator[tuple[str, tuple[str, str]]]:
    for token in run.tokens:
        wait = token.activation.wait if token.activation else None
        if token.activation and isinstance(wait, EventWait) and wait.leave is not None:
            yield token.activation.uuid, (token.id, token.step)


def _kind(notice: Token) -> NoticeKind | None:
    wait = notice.activation.wait if notice.activation else None
    return wait.kind if isinstance(wait, NoticeWait) else None


def _is_taken(notice: Token) -> bool:
    wait = notice.activation.wait if notice.activation else None
    return isinstance(wait, NoticeWait) and wait.is_taken
