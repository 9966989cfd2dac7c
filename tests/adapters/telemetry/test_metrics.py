"""Metrics in CloudWatch's Embedded Metric Format: valid lines with correct numbers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # no hints are among the requirements
import pytest

from chalicelib.adapters.telemetry import metrics
from chalicelib.adapters.telemetry.metrics import UNITS, EmfMetrics
from chalicelib.adapters.virtual import Script
from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import Refused
from chalicelib.engine.events import Event, VarsSet
from chalicelib.model.run import Run
from chalicelib.service.observability.observer import Observer, Several
from chalicelib.service.observability.work_context import about
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from tests.fakes import START, FakeClock
from tests.hosts import Host

NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
EMF = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 1_000_000_000_000},
                "CloudWatchMetrics": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "additionalProperties": False,
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 255},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "array", "maxItems": 30, "items": {"type": "string", "minLength": 1}},
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name", "Unit"],
                                    "additionalProperties": False,
                                    "properties": {"Name": NAME, "Unit": {"enum": ["Count", "Milliseconds"]}},
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}
"""The part of the format that we use (CloudWatch User Guide, "Specification: Embedded metric format")."""


class Watched(Host):
    """An Echoer that records its metrics."""

    def __init__(self, script: Script = lambda request: Taken()) -> None:
        super().__init__(script)
        self.out = io.StringIO()
        self.metrics = EmfMetrics(self.clock, "Echoer/test", self.out)
        self.rebuild(observer=Several([self.metrics]))

    def told(self) -> dict[str, Any]:
        """Return the metrics since the last call; counts are added."""
        self.metrics.flush()
        lines = [checked(line) for line in self.out.getvalue().splitlines()]
        self.out.truncate(self.out.seek(0))
        assert len(lines) <= 1
        return lines[0] if lines else {}


def checked(text: str) -> dict[str, Any]:
    """Check a line against the format, and return its metrics."""
    line = json.loads(text)
    jsonschema.validate(line, EMF)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    found = {each["Name"]: line[each["Name"]] for each in directive["Metrics"]}
    for each in directive["Metrics"]:
        value = found[each["Name"]]
        assert each["Unit"] == UNITS[each["Name"]]
        assert 1 <= len(value) <= 100 if isinstance(value, list) else value > 0
    return found


WORK = """
action work addr = "http://x/"; args = (str x); return = (OK | NO); retry = (max = 2, delay = 1s); action_end
/
flow f step A => (OK -> done | NO -> stopped) { action = work; args = (x = "a"); timeout = 1h; }; flow_end
/
flow sleepy wait T => (DONE -> done) { for = 10m; }; flow_end
"""


@pytest.fixture
def watched() -> Watched:
    host = Watched()
    host.submit(WORK)
    return host


def test_a_run_from_begin_to_end(watched: Watched) -> None:
    watched.start("f")
    assert watched.told() == {"RunsStarted": 1, "Transitions": 1}
    watched.settle()
    assert watched.told() == {"DeliveriesTaken": 1}
    watched.clock.advance(1_500)
    watched.answer("A", "OK")
    assert watched.told() == {"RunsSucceeded": 1, "Transitions": 1, "AnswersAdvanced": 1, "AnswerAge": [1_500]}


def test_what_changes_no_run_is_not_counted(watched: Watched) -> None:
    watched.settle()
    watched.services.timers.sweep()
    assert watched.told() == {}


def test_answers_by_what_became_of_them(watched: Watched) -> None:
    watched.start("f")
    uuid = watched.uuid("A")
    watched.told()
    with pytest.raises(Exception, match="MAYBE"):
        watched.answer("A", "MAYBE")
    watched.answer("A", "NO")
    watched.answer("A", "NO", uuid=uuid)
    found = watched.told()
    assert (found["AnswersRefused"], found["AnswersAdvanced"], found["AnswersDuplicate"]) == (1, 1, 1)
    assert found["RunsFailed"] == 1


@pytest.mark.parametrize(
    ("reply", "first", "later"),
    [
        (NotTaken("503", final=False), {"DeliveriesFailed": 1, "Retries": 1}, {"DeliveriesFailed": 1, "RunsFailed": 1}),
        (NotTaken("400", final=True), {"DeliveriesFinal": 1, "RunsFailed": 1}, {}),
    ],
)
def test_deliveries_that_fail(reply: Reply, first: dict[str, int], later: dict[str, int]) -> None:
    watched = Watched(lambda request: reply)
    watched.submit(WORK)
    watched.start("f")
    watched.told()
    watched.settle()
    assert {name: count for name, count in watched.told().items() if name != "Transitions"} == first
    watched.pass_time(10_000)
    assert {name: count for name, count in watched.told().items() if name not in ("Transitions", "SweepSent")} == later


def test_a_timer_that_rings_late_says_how_late(watched: Watched) -> None:
    watched.start("sleepy")
    watched.clock.advance(10 * 60_000 + 250)
    watched.told()
    watched.settle()
    assert watched.told() == {"WaitOverdue": [250], "RunsSucceeded": 1, "Transitions": 1}


def test_a_sweep_says_how_old_the_waits_are_that_it_found(watched: Watched) -> None:
    watched.start("sleepy")
    watched.clock.advance(30 * 60_000)
    watched.told()
    watched.services.timers.sweep()
    assert watched.told() == {"SweepSent": 1, "WaitOverdue": [20 * 60_000]}


def test_a_write_that_was_lost_is_a_conflict(watched: Watched) -> None:
    run = watched.start("f")
    watched.told()
    stale = watched.run()
    watched.services.operator.set_vars("default", run.name, {"x": 1}, by="t")

    def draw(at: int, nonce: str) -> list[VarsSet]:
        return [VarsSet(at=at, nonce=nonce, by="t", vars={"y": 2})]

    watched.services.advancer.advance("default", run.name, draw, seen=stale)
    assert watched.told() == {"Conflicts": 1}


def test_more_values_than_a_line_holds_are_told_in_several() -> None:
    out = io.StringIO()
    told = EmfMetrics(FakeClock(), "Echoer", out)
    told.swept(250, range(1, 251))
    told.flush()
    lines = [checked(line) for line in out.getvalue().splitlines()]
    assert [len(line["WaitOverdue"]) for line in lines] == [100, 100, 50]
    assert [line.get("SweepSent") for line in lines] == [250, None, None]


def test_a_line_knows_its_work_without_making_metrics_of_it() -> None:
    out = io.StringIO()
    told = EmfMetrics(FakeClock(), "Echoer", out)
    told.dead_lettered(2)
    with about(function="dead_letter", request="r-1"):
        told.flush()
    assert json.loads(out.getvalue()) == {
        "function": "dead_letter",
        "request": "r-1",
        "DeadLetters": 2,
        "_aws": {
            "Timestamp": START,
            "CloudWatchMetrics": [
                {"Namespace": "Echoer", "Dimensions": [[]], "Metrics": [{"Name": "DeadLetters", "Unit": "Count"}]}
            ],
        },
    }


def test_every_metric_is_described() -> None:
    described = (metrics.__doc__ or "").split("| counts |")[1]
    assert [name for name in UNITS if name not in described] == []


class _Broken(Observer):
    def moved(self, before: Run, after: Run, events: Sequence[Event], results: Sequence[Outcome | Refused]) -> None:
        raise ZeroDivisionError


def test_a_failing_observer_fails_nothing_else(watched: Watched) -> None:
    watched.rebuild(observer=Several([_Broken(), watched.metrics]))
    watched.start("f")
    assert watched.answer("A", "OK") is Outcome.ADVANCED
    assert watched.told()["AnswersAdvanced"] == 1


@pytest.mark.parametrize(
    ("said", "loaded"),
    [
        ({}, []),
        ({"ECHOER_METRICS": "emf"}, ["chalicelib.adapters.telemetry.metrics"]),
        (
            {"ECHOER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
            ["chalicelib.adapters.telemetry.traces", "opentelemetry.sdk.trace"],
        ),
    ],
)
def test_what_is_off_is_not_loaded(said: dict[str, str], loaded: list[str]) -> None:
    asked = ["chalicelib.adapters.telemetry.metrics", "chalicelib.adapters.telemetry.traces", "opentelemetry.sdk.trace"]
    code = "import app, sys; from chalicelib import hosting; hosting.services(); "
    code += f"print([name for name in {asked} if name in sys.modules])"
    root = Path(__file__).parents[3]
    answer = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code],
        cwd=root,
        env={"ECHOER_BACKEND": "memory", "PYTHONDONTWRITEBYTECODE": "1", **said},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.strip() == str(loaded), answer.stderr
