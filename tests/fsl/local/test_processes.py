"""A local server of several processes: what one of them does, the others know."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.message_queue import SqliteQueue
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.security.tokens import sha256
from fsl.local.processes import shared_memory
from fsl.local.processes.changes import LOOK_AGAIN_MS, SharedChanges
from fsl.local.processes.post import Kind, Post
from fsl.local.processes.shared_memory import SharedMemory
from tests.acceptance.actions import Actions, says
from tests.fakes import FakeClock
from tests.fsl.conftest import Process, until

PROCESSES = 3
FIRST = "the first admin's token, 32 or longer"


class Door:
    """A server whose requests go through a new connection each, so that its processes serve them in turn."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.url = process.url

    def ask(
        self, method: str, path: str, body: Any = None, status: int | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        given: dict[str, Any] = {"json": body} if isinstance(body, (dict, list)) else {"data": body}
        answer = requests.request(
            method, self.url + path, headers={"Connection": "close", **(headers or {})}, timeout=30, **given
        )
        assert status is None or answer.status_code == status, answer.text
        return answer.json() if answer.text else None

    @property
    def members(self) -> list[int]:
        """The process ids of its members."""
        tasks = Path(f"/proc/{self.process.running.pid}/task").iterdir()
        return sorted(int(child) for task in tasks for child in (task / "children").read_text().split())


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    process = Process("--db", str(tmp_path_factory.mktemp("shared") / "e.db"), "--processes", str(PROCESSES))
    yield Door(process)
    process.close()


@pytest.fixture
def actions() -> Iterator[Actions]:
    with Actions() as running:
        yield running


def flow(name: str, url: str) -> str:
    return (
        f'action {name}_work addr = "{url}"; return = (OK); action_end\n/\n'
        f"flow {name} step A => (OK -> B) {{ action = {name}_work; }};"
        f" step B => (OK -> done) {{ action = {name}_work; }}; flow_end\n"
    )


def version_of(run: Any) -> int:
    return int(run["spec"]["flow_version"])


# ── what must be known everywhere at once ────────────────────────────────────────────────────────────────────────────


def test_new_versions_are_used_by_all_processes_at_once(door: Door, actions: Actions) -> None:
    for version in range(1, 4):
        text = flow("news", actions.serve(says("OK")).url).replace("flow news", f"flow news max_steps = {version}00;")
        door.ask("POST", "/fsl", text, 200)
        for _ in range(2 * PROCESSES):
            assert version_of(door.ask("POST", "/flow/news/runs?wait=20", {})) == version


def test_a_pause_holds_in_all_processes_at_once(door: Door, actions: Actions) -> None:
    service = actions.serve(says("OK"))
    door.ask("POST", "/fsl", flow("held", service.url), 200)
    for _ in range(PROCESSES):  # all know that nothing is paused
        door.ask("POST", "/flow/held/runs?wait=20", {})
    before = len(service.deliveries)
    door.ask("POST", "/action/held_work/pause", {})
    runs = [door.ask("POST", "/flow/held/runs", {})["metadata"]["name"] for _ in range(2 * PROCESSES)]
    assert len(service.deliveries) == before
    door.ask("POST", "/action/held_work/continue", {})
    for run in runs:
        until(partial(_has_succeeded, door, run))


def test_a_revoked_token_is_refused_by_all_processes_at_once(tmp_path: Path, start: Callable[..., Process]) -> None:
    guarded = {"ECHOER_AUTH": "token", "ECHOER_ADMIN_TOKEN_SHA256": sha256(FIRST)}
    door, admin = (
        Door(start("--db", str(tmp_path / "e.db"), "--processes", str(PROCESSES), **guarded)),
        {"Authorization": f"Bearer {FIRST}"},
    )
    made = door.ask("POST", "/token", {"name": "reader", "role": "viewer"}, 201, admin)
    mine = {"Authorization": f"Bearer {made['token']}"}
    for _ in range(PROCESSES):
        door.ask("GET", "/flow", None, 200, mine)
    door.ask("DELETE", f"/token/{made['id']}", None, None, admin)
    for _ in range(2 * PROCESSES):
        door.ask("GET", "/flow", None, 401, mine)
    with ThreadPoolExecutor(8) as pool:  # 10 per second and token, whichever process serves them
        began = time.monotonic()
        asked = [pool.submit(door.ask, "POST", "/analyze", {"text": ""}, None, admin) for _ in range(60)]
        refused = ["error" in one.result() for one in asked]
        seconds = time.monotonic() - began
    assert refused.count(False) <= 10 * (seconds + 1) + PROCESSES


def test_deliveries_are_counted_together(door: Door, actions: Actions) -> None:
    door.ask("POST", "/fsl", flow("counted", actions.serve(says("OK")).url), 200)
    for number in range(1, 2 * PROCESSES):
        door.ask("POST", "/flow/counted/runs?wait=20", {})
        found = door.ask("GET", "/action/counted_work")
        assert found["status"]["last_hour"]["deliveries"] == 2 * number


def test_an_answer_in_one_process_ends_the_wait_in_another(door: Door, actions: Actions) -> None:
    service = actions.serve()
    text = f'action slow addr = "{service.url}"; return = (OK); action_end\n/\n'
    door.ask("POST", "/fsl", text + "flow waited step A => (OK -> done) { action = slow; }; flow_end", 200)
    with ThreadPoolExecutor(4) as pool:
        for number in range(1, 2 * PROCESSES):
            waiting = pool.submit(door.ask, "POST", "/flow/waited/runs?wait=20", {})
            delivery = service.wait(number)[-1]
            door.ask("POST", "/step", delivery.answer("OK"), 200)
            assert waiting.result()["spec"]["status"] == "succeeded"


# ── processes that end ───────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_survive_each_process_that_is_killed(door: Door, actions: Actions) -> None:
    """kill -9 of one process after another while runs are under way: all of them end, and others serve meanwhile."""
    service = actions.serve(says("OK"))
    door.ask("POST", "/fsl", flow("stormy", service.url), 200)
    runs: list[str] = []
    for member in door.members:
        for _ in range(4):
            runs.append(door.ask("POST", "/flow/stormy/runs", {})["metadata"]["name"])
        os.kill(member, signal.SIGKILL)
        until(partial(_is_replaced, door, member))
        until(lambda: _is_served(door))
    for run in runs:
        until(partial(_has_succeeded, door, run), 60)


def _is_replaced(door: Door, member: int) -> bool:
    return member not in door.members and len(door.members) == PROCESSES


def _has_succeeded(door: Door, run: str) -> bool:
    return bool(door.ask("GET", f"/flowrun/{run}?wait=10")["spec"]["status"] == "succeeded")


def _is_served(door: Door) -> bool:
    """Return whether each process answers."""
    try:
        return all(door.ask("GET", "/healthz") == {"status": "ok"} for _ in range(2 * PROCESSES))
    except requests.RequestException:
        return False


def test_processes_end_with_the_one_that_started_them(tmp_path: Path, start: Callable[..., Process]) -> None:
    door = Door(start("--db", str(tmp_path / "e.db"), "--processes", str(PROCESSES)))
    members = door.members
    assert len(members) == PROCESSES
    door.process.end(signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{member}/cmdline").exists() for member in members))


def test_fewer_processes_go_on_with_what_more_of_them_had(tmp_path: Path) -> None:
    database, clock = Database.open(tmp_path / "e.db"), FakeClock()
    queues = [SqliteQueue(database, clock, process=number) for number in range(3)]
    for number, queue in enumerate(queues):
        queue.send(QueueName.WAKES, [f"of {number}"])
    assert [one.body for one in queues[2].receive(QueueName.WAKES, 10, 0)] == ["of 2"]
    queues[0].gather(2)
    queues[0].release_all()
    assert [one.body for one in queues[0].receive(QueueName.WAKES, 10, 0)] == ["of 0", "of 2"]
    assert [one.body for one in queues[1].receive(QueueName.WAKES, 10, 0)] == ["of 1"]
    database.close()


# ── the parts ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pair() -> Iterator[tuple[SharedChanges, SharedChanges]]:
    """Return the changes of two processes, here in one."""
    memory, pipes = shared_memory.create(), [os.pipe() for _ in range(2)]
    made = []
    for number in range(2):
        post = Post(number, pipes[number][0], [pipe[1] for pipe in pipes])
        made.append(SharedChanges(FakeClock(), SharedMemory(memory, number), post))
        post.start()
    yield made[0], made[1]
    os.close(memory)
    for _, outbox in pipes:
        os.close(outbox)


def test_a_change_elsewhere_wakes_one_that_watches(pair: tuple[SharedChanges, SharedChanges]) -> None:
    here, there = pair
    with here.watch("ns", "run") as watch:
        there.notify("ns", "run", is_over=False)
        began = time.monotonic()
        assert watch.wait(1_900)
        assert time.monotonic() - began < 1.9
    with here.watch("ns", "run", only_end=True) as watch:
        there.notify("ns", "run", is_over=False)
        there.notify("ns", "other", is_over=True)
        assert not watch.wait(50)
        there.notify("ns", "run", is_over=True)
        assert watch.wait(1_900)


def test_one_that_waits_looks_by_itself_from_time_to_time(pair: tuple[SharedChanges, SharedChanges]) -> None:
    """A note can be lost, so a watch returns after LOOK_AGAIN_MS in all."""
    with pair[0].watch("ns", "run") as watch:
        waits = [watch.wait(1) for _ in range(LOOK_AGAIN_MS)]
        assert waits.count(True) == 1
        assert waits[-1]


def test_a_full_pipe_keeps_nobody_waiting() -> None:
    inbox, outbox = os.pipe()
    os.set_blocking(outbox, False)
    post = Post(0, inbox, [outbox, outbox])
    for _ in range(100_000):
        post.send(1, Kind.CHANGED, 1)
    os.close(outbox)
    os.close(inbox)


def test_times_of_callers_are_shared() -> None:
    descriptor = shared_memory.create()
    here, there = SharedMemory(descriptor, 0).call_times, SharedMemory(descriptor, 1).call_times
    assert here.get("caller") is None
    for number in range(1_000):
        here.put(f"caller {number}", 10**15 + number)
    assert [there.get(f"caller {number}") for number in range(0, 1_000, 100)] == [
        10**15 + number for number in range(0, 1_000, 100)
    ]
    there.put("caller 5", 10**16)
    assert here.get("caller 5") == 10**16
    os.close(descriptor)


def test_connections_are_shared_out(door: Door) -> None:
    """Each process gets as many of the connections that stay open."""
    sessions = [requests.Session() for _ in range(2 * PROCESSES)]
    before = [_sockets(member) for member in door.members]
    for session in sessions:
        assert session.get(f"{door.url}/healthz", timeout=30).json() == {"status": "ok"}
    assert [_sockets(member) - known for member, known in zip(door.members, before, strict=True)] == [2] * PROCESSES
    for session in sessions:
        session.close()


def _sockets(process: int) -> int:
    """Return how many TCP connections of clients the process has open."""
    count = 0
    inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]}
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            name = descriptor.readlink().name
            count += name.startswith("socket:[") and name[8:-1] in inodes
    return count
