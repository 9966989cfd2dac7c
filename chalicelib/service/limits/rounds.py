"""One pass through a queue of waiters: who is granted what."""

from __future__ import annotations

from enum import Enum, auto

from chalicelib.model import status
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.limits.permits import Permits
from chalicelib.service.ports.waiters import Waiter


class State(Enum):
    """What became of a waiter."""

    CURRENT = auto()
    PAUSED = auto()
    LATER = auto()
    """It waits for a later attempt: a consumer with an old head put it in the queue, and may have deleted the message
    of that attempt."""
    ENDED = auto()


class Round:
    """What one pass through the queue grants."""

    def __init__(self, permits: Permits, grant: str) -> None:
        self.permits = permits
        self.grant = grant
        """The id of what this pass grants."""
        self.done: list[Waiter] = []
        """Those that leave the queue."""
        self.with_permit: list[tuple[Waiter, Instant]] = []
        self.without_permit: list[tuple[Waiter, Instant]] = []
        """Those that are granted a slot. A slot of 0: a delivery of which the head decides, as of a paused run."""
        self.has_found = False
        """Whether the queue held any waiter."""
        self.has_skipped = False
        """Whether it holds waiters that another process may have granted and not removed yet."""
        self.is_blocked = False
        """Whether the first of those left cannot be granted anything now."""
        self.next_slot: Instant | None = None
        """When it can; None if it waits for a permit."""

    def has_granted(self, waiter: Waiter) -> bool:
        """Return whether the activation was granted a slot in this round."""
        return any(waiter.uuid == known.uuid for known, _ in self.without_permit)

    def take(self, waiter: Waiter, state: State, slot: Instant, now: Instant) -> None:
        """Grant the waiter its slot, or let it leave the queue without one."""
        self.done.append(waiter)
        if state in (State.PAUSED, State.LATER):
            self.without_permit.append((waiter, 0))
        elif state is State.CURRENT:
            self.permits = self.permits.granted(waiter, now, self.grant)
            (self.with_permit if self.permits.admits(waiter) else self.without_permit).append((waiter, slot))


def state_of(run: Run | None, waiter: Waiter) -> State:
    """Return what became of the waiter, by the head of its run."""
    attempt = attempt_of(run, waiter.uuid) if run is not None and run.id == waiter.id else None
    if run is None or attempt is None or attempt < waiter.attempt:
        return State.ENDED
    if attempt > waiter.attempt:
        return State.LATER
    if run.status is Status.PAUSED:
        return State.PAUSED
    return State.CURRENT if not waiter.is_run or run.status is Status.PENDING else State.ENDED


def attempt_of(run: Run | None, uuid: str) -> int | None:
    """Return the attempt of a current activation or notice, or 0 for the id of a live run; None if it has ended."""
    notice = run.notice_of(uuid) if run and run.notices else None
    if notice and notice.activation:
        return notice.activation.attempt
    if run is None or run.status in status.ENDED:
        return None
    if run.id == uuid:
        return 0
    token = run.token_of(uuid)
    return token.activation.attempt if token and token.activation else None
