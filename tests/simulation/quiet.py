"""The surroundings of a schedule: no threads, and a log that only the laws receive."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib import hosting
from chalicelib.service import parallel
from chalicelib.service.errors import Busy
from tests.simulation.laws import Laws


class _Ear(logging.Handler):
    """Reports what the outermost handlers caught."""

    def __init__(self, laws: Laws) -> None:
        super().__init__(logging.ERROR)
        self._laws = laws

    def emit(self, record: logging.LogRecord) -> None:
        caught = record.exc_info[1] if record.exc_info else None
        if not isinstance(caught, Busy) and not self._laws.explains(caught):
            self._laws.breaks("surprise", f"{record.getMessage()} ({caught!r})")


@contextmanager
def single_threaded(laws: Laws) -> Iterator[None]:
    """Within this context the service starts no threads, and only the laws receive its log."""
    log, ear = logging.getLogger("echoer"), _Ear(laws)
    before = (parallel.side_by_side, log.level, log.propagate)
    one_by_one: Any = lambda work, inputs: [work(one) for one in inputs]  # noqa: E731
    parallel.side_by_side = one_by_one
    log.setLevel(logging.ERROR)
    log.propagate = False
    log.addHandler(ear)
    try:
        yield
    finally:
        log.removeHandler(ear)
        parallel.side_by_side, level, log.propagate = before
        log.setLevel(level)
        hosting.forget()
