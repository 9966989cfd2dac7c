"""The part `machine` without its peers: how figures are made of windows, and what the service and the flows do."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from bench import peers
from bench.machine.library import STEPS
from bench.machine.load import Clients, Window
from bench.machine.own import FORMS, document
from bench.machine.processes import Process
from bench.machine.results import CLIENTS, Results, report
from bench.machine.systems import Durability, Meter, Role
from bench.peers import Unavailable
from chalicelib.service.ports.actions import Reply, Response, Taken
from tests.hosts import Host

URL = "http://work.test"


class Fixed:
    """A system with one row and no process."""

    def __init__(self, name: str, role: Role) -> None:
        self.rows: tuple[str, ...] = (name,)
        self.role = role

    @contextmanager
    def running(self, folder: Path, service: str) -> Iterator[Mapping[str, Meter]]:
        yield {}

    def durability(self) -> Durability:
        return Durability("yes", "no", "a test")


def test_figures_are_medians_of_rounds_and_ratios_to_the_best_peer() -> None:
    results = Results([Fixed("ours", Role.OWN), Fixed("slow", Role.PEER), Fixed("fast", Role.PEER)])
    for runs in (10, 30, 20):
        results.add("ours", 1, Window(1.0, (0.1,) * (runs - 1) + (0.2,), 0.5))
    results.add("slow", 1, Window(2.0, (0.1,) * 4, 0.1))
    results.add("fast", 1, Window(2.0, (0.1,) * 16, 0.1))
    assert results.rate("ours", 1) == 20
    assert results.best_peer(1) == 8
    assert results.duration("ours", 1, 0.5) == pytest.approx(100)
    assert results.duration("ours", 1, 0.99) == pytest.approx(200)
    assert results.cpu("ours", 1) == pytest.approx(500 / 20 / STEPS)
    assert "| ours | 20 | 0 | 0 | 2.5 | - | - |" in report(results, 1.0)


def test_a_peer_that_is_not_there_is_named() -> None:
    results = Results([Fixed("ours", Role.OWN), Fixed("away", Role.PEER)])
    results.failures["away"] = "npm is not installed"
    text = report(results, 1.0)
    assert f"| away |{' - |' * 2 * len(CLIENTS)}" in text
    assert "Not measured: away: npm is not installed." in text


def test_a_package_that_no_registry_has_makes_a_peer_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="npm is not installed"):
        peers.node("nothing", "1.0.0")


def test_clients_count_what_ends_in_the_window_and_raise_what_a_client_raises() -> None:
    found = Clients(lambda: lambda: None, 2).measure(0.0, 0.02, time.process_time)
    assert found.seconds >= 0.02
    assert found.durations

    def fail() -> None:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        Clients(lambda: fail, 2).measure(0.0, 0.0, time.process_time)


def test_a_process_counts_the_cpu_time_of_what_it_starts_and_ends_it(tmp_path: Path) -> None:
    work = "import os,time\nwhile time.process_time() < 0.05: pass\nprint(os.getpid(), flush=True)\ninput()"
    child = f"import subprocess,sys\nsubprocess.run([sys.executable,'-c',{work!r}])"
    with Process([sys.executable, "-c", child], tmp_path / "log") as process:
        started = os.pidfd_open(int(process.line()))
        assert process.cpu() >= 0.05
    assert select.select([started], [], [], 10)[0] == [started]  # readable: it has ended
    os.close(started)


def test_a_process_that_ends_at_once_is_unavailable_with_its_reason(tmp_path: Path) -> None:
    with (
        Process([sys.executable, "-c", "raise SystemExit('no such port')"], tmp_path / "log") as process,
        pytest.raises(Unavailable, match="no such port"),
    ):
        process.line()


@pytest.mark.parametrize(
    ("form", "answer"), [("inline", {"ackState": "OK", "data": {"n": 1}}), ("rest", {"n": 1}), ("other", {"n": 1})]
)
def test_the_service_answers_each_form(service: HTTPConnection, form: str, answer: object) -> None:
    assert _posted(service, f"/{form}", {"i": 1}) == answer


def test_the_service_answers_by_callback(service: HTTPConnection) -> None:
    _posted(service, "/callback", {"flowId": "r", "stepName": "S0", "uuid": "u", "callbackUrl": "http://127.0.0.1:1/"})
    assert _posted(service, "/inline", {}) == {"ackState": "OK", "data": {"n": 1}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HTTPConnection]:
    with (
        Process([sys.executable, "-m", "bench.machine.service"], tmp_path_factory.mktemp("service") / "log") as process,
        closing(HTTPConnection(process.line().removeprefix("http://"))) as connection,
    ):
        yield connection


def _posted(connection: HTTPConnection, path: str, body: object) -> object:
    connection.request("POST", path, json.dumps(body))
    response = connection.getresponse()
    assert response.status == 200
    return json.loads(response.read())


@pytest.mark.parametrize("form", FORMS)
def test_each_flow_has_five_requests(form: str) -> None:
    def answer(request: dict[str, object]) -> Reply:
        return Response(200, body=b'{"n": 1}') if form == "rest" else Taken({"ackState": "OK", "data": {"n": 1}})

    host = Host(answer)
    host.submit(document(URL))
    host.start(form)
    host.settle()
    assert host.run().status == "succeeded"
    assert len(host.actions.requests) == STEPS
