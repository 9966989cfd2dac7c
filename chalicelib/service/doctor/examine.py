"""The doctor: find runs that should have continued but wait, and send the messages that they wait for again.

No run depends on the doctor. Messages are lost where a queue was purged, a function was disabled for days, or a dead
letter expired. The doctor only sends messages, and a message has an effect only if the head agrees with it. So an
unnecessary repair does nothing, or delivers an activation once more, which services expect (docs/http-api.md, 1).
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.model import status
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service import messages
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.doctor.action_checks import old_actions
from chalicelib.service.doctor.findings import Finding, FindingKind, Report, shortened
from chalicelib.service.doctor.hold_checks import HoldChecks
from chalicelib.service.doctor.run_checks import RunChecks
from chalicelib.service.doctor.schedule_checks import ScheduleChecks
from chalicelib.service.hooks.book import HookBook
from chalicelib.service.hooks.delivery_log import DeliveryLog
from chalicelib.service.messages import Deliver, Message, Notify
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName, Source
from chalicelib.service.ports.runs import RunQuery, RunStore
from chalicelib.service.ports.tasks import Task, TaskStore
from chalicelib.service.timers.run_timers import OVERDUE_AFTER_MS

LOG = logging.getLogger("echoer.doctor")

_PAGE_ITEMS: Final = 100

MAX_FAILED_RUNS: Final = 100
"""How many of the newest failed runs are reported."""

HOOK_FAILING_AFTER_MS: Final = 10 * 60 * 1000
"""How long a hook has to fail before it is reported."""

MAX_DEAD_LETTERS: Final = 10
"""How many dead letters one examination reads, which is as many as SQS returns at once."""


class Doctor:
    """Examines and repairs a namespace."""

    def __init__(
        self,
        runs: RunStore,
        tasks: TaskStore,
        queue: Queue,
        source: Source,
        definition_cache: DefinitionCache,
        schedule_checks: ScheduleChecks,
        hold_checks: HoldChecks,
        hook_book: HookBook,
        hook_log: DeliveryLog,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._tasks = tasks
        self._queue = queue
        self._source = source
        self._hook_book = hook_book
        self._hook_log = hook_log
        self._clock = clock
        self._schedule_checks = schedule_checks
        self._hold_checks = hold_checks
        self._definition_cache = definition_cache
        self._checks = RunChecks(runs, definition_cache, clock)

    def examine(self, namespace: str, limit: int, *, silent: int | None = None, repair: bool = False) -> Report:
        """Report problems of the newest `limit` live runs, failed runs, schedules, dead letters and orphaned tasks.

        `silent` is how long an activation may wait without news, in milliseconds; None: until its deadline. With
        `repair`, what can be repaired is.
        """
        live, complete = self._live(namespace, limit)
        findings = [finding for run in live for finding in self._checks.problems(run, silent)]
        findings += old_actions(self._definition_cache, live)
        findings += self._failed(namespace)
        findings += self._failed_undos(namespace)
        findings += self._schedule_checks.problems(namespace)
        findings += self._hold_checks.problems(namespace)
        if repair:
            findings = [self._repair(finding) for finding in findings]
        findings += self._dead_letters(namespace, repair=repair)
        findings += self._orphaned_tasks(namespace, repair=repair)
        findings += self._failing_hooks(namespace)
        return Report(tuple(findings), len(live), complete)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _live(self, namespace: str, limit: int) -> tuple[list[Run], bool]:
        """Return the newest live runs, and whether these are all."""
        found: list[Run] = []
        cursor: str | None = None
        while True:
            listing = self._runs.list(namespace, RunQuery(statuses=status.LIVE, limit=_PAGE_ITEMS, cursor=cursor))
            found += listing.runs
            cursor = listing.cursor
            if cursor is None or len(found) >= limit:
                return found[:limit], cursor is None and len(found) <= limit

    def _failed(self, namespace: str) -> list[Finding]:
        query = RunQuery(statuses=frozenset({Status.FAILED}), limit=MAX_FAILED_RUNS)
        return [
            Finding(
                kind=FindingKind.FAILED_RUN,
                run=run.name,
                step=run.error.step if run.error else run.tokens[0].step if run.tokens else "",
                since=run.ended_at,
                detail=shortened(run.last_err),
            )
            for run in self._runs.list(namespace, query).runs
        ]

    def _failed_undos(self, namespace: str) -> list[Finding]:
        """Report the newest runs of which an undo failed."""
        query = RunQuery(undo_failed=True, limit=MAX_FAILED_RUNS)
        return [
            Finding(
                kind=FindingKind.FAILED_UNDO,
                run=run.name,
                step=undo.step,
                uuid=undo.uuid,
                since=run.ended_at,
                detail=shortened(f"the undo of step {undo.step!r} failed: {undo.failed}"),
            )
            for run in self._runs.list(namespace, query).runs
            for undo in run.undos
            if undo.failed
        ]

    def _repair(self, finding: Finding) -> Finding:
        """Send the message of the finding, if it has one."""
        if finding.message is None:
            return finding
        self._send(finding.message)
        LOG.warning(
            "run %r, step %r: %s; its message was sent again",
            finding.run,
            finding.step,
            finding.detail,
            extra={"run": finding.run, "uuid": finding.uuid, "ailment": str(finding.kind)},
        )
        return replace(finding, repaired=True)

    def _send(self, message: Message) -> None:
        queue = QueueName.DELIVERIES if isinstance(message, (Deliver, Notify)) else QueueName.WAKES
        self._queue.send(queue, [messages.encode(message)])

    # ── dead letters, orphaned tasks ─────────────────────────────────────────────────────────────────────────────────

    def _dead_letters(self, namespace: str, *, repair: bool) -> list[Finding]:
        """Report some of the dead letters; with `repair`, send each to its own queue again."""
        found = []
        for received in self._source.receive(QueueName.DEAD, MAX_DEAD_LETTERS, 0):
            message = _message_in(received.body)
            mine = message is not None and message.namespace == namespace
            if mine and message and repair:
                self._send(msgspec.structs.replace(message, sent_at=self._clock.now()))
                self._source.delete(QueueName.DEAD, [received.receipt])
                LOG.warning("a dead letter of %r was sent again", message.subject, extra={"run": message.subject})
            else:
                self._queue.defer(QueueName.DEAD, received.receipt, 0)
            if mine and message:
                finding = Finding(
                    kind=FindingKind.DEAD_LETTER,
                    run=message.subject,
                    uuid=getattr(message, "uuid", ""),
                    since=received.sent_at,
                    detail=f"a dead letter ({type(message).__name__})",
                    repaired=repair,
                )
                found.append(finding)
        return found

    def _orphaned_tasks(self, namespace: str, *, repair: bool) -> list[Finding]:
        """Report tasks of runs that do not exist; with `repair`, remove all tasks that no run waits for.

        A task that was answered stays until it expires or the inbox is read, and is no problem.
        """
        found = []
        after: Task | None = None
        while tasks := self._tasks.list(namespace, _PAGE_ITEMS, after):
            for task in tasks:
                run = self._runs.load(namespace, task.run)
                is_over = self._is_over(run, task)
                if is_over and repair:
                    self._tasks.remove(namespace, task)
                if is_over and run is None:
                    finding = Finding(
                        kind=FindingKind.ORPHANED_TASK,
                        run=task.run,
                        uuid=task.uuid,
                        since=task.since,
                        detail="a task in the inbox of a run that does not exist",
                        repaired=repair,
                    )
                    found.append(finding)
            after = tasks[-1]
        return found

    def _failing_hooks(self, namespace: str) -> list[Finding]:
        """Report hooks that have not accepted notifications for a while. The runs do not wait for them."""
        found = []
        for hook in self._hook_book.of(namespace):
            known = self._hook_log.of(namespace, hook.name)
            since = known.failing_since
            if since is not None and since <= self._clock.now() - HOOK_FAILING_AFTER_MS:
                error = known.deliveries[0].error if known.deliveries else ""
                detail = f"hook {hook.name!r}: {known.failures} deliveries in a row have failed: {error}"
                found.append(Finding(kind=FindingKind.FAILING_HOOK, run="", since=since, detail=detail))
        return found

    def _is_over(self, run: Run | None, task: Task) -> bool:
        """Return whether no run waits for the task (None: its run does not exist)."""
        if run is None or run.version < 1:
            return task.since < self._clock.now() - OVERDUE_AFTER_MS  # its run may be about to be written
        waits = run.status not in status.ENDED and run.token_of(task.uuid) is not None
        return not waits and run.updated_at > task.since


def _message_in(body: str) -> Message | None:
    try:
        return messages.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        return None
