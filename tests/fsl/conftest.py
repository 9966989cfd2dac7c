"""Servers for tests: one in this process with a store in memory, others in separate processes with a file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib.config import Settings
from fsl.cli.main import main
from fsl.client import Client
from fsl.examples.services import ExampleServices
from fsl.local.demo import DOCUMENT
from fsl.local.server import LocalServer

ROOT = Path(__file__).resolve().parents[2]
RELEASE = DOCUMENT.read_text()

ASKING = """
action ask
    addr = "http://127.0.0.1:9/never";
    args = (str question = "?");
    return = (YES | NO);
    retry = (max = 50, delay = 1h);
action_end
/
flow ask_once
    step Ask => (YES -> done | NO -> stopped) { action = ask; };
flow_end
/
"""
"""A flow of waiting runs: the address of its action refuses connections, and the next attempt is an hour later."""


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Return the result of the condition once it is true; fail after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        threading.Event().wait(0.01)
    raise AssertionError(f"not so within {seconds:g} s")


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(Settings(port=0, url="http://127.0.0.1:0", db=":memory:")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: LocalServer) -> Client:
    return Client(server.url)


@pytest.fixture(scope="module")
def services(server: LocalServer) -> Iterator[ExampleServices]:
    with ExampleServices(0, f"{server.url}/step") as running:
        yield running


@pytest.fixture(scope="module")
def release(services: ExampleServices) -> str:
    """Return the example document with the addresses of `services`."""
    return RELEASE.replace("//localhost:18080/", f"//127.0.0.1:{services.port}/")


@pytest.fixture(scope="module")
def asking(client: Client) -> str:
    """Submit a flow of waiting runs, and return its name."""
    client.submit(ASKING)
    return "ask_once"


@dataclass(frozen=True)
class Cli:
    """Runs commands against a server."""

    url: str

    def __call__(self, *words: str, text: str | None = None) -> Result:
        return CliRunner().invoke(main, words, input=text, env={"ECHOER_URL": self.url}, prog_name="fsl")

    def json(self, *words: str, text: str | None = None) -> Any:
        """Return the JSON that the command prints with `--json`; standard output must contain nothing else."""
        return json.loads(self(*words, "--json", text=text).stdout)


@pytest.fixture(scope="module")
def fsl(server: LocalServer) -> Cli:
    return Cli(server.url)


class Process:
    """`fsl local` in a separate process. `said` contains what it wrote to standard error."""

    def __init__(self, *options: str, port: int = 0, **environment: str) -> None:
        self.running = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "fsl.cli.main", "local", "--port", str(port), *options],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def url(self) -> str:
        """Wait until the server listens, and return its URL."""
        found = until(lambda: re.search(r"listening on (\S+),", "".join(self.said)) or self.running.poll() is not None)
        assert isinstance(found, re.Match), "".join(self.said)
        return str(found[1])

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def end(self, signal: int, seconds: float = 8) -> int:
        self.running.send_signal(signal)
        return self.running.wait(seconds)

    def close(self) -> None:
        """Kill the process if it is running, and close its pipes."""
        self.running.kill()
        self.running.wait()
        self._listener.join()
        for pipe in (self.running.stdout, self.running.stderr):
            if pipe:
                pipe.close()

    def _listen(self) -> None:
        for line in self.running.stderr or ():
            self.said.append(line)


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start servers that are stopped after the test."""
    started: list[Process] = []

    def begin(*options: str, port: int = 0, **environment: str) -> Process:
        started.append(Process(*options, port=port, **environment))
        return started[-1]

    yield begin
    for process in started:
        process.close()
