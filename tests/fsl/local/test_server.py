"""`fsl local` as a process: start, stop, crash and recovery."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from chalicelib.adapters.system import SystemClock
from chalicelib.service.errors import Busy
from fsl.client import Client
from fsl.examples.services import ExampleServices
from fsl.local.http.waits import MAX_WAITING
from fsl.local.server import StoppableClock
from tests.fsl.conftest import ASKING, RELEASE, ROOT, Process, until

FLOW = RELEASE.replace("flow_run my_flow_run", "flow rel").replace("flow_run_end", "flow_end")
Start = Callable[..., Process]


def local(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command, env = [sys.executable, "-m", "fsl.cli.main", "local", *words], {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """It prints one line, exits with 1, and starts nothing: it does not create the database."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = local("--port", str(port), "--db", str(tmp_path / "e.db"))
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "--port" in line
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_in_use(start: Start, tmp_path: Path) -> None:
    """A second server on the file is refused, in one line."""
    path = str(tmp_path / "e.db")
    assert start("--db", path).url
    ended = local("--port", "0", "--db", path)
    assert ended.returncode == 1
    assert [path in line for line in ended.stderr.splitlines()] == [True]


def test_settings_that_cannot_be(start: Start) -> None:
    """An invalid setting is a usage error."""
    server = start("--db", ":memory:", ECHOER_STEP_TIMEOUT="soon")
    assert server.running.wait(20) == 2
    until(lambda: "ECHOER_STEP_TIMEOUT" in "".join(server.said))


@pytest.mark.parametrize("database", [":memory:", "e.db"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(start: Start, tmp_path: Path, number: int, database: str) -> None:
    """Open requests, including long polls, end soon. It prints one line and exits with 0; so do two processes."""
    several = ["--processes", "2"] if database != ":memory:" else []
    server = start("--db", database if database == ":memory:" else str(tmp_path / database), *several)
    client = Client(server.url)
    client.submit(ASKING)
    run = client.start("ask_once", {})["metadata"]["name"]

    def watch() -> None:
        with contextlib.suppress(requests.RequestException):
            requests.get(f"{server.url}/flowrun/{run}/watch", params={"after": "99", "wait": "25"}, timeout=30)

    for _ in range(4):
        threading.Thread(target=watch).start()
    assert client.get("flowrun", run)
    assert server.end(number) == 0, "".join(server.said)
    until(lambda: server.said[-1] == "stopped\n")
    assert "rror" not in "".join(server.said)


def test_sleep_ends_when_the_server_stops() -> None:
    """`sleep` raises Busy, also for a thread that is sleeping already."""
    stopping, ended = threading.Event(), list[str]()
    clock = StoppableClock(SystemClock(), stopping)

    def sleep() -> None:
        with pytest.raises(Busy):
            clock.sleep(60_000)
        ended.append("busy")

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    stopping.set()
    sleeper.join(5)
    assert ended == ["busy"]


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    """The handler is busy: its action accepts the connection and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server = start("--db", ":memory:")
        client = Client(server.url)
        client.submit(ASKING.replace("127.0.0.1:9/", f"127.0.0.1:{mute.getsockname()[1]}/"))
        client.start("ask_once", {})
        mute.settimeout(20)
        connection, _ = mute.accept()
        server.running.send_signal(signal.SIGINT)
        until(lambda: _refused(server.port))
        assert server.end(signal.SIGINT, 3) == 128 + signal.SIGINT
        connection.close()


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_killed_server_goes_on(start: Start, tmp_path: Path) -> None:
    """kill -9 twice during ten runs: the next server on the file completes all of them."""
    path = str(tmp_path / "e.db")
    server = start("--db", path)
    port, client = server.port, Client(server.url)
    with ExampleServices(0, f"{server.url}/step") as services:
        client.submit(FLOW.replace("//localhost:18080/", f"//127.0.0.1:{services.port}/"))
        runs = [client.start("rel", {"name": f"r{number}"})["metadata"]["name"] for number in range(10)]
        for calls in (3, 13):
            services.wait(calls)
            server.end(signal.SIGKILL)
            server = start("--db", path, port=port)
            assert server.url == client.url
        client = Client(server.url)
        until(lambda: all(client.get("flowrun", run)["spec"]["status"] == "succeeded" for run in runs), 30)
    assert [entry["to"] for entry in client.history(runs[0])] == ["A", "D", "B", "C", "done"]
    assert server.end(signal.SIGTERM) == 0


def test_what_was_not_delivered_is_delivered_after_a_restart(start: Start, tmp_path: Path) -> None:
    """A message that a handler was processing when the server was killed is received again at once."""
    path = str(tmp_path / "e.db")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server = start("--db", path)
        client = Client(server.url)
        client.submit(ASKING.replace("127.0.0.1:9/", f"127.0.0.1:{mute.getsockname()[1]}/"))
        client.start("ask_once", {})
        mute.settimeout(20)
        held, _ = mute.accept()
        server.end(signal.SIGKILL)
        held.close()
        start("--db", path)
        mute.accept()[0].close()


def test_transitions_are_printed(start: Start) -> None:
    """A line for each definition and each transition, readable, without colours in a file."""
    server = start("--db", ":memory:")
    with ExampleServices(0, f"{server.url}/step") as services:
        Client(server.url).submit(RELEASE.replace("//localhost:18080/", f"//127.0.0.1:{services.port}/"))
        until(lambda: "succeeded" in "".join(server.said))
    told = [line[13:].rstrip() for line in server.said if "my_flow_run" in line]
    assert told == [
        "my_flow_run: ready -> A by RunStarted",
        "my_flow_run: A -> D by StepAcked SUCCESS",
        "my_flow_run: D -> B by StepAcked AGREE",
        "my_flow_run: B -> C by StepAcked SUCCESS",
        "my_flow_run: C -> done by StepAcked SUCCESS; succeeded",
    ]
    assert "action ci, version 1, is in force" in "".join(server.said)
    assert "\x1b" not in "".join(server.said)


def test_debug_logs_requests(start: Start) -> None:
    """The access log is off by default."""
    quiet, loud = start("--db", ":memory:"), start("--db", ":memory:", ECHOER_LOG="debug")
    for server in (quiet, loud):
        assert requests.get(f"{server.url}/healthz", timeout=5).ok
    until(lambda: "GET /healthz 200" in "".join(loud.said))
    assert "healthz" not in "".join(quiet.said)


# ── the demo ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_demo_twice_on_one_file(tmp_path: Path) -> None:
    """Each transition is printed once, the run succeeds with exit code 0; the second run has another name."""
    path = str(tmp_path / "e.db")
    for name, processes in (("my_flow_run", "1"), ("my_flow_run_2", "2")):
        ended = local("--demo", "--once", "--port", "0", "--db", path, "--processes", processes)
        assert ended.returncode == 0, ended.stderr
        assert f"  {name}: C -> done by StepAcked SUCCESS\n{name} is done (succeeded) after " in ended.stdout
        assert name not in ended.stderr


def test_the_demo_where_its_port_is_taken(tmp_path: Path) -> None:
    """The services choose another port, and the document has it."""
    try:
        taken = socket.create_server(("127.0.0.1", 18080))
    except OSError:
        taken = None  # another process uses it, which is enough for this test
    ended = local("--demo", "--once", "--port", "0", "--db", ":memory:")
    if taken:
        taken.close()
    assert ended.returncode == 0, ended.stderr
    assert "port 18080 is in use" in ended.stdout
    assert "my_flow_run is done (succeeded)" in ended.stdout


def test_the_demo_on_the_adapters_of_aws() -> None:
    """With DynamoDB and SQS in the process, the run is the same."""
    ended = local("--demo", "--once", "--port", "0", "--aws")
    assert ended.returncode == 0, ended.stderr
    assert "my_flow_run is done (succeeded)" in ended.stdout


def test_a_server_that_cannot_verify_aws_signatures_does_not_start(tmp_path: Path) -> None:
    ended = local("--port", "0", "--db", str(tmp_path / "e.db"), ECHOER_AUTH="iam")
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert "API Gateway verifies AWS signatures; set ECHOER_AUTH=token or ECHOER_AUTH=open" in line
    assert list(tmp_path.iterdir()) == []


# ── its files ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_starts_no_second_server(start: Start, tmp_path: Path) -> None:
    """Neither a symbolic link nor a hard link."""
    path = tmp_path / "e.db"
    assert start("--db", str(path)).url
    (tmp_path / "soft.db").symlink_to(path)
    (tmp_path / "hard.db").hardlink_to(path)
    for name, reason in (("soft.db", f"another server uses {path}"), ("hard.db", "2 names (hard links)")):
        ended = local("--port", "0", "--db", str(tmp_path / name))
        assert (ended.returncode, ended.stdout) == (1, "")
        (line,) = ended.stderr.splitlines()
        assert reason in line


def test_the_health_check_fails_while_nothing_can_be_stored(start: Start, tmp_path: Path) -> None:
    """503 with the reason, as on a full disk; other requests are 503 without details; then all is well again."""
    server = start("--db", str(tmp_path / "e.db"), "--processes", "1")
    client = Client(server.url)
    client.submit(ASKING)
    run = client.start("ask_once", {})["metadata"]["name"]
    limits = resource.prlimit(server.running.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.running.pid, resource.RLIMIT_FSIZE, (1, limits[1]))
    until(lambda: not requests.get(f"{server.url}/healthz", timeout=10).ok)
    failed = requests.get(f"{server.url}/healthz", timeout=10)
    assert (failed.status_code, failed.json()["error"]["code"]) == (503, "busy")
    assert failed.json()["message"].startswith(
        "nothing can be stored: the disk reports an error, or a limit on the size"
    )
    refused = requests.post(f"{server.url}/flow/ask_once/runs", json={}, timeout=10)
    assert (refused.status_code, refused.json()["message"]) == (503, "the store is unavailable; try again later")
    assert client.get("flowrun", run)["spec"]["status"] == "running"
    resource.prlimit(server.running.pid, resource.RLIMIT_FSIZE, limits)
    assert requests.get(f"{server.url}/healthz", timeout=10).json() == {"status": "ok"}
    assert client.start("ask_once", {})
    assert "disk I/O error" in "".join(server.said)


def test_a_damaged_file_is_refused(start: Start, tmp_path: Path) -> None:
    """After kill -9. The next start says what to do, and changes nothing."""
    path = tmp_path / "e.db"
    server = start("--db", str(path))
    client = Client(server.url)
    client.submit(ASKING)
    for _ in range(20):
        client.start("ask_once", {})
    assert server.end(signal.SIGTERM) == 0
    server = start("--db", str(path))
    Client(server.url).start("ask_once", {})
    server.end(signal.SIGKILL)
    log = path.with_name("e.db-wal").read_bytes()
    damaged = bytearray(path.read_bytes())
    damaged[4_096:] = b"\xff" * (len(damaged) - 4_096)
    path.write_bytes(damaged)
    ended = local("--port", "0", "--db", str(path))
    assert (ended.returncode, ended.stdout) == (1, "")
    *_, line = ended.stderr.splitlines()
    assert f"cannot open {path}: " in line
    assert "nothing was changed" in line
    assert ".recover" in line
    assert (path.read_bytes(), path.with_name("e.db-wal").read_bytes()) == (bytes(damaged), log)


# ── clients that want to occupy it ───────────────────────────────────────────────────────────────────────────────────


def test_a_thousand_idle_connections_and_long_polls_lock_nobody_out(start: Start) -> None:
    """1,000 idle connections, 1,000 that begin a request and do not end it, and 300 that wait: others are served."""
    server = start("--db", ":memory:")
    client, address = Client(server.url), ("127.0.0.1", server.port)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    client.submit(ASKING)
    run = client.start("ask_once", {})["metadata"]["name"]
    watch = f"GET /flowrun/{run}/watch?after=99&wait=20 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(4_096, limits[0]), limits[1]))

        def connect(sent: str) -> socket.socket:
            connection = stack.enter_context(socket.create_connection(address, timeout=20))
            connection.sendall(sent.encode())
            return connection

        for number in range(2_000):
            connect("" if number % 2 else "POST /fsl HTTP/1.1\r\nContent-")
        waiting = [connect(watch) for _ in range(300)]
        until(lambda: sum(map(_has_answer, waiting)) >= 300 - MAX_WAITING)
        for _ in range(20):
            assert Client(server.url).get("flowrun", run)["spec"]["status"] == "running"
        assert sum(map(_has_answer, waiting)) == 300 - MAX_WAITING
        told = next(connection for connection in waiting if _has_answer(connection)).recv(65_536)
        assert told.startswith(b"HTTP/1.1 200 ")
        assert b"Retry-After: " in told
    until(
        lambda: (
            requests.get(f"{server.url}/flowrun/{run}/watch?after=99&wait=1", timeout=5).headers.get("Retry-After")
            is None
        )
    )


def _has_answer(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
