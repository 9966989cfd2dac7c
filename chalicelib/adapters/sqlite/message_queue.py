"""Queues in SQLite, shared by the threads of one process.

Several processes may share the file. Each receives only what it has sent itself, from queues of its own: so it knows
all that may be due, and what it had received when it ended can be told from what others are processing. The dead-letter
queue belongs to all.

A message is a row that is due from `visible_at` on. One statement receives it: it moves that time into the future and
increments the count. The id and the count are the receipt, so a receipt is invalid once the message was received again.
Idle receivers sleep until a message is sent or comes due; they do not poll the file. A message that is sent while one
waits is stored as received, and handed over when its transaction is committed.

A deletion is committed with the next transaction. If the process ends before, the message is received once more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.late_deferrals import LateDeferrals
from chalicelib.adapters.sqlite.receivers import Receivers, Seat
from chalicelib.adapters.wakeup import MAX_RECEIVES, VISIBILITY_MS
from chalicelib.model.times import Instant
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import QueueName, Received

_RECEIPT = re.compile(r"[0-9]{1,18}\.[0-9]{1,18}")
_ROWS_AT_ONCE = 1_000
_WRITE_AGAIN_S = 1.0
"""How long a receiver waits before it tries again to write what could not be written."""
_SEND = "INSERT INTO messages (queue, visible_at, count, sent_at, body)"
_TAKE = (
    "UPDATE messages SET visible_at = ?, count = count + 1 WHERE id IN"
    " (SELECT id FROM messages WHERE queue = ? AND visible_at <= ? ORDER BY visible_at, id LIMIT ?)"
    " RETURNING id, count, body, sent_at"
)


class SqliteQueue:
    """Implements `ports.Queue` and `ports.Source` in one database.

    `defer` never fails: what cannot be written is written later.

    `visibility`: milliseconds after which a received message that was not deleted is received again. After
    `max_receives` receptions it goes to `QueueName.DEAD`. `process`: the number of this process, from 0, among those
    that share the file.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        visibility: int = VISIBILITY_MS,
        max_receives: int = MAX_RECEIVES,
        *,
        process: int = 0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._visibility = visibility
        self._max_receives = max_receives
        self._process = process
        self._receivers = {name: Receivers() for name in QueueName}
        self._names = {name: _name_of(name, process) for name in QueueName}
        """What the rows of each queue have as the name of their queue."""
        self._deferrals = LateDeferrals(self._make_due)

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0, *, early: bool = False) -> None:  # noqa: ARG002
        now, receivers = self._clock.now(), self._receivers[queue]
        seats = [] if delay else receivers.reserve(len(bodies))
        handed, left = bodies[: len(seats)], bodies[len(seats) :]
        try:
            received = self._insert(queue, handed, now, now + self._visibility, 1)
            self._insert(queue, left, now, now + delay, 0)
        except BaseException:
            _give(seats, [])
            raise

        def committed() -> None:
            if received:
                receivers.expect(now + self._visibility)
            if left:
                receivers.expect(now + delay)
            _give(seats, received)

        self._database.at_end(committed, lambda: _give(seats, []))

    def _insert(
        self, queue: QueueName, bodies: Sequence[str], now: Instant, visible_at: Instant, count: int
    ) -> list[Received]:
        """Insert messages that were received `count` times, and return them."""
        inserted: list[tuple[int, str]] = []
        for start in range(0, len(bodies), _ROWS_AT_ONCE):
            some = bodies[start : start + _ROWS_AT_ONCE]
            values = [value for body in some for value in (self._names[queue], visible_at, count, now, body)]
            rows = ", ".join(["(?, ?, ?, ?, ?)"] * len(some))
            inserted += self._database.change_rows(f"{_SEND} VALUES {rows} RETURNING id, body", values)
        return [Received(str(key), f"{key}.{count}", body, count, now) for key, body in inserted]

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        self._deferrals.write(queue, receipt, self._clock.now() + delay)

    def _make_due(self, queue: QueueName, receipt: str, due: Instant) -> None:
        sql = "UPDATE messages SET visible_at = ? WHERE queue = ? AND id = ? AND count = ?"
        self._database.change(sql, (due, self._names[queue], *_parsed(receipt)))
        self._expect(queue, due)

    def receive(self, queue: QueueName, limit: int, wait: float) -> Sequence[Received]:
        end, receivers = monotonic() + wait, self._receivers[queue]
        try:
            while True:
                if self._deferrals:
                    self._deferrals.write_again()
                due, changes = receivers.look()
                now = self._clock.now()
                if due is not None and due <= now:
                    found, due = self._poll(queue, limit)
                    if found:
                        return found
                    receivers.looked(due, changes)
                left = end - monotonic()
                if left <= 0:
                    self._database.flush()
                    return []
                left = min(left, _WRITE_AGAIN_S) if self._deferrals else left
                handed = receivers.wait(due, left, None if due is None else max(due - now, 1) / 1000)
                if handed is not None:
                    return [handed]
        finally:
            receivers.relieve()

    def delete(self, queue: QueueName, receipts: Sequence[str]) -> None:
        if not receipts:
            return
        keys = [_parsed(receipt) for receipt in receipts]
        ids = ", ".join("?" * len(keys))
        pairs = ", ".join(["(?, ?)"] * len(keys))
        # The + keeps SQLite from scanning the whole queue instead of looking the ids up.
        sql = f"DELETE FROM messages WHERE id IN ({ids}) AND +queue = ? AND (id, count) IN (VALUES {pairs})"  # noqa: S608
        values = (*(key for key, _ in keys), self._names[queue], *(value for key in keys for value in key))
        self._database.change_later(sql, values)

    def release_all(self) -> None:
        """Make every message of this process due that was received and not deleted, those of process 0 with the dead
        letters. Call it at the start, before any consumer runs."""
        for queue in QueueName:
            if queue is not QueueName.DEAD or self._process == 0:
                sql = "UPDATE messages SET visible_at = 0 WHERE queue = ? AND count > 0 AND visible_at > 0"
                self._database.change(sql, (self._names[queue],))
            self._expect(queue, 0)

    def gather(self, processes: int) -> None:
        """Let the first `processes` processes receive what others had to receive. Call it before any of them runs."""
        for (name,) in self._database.rows("SELECT DISTINCT queue FROM messages"):
            queue, _, number = str(name).partition(".")
            if number and int(number) >= processes:
                to = _name_of(QueueName(queue), int(number) % processes)
                self._database.change("UPDATE messages SET queue = ? WHERE queue = ?", (to, name))

    def _expect(self, queue: QueueName, due: Instant) -> None:
        """Let receivers look at that time, once the transaction is committed."""
        self._database.at_end(lambda: self._receivers[queue].expect(due))

    def _poll(self, queue: QueueName, limit: int) -> tuple[list[Received], Instant | None]:
        """Return messages that are due or, if there are none, when the next one is."""
        now = self._clock.now()
        taken = sorted(self._database.change_rows(_TAKE, (now + self._visibility, self._names[queue], now, limit)))
        if not taken:
            query = "SELECT min(visible_at) FROM messages WHERE queue = ?"
            return [], self._database.rows(query, (self._names[queue],))[0][0]
        spent = [] if queue is QueueName.DEAD else [row for row in taken if row[1] > self._max_receives]
        if spent:
            self._dead_letter([row[0] for row in spent], now)
            taken = [row for row in taken if row not in spent]
            if not taken:
                return self._poll(queue, limit)
        self._expect(queue, now + self._visibility)
        return [Received(str(key), f"{key}.{count}", body, count, at) for key, count, body, at in taken], None

    def _dead_letter(self, ids: Sequence[int], now: int) -> None:
        marks = ", ".join("?" * len(ids))
        sql = f"UPDATE messages SET queue = ?, visible_at = ?, count = 0 WHERE id IN ({marks})"  # noqa: S608 - marks
        self._database.change(sql, (QueueName.DEAD, now, *ids))
        self._expect(QueueName.DEAD, now)


def _name_of(queue: QueueName, process: int) -> str:
    """Return the name of a queue of a process in the rows of its messages."""
    return queue if queue is QueueName.DEAD or process == 0 else f"{queue}.{process}"


def _give(seats: Sequence[Seat], messages: Sequence[Received]) -> None:
    """Give each receiver a message or, when there are none, a reason to look."""
    for number, seat in enumerate(seats):
        seat.give(messages[number] if messages else None)


def _parsed(receipt: str) -> tuple[int, int]:
    """Return the id and the count in a receipt; those of no message if the receipt is malformed."""
    if not _RECEIPT.fullmatch(receipt):
        return 0, 0
    key, count = receipt.split(".")
    return int(key), int(count)
