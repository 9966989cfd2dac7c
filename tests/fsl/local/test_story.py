"""The log of the local server about its runs, as text and as JSON."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from chalicelib.adapters.memory import MemoryStore
from chalicelib.config import LogFormat
from chalicelib.model.history import Entries, Entry
from chalicelib.model.run import DefinitionRef, Run
from chalicelib.model.status import Status
from chalicelib.service.ports.runs import NewRun
from fsl.local import story

ENTRY = Entry(seq=1, at=1, event="DeliveryFailed", step="A", origin="A", target="stopped", state="ERROR", error="v4lue")
OF = DefinitionRef()
RUN = Run(
    namespace="n",
    name="r",
    id="i",
    definition=OF,
    created_at=1,
    updated_at=1,
    status=Status.FAILED,
    stored_tail=Entries.of((ENTRY,)),
)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Restore the log of the process after each test."""
    loggers = [logging.getLogger(name) for name in (None, "echoer", "echoer.workers", "waitress.queue")]
    levels, handlers = [log.level for log in loggers], list(loggers[0].handlers)
    for handler in handlers:  # otherwise they would be closed
        loggers[0].removeHandler(handler)
    yield
    loggers[0].handlers[:] = handlers
    for log, level in zip(loggers, levels, strict=True):
        log.setLevel(level)


def told(form: LogFormat) -> str:
    out = io.StringIO()
    story.configure_log("INFO", out, form)
    story.logged_store(MemoryStore(), form).runs.create(NewRun(RUN))
    return out.getvalue()


def test_a_person_reads_what_went_wrong() -> None:
    assert told(LogFormat.TEXT)[13:] == "r: A -> stopped by DeliveryFailed ERROR (v4lue); failed\n"


def test_a_machine_reads_which_run_and_step_and_no_value() -> None:
    line = json.loads(told(LogFormat.JSON))
    assert line["message"] == "r: A -> stopped by DeliveryFailed ERROR; failed"
    assert (line["namespace"], line["run"], line["step"], line["logger"]) == ("n", "r", "A", "echoer.run")
