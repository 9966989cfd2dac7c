"""Kill the server (kill -9) repeatedly while many runs are running: all runs complete, and no answer counts twice.

The seed determines after how many deliveries each kill happens, so that work is in progress at the time.

| variable | default | meaning |
|---|---|---|
| ECHOER_KILLS | 5 | number of kills (a long test: 20) |
| ECHOER_KILLED_RUNS | 60 | number of runs (200) |
| ECHOER_KILL_SEED | 1 | seed of the times |
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
import requests

from chalicelib.adapters import sqs
from fsl.local.aws import REGION
from tests.acceptance.actions import Actions, Delivery, Reply, says
from tests.acceptance.api import Api, poll
from tests.acceptance.conftest import OTHERS, PLAIN, other_aws
from tests.acceptance.fsl import action
from tests.fsl.conftest import Process

KILLS: Final = int(os.environ.get("ECHOER_KILLS", "5"))
RUNS: Final = int(os.environ.get("ECHOER_KILLED_RUNS", "60"))
SEED: Final = int(os.environ.get("ECHOER_KILL_SEED", "1"))

VISIBILITY: Final = 5
"""Seconds until SQS delivers a message of a killed server again. In production it is 90."""

PATIENCE: Final = 240.0

LOG: Final = logging.getLogger("echoer.durability")

FLOW: Final = """flow storm
    input = (int n);
    step A => (OK -> Both) { action = slow; };
    fork Both => (DONE -> Cool | FAIL -> stopped) { join = all;
        branch left  { step Left  => (OK -> done) { action = slow; }; };
        branch right { step Right => (OK -> done) { action = quick; }; };
    };
    wait Cool => (DONE -> Count) { for = 200ms; };
    set Count => (DONE -> Z) { save = (counted = ${ $input.n + 1 }); };
    step Z => (OK -> done) { action = slow; };
flow_end"""

ACKED: Final = Counter({"A": 1, "Left": 1, "Right": 1, "Z": 1})
"""The steps with an action, each of which is answered once."""


@dataclass
class Patient:
    """A server that can be killed and restarted on the same port, and a client that retries until it answers."""

    begin: Callable[[int], Process]

    def __post_init__(self) -> None:
        self._process = self.begin(0)
        self._port = self._process.port
        self.api = Api(self._process.url)
        self.said: list[str] = []
        self.given_up = threading.Event()

    def kill(self) -> None:
        """Kill the server with SIGKILL, and start another one."""
        self.end(signal.SIGKILL)
        self._process = self.begin(self._port)
        poll(lambda: self._process.running.poll() is not None or "listening on" in "".join(self._process.said))
        assert self._process.running.poll() is None, "".join(self._process.said)

    def end(self, number: int) -> None:
        self._process.end(number, 30)
        self.said += self._process.said

    def insist(self, ask: Callable[[], Any]) -> Any:
        """Call `ask` until the server responds, and return the result."""

        def attempt() -> list[Any]:
            try:
                return [ask()]
            except requests.RequestException:
                assert not self.given_up.is_set()
                return []

        return poll(attempt, PATIENCE)[0]

    def start(self, number: int) -> str:
        """Start the run. An attempt with a lost response may have started it already: then the same key returns it."""
        order = {"name": f"storm-{number}", "key": f"storm-{number}", "input": {"n": number}}
        response = self.insist(lambda: self._not_turned_away("POST", "/flow/storm/runs", order))
        assert response.status_code in (200, 201), response.text
        return f"storm-{number}"

    def call_back(self, delivery: Delivery) -> None:
        """Send the answer until the server accepts it."""
        answer = delivery.answer("OK", data=delivery.uuid)
        response = self.insist(lambda: self._not_turned_away("POST", "/step", answer))
        assert response.json()["outcome"] in ("advanced", "duplicate"), response.text

    def _not_turned_away(self, method: str, path: str, body: Any) -> requests.Response:
        response = self.api.ask(method, path, body)
        if response.status_code in (429, 503):
            raise requests.ConnectionError(response.text)
        return response

    def ended(self, run: str) -> Any:
        return self.insist(lambda: self.api.ended(run, PATIENCE))


@pytest.fixture(params=["sqlite", *(["other"] if os.environ.get(OTHERS) else [])])
def begin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[int], Process]]:
    """Start servers one after the other, each on the data of the previous one."""
    options, environment = ["--db", str(tmp_path / "echoer.db")], PLAIN
    if request.param == "other":
        options, environment = ["--aws"], other_aws()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "local")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
            client = sqs.connect(REGION, environment["ECHOER_SQS_URL"])
            sqs.create_queues(client, environment["ECHOER_QUEUE_PREFIX"], VISIBILITY)
    started: list[Process] = []

    def start(port: int) -> Process:
        started.append(Process(*options, port=port, **environment))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.mark.timeout(600)
def test_runs_survive_a_server_that_is_killed(begin: Callable[[int], Process]) -> None:
    draw = Random(SEED)  # noqa: S311 - a schedule, not a secret
    server = Patient(begin)
    with Actions() as actions, ThreadPoolExecutor(8) as pool, ThreadPoolExecutor(4) as clients, ExitStack() as stack:
        failures: list[BaseException] = []

        def later(delivery: Delivery) -> None:
            try:
                server.call_back(delivery)
            except BaseException as exc:
                failures.append(exc)

        def slow(delivery: Delivery) -> Reply:
            pool.submit(later, delivery)
            return Reply()

        services = actions.serve(slow), actions.serve(says("OK"))
        for statement in (action("slow", services[0].url), action("quick", services[1].url), FLOW):
            server.api.post("/fsl", statement)
        stack.callback(server.given_up.set)  # clients that retry stop when this test ends
        starting = [clients.submit(server.start, number) for number in range(RUNS)]
        _kill_at(server, services[0].wait, sorted(draw.sample(range(1, int(RUNS * 2.7)), KILLS)), draw)
        runs = [started.result() for started in starting]
        specs = list(clients.map(server.ended, runs))
        assert failures == []
        delivered = [delivery for service in services for delivery in service.deliveries]
        _hold(server, runs, specs, delivered)
        server.end(signal.SIGTERM)
    told = "".join(server.said)
    assert "cannot open" not in told
    assert "Traceback" not in told, told[told.index("Traceback") :][:4000]


def _kill_at(server: Patient, wait: Callable[[int], Any], counts: list[int], draw: Random) -> None:
    """Kill the server shortly after that many deliveries."""
    for count in counts:
        wait(count)
        threading.Event().wait(draw.random() * 0.02)
        server.kill()


def _hold(server: Patient, runs: list[str], specs: list[Any], delivered: list[Delivery]) -> None:
    """Check a run that has ended."""
    assert Counter(spec["status"] for spec in specs) == {"succeeded": RUNS}
    assert [spec["global_variable"] for spec in specs] == [{"counted": number + 1} for number in range(RUNS)]
    by_run: dict[str, Counter[str]] = {run: Counter() for run in runs}
    for delivery in delivered:
        by_run[delivery.fields["flowId"]][delivery.uuid] += 1
    for run in runs:
        history = server.api.history(run)  # has no gaps
        acked = [entry for entry in history if entry["event"] == "StepAcked"]
        assert Counter(entry["step"] for entry in acked) == ACKED, run
        assert [entry["to"] for entry in history].count("done") == 3, run  # the two branches, and the run
        uuids = [entry["uuid"] for entry in acked]
        assert len(set(uuids)) == len(uuids)
        assert set(by_run[run]) == set(uuids), (
            run
        )  # each activation was delivered at least once, and only committed ones were delivered
        for entry in acked:
            assert entry["step"] == "Right" or entry["data"] == entry["uuid"]
    extra = sum(by_run[run].total() for run in runs) - 4 * RUNS
    LOG.info("%d runs, %d kills, %d activations; %d deliveries were repeated", RUNS, KILLS, 4 * RUNS, extra)
