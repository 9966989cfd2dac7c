"""The doctor: looks for runs that do not get on though they should, and sends again what they seem to wait for.

Nothing here is on the path of a run: messages may be lost where a queue was emptied, a function was switched off for
days, or a letter died. All that the doctor sends are hints, and a hint is obeyed only as far as the run's head says, so
a cure that was not needed does nothing, or delivers an activation once more, which services expect (API.md, 1).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from chalicelib.engine.invocation import awaits_approval, invocation_of
from chalicelib.model import status
from chalicelib.model.flow import CallStep, EventStep
from chalicelib.model.run import Run, Token
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait
from chalicelib.service import messages
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.messages import Deliver, Listen, Message, StartChild, TellParent, Wake
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName, Source
from chalicelib.service.ports.runs import RunQuery, RunStore
from chalicelib.service.ports.tasks import Task, TaskStore
from chalicelib.service.wakeups import OVERDUE

LOG = logging.getLogger("echoer.doctor")

PAGE: Final = 100
FAILED: Final = 100
"""How many of the newest failed runs are told of."""

LETTERS: Final = 10
"""How many dead letters are opened at once (as many as SQS hands out)."""


class Ailment(StrEnum):
    """What can be wrong."""

    ALARM = "alarm"
    """A deadline passed, and nobody met it."""
    DELIVERY = "delivery"
    """The next try of a delivery was due long ago."""
    SILENT = "silent"
    """Nothing was heard for longer than was asked for: its message may be lost."""
    CHILD = "child"
    """The run that it waits for has ended."""
    FAILED = "failed"
    """It failed; a person may take it up again."""
    LETTER = "letter"
    """A dead letter waits."""
    TASK = "task"
    """The inbox holds a task of a run that is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong. `hint`: the message that may help; `cured`: what can be done here was."""

    ailment: Ailment
    run: str
    step: str = ""
    uuid: str = ""
    since: Instant | None = None
    detail: str = ""
    cured: bool = False
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was found among so many live runs; `complete`: there are no more of them."""

    findings: tuple[Finding, ...]
    looked_at: int
    complete: bool


class Letters(Queue, Source, Protocol):
    """A queue with both its ends: dead letters are taken out to be read."""


class Doctor:
    def __init__(
        self, runs: RunStore, tasks: TaskStore, queue: Letters, definition_cache: DefinitionCache, clock: Clock
    ) -> None:
        self._runs = runs
        self._tasks = tasks
        self._queue = queue
        self._definition_cache = definition_cache
        self._clock = clock

    def examine(self, namespace: str, most: int, *, silent: int | None = None, repair: bool = False) -> Report:
        """What is wrong among the newest `most` live runs, and around them; cured as far as it can be, if `repair`.

        `silent`: for how many milliseconds an activation may wait without a word; None: for as long as its deadline
        says.
        """
        live, complete = self._live(namespace, most)
        found = [finding for run in live for finding in self._of(run, silent)]
        found += self._failed(namespace)
        if repair:
            found = [self._cure(finding) for finding in found]
        found += self._dead(namespace, repair=repair)
        found += self._orphans(namespace, repair=repair)
        return Report(tuple(found), len(live), complete)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _live(self, namespace: str, most: int) -> tuple[list[Run], bool]:
        found: list[Run] = []
        cursor: str | None = None
        while True:
            listing = self._runs.list(namespace, RunQuery(statuses=status.LIVE, limit=PAGE, cursor=cursor))
            found += listing.runs
            cursor = listing.cursor
            if cursor is None or len(found) >= most:
                return found[:most], cursor is None and len(found) <= most

    def _of(self, run: Run, silent: int | None) -> Iterator[Finding]:
        """What is wrong with one run. A paused one waits for a person."""
        now = self._clock.now()
        if run.status not in status.MOVING:
            return
        if run.timer_at is not None and run.timer_at < now - OVERDUE:
            step = run.tokens[0].step if run.tokens else ""
            wake = Wake(namespace=run.namespace, run=run.name, sent_at=now, version=run.version)
            said = "its deadline passed, and its timer did not ring"
            yield Finding(ailment=Ailment.ALARM, run=run.name, step=step, since=run.timer_at, detail=said, message=wake)
            return
        for token in run.tokens:
            finding = self._of_token(run, token, now, silent)
            if finding is not None:
                yield finding

    def _of_token(self, run: Run, token: Token, now: Instant, silent: int | None) -> Finding | None:
        wait = token.activation
        if wait is None:
            return None
        found = Finding(ailment=Ailment.SILENT, run=run.name, step=token.step, uuid=wait.uuid, since=wait.since)
        if wait.retry_at is not None and wait.retry_at < now - OVERDUE:
            said = f"try {wait.attempt + 1} of its delivery was due long ago"
            message = self._message(run, token)
            return replace(found, ailment=Ailment.DELIVERY, since=wait.retry_at, detail=said, message=message)
        child = self._unheard_child(run, token, now)
        if child is not None:
            said = f"run {child.name!r}, for which it waits, is {child.status}"
            tell = TellParent(namespace=run.namespace, run=child.name, sent_at=now, version=child.version)
            return replace(found, ailment=Ailment.CHILD, since=child.ended_at, detail=said, message=tell)
        heard = max(wait.since, wait.reported_at or 0, wait.retry_at or 0)
        if silent is None or heard > now - silent:
            return None
        message = self._message(run, token)
        return replace(found, since=heard, detail="nothing was heard of it", message=message) if message else None

    def _unheard_child(self, run: Run, token: Token, now: Instant) -> Run | None:
        """The run that the token waits for, if it ended a while ago."""
        wait = token.activation.wait if token.activation else None
        if not isinstance(wait, ChildWait):
            return None
        child = self._runs.load(run.namespace, wait.child)
        over = child is not None and child.status in status.ENDED and (child.ended_at or 0) < now - OVERDUE
        return child if over else None

    def _message(self, run: Run, token: Token) -> Message | None:
        """The message that the token's wait began with; None if it began with none."""
        definition, now = self._definition_cache.of(run), self._clock.now()
        uuid = token.activation.uuid if token.activation else ""
        invocation = invocation_of(definition, run, token)
        if invocation is not None:
            if invocation.is_human or awaits_approval(token):
                return None
            return Deliver(namespace=run.namespace, run=run.name, sent_at=now, version=run.version, uuid=uuid)
        match definition.step(token.step):
            case EventStep():
                return Listen(namespace=run.namespace, run=run.name, sent_at=now, version=run.version, uuid=uuid)
            case CallStep():
                return StartChild(namespace=run.namespace, run=run.name, sent_at=now, version=run.version, uuid=uuid)
            case _:
                return None

    def _failed(self, namespace: str) -> list[Finding]:
        query = RunQuery(statuses=frozenset({Status.FAILED}), limit=FAILED)
        return [
            Finding(
                ailment=Ailment.FAILED,
                run=run.name,
                step=run.tokens[0].step if run.tokens else "",
                since=run.ended_at,
                detail=run.last_err,
            )
            for run in self._runs.list(namespace, query).runs
        ]

    def _cure(self, finding: Finding) -> Finding:
        """The finding's hint is sent, if it has one."""
        if finding.message is None:
            return finding
        self._send(finding.message)
        LOG.warning(
            "run %r, step %r: %s; it was reminded",
            finding.run,
            finding.step,
            finding.detail,
            extra={"run": finding.run, "uuid": finding.uuid, "ailment": str(finding.ailment)},
        )
        return replace(finding, cured=True)

    def _send(self, message: Message) -> None:
        queue = QueueName.DELIVERIES if isinstance(message, Deliver) else QueueName.WAKES
        self._queue.send(queue, [messages.encode(message)])

    # ── dead letters, orphans ────────────────────────────────────────────────────────────────────────────────────────

    def _dead(self, namespace: str, *, repair: bool) -> list[Finding]:
        """Some of the dead letters that wait; repaired: each lies in its own queue again."""
        found = []
        for letter in self._queue.receive(QueueName.DEAD, LETTERS, 0):
            message = _message_in(letter.body)
            mine = message is not None and message.namespace == namespace
            if mine and message and repair:
                self._send(msgspec.structs.replace(message, sent_at=self._clock.now()))
                self._queue.delete(QueueName.DEAD, [letter.receipt])
                LOG.warning("a dead letter of run %r was sent again", message.run, extra={"run": message.run})
            else:
                self._queue.defer(QueueName.DEAD, letter.receipt, 0)
            if mine and message:
                uuid = getattr(message, "uuid", "")
                said = f"a dead letter ({type(message).__name__})"
                since, cured = letter.sent_at, repair
                found.append(
                    Finding(ailment=Ailment.LETTER, run=message.run, uuid=uuid, since=since, detail=said, cured=cured)
                )
        return found

    def _orphans(self, namespace: str, *, repair: bool) -> list[Finding]:
        """Tasks of runs that are over, or no longer wait there; repaired: they are not in the inbox."""
        found = []
        after: Task | None = None
        while tasks := self._tasks.list(namespace, PAGE, after):
            for task in tasks:
                if self._is_orphan(namespace, task):
                    if repair:
                        self._tasks.remove(namespace, task)
                        LOG.warning("a task of run %r was nobody's", task.run, extra={"run": task.run})
                    said = "a task in the inbox that nobody waits for"
                    found.append(
                        Finding(
                            ailment=Ailment.TASK,
                            run=task.run,
                            uuid=task.uuid,
                            since=task.since,
                            detail=said,
                            cured=repair,
                        )
                    )
            after = tasks[-1]
        return found

    def _is_orphan(self, namespace: str, task: Task) -> bool:
        run = self._runs.load(namespace, task.run)
        if run is None or run.version < 1:
            return task.since < self._clock.now() - OVERDUE  # its run may just be being written
        waits = run.status not in status.ENDED and run.token_of(task.uuid) is not None
        return not waits and run.updated_at > task.since


def _message_in(body: str) -> Message | None:
    try:
        return messages.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        return None
