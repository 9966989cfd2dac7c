"""What a person reads while the server works: a line for every transition of every run, and the program's own log."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import Any, Final, TextIO, cast

from chalicelib.adapters.telemetry import logs
from chalicelib.config import LogFormat
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED
from chalicelib.service.ports.definitions import Definition, DefinitionStore
from chalicelib.service.ports.runs import NewRun, RunStore
from chalicelib.service.ports.store import Store
from fsl.transition_text import fields_of, transition

LOG = logging.getLogger("echoer.run")

_COLOURS: Final = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31"}


# ── the log ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Lines(logging.Formatter):
    """`12:00:01.250 message`, a word before it where something is amiss."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__("%(faint)s%(asctime)s.%(msecs)03d%(plain)s %(word)s%(message)s%(plain)s", "%H:%M:%S")
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        colour = _COLOURS.get(record.levelno, "0") if self._colours else None
        record.faint, record.plain = ("\x1b[2m", "\x1b[0m") if self._colours else ("", "")
        word = f"\x1b[{colour}m" if colour else ""
        if record.levelno >= logging.WARNING:
            word += f"{record.levelname.lower()}: "
        record.word = word
        return super().format(record)


def tell(level: str, stream: TextIO | None = None, form: LogFormat = LogFormat.TEXT) -> None:
    """From now on Echoer's log goes to `stream` (standard error), from `level` on, and others' from warnings on."""
    out = stream or sys.stderr
    colours = out.isatty() and not os.environ.get("NO_COLOR")
    logs.write(out, logs.JsonLines() if form is LogFormat.JSON else _Lines(colours=colours))
    logging.getLogger("echoer").setLevel(level)
    if level == "INFO":
        logging.getLogger("echoer.workers").setLevel(logging.WARNING)  # of batches, only those read who look for faults
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a request that waits its turn is no news


def hand_on(log: logging.Logger) -> None:
    """What is written to `log` goes where `tell` says, and nowhere else: Chalice gives its app's log a way out."""
    log.handlers.clear()
    log.propagate = True


# ── the story ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Seen:
    """How far the story of each live run was told. `errors`: with what went wrong, which may quote an action."""

    def __init__(self, *, errors: bool) -> None:
        self._errors = errors
        self._lock = threading.Lock()
        self._told: dict[str, int] = {}

    def tell(self, run: Run) -> None:
        """The entries of the head's tail that were not told are. After a restart: those of this very write."""
        with self._lock:
            told = self._told.get(run.id)
            new = [
                entry for entry in run.tail if (entry.seq > told if told is not None else entry.at == run.updated_at)
            ]
            if run.status in ENDED:
                self._told.pop(run.id, None)
            else:
                self._told[run.id] = run.seq
        for entry in new:
            last = entry is new[-1] and run.status in ENDED
            said = transition({**fields_of(entry), **({} if self._errors else {"error": ""})})
            of = {"namespace": run.namespace, "run": run.name, "step": entry.step, "uuid": entry.uuid}
            LOG.info("%s: %s", run.name, said + (f"; {run.status}" if last else ""), extra=of)


class _Runs:
    """A run store that tells what was written to it."""

    def __init__(self, runs: RunStore, seen: _Seen) -> None:
        self._runs = runs
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs, name)

    def create(self, new: NewRun) -> None:
        self._runs.create(new)
        self._seen.tell(new.run)

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        self._runs.save(run, seen, body)
        self._seen.tell(run)


class _Definitions:
    """A definition store that tells which definitions and runs were submitted."""

    def __init__(self, definitions: DefinitionStore, seen: _Seen) -> None:
        self._definitions = definitions
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._definitions, name)

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        self._definitions.submit(namespace, definitions, runs)
        for definition in definitions:
            LOG.info("%s %s, version %d, is in force", definition.kind, definition.name, definition.version)
        self._tell(new.run for new in runs)

    def _tell(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self._seen.tell(run)


class _Store:
    """All stores, two of them telling."""

    def __init__(self, store: Store, *, errors: bool) -> None:
        seen = _Seen(errors=errors)
        self._store = store
        self.runs = _Runs(store.runs, seen)
        self.definitions = _Definitions(store.definitions, seen)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def told(store: Store, form: LogFormat = LogFormat.TEXT) -> Store:
    """The same store; what its runs go through is told, to a person with the errors of their actions."""
    return cast(Store, _Store(store, errors=form is LogFormat.TEXT))
