"""Errors as responses: all have one shape, and each has a status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app import app
from chalicelib import hosting
from chalicelib.entrypoints.http import errors
from chalicelib.model.errors import EchoerError
from chalicelib.service.errors import Busy, RunExists
from tests.entrypoints.gateway import Context, call, rest_event
from tests.hosts import Host


def every_error() -> Iterator[type[EchoerError]]:
    def below(kind: type[EchoerError]) -> Iterator[type[EchoerError]]:
        for derived in kind.__subclasses__():
            if derived.__module__.startswith("chalicelib."):
                yield derived
            yield from below(derived)

    import chalicelib.service.documents.submit  # noqa: F401 - its errors count too

    yield from below(EchoerError)


NOT_OF_THE_API = {"Refused", "Unreadable", "Unwritable", "NotRenamed", "EditRefused", "FlowUnreadable"}
"""Base classes, and errors that only the command line or another layer of the API raises."""

RELEASED = {
    *("bad-key", "bad-request-error", "bad-setting", "busy", "conflict", "expression-failed", "forbidden"),
    *("fsl-malformed", "fsl-refused", "input-refused", "internal", "invalid", "key-taken", "lost-key", "malformed"),
    *(
        "method-not-allowed",
        "never-issued",
        "newer-format",
        "no-secret",
        "no-such-step",
        "not-found",
        "order-refused",
        "run-exists",
    ),
    *("run-is-stopped", "secrets-off", "service-error", "state-not-routed", "still-referred", "too-large"),
    *("too-many-requests", "unauthorized", "unsigned", "unsupported-media-type", "wrong-statement"),
}


@pytest.mark.parametrize("kind", list(every_error()))
def test_every_error_has_a_listed_code(kind: type[EchoerError]) -> None:
    assert kind.code in errors.CODES
    assert (kind.code == "internal") == (kind.__name__ in NOT_OF_THE_API)


def test_no_released_code_is_missing() -> None:
    """Clients depend on the codes. New ones may be added; none may be renamed or removed."""
    assert set(errors.CODES) >= RELEASED


def test_the_code_does_not_depend_on_the_name_of_the_class() -> None:
    class Renamed(RunExists):
        pass

    assert errors.response_to(Renamed("r"), "id").body == errors.response_to(RunExists("r"), "id").body


def test_all_errors_have_one_shape() -> None:
    reply = errors.response_to(RunExists("r"), "id")
    assert (reply.status_code, reply.body) == (
        409,
        '{"message":"a flow_run \'r\' exists already",'
        '"error":{"code":"run-exists","detail":"a flow_run \'r\' exists already"}}',
    )


def test_a_busy_store_sets_retry_after() -> None:
    reply = errors.response_to(Busy("the store does not answer"), "id")
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")


def test_an_unexpected_error_shows_only_an_id(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the details under that id."""
    hosting.use(host.services.changed(reader=None))
    reply = call("GET", "/flowrun/x")
    assert (reply.status, reply.code) == (500, "internal")
    assert reply.json["error"]["request_id"] == "req-1"
    assert "NoneType" not in reply.text
    assert "req-1" in caplog.text
    assert "NoneType" in caplog.text


def test_what_chalice_refuses_itself_has_the_same_shape(host: Host) -> None:
    event = rest_event("GET", "/flowrun/x")
    event["requestContext"]["httpMethod"] = "PUT"
    answer: dict[str, Any] = app(event, Context())
    assert answer["statusCode"] == 405
    assert answer["headers"]["Allow"] == "GET, DELETE"
    assert '"code":"method-not-allowed"' in answer["body"]
