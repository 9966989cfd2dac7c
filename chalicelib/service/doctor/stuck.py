"""Notify hooks of runs that are stuck: those that the doctor finds to wait though they should have continued.

No transition makes a run stuck, so nothing but a look at the live runs finds them. The sweep asks for it every few
minutes by a message, and only namespaces in which a hook on `run.stuck` was ever submitted are looked at.
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from chalicelib.engine.announcements import Announcement
from chalicelib.model import status
from chalicelib.model.hooks import Hook, HookEvent
from chalicelib.model.json_values import ready
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service import messages
from chalicelib.service.doctor.run_checks import RunChecks
from chalicelib.service.errors import Conflict
from chalicelib.service.hooks.announce import HookAnnouncer
from chalicelib.service.hooks.book import HookBook
from chalicelib.service.messages import FindStuck
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName
from chalicelib.service.ports.runs import RunQuery, RunStore
from chalicelib.service.ports.store import Store

LOG = logging.getLogger("echoer.hooks")

LOOK_EVERY_MINUTES: Final = 5
"""How often the live runs are looked at."""

MIN_PAUSE_MS: Final = 4 * 60 * 1000
"""The time between two looks: a message may come twice, and a sweep twice in the same minute."""

MINUTE_MS: Final = 60_000

REMIND_AFTER_MS: Final = 24 * 60 * 60 * 1000
"""How long a run that does not move is announced once."""

MAX_RUNS: Final = 1_000
"""How many live runs of a namespace are looked at: the newest."""

_PAGE_ITEMS: Final = 100
_NAMESPACE: Final = ""
"""No namespace has this name: the list of namespaces is outside of them."""
_KEY: Final = "hooks/stuck"


class _Watched(msgspec.Struct, frozen=True):
    """The namespaces to look at, and when they were looked at."""

    namespaces: tuple[str, ...] = ()
    looked_at: Instant = 0


ready(_Watched)


class StuckWatch:
    """Looks for stuck runs where hooks want to know."""

    def __init__(
        self,
        store: Store,
        runs: RunStore,
        checks: RunChecks,
        book: HookBook,
        announcer: HookAnnouncer,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._values = store.versioned_values
        self._keys = store.keys
        self._runs = runs
        self._checks = checks
        self._book = book
        self._announcer = announcer
        self._clock = clock

    def watch(self, namespace: str) -> None:
        """Look at the runs of the namespace from now on. Raises Conflict if others keep changing the list."""
        for attempts_left in (3, 2, 1, 0):
            watched, version = self._read()
            if namespace in watched.namespaces:
                return
            changed = msgspec.structs.replace(watched, namespaces=(*watched.namespaces, namespace))
            try:
                self._values.write(_NAMESPACE, _KEY, msgspec.json.encode(changed), version)
            except Conflict:
                if not attempts_left:
                    raise
            else:
                return

    def ask(self) -> None:
        """Send the message that asks for a look, in every fifth minute. The sweep calls this every minute."""
        now = self._clock.now()
        if now // MINUTE_MS % LOOK_EVERY_MINUTES == 0:
            message = FindStuck(namespace="", run="", sent_at=now, version=0)
            self._queue.send(QueueName.WAKES, [messages.encode(message)])

    def look(self) -> None:
        """Look for stuck runs, unless that was done a short while ago. Of several processes, one looks."""
        watched, version = self._read()
        now = self._clock.now()
        if not watched.namespaces or watched.looked_at > now - MIN_PAUSE_MS:
            return
        changed = msgspec.structs.replace(watched, looked_at=now)
        try:
            self._values.write(_NAMESPACE, _KEY, msgspec.json.encode(changed), version)
        except Conflict:
            return
        for namespace in watched.namespaces:
            hooks = [hook for hook in self._book.of(namespace) if HookEvent.RUN_STUCK in hook.on]
            if hooks:
                self._look_at(namespace, hooks)

    def _look_at(self, namespace: str, hooks: list[Hook]) -> None:
        seen, cursor = 0, None
        while seen < MAX_RUNS:
            query = RunQuery(statuses=status.LIVE, limit=_PAGE_ITEMS, cursor=cursor)
            listing = self._runs.list(namespace, query)
            for run in listing.runs:
                names = [hook.name for hook in hooks if hook.wants(HookEvent.RUN_STUCK, run)]
                if names:
                    self._examine(run, names)
            seen, cursor = seen + len(listing.runs), listing.cursor
            if cursor is None:
                return

    def _examine(self, run: Run, hooks: list[str]) -> None:
        finding = next(self._checks.problems(run, None), None)
        if finding is None:
            return
        now = self._clock.now()
        day = now // REMIND_AFTER_MS
        claim = f"stuck/{run.id}/{run.version}/{day}"
        if self._keys.claim(run.namespace, claim, str(now), now, 2 * REMIND_AFTER_MS) != str(now):
            return
        LOG.info("run %r is stuck: %s", run.name, finding.detail, extra={"run": run.name})
        one = Announcement(
            event=HookEvent.RUN_STUCK, at=now, step=finding.step, uuid=f"{run.version}/{day}", detail=finding.detail
        )
        self._announcer.notify(run, run.seq, one, hooks)

    def _read(self) -> tuple[_Watched, int]:
        text, version = self._values.read(_NAMESPACE, _KEY)
        return (msgspec.json.decode(text, type=_Watched) if text else _Watched()), version
