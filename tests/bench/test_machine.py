"""The part `machine` without its peers: how figures are made of windows, and what the service and the flows do."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Queue
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from bench import peers
from bench.machine import wire
from bench.machine.apps.callbacks import listen
from bench.machine.clients import HttpClients
from bench.machine.load import STEPS, Clients, Window
from bench.machine.moto import machine
from bench.machine.own import FORMS, document, script
from bench.machine.processes import Process
from bench.machine.restate import MAX_WORKERS, Restate
from bench.machine.results import CLIENTS, Results, report
from bench.machine.systems import Durability, Form, Role, Row, Running, Service
from bench.parts.machine import measure_system
from bench.peers import Unavailable
from chalicelib.service.ports.actions import Reply, Response, Taken
from tests.hosts import Host

URL = "http://work.test"


class Fixed:
    """A system without a process, whose meters return one window or fail."""

    def __init__(self, name: str, role: Role, *forms: Form, failing: str = "", skipping: str = "") -> None:
        self.rows = tuple(Row(f"{name}: {form.value}" if forms else name, form) for form in forms or (Form.DIRECT,))
        self.role = role
        self.started = 0
        self._failing = failing
        self._skipping = skipping
        self._service = ""

    @contextmanager
    def running(self, folder: Path, service: Service) -> Iterator[Running]:
        self.started += 1
        self._service = service.url
        if self._failing == "start":
            raise Unavailable("npm is not installed")
        yield Running({row.name: partial(self._measure, row) for row in self.rows}, ())

    def _measure(self, row: Row, clients: int, warm_up: float, seconds: float) -> Window:
        if row.form.value == self._failing:
            raise RuntimeError("no token")
        with wire.Kept(urlsplit(self._service).netloc) as kept:
            for _ in range(STEPS * clients - (row.form.value == self._skipping)):
                kept.post("/rest", {})
        return Window(1.0, (0.1,) * clients, 0.5, 0.25, clients)

    def durability(self) -> Durability:
        return Durability("yes", "no", "a test")


def test_figures_are_medians_of_rounds_and_ratios_to_the_best_peer() -> None:
    results = Results([Fixed("ours", Role.OWN), Fixed("slow", Role.PEER), Fixed("fast", Role.PEER)])
    for runs in (10, 30, 20):
        results.add("ours", 1, Window(1.0, (0.1,) * (runs - 1) + (0.2,), 0.5, 0.25, runs))
    results.add("slow", 1, Window(2.0, (0.1,) * 4, 0.1, 0.1, 1))
    results.add("fast", 1, Window(2.0, (0.1,) * 16, 0.1, 0.1, 1))
    assert results.rate("ours", 1) == 20
    assert results.best_peer(Form.DIRECT, 1) == 8
    assert results.duration("ours", 1, 0.5) == pytest.approx(100)
    assert results.duration("ours", 1, 0.99) == pytest.approx(200)
    assert results.cpu("ours", 1) == pytest.approx(500 / 20 / STEPS)
    assert results.harness("ours", 1) == pytest.approx(250 / 20 / STEPS)
    assert "| ours | 20 | 0 | 0 | 2.5 | - | - |" in report(results, 1.0)


def test_a_row_is_compared_with_the_peers_in_its_form() -> None:
    ours, peer = Fixed("ours", Role.OWN, *Form), Fixed("peer", Role.PEER, *Form)
    results = Results([ours, peer])
    for row, runs in {"ours: direct": 30, "ours: callback": 10, "peer: direct": 10, "peer: callback": 4}.items():
        results.add(row, 1, Window(1.0, (0.1,) * runs, 0.5, 0.1, 1))
    text = report(results, 1.0)
    direct, callback = text.split("The service answers by callback:")
    assert "| ours: direct | 30 | 0 | 0 | 3 | - | - |" in direct
    assert "| ours: callback | 10 | 0 | 0 | 2.5 | - | - |" in callback


def test_a_row_that_fails_is_named_and_the_others_are_measured(tmp_path: Path) -> None:
    peer = Fixed("peer", Role.PEER, *Form, failing="callback")
    results = Results([peer])
    for turn in range(2):
        measure_system(results, peer, tmp_path, 0.0)
        assert peer.started == turn + 1
    text = report(results, 1.0)
    assert f"| peer: callback |{' - |' * 2 * len(CLIENTS)}" in text
    assert "Not measured: peer: callback: RuntimeError('no token')." in text
    assert results.rate("peer: direct", 8) == 8


def test_a_row_after_one_that_fails_is_measured_in_a_new_start(tmp_path: Path) -> None:
    peer = Fixed("peer", Role.PEER, *Form, failing="direct")
    results = Results([peer])
    measure_system(results, peer, tmp_path, 0.0)
    assert peer.started == 2
    assert list(results.failures) == ["peer: direct"]
    assert results.rate("peer: callback", 8) == 8


def test_a_peer_that_is_not_there_is_named(tmp_path: Path) -> None:
    peer = Fixed("away", Role.PEER, *Form, failing="start")
    results = Results([Fixed("ours", Role.OWN), peer])
    measure_system(results, peer, tmp_path, 0.0)
    text = report(results, 1.0)
    for form in Form:
        assert f"| away: {form.value} |{' - |' * 2 * len(CLIENTS)}" in text
        assert f"Not measured: away: {form.value}: npm is not installed." in text
    assert "| away |" not in text


def test_runs_that_end_without_all_of_their_steps_are_no_figure(tmp_path: Path) -> None:
    peer = Fixed("peer", Role.PEER, *Form, skipping="callback")
    results = Results([peer])
    measure_system(results, peer, tmp_path, 0.0)
    assert results.failures == {
        "peer: callback": "RuntimeError('the service was asked 4 times in 1 runs of 5 steps')",
    }
    assert results.rate("peer: direct", 8) == 8


def test_a_failure_of_our_own_ends_the_part(tmp_path: Path) -> None:
    ours = Fixed("ours", Role.OWN, *Form, failing="callback")
    with pytest.raises(RuntimeError, match="no token"):
        measure_system(Results([ours]), ours, tmp_path, 0.0)


def test_a_package_that_no_registry_has_makes_a_peer_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="npm is not installed"):
        peers.node("nothing", "1.0.0")


def test_clients_count_what_ends_in_the_window_and_raise_what_a_client_raises() -> None:
    found = Clients(lambda: lambda: None, 2).measure(0.0, 0.02, time.process_time, time.process_time)
    assert found.seconds >= 0.02
    assert found.durations
    assert found.cpu == pytest.approx(found.harness, rel=0.5)

    def fail() -> None:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        Clients(lambda: fail, 2).measure(0.0, 0.0, time.process_time, time.process_time)


def test_a_process_counts_the_cpu_time_of_what_it_starts_and_ends_it(tmp_path: Path) -> None:
    work = "import os,time\nwhile time.process_time() < 0.05: pass\nprint(os.getpid(), flush=True)\ninput()"
    child = f"import subprocess,sys\nsubprocess.run([sys.executable,'-c',{work!r}])"
    with Process([sys.executable, "-c", child], tmp_path / "log") as process:
        started = os.pidfd_open(int(process.line()))
        assert process.cpu() >= 0.05
    assert select.select([started], [], [], 10)[0] == [started]  # readable: it has ended
    os.close(started)


def test_the_memory_of_a_process_has_what_it_starts(tmp_path: Path) -> None:
    code = "held = b'x' * 40_000_000\nprint(len(held), flush=True)\ninput()"
    child = f"import subprocess,sys\nsubprocess.run([sys.executable,'-c',{code!r}])"
    with Process([sys.executable, "-c", child], tmp_path / "log") as process:
        assert process.line() == "40000000"
        assert process.count() == 2
        assert 38 < process.memory_mib() < 80


def test_a_process_that_ends_at_once_is_unavailable_with_its_reason(tmp_path: Path) -> None:
    with (
        Process([sys.executable, "-c", "raise SystemExit('no such port')"], tmp_path / "log") as process,
        pytest.raises(Unavailable, match="no such port"),
    ):
        process.line()


@pytest.mark.parametrize(
    ("path", "answer"),
    [("inline", {"ackState": "OK", "data": {"n": 1}}), ("rest", {"n": 1}), ("_user_request_/rest/", {"n": 1})],
)
def test_the_service_answers_each_form(service: str, path: str, answer: object) -> None:
    with wire.Kept(service) as kept:
        assert kept.post(f"/{path}", {"i": 1}) == answer


ECHOER = {"flowId": "r", "stepName": "S0", "uuid": "u"}


@pytest.mark.parametrize(
    ("path", "given", "place", "answer"),
    [
        ("callback", ECHOER, "callbackUrl", {**ECHOER, "ackState": "OK", "done": True, "data": {"n": 1}}),
        ("later", {}, "url", {"n": 1}),
        ("token", {"token": "t"}, "url", {"taskToken": "t", "output": '{"n": 1}'}),
    ],
)
def test_the_service_answers_by_callback(
    service: str, path: str, given: dict[str, object], place: str, answer: object
) -> None:
    called: Queue[tuple[str, object]] = Queue()
    url = listen(lambda *request: called.put(request))
    with wire.Kept(service) as kept:
        for number in range(2):
            assert kept.post(f"/{path}", {**given, place: f"{url}/{number}"}) == {}
            assert called.get(timeout=10) == (f"/{number}", answer)


def test_the_service_goes_on_when_a_callback_is_refused(service: str) -> None:
    with wire.Kept(service) as kept:
        assert kept.post("/later", {"url": "http://127.0.0.1:1/"}) == {}
        assert kept.post("/rest", {}) == {"n": 1}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.machine.service"]
    with Process(command, tmp_path_factory.mktemp("service") / "log") as process:
        yield process.line().removeprefix("http://")


def test_a_callback_that_fails_is_refused() -> None:
    def fail(_path: str, _given: object) -> None:
        raise ValueError("no such workflow")

    place = listen(fail).removeprefix("http://")
    with wire.Kept(place) as kept, pytest.raises(wire.Refused, match=r"500 .*no such workflow"):
        kept.post("/w/1", {})


def test_messages_are_taken_from_what_was_received_one_by_one() -> None:
    first, second = (wire.request("POST", "h:1", "/p", body) for body in (b'{"i": 1}', b""))
    assert all(wire.first_message(first[:size]) is None for size in range(len(first)))
    found = wire.first_message(first + second)
    assert found
    assert (found.body, found.size) == (b'{"i": 1}', len(first))
    rest = wire.first_message(second)
    assert rest
    assert (rest.body, rest.closes) == (b"", False)
    with pytest.raises(ValueError, match="chunks"):
        wire.first_message(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")


@pytest.mark.parametrize("head", [b"HTTP/1.0 201 Created", b"HTTP/1.1 201 Created\r\nConnection: close"])
def test_a_response_says_whether_its_connection_ends(head: bytes) -> None:
    found = wire.first_message(head + b"\r\nContent-Length: 0\r\n\r\n")
    assert found
    assert (found.status, found.closes) == (201, True)


def test_clients_of_a_server_run_a_script_each(service: str) -> None:
    def run() -> Generator[bytes | float, wire.Message, None]:
        answer = yield wire.request("POST", service, "/rest", b"{}")
        assert answer.body == b'{"n": 1}'
        yield 0.001
        yield wire.request("POST", service, "/inline", b"{}")

    found = HttpClients(service, run, 3).measure(0.0, 0.05, lambda: 0.0, lambda: 0.0)
    assert len(found.durations) >= 3
    assert min(found.durations) >= 0.001
    assert 0 < found.harness < 5


def test_a_window_goes_on_until_as_many_runs_have_ended_as_there_are_clients(service: str) -> None:
    def run() -> Generator[bytes | float, wire.Message, None]:
        yield wire.request("POST", service, "/rest", b"{}")
        yield 0.03

    found = HttpClients(service, run, 3).measure(0.0, 0.0, lambda: 0.0, lambda: 0.0)
    assert len(found.durations) >= 3
    pause = threading.Event()

    def slow() -> None:
        pause.wait(0.01)

    assert len(Clients(lambda: slow, 3).measure(0.0, 0.0, lambda: 0.0, lambda: 0.0).durations) >= 3


def test_clients_of_a_server_connect_anew_when_it_closes(tmp_path: Path) -> None:
    closing = "import http.server as h\nclass A(h.BaseHTTPRequestHandler):\n"
    closing += (
        " def do_POST(self): self.send_response(200); self.send_header('Content-Length','0'); self.end_headers()\n"
    )
    closing += "s = h.HTTPServer(('127.0.0.1', 0), A)\nprint(s.server_port, flush=True)\ns.serve_forever()"
    with Process([sys.executable, "-c", closing], tmp_path / "log") as process:
        place = f"127.0.0.1:{process.line()}"

        def run() -> Generator[bytes | float, wire.Message, None]:
            for _ in range(2):
                answer = yield wire.request("POST", place, "/")
                assert answer.closes

        assert HttpClients(place, run, 1).measure(0.0, 0.0, lambda: 0.0, lambda: 0.0).seconds >= 0


def test_clients_of_a_server_raise_what_a_run_raises(service: str) -> None:
    def run() -> Generator[bytes | float, wire.Message, None]:
        yield wire.request("POST", service, "/rest", b"{}")
        raise ValueError("the run has failed")

    with pytest.raises(ValueError, match="the run has failed"):
        HttpClients(service, run, 2).measure(0.0, 0.1, lambda: 0.0, lambda: 0.0)


@pytest.mark.parametrize("faster", [1, MAX_WORKERS])
def test_the_faster_number_of_handler_processes_of_restate_is_measured(tmp_path: Path, faster: int) -> None:
    class Tried(Restate):
        started: ClassVar[list[int]] = []

        @contextmanager
        def started_with(self, folder: Path, service: Service, workers: int) -> Iterator[Running]:
            self.started.append(workers)
            runs = 20 if workers == faster else 10
            yield Running({self.rows[0].name: lambda *_: Window(1.0, (0.1,) * runs, 0.1, 0.1, runs)}, ())

    Tried.started.clear()
    system = Tried(cores=MAX_WORKERS)
    for turn in range(2):
        folder = tmp_path / str(turn)
        folder.mkdir()
        with system.running(folder, Service("http://127.0.0.1:1", 0)):
            pass
    assert sorted(Tried.started[:2]) == [1, MAX_WORKERS]
    assert Tried.started[2:] == [faster, faster]


@pytest.mark.parametrize("form", Form)
def test_the_machine_of_step_functions_has_five_tasks(form: Form) -> None:
    states = machine("http://work.test", "http://states.test", form)["States"]
    assert len(states) == STEPS
    bodies = [state["Parameters"]["RequestBody"] for state in states.values()]
    assert [body["i"] for body in bodies] == list(range(STEPS))
    assert all(("token.$" in body) is (form is Form.CALLBACK) for body in bodies)


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


def test_a_client_that_is_turned_away_comes_back_after_the_time_that_the_server_names() -> None:
    running, ended = ({"metadata": {"name": "r1"}, "spec": {"status": status}} for status in ("running", "succeeded"))
    again = wire.request("GET", "h:1", "/flowrun/r1?wait=20")
    run = script("h:1", b"start")
    assert next(run) == b"start"
    assert run.send(_answer(running, "Retry-After: 2")) == 2.0
    assert next(run) == again
    assert run.send(_answer(running)) == again
    with pytest.raises(StopIteration):
        run.send(_answer(ended))
    for found, reason in ((_answer({}, status=500), "500"), (_answer({"spec": {"status": "failed"}}), "has failed")):
        run = script("h:1", b"start")
        next(run)
        with pytest.raises(RuntimeError, match=reason):
            run.send(found)


def _answer(value: object, header: str = "X: y", status: int = 200) -> wire.Message:
    body = json.dumps(value).encode()
    found = wire.first_message(
        b"HTTP/1.1 %d OK\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (status, header.encode(), len(body), body)
    )
    assert found
    return found
