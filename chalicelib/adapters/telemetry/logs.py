"""The log as JSON: one object per line. No logged value can break out of its line.

    {"timestamp": "2026-11-20T20:13:28.341Z", "level": "INFO", "logger": "echoer.audit", "message": "...",
     "function": "api", "request": "5f0c...", "namespace": "default", "run": "o-1", "step": "Charge", "uuid": "...",
     ...}

`timestamp` and `level` have the names that Lambda's own filter expects (Lambda Developer Guide, "Log-level filtering").
Every line includes the work context (`service.observability.work_context`) and the record's `extra` values. Characters
beyond ASCII are escaped, so that no name can look like another.

An exception is logged with its type and traceback. Its message is logged only if it comes from Echoer or AWS: Python's
own messages quote the offending value, and variables, args and answers must not appear in the log.

This is not a library because those that exist do more than is needed, and cost more (Python 3.11, medians of 7, with
logging and json loaded): python-json-logger 4.2 takes 1.7 ms to import, Logger of aws-lambda-powertools 3.37 15.9 ms
and 7.6 MB unpacked, this module 0.8 ms. The line of an answer to a step has about 370 bytes.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any, Final, TextIO, TypeAlias

from chalicelib.model import times
from chalicelib.model.visible_text import visible
from chalicelib.service.errors import ServiceError
from chalicelib.service.observability.work_context import known

ROOT: Final = str(Path(__file__).resolve().parents[3])

MAX_FRAMES: Final = 40
"""The most frames of an exception that are logged, the innermost ones."""

MAX_CAUSES: Final = 8
"""The most chained exceptions that are logged."""

_OF_EVERY_RECORD: Final = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "timestamp", "level", "logger", "exception"}
)

_Object: TypeAlias = dict[str, Any]


class JsonLines(logging.Formatter):
    """Formats any record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: _Object = {
            "timestamp": times.rfc3339(int(record.created * 1000)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **known(),
        }
        line.update({name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD})
        if record.exc_info and record.exc_info[1]:
            line["exception"] = _causes(record.exc_info[1])
        return visible(json.dumps(line, separators=(",", ":"), default=lambda strange: type(strange).__name__))


def write(stream: TextIO, form: logging.Formatter) -> None:
    """Write the log of the process to `stream`; loggers of other packages from warnings on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(form)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _causes(error: BaseException) -> list[_Object]:
    """Return the exception and its causes, the newest first."""
    found: list[_Object] = []
    at: BaseException | None = error
    while at is not None and len(found) < MAX_CAUSES:
        found.append(_one(at))
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return found


def _one(error: BaseException) -> _Object:
    found: _Object = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "at": _frames(error.__traceback__),
    }
    if isinstance(error, ServiceError | OSError) or type(error).__module__.partition(".")[0] == "botocore":
        found["message"] = str(error)
    return found


def _frames(traceback: TracebackType | None) -> list[str]:
    """Return `file:line function` of each frame, the innermost last."""
    codes = [(frame.f_code, line) for frame, line in walk_tb(traceback)]
    return [f"{code.co_filename.removeprefix(ROOT)}:{line} {code.co_name}" for code, line in codes[-MAX_FRAMES:]]
