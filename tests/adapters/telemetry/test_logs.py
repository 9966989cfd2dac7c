"""The log as JSON: each line is one object, and no value of a variable, arg or answer appears in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.adapters.telemetry import logs
from chalicelib.service.errors import Busy
from chalicelib.service.observability.work_context import about

NASTY = 'x"}\n{"level": "INFO", "message": "all is well\u2028\u202e\x1b[31m\r\x85'


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, out = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    for handler in before:  # or they would be closed
        root.removeHandler(handler)
    logs.write(out, logs.JsonLines())
    yield out
    root.handlers[:] = before
    root.setLevel(level)


def told(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


LOG = logging.getLogger("echoer.test")


def test_a_line_tells_when_and_what_and_of_what(stream: io.StringIO) -> None:
    with about(function="api", request="r-1", run="o-1"):
        LOG.warning("%s is %d", "it", 7, extra={"count": 7, "names": ["a"]})
    (line,) = told(stream)
    moment = line.pop("timestamp")
    assert (len(moment), moment[10], moment[-1]) == (24, "T", "Z")
    assert line == {
        "level": "WARNING",
        "logger": "echoer.test",
        "message": "it is 7",
        "function": "api",
        "request": "r-1",
        "run": "o-1",
        "count": 7,
        "names": ["a"],
    }


def test_nothing_can_forge_a_line(stream: io.StringIO) -> None:
    with about(run=NASTY):
        LOG.warning("a %s", NASTY, extra={"who": NASTY, NASTY: 1})
    text = stream.getvalue()
    assert text.isascii()
    assert (text.count("\n"), text[-1]) == (1, "\n")
    (line,) = told(stream)
    assert (line["run"], line["who"], line["message"], line[NASTY]) == (NASTY, NASTY, f"a {NASTY}", 1)


def test_an_unpaired_surrogate_is_logged() -> None:
    record = logging.makeLogRecord({"msg": chr(0xD800)})
    assert '"\\ud800"' in logs.JsonLines().format(record)


def test_a_value_that_is_not_json_is_logged_as_its_type(stream: io.StringIO) -> None:
    LOG.warning("x", extra={"odd": object()})
    assert told(stream)[0]["odd"] == "object"


def _fail(value: str) -> None:
    try:
        int(value)
    except ValueError as error:
        raise KeyError(value) from error


def test_an_exception_is_logged_with_type_and_place_and_without_values(stream: io.StringIO) -> None:
    try:
        _fail("s3cret")
    except KeyError:
        LOG.exception("failed")
    assert "s3cret" not in stream.getvalue()
    first, cause = told(stream)[0]["exception"]
    assert (first["type"], cause["type"]) == ("builtins.KeyError", "builtins.ValueError")
    assert first["at"][-1].startswith("/tests/adapters/telemetry/test_logs.py:")
    assert first["at"][-1].endswith(" _fail")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Busy("the table is busy"), "the table is busy"),
        (ConnectionRefusedError(111, "refused"), "[Errno 111] refused"),
        (
            ClientError({"Error": {"Code": "Denied", "Message": "no"}}, "Query"),
            "An error occurred (Denied) when calling the Query operation: no",
        ),
    ],
)
def test_messages_of_echoer_and_aws_errors_are_logged(stream: io.StringIO, error: Exception, message: str) -> None:
    LOG.error("failed", exc_info=error)
    assert told(stream)[0]["exception"][0]["message"] == message


def test_cyclic_exception_chains_are_logged(stream: io.StringIO) -> None:
    one, two = ValueError(), TypeError()
    one.__cause__, two.__cause__ = two, one
    LOG.error("failed", exc_info=one)
    assert len(told(stream)[0]["exception"]) == logs.MAX_CAUSES


def test_other_libraries_log_from_level_warning(stream: io.StringIO) -> None:
    logging.getLogger("botocore.test").info("a request with its body")
    logging.getLogger("botocore.test").warning("w")
    assert [line["logger"] for line in told(stream)] == ["botocore.test"]
