"""Logs, metrics and traces of the entry points: they name the request and the run, and never contain values."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib import config, hosting
from chalicelib.adapters.telemetry import logs
from chalicelib.adapters.telemetry.metrics import EmfMetrics
from chalicelib.config import BadSetting, LogFormat, Metrics
from chalicelib.model.run import Run
from chalicelib.service.observability.observer import NULL_OBSERVER, Observer, Several
from chalicelib.service.ports.actions import NotTaken, Taken
from chalicelib.service.ports.queues import QueueName
from tests.entrypoints.flows import TWO, WORK
from tests.entrypoints.gateway import call
from tests.entrypoints.steps import answered, defined, started, uuid_of
from tests.hosts import Host

ROOT = Path(__file__).parents[2]
SECRET = "v4lue-that-no-line-may-hold"
GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Log:
    """Capture the log at debug level."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def lines(self, **known: str) -> list[dict[str, Any]]:
        """Return the lines with these fields."""
        told = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in told if known.items() <= line.items()]


@pytest.fixture
def log() -> Iterator[Log]:
    echoer, stream = logging.getLogger("echoer"), io.StringIO()
    handler, level = logging.StreamHandler(stream), echoer.level
    handler.setFormatter(logs.JsonLines())
    echoer.addHandler(handler)
    echoer.setLevel(logging.DEBUG)
    yield Log(stream)
    echoer.removeHandler(handler)
    echoer.setLevel(level)


def watched(host: Host, observer: Observer) -> None:
    """Add `observer` to the host."""
    host.rebuild(observer=Several([observer]))
    hosting.use(host.services)


# ── correlation ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_lines_of_an_answer_know_run_step_activation_and_request(host: Host, log: Log) -> None:
    run = started("o-1")
    call("POST", "/step", answered(run), headers={"X-Request-Id": "from-outside-7"})
    lines = log.lines(request="from-outside-7")
    assert lines
    for line in lines:
        known = {name: line[name] for name in ("namespace", "run", "step", "uuid", "function", "invocation")}
        assert known == {
            "namespace": "default",
            "run": "o-1",
            "step": "A",
            "uuid": uuid_of(run),
            "function": "api",
            "invocation": "req-1",
        }


def test_the_lines_of_a_delivery_know_what_is_delivered(host: Host, log: Log) -> None:
    run = started("o-1")
    host.work()
    (line,) = [line for line in log.lines(function="deliver") if line["logger"] == "echoer.deliver"]
    del line["timestamp"]
    assert line == {
        "level": "DEBUG",
        "logger": "echoer.deliver",
        "message": "accepted",
        "function": "deliver",
        "request": "req-1",
        "namespace": "default",
        "run": "o-1",
        "step": "A",
        "uuid": uuid_of(run),
    }


def test_runs_that_are_served_side_by_side_do_not_mix(host: Host, log: Log) -> None:
    runs = {name: uuid_of(started(name)) for name in ("a", "b", "c")}
    host.work()
    lines = [line for line in log.lines() if line["logger"] == "echoer.deliver"]
    assert {line["run"]: line["uuid"] for line in lines} == runs


def test_a_failure_is_logged_with_its_request_and_run(host: Host, log: Log) -> None:
    started("o-1")
    host.store.runs.load = None  # type: ignore[assignment, method-assign]
    reply = call("POST", "/flowrun/o-1/stop")
    assert reply.status == 500
    (line,) = [line for line in log.lines() if line["level"] == "ERROR"]
    assert (line["run"], line["request"], line["exception"][0]["type"]) == ("o-1", "req-1", "builtins.TypeError")
    assert reply.json["error"]["request_id"] == reply.headers["x-request-id"] == "req-1"


# ── x-request-id ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("given", ["7", "a" * 128, "Root=1-67891233-abcdef012345678912345678", "a/b+c=@d:e_f.g-h"])
def test_a_request_id_is_taken_and_given_back(host: Host, given: str) -> None:
    assert call("GET", "/healthz", headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize(
    "given", ["", "a" * 129, "a b", "a\nb", "a\r\nset-cookie: x", 'a"', "\u00e9", "\u0661", "a\x00"]
)
def test_an_unsafe_request_id_is_replaced(host: Host, given: str) -> None:
    assert call("GET", "/healthz", headers={"x-request-id": given}).headers["x-request-id"] == "req-1"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/flowrun/no", 404), ("POST", "/flow/no/runs", 404)])
def test_error_responses_have_the_request_id(host: Host, method: str, path: str, status: int) -> None:
    reply = call(method, path, headers={"x-request-id": "7"})
    assert (reply.status, reply.headers["x-request-id"]) == (status, "7")


# ── no values ────────────────────────────────────────────────────────────────────────────────────────────────────────

FULL = """
flow full
    input = (str secret);
    vars = (kept = ${ $input.secret });
    step A => (OK -> B | FAIL -> stopped)
        { action = work; args = (order = ${ $input.secret }, times = 1); save = (kept = ${ $result.x }); };
    step B => (OK -> C | ERROR -> C) { action = work; args = (order = ${ $vars.kept }, times = 2); retry = (max = 1); };
    wait C => (GO -> done) { events = (GO = go); key = ${ $input.secret }; timeout = 1h; };
flow_end"""


def _failing(namespace: str, name: str) -> Run | None:
    raise KeyError(SECRET)


def test_no_line_of_a_whole_run_holds_a_value(host: Host, log: Log) -> None:
    defined(WORK, FULL)
    call("POST", "/command", {"command": f'flow_run x step A => (OK -> done) {{ args = ("{SECRET}"); }}'})
    call("POST", "/command", {"command": f"stop r because-of={SECRET}"})
    run = call("POST", "/flow/full/runs", {"name": "r", "input": {"secret": SECRET}}).json
    host.actions.script = lambda request: Taken({"ackState": SECRET, "data": SECRET, "globalVariables": {"v": SECRET}})
    host.work()
    call("POST", "/step", {**answered(run), "ackState": SECRET, "data": SECRET})
    call("POST", "/step", {**answered(run), "data": {"x": SECRET}, "globalVariables": {"v": SECRET}})
    host.actions.script = lambda request: NotTaken(f"400: {SECRET}", final=True)
    host.work()
    call("POST", "/flowrun/r/vars", {"vars": {"kept": SECRET}})
    call("POST", "/event", {"name": "go", "key": SECRET, "data": SECRET})
    host.work(QueueName.WAKES)
    call("POST", "/flowrun/r/vars", {"vars": SECRET})
    call("POST", "/flowrun/r/vars", f'{{"vars": {{"x": "{SECRET}"')
    host.store.runs.load = _failing  # type: ignore[method-assign]
    call("POST", "/flowrun/r/stop", {"reason": SECRET})
    assert {line["level"] for line in log.lines()} >= {"DEBUG", "INFO", "WARNING", "ERROR"}
    assert SECRET not in log.text


def test_the_run_of_the_log_test_has_these_values(host: Host) -> None:
    """Otherwise the test above could not fail."""
    defined(WORK, FULL)
    run = call("POST", "/flow/full/runs", {"name": "r", "input": {"secret": SECRET}}).json
    host.work()
    assert host.actions.requests[-1]["order"] == SECRET
    assert call("POST", "/step", {**answered(run), "data": {"x": SECRET}}).json == {"outcome": "advanced"}


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_and_a_batch_leave_a_line_of_metrics_each(host: Host) -> None:
    out = io.StringIO()
    watched(host, EmfMetrics(host.clock, "Echoer", out))
    defined(WORK, TWO)
    for name in "ab":
        call("POST", "/flow/two/runs", {"name": name, "input": {"order": "o"}}, headers={"x-request-id": name})
    host.work()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    counted = [
        (line["function"], line["request"], line.get("RunsStarted"), line.get("DeliveriesTaken")) for line in lines
    ]
    assert counted == [("api", "a", 1, None), ("api", "b", 1, None), ("deliver", "req-1", None, 2)]


def test_dead_letters_are_counted(host: Host) -> None:
    out = io.StringIO()
    watched(host, EmfMetrics(host.clock, "Echoer", out))
    host.queue.send(QueueName.DEAD, ["no letter of ours"])
    host.work(QueueName.DEAD)
    assert [json.loads(line).get("DeadLetters") for line in out.getvalue().splitlines()] == [1]


# ── traces ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("given", "kept"), [(GIVEN, GIVEN), (GIVEN.upper(), ""), ("", ""), ("00-1-2-01", "")])
def test_a_run_starts_in_the_trace_of_the_request(host: Host, given: str, kept: str) -> None:
    defined(WORK, TWO)
    for name, path, body in (
        ("r", "/flow/two/runs", {"name": "r", "input": {"order": "o"}}),
        (
            "s",
            "/fsl",
            'flow_run s step A => (OK -> done) { action = work; args = (order = "o", times = 1); }; flow_run_end',
        ),
    ):
        reply = call("POST", path, body, headers={"Traceparent": given})
        assert reply.status in (200, 201), reply.text
        assert host.services.reader.run("default", name).trace == kept


# ── a process on Lambda ──────────────────────────────────────────────────────────────────────────────────────────────

CALLED = """
from tests.entrypoints.gateway import call
call("DELETE", "/action/x", headers={"x-request-id": "7"})
call("POST", "/step", {"flowId": "r", "stepName": "A", "uuid": "u", "ackState": "OK", "done": True})
from chalicelib import hosting
hosting.services().adapters.observer.conflicted()
hosting.flush()
"""


def test_a_function_logs_only_json_lines() -> None:
    environment = {
        "AWS_LAMBDA_FUNCTION_NAME": "echoer-dev-api_handler",
        "ECHOER_BACKEND": "memory",
        "ECHOER_METRICS": "emf",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    answer = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", CALLED], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    refused, answered, counted = map(json.loads, answer.stdout.splitlines())
    assert (refused["logger"], refused["request"], refused["status"]) == ("echoer.audit", "7", 401)
    assert (answered["run"], answered["step"], answered["uuid"], answered["status"]) == ("r", "A", "u", 404)
    assert counted["Conflicts"] == 1


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────

LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "echoer-dev-deliver"}


def test_logs_are_json_where_machines_read_them() -> None:
    assert config.from_environment({}).log_format is LogFormat.TEXT
    assert config.from_environment(LAMBDA).log_format is LogFormat.JSON
    assert config.from_environment({**LAMBDA, "ECHOER_LOG_FORMAT": "text"}).log_format is LogFormat.TEXT


def test_observers_are_off_by_default(host: Host) -> None:
    settings = config.from_environment(LAMBDA)
    assert (settings.metrics, settings.otlp_endpoint) == (Metrics.OFF, None)
    assert hosting.observer(settings, host.clock) is NULL_OBSERVER


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:4318", "https://otlp.example/v1/traces", "https://otlp.example:4318/base", "http://[::1]:1"],
)
def test_an_endpoint_is_a_url(url: str) -> None:
    assert config.from_environment({"ECHOER_OTLP_ENDPOINT": url}).otlp_endpoint == url


@pytest.mark.parametrize(
    "said",
    [
        {"ECHOER_LOG_FORMAT": "xml"},
        {"ECHOER_METRICS": "on"},
        {"ECHOER_METRICS_NAMESPACE": "AWS/Echoer"},
        {"ECHOER_METRICS_NAMESPACE": ":x"},
        {"ECHOER_METRICS_NAMESPACE": "a b"},
        {"ECHOER_METRICS_NAMESPACE": "a" * 256},
        {"ECHOER_OTLP_ENDPOINT": "127.0.0.1:4318"},
        {"ECHOER_OTLP_ENDPOINT": "grpc://host:4317"},
        {"ECHOER_OTLP_ENDPOINT": "http://"},
        {"ECHOER_OTLP_ENDPOINT": "http://host:port"},
        {"ECHOER_OTLP_ENDPOINT": "http://host:99999"},
        {"ECHOER_OTLP_ENDPOINT": "http://[::1"},
        {"ECHOER_OTLP_ENDPOINT": "https://host/?key=1"},
        {"ECHOER_OTLP_ENDPOINT": "https://me:s3cret@host"},
    ],
)
def test_settings_that_cannot_be_are_named(said: dict[str, str]) -> None:
    with pytest.raises(BadSetting, match=next(iter(said))) as caught:
        config.from_environment(said)
    assert "s3cret" not in str(caught.value)
