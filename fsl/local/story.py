"""The log of the local server: a line for every transition of every run, and the log records of the program."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, TextIO, cast

from chalicelib.adapters.telemetry import logs
from chalicelib.config import LogFormat
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED
from chalicelib.model.visible_text import visible
from chalicelib.service.ports.definitions import Definition, DefinitionStore
from chalicelib.service.ports.runs import NewRun, RunStore
from chalicelib.service.ports.store import Store
from fsl.transition_text import fields_of, transition

LOG = logging.getLogger("echoer.run")

_REMEMBERED_RUNS: Final = 10_000
"""Of how many live runs a process knows what it has logged."""

_COLOURS: Final = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31"}


# ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Lines(logging.Formatter):
    """Formats records as `12:00:01.250 message`, with the level before the message of warnings and errors."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__("%(faint)s%(asctime)s.%(msecs)03d%(plain)s %(word)s%(message)s%(plain)s", "%H:%M:%S")
        self._colours = colours

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name of the standard library
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name of the standard library
        return visible(super().formatException(ei), lines=True)

    def format(self, record: logging.LogRecord) -> str:
        colour = _COLOURS.get(record.levelno, "0") if self._colours else None
        record.faint, record.plain = ("\x1b[2m", "\x1b[0m") if self._colours else ("", "")
        word = f"\x1b[{colour}m" if colour else ""
        if record.levelno >= logging.WARNING:
            word += f"{record.levelname.lower()}: "
        record.word = word
        return super().format(record)


def configure_log(level: str, stream: TextIO | None = None, form: LogFormat = LogFormat.TEXT) -> None:
    """Write Echoer's log from `level` on, and warnings of other packages, to `stream` (default: standard error)."""
    out = stream or sys.stderr
    colours = out.isatty() and not os.environ.get("NO_COLOR")
    logs.write(out, logs.JsonLines() if form is LogFormat.JSON else _Lines(colours=colours))
    logging.getLogger("echoer").setLevel(level)
    if level == "INFO":
        logging.getLogger("echoer.workers").setLevel(logging.WARNING)  # batches are interesting for debugging only
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queued request is not a problem


def log_transitions(*, on: bool) -> None:
    """Switch the log of transitions on or off."""
    LOG.setLevel(logging.NOTSET if on else logging.WARNING)


def use_root_handler(log: logging.Logger) -> None:
    """Remove the handlers of a log, so that its records go only where `configure_log` sends them.

    Chalice adds a handler to the log of its app.
    """
    log.handlers.clear()
    log.propagate = True


# ── transitions ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _TransitionLog:
    """Logs the transitions that this process makes, once. `errors`: include error texts, which may quote an action."""

    def __init__(self, *, errors: bool) -> None:
        self._errors = errors
        self._lock = threading.Lock()
        self._logged_seq: OrderedDict[str, int] = OrderedDict()

    def log(self, run: Run) -> None:
        """Log the entries of the last write that are not logged yet. Other processes log what they write."""
        if not LOG.isEnabledFor(logging.INFO):
            return
        with self._lock:
            logged = self._logged_seq.pop(run.id, 0)
            new = [entry for entry in run.tail if entry.seq > logged and entry.at == run.updated_at]
            if run.status not in ENDED:
                self._logged_seq[run.id] = run.seq
                if len(self._logged_seq) > _REMEMBERED_RUNS:
                    self._logged_seq.popitem(last=False)
        for entry in new:
            last = entry is new[-1] and run.status in ENDED
            text = transition({**fields_of(entry), **({} if self._errors else {"error": ""})})
            fields = {"namespace": run.namespace, "run": run.name, "step": entry.step, "uuid": entry.uuid}
            LOG.info("%s: %s", run.name, text + (f"; {run.status}" if last else ""), extra=fields)


class _LoggedRuns:
    """A run store that logs the transitions written to it."""

    def __init__(self, runs: RunStore, transitions: _TransitionLog) -> None:
        self._runs = runs
        self._transitions = transitions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs, name)

    def create(self, new: NewRun) -> None:
        self._runs.create(new)
        self._transitions.log(new.run)

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        self._runs.save(run, seen, body)
        self._transitions.log(run)


class _LoggedDefinitions:
    """A definition store that logs the definitions and runs that are submitted."""

    def __init__(self, definitions: DefinitionStore, transitions: _TransitionLog) -> None:
        self._definitions = definitions
        self._transitions = transitions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._definitions, name)

    def submit(self, namespace: str, definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
        self._definitions.submit(namespace, definitions, runs)
        for definition in definitions:
            LOG.info("%s %s, version %d, is in force", definition.kind, definition.name, definition.version)
        for new in runs:
            self._transitions.log(new.run)


class _LoggedStore:
    """All stores; those of runs and definitions are logged."""

    def __init__(self, store: Store, *, errors: bool) -> None:
        transitions = _TransitionLog(errors=errors)
        self._store = store
        self.runs = _LoggedRuns(store.runs, transitions)
        self.definitions = _LoggedDefinitions(store.definitions, transitions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def logged_store(store: Store, form: LogFormat = LogFormat.TEXT) -> Store:
    """Return a store that logs the transitions of runs. Only the text format includes the errors of actions."""
    return cast(Store, _LoggedStore(store, errors=form is LogFormat.TEXT))
