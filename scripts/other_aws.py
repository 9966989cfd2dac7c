#!/usr/bin/env python3
"""DynamoDB and SQS by other makers than ours and moto's, on this machine, for the tests that want a second opinion.

    scripts/other_aws.py run -- python -m pytest -q tests/acceptance tests/durability    # start, run, stop
    scripts/other_aws.py start          # or by hand: downloads what is missing, starts, prints the environment
    eval "$(scripts/other_aws.py env)"  # ECHOER_DYNAMODB_URL, ECHOER_SQS_URL, ECHOER_OTHER_AWS=1
    scripts/other_aws.py stop           # stops what it started, and only that

| maker | what it is | from | needs | lacks |
|---|---|---|---|---|
| dynalite 4.0.0 | DynamoDB, Apache-2.0 | npm | node 20 | transactions, time to live |
| ElasticMQ 1.7.1 | SQS, Apache-2.0 | Maven Central | java 11, mvn | SqsManagedSseEnabled (ignored) |
| ministack 1.5.33 | both, MIT | PyPI | python 3.11 | (`--maker ministack`) |

`--maker dynalite` (the default) is dynalite with ElasticMQ. All listen on 127.0.0.1 only, at free ports, keep nothing,
and live under `--home` (ECHOER_OTHER_AWS_HOME, .echoer/other-aws): packages, logs, pid files.
"""

# ruff: noqa: S603, T201 - it starts what it names itself, and prints for a shell

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
PATIENCE: Final = 60.0

POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>elasticmq</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.elasticmq</groupId><artifactId>elasticmq-server_2.13</artifactId><version>{ELASTICMQ}</version>
  </dependency></dependencies>
</project>
"""


PATIENT: Final = """// dynalite ends when a client hangs up in the middle of a request, as one does that is killed
process.on('uncaughtException', error => { if (error.code !== 'ECONNRESET') throw error })
"""


class Trouble(Exception):
    """Something is missing, or did not start; the message says what."""


class Server(ABC):
    """One program: how it is had, how it is started, where it is."""

    name: str
    variables: tuple[str, ...]

    def __init__(self, home: Path) -> None:
        self.place = home / self.name
        self.log = home / f"{self.name}.log"
        self.pid = home / f"{self.name}.pid"

    @abstractmethod
    def install(self) -> None:
        """It is there to be started, had by its package's name."""

    @abstractmethod
    def command(self, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
        """What to run, with what beside the environment."""

    def start(self) -> None:
        """It answers. One that runs already is left as it is."""
        if self.running():
            return
        self.install()
        port = free_port()
        words, beside = self.command(port)
        with self.log.open("wb") as log:
            started = subprocess.Popen(
                words,
                env={**os.environ, **beside},
                cwd=self.place,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.pid.write_text(f"{started.pid} {port} {_began(started.pid)}\n")
        give_up = time.monotonic() + PATIENCE
        while not _answers(port):
            if started.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise Trouble(f"{self.name} did not start; {self.log} says:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def running(self) -> tuple[int, int] | None:
        """The process and its port; None if it does not run, or another process has got its number since."""
        try:
            pid, port, began = self.pid.read_text().split()
        except (OSError, ValueError):
            return None
        return (int(pid), int(port)) if began == _began(int(pid)) else None

    def stop(self) -> None:
        """It does not run."""
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
            raise Trouble(f"{self.name} does not run; start it: {sys.argv[0]} start")
        return dict.fromkeys(self.variables, f"http://127.0.0.1:{found[1]}")


class Dynalite(Server):
    name, variables = "dynalite", ("ECHOER_DYNAMODB_URL",)

    def install(self) -> None:
        if not (self.place / "node_modules/dynalite").is_dir():
            self.place.mkdir(parents=True, exist_ok=True)
            _do("npm", "install", "--prefix", str(self.place), "--no-audit", "--no-fund", "--silent", DYNALITE)

    def command(self, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
        (self.place / "patient.js").write_text(PATIENT)
        script = ("-r", "./patient.js", "node_modules/dynalite/cli.js")
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
        told = {
            "rest-sqs.bind-hostname": "127.0.0.1",
            "rest-sqs.bind-port": port,
            "node-address.host": "127.0.0.1",
            "node-address.port": port,
            "rest-stats.enabled": "false",
        }
        options = [f"-D{name}={value}" for name, value in told.items()]
        return ("java", "-Xmx384m", *options, "-cp", "lib/*", "org.elasticmq.server.Main"), {}


class MiniStack(Server):
    name, variables = "ministack", ("ECHOER_DYNAMODB_URL", "ECHOER_SQS_URL")

    def install(self) -> None:
        if not (self.place / "bin" / "hypercorn").is_file():
            _do(sys.executable, "-m", "venv", str(self.place))
            _do(str(self.place / "bin/python"), "-m", "pip", "install", "-q", MINISTACK)

    def command(self, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
        beside = {"GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1", "LOG_LEVEL": "WARNING"}
        return ("bin/hypercorn", "ministack.app:app", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"), beside


MAKERS: Final[dict[str, tuple[type[Server], ...]]] = {"dynalite": (Dynalite, ElasticMq), "ministack": (MiniStack,)}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
    return port


def _do(*words: str) -> None:
    print(f"+ {' '.join(words)}", file=sys.stderr)
    try:
        subprocess.run(words, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise Trouble(f"{words[0]}: {exc}") from exc


def _answers(port: int) -> bool:
    """Whether something speaks HTTP there; what it says does not matter."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://127.0.0.1:{port}/", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _began(pid: int) -> str:
    """When the process began, in the kernel's ticks: a process number alone may be another's by now."""
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
    """What tests and `fsl local --aws` must be told."""
    found = {"ECHOER_OTHER_AWS": "1"}
    for server in servers:
        found |= server.environment()
    return found


def run(servers: Sequence[Server], words: Sequence[str]) -> int:
    """The command's exit code; it ran while the servers did."""
    mine = [server for server in servers if not server.running()]
    try:
        for server in servers:
            server.start()
        return subprocess.run(words, env={**os.environ, **environment(servers)}, check=False).returncode
    finally:
        for server in mine:
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
    except Trouble as exc:
        print(f"{sys.argv[0]}: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
