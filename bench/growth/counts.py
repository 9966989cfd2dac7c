"""Count what an operation does: CPU time, statements, instructions and bytes of SQLite, calls of Python.

Everything but CPU time is the same on every machine. Instructions (of SQLite's virtual machine) grow with the rows that
a statement reads; the calls of Python grow with the values that the code looks at.
"""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from chalicelib.adapters.sqlite.database import Database

_BLOB: Final = re.compile(r"[xX]'([0-9a-fA-F]*)'")


@dataclass
class Counts:
    """What operations cost together, or (after `per`) one of them on average."""

    statements: float = 0
    instructions: float = 0
    sql_bytes: float = 0
    """Bytes of the statements with their values: what is written, and the keys of what is read."""
    calls: float = 0

    def per(self, operations: int) -> "Counts":
        return Counts(*(getattr(self, field.name) / operations for field in fields(self)))


def count(database: Database, work: Callable[[], object]) -> Counts:
    """Do the work, which must use no other threads, and return what it did."""
    counts = Counts()

    def statement(text: str) -> None:
        counts.statements += 1
        counts.sql_bytes += len(text) - sum(2 + len(found) // 2 for found in _BLOB.findall(text))

    def instruction() -> int:
        counts.instructions += 1
        return 0

    def call(_frame: object, event: str, _arg: object) -> None:
        if event in ("call", "c_call"):
            counts.calls += 1

    database.flush()
    connections: list[Any] = list(database._connections)
    for connection in connections:
        connection.set_trace_callback(statement)
        connection.set_progress_handler(instruction, 1)
    sys.setprofile(call)
    try:
        work()
        database.flush()
    finally:
        sys.setprofile(None)
        for connection in connections:
            connection.set_trace_callback(None)
            connection.set_progress_handler(None, 0)
    assert counts.statements, "nothing was counted"  # noqa: S101 - a count that cannot fail would be none
    return counts


def cpu_ms(work: Callable[[], object]) -> float:
    """Do the work and return its CPU time in ms."""
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)
