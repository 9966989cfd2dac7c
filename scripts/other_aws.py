#!/usr/bin/env python3
"""Other implementations of DynamoDB and SQS on this machine, for tests that must not depend on moto alone.

    scripts/other_aws.py run -- python -m pytest -q tests/acceptance tests/durability    # start, run, stop
    scripts/other_aws.py start          # by hand: download missing packages, start, print the environment
    eval "$(scripts/other_aws.py env)"  # ECHOER_DYNAMODB_URL, ECHOER_SQS_URL, ECHOER_OTHER_AWS=1
    scripts/other_aws.py stop           # stop the servers that it started

| maker | service | from | needs | lacks |
|---|---|---|---|---|
| dynalite 4.0.0 | DynamoDB, Apache-2.0 | npm | node 20 | transactions, time to live |
| ElasticMQ 1.7.1 | SQS, Apache-2.0 | Maven Central | java 11, mvn | SqsManagedSseEnabled (ignored) |
| ministack 1.5.33 | both, MIT | PyPI | python 3.11 | (`--maker ministack`) |

`--maker dynalite` (the default) is dynalite with ElasticMQ. All listen on 127.0.0.1 only, on free ports, and
store no data. Packages, logs and pid files are in `--home` (ECHOER_OTHER_AWS_HOME, .echoer/other-aws).
"""

# ruff: noqa: S603, T201 - its own commands, and output for a shell

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

DYNALITE: Final = "dynalite@4.0.0"
ELASTICMQ: Final = "1.7.1"
MINISTACK: Final = "ministack==1.5.33"
START_TIMEOUT_S: Final = 60.0

POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>elasticmq</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.elasticmq</groupId><artifactId>elasticmq-server_2.13</artifactId><version>{ELASTICMQ}</version>
  </dependency></dependencies>
</project>
"""


GUARD: Final = """// dynalite exits when a client closes the connection during a request, as a killed client does
process.on('uncaughtException', error => { if (error.code !== 'ECONNRESET') throw error })
"""


class ServerError(Exception):
    """A package is missing or a server did not start; the message has the details."""


class Server(ABC):
    """A program: how to install it, how to start it, and where it listens."""

    name: str
    variables: tuple[str, ...]

    def __init__(self, home: Path) -> None:
        self.place = home / self.name
        self.log = home / f"{self.name}.log"
        self.pid = home / f"{self.name}.pid"

    @abstractmethod
    def install(self) -> None:
        """Install the program from its package registry, unless it is installed."""

    @abstractmethod
    def command(self, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
        """Return the command, and the environment variables that it needs in addition."""

    def start(self) -> None:
        """Start the program, unless it is running, and wait until it answers."""
        if self.running():
            return
        self.install()
        port = free_port()
        words, variables = self.command(port)
        with self.log.open("wb") as log:
            started = subprocess.Popen(
                words,
                env={**os.environ, **variables},
                cwd=self.place,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.pid.write_text(f"{started.pid} {port} {_began(started.pid)}\n")
        give_up = time.monotonic() + START_TIMEOUT_S
        while not _answers(port):
            if started.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise ServerError(f"{self.name} did not start; the end of {self.log}:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def running(self) -> tuple[int, int] | None:
        """Return the process id and the port; None if it is not running, or its id now belongs to another process."""
        try:
            pid, port, began = self.pid.read_text().split()
        except (OSError, ValueError):
            return None
        return (int(pid), int(port)) if began == _began(int(pid)) else None

    def stop(self) -> None:
        """Stop the program if it is running."""
        found = self.running()
        if found:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(found[0], number)
                give_up = time.monotonic() + 5
                while _alive(found[0]) and time.monotonic() < give_up:
                    time.sleep(0.05)
        self.pid.unlink(missing_ok=True)

    def environment(self) -> dict[str, str]:
        found = self.running()
        if not found:
            raise ServerError(f"{self.name} is not running; start it with {sys.argv[0]} start")
        return dict.fromkeys(self.variables, f"http://127.0.0.1:{found[1]}")


class Dynalite(Server):
    name, variables = "dynalite", ("ECHOER_DYNAMODB_URL",)

    def install(self) -> None:
        if not (self.place / "node_modules/dynalite").is_dir():
            self.place.mkdir(parents=True, exist_ok=True)
            _do("npm", "install", "--prefix", str(self.place), "--no-audit", "--no-fund", "--silent", DYNALITE)

    def command(self, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
        (self.place / "guard.js").write_text(GUARD)
        script = ("-r", "./guard.js", "node_modules/dynalite/cli.js")
        quick = ("--createTableMs", "0", "--deleteTableMs", "0")
        return ("node", *script, "--host", "127.0.0.1", "--port", str(port), *quick), {}


class ElasticMq(Server):
    name, variables = "elasticmq", ("ECHOER_SQS_URL",)

    def install(self) -> None:
        if not (self.place / "lib" / f"elasticmq-server_2.13-{ELASTICMQ}.jar").is_file():
            self.place.mkdir(parents=True, exist_ok=True)
            (self.place / "pom.xml").write_text(POM)
            _do("mvn", "-q", "-B", "-f", str(self.place / "pom.xml"), "dependency:copy-dependencies",
                f"-DoutputDirectory={self.place / 'lib'}")  # fmt: skip

    def command(self, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
        settings = {
            "rest-sqs.bind-hostname": "127.0.0.1",
            "rest-sqs.bind-port": port,
            "node-address.host": "127.0.0.1",
            "node-address.port": port,
            "rest-stats.enabled": "false",
        }
        options = [f"-D{name}={value}" for name, value in settings.items()]
        return ("java", "-Xmx384m", *options, "-cp", "lib/*", "org.elasticmq.server.Main"), {}


class MiniStack(Server):
    name, variables = "ministack", ("ECHOER_DYNAMODB_URL", "ECHOER_SQS_URL")

    def install(self) -> None:
        if not (self.place / "bin" / "hypercorn").is_file():
            _do(sys.executable, "-m", "venv", str(self.place))
            _do(str(self.place / "bin/python"), "-m", "pip", "install", "-q", MINISTACK)

    def command(self, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
        variables = {"GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1", "LOG_LEVEL": "WARNING"}
        return (
            "bin/hypercorn",
            "ministack.app:app",
            "--bind",
            f"127.0.0.1:{port}",
            "--log-level",
            "warning",
        ), variables


MAKERS: Final[dict[str, tuple[type[Server], ...]]] = {"dynalite": (Dynalite, ElasticMq), "ministack": (MiniStack,)}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _do(*words: str) -> None:
    print(f"+ {' '.join(words)}", file=sys.stderr)
    try:
        subprocess.run(words, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise ServerError(f"{words[0]}: {exc}") from exc


def _answers(port: int) -> bool:
    """Return whether the port answers HTTP requests, with any status."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://127.0.0.1:{port}/", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _began(pid: int) -> str:
    """Return the start time of the process in kernel ticks, since a process id alone may have been reused."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "gone" if not _alive(pid) else "unknown"
    return "gone" if fields[0] == "Z" else fields[19]


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def environment(servers: Sequence[Server]) -> dict[str, str]:
    """Return the environment variables for tests and `fsl local --aws`."""
    found = {"ECHOER_OTHER_AWS": "1"}
    for server in servers:
        found |= server.environment()
    return found


def run(servers: Sequence[Server], words: Sequence[str]) -> int:
    """Run the command while the servers run. Return its exit code."""
    started = [server for server in servers if not server.running()]
    try:
        for server in servers:
            server.start()
        return subprocess.run(words, env={**os.environ, **environment(servers)}, check=False).returncode
    finally:
        for server in started:
            server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--maker", choices=MAKERS, default="dynalite")
    parser.add_argument("--home", default=os.environ.get("ECHOER_OTHER_AWS_HOME", ".echoer/other-aws"))
    parser.add_argument("what", choices=["install", "start", "stop", "env", "run"])
    parser.add_argument("command", nargs=argparse.REMAINDER, help="for run: -- COMMAND ...")
    asked = parser.parse_args()
    home = Path(asked.home).resolve()
    home.mkdir(parents=True, exist_ok=True)
    servers = [kind(home) for kind in MAKERS[asked.maker]]
    try:
        if asked.what == "run":
            return run(servers, [word for word in asked.command if word != "--"])
        if asked.what in ("install", "start", "stop"):
            for server in servers:
                getattr(server, asked.what)()
        if asked.what in ("start", "env"):
            print("\n".join(f"export {name}={value}" for name, value in environment(servers).items()))
    except ServerError as exc:
        print(f"{sys.argv[0]}: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
