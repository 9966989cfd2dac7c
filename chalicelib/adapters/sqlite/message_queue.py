"""Queues in SQLite, shared by the threads of one process.

A message is a row that is due from `visible_at` on. One statement receives it: it moves that time into the future and
increments the count. The id and the count are the receipt, so a receipt is invalid once the message was received again.
Idle receivers sleep until a message is sent or comes due; they do not poll the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.wakeup import MAX_RECEIVES, VISIBILITY_MS, PollResult, Wakeup, await_messages
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import QueueName, Received

_RECEIPT = re.compile(r"[0-9]{1,18}\.[0-9]{1,18}")
_ROWS_AT_ONCE = 1_000
_SEND = "INSERT INTO messages (queue, visible_at, count, sent_at, body)"
_TAKE = (
    "UPDATE messages SET visible_at = ?, count = count + 1 WHERE id IN"
    " (SELECT id FROM messages WHERE queue = ? AND visible_at <= ? ORDER BY visible_at, id LIMIT ?)"
    " RETURNING id, count, body, sent_at"
)


class SqliteQueue:
    """Implements `ports.Queue` and `ports.Source` in one database.

    `visibility`: milliseconds after which a received message that was not deleted is received again. After
    `max_receives` receptions it goes to `QueueName.DEAD`.
    """

    def __init__(
        self, database: Database, clock: Clock, visibility: int = VISIBILITY_MS, max_receives: int = MAX_RECEIVES
    ) -> None:
        self._database = database
        self._clock = clock
        self._visibility = visibility
        self._max_receives = max_receives
        self._wakeups = {name: Wakeup() for name in QueueName}

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0, *, early: bool = False) -> None:  # noqa: ARG002
        now = self._clock.now()
        for start in range(0, len(bodies), _ROWS_AT_ONCE):
            some = bodies[start : start + _ROWS_AT_ONCE]
            values = [value for body in some for value in (queue, now + delay, now, body)]
            rows = ", ".join(["(?, ?, 0, ?, ?)"] * len(some))
            self._database.change(f"{_SEND} VALUES {rows}", values)
        self._wakeups[queue].notify(None if delay else len(bodies))

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        sql = "UPDATE messages SET visible_at = ? WHERE queue = ? AND id = ? AND count = ?"
        self._database.change(sql, (self._clock.now() + delay, queue, *_parsed(receipt)))
        self._wakeups[queue].notify()

    def receive(self, queue: QueueName, limit: int, wait: float) -> Sequence[Received]:
        return await_messages(self._wakeups[queue], lambda: self._poll(queue, limit), wait)

    def delete(self, queue: QueueName, receipts: Sequence[str]) -> None:
        if not receipts:
            return
        keys = [_parsed(receipt) for receipt in receipts]
        ids = ", ".join("?" * len(keys))
        pairs = ", ".join(["(?, ?)"] * len(keys))
        # The + keeps SQLite from scanning the whole queue instead of looking the ids up.
        sql = f"DELETE FROM messages WHERE id IN ({ids}) AND +queue = ? AND (id, count) IN (VALUES {pairs})"  # noqa: S608
        self._database.change_now(sql, (*(key for key, _ in keys), queue, *(value for key in keys for value in key)))

    def release_all(self) -> None:
        """Make every message due that was received and not deleted. Call it at the start, before any consumer runs."""
        self._database.change("UPDATE messages SET visible_at = 0 WHERE count > 0 AND visible_at > 0")
        for wakeup in self._wakeups.values():
            wakeup.notify()

    def _poll(self, queue: QueueName, limit: int) -> PollResult:
        now = self._clock.now()
        taken = sorted(self._database.change_rows(_TAKE, (now + self._visibility, queue, now, limit)))
        if not taken:
            found = self._database.rows("SELECT min(visible_at) FROM messages WHERE queue = ?", (queue,))
            due_at = found[0][0]
            return [], None if due_at is None else due_at - now
        spent = [] if queue is QueueName.DEAD else [row for row in taken if row[1] > self._max_receives]
        if spent:
            self._dead_letter([row[0] for row in spent], now)
            taken = [row for row in taken if row not in spent]
            if not taken:
                return self._poll(queue, limit)
        return [Received(str(key), f"{key}.{count}", body, count, at) for key, count, body, at in taken], None

    def _dead_letter(self, ids: Sequence[int], now: int) -> None:
        marks = ", ".join("?" * len(ids))
        sql = f"UPDATE messages SET queue = ?, visible_at = ?, count = 0 WHERE id IN ({marks})"  # noqa: S608 - marks
        self._database.change(sql, (QueueName.DEAD, now, *ids))
        self._wakeups[QueueName.DEAD].notify()


def _parsed(receipt: str) -> tuple[int, int]:
    """Return the id and the count in a receipt; those of no message if the receipt is malformed."""
    if not _RECEIPT.fullmatch(receipt):
        return 0, 0
    key, count = receipt.split(".")
    return int(key), int(count)
