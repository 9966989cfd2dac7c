"""The peers, each as its documentation says to use it on one machine, and the floor."""

import itertools
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench import peers
from bench.machine.library import STEPS
from bench.machine.load import Clients, Run, Window
from bench.machine.processes import Process, free_port, output_of
from bench.machine.systems import REQUIREMENTS, Durability, Meter, Role

RESTATE_VERSION: Final = "1.7.12"
_MOTO_POLL_S: Final = 0.02
_AWS_HEADERS: Final = {
    "Content-Type": "application/x-amz-json-1.0",
    "Authorization": "AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/states/aws4_request, "
    "SignedHeaders=host, Signature=none",
}


def _version(package: str) -> str:
    lines = REQUIREMENTS.read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.partition("==")[0].partition("[")[0] == package)


def _in_library(process: Process, clients: int, warm_up: float, seconds: float) -> Window:
    answer = json.loads(process.ask(json.dumps([clients, warm_up, seconds])))
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return Window(**answer)


class Plain:
    """Five requests in a row."""

    role = Role.FLOOR
    rows: tuple[str, ...] = ("Python without an engine",)

    @contextmanager
    def running(self, folder: Path, service: str) -> Iterator[Mapping[str, Meter]]:
        command = [sys.executable, "-m", "bench.machine.plain_app", urlsplit(service).netloc]
        with Process(command, folder / "log") as process:
            process.line()
            yield {self.rows[0]: partial(_in_library, process)}

    def durability(self) -> Durability:
        return Durability("no", "no", "nothing is stored")


class Dbos:
    """A library: its clients run in its process."""

    role = Role.PEER
    rows: tuple[str, ...] = (f"DBOS {_version('dbos')}, SQLite",)

    def __init__(self) -> None:
        self._facts: dict[str, str] = {}

    @contextmanager
    def running(self, folder: Path, service: str) -> Iterator[Mapping[str, Meter]]:
        python = peers.python(REQUIREMENTS)
        command: list[str | Path] = [
            python,
            "-m",
            "bench.machine.dbos_app",
            urlsplit(service).netloc,
            folder / "dbos.sqlite",
        ]
        with Process(command, folder / "log") as process:
            self._facts = json.loads(process.line())
            yield {self.rows[0]: partial(_in_library, process)}

    def durability(self) -> Durability:
        journal, synchronous = self._facts["journal_mode"], int(self._facts["synchronous"])
        name = ("OFF", "NORMAL", "FULL", "EXTRA")[synchronous]
        power = "yes" if synchronous >= 2 else "not the last ones"
        return Durability("yes", power, f"its defaults: SQLite, journal {journal}, synchronous {name}")


class Restate:
    """Its server (npm), and a handler of its Python SDK under hypercorn; both are counted as the system."""

    role = Role.PEER
    rows: tuple[str, ...] = (f"Restate {RESTATE_VERSION}, Python SDK {_version('restate-sdk')}",)

    def __init__(self) -> None:
        self._config = ""

    @contextmanager
    def running(self, folder: Path, service: str) -> Iterator[Mapping[str, Meter]]:
        modules, python = peers.node("@restatedev/restate-server", RESTATE_VERSION), peers.python(REQUIREMENTS)
        ingress, admin, node = free_port(), free_port(), free_port()
        settings = {
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_BASE_DIR": str(folder / "restate"),
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_BIND_PORT": str(node),
            "RESTATE_INGRESS__BIND_PORT": str(ingress),
            "RESTATE_ADMIN__BIND_PORT": str(admin),
            "RESTATE_LOG_FILTER": "warn",
        }
        command: list[str | Path] = [modules / ".bin" / "restate-server", "--no-logo"]
        app: list[str | Path] = [python, "-m", "bench.machine.restate_app", service]
        with Process(app, folder / "app.log") as handler, Process(command, folder / "log", settings) as server:
            uri = handler.line()
            server.wait_for(admin, "/health")
            _post(HTTPConnection("127.0.0.1", admin), "/deployments", {"uri": uri})
            self._config = output_of([*command, "--dump-config"], settings)
            yield {self.rows[0]: partial(self._measure, (server, handler), ingress)}

    def _measure(
        self, processes: tuple[Process, ...], port: int, clients: int, warm_up: float, seconds: float
    ) -> Window:
        def cpu() -> float:
            return sum(process.cpu() for process in processes)

        return Clients(lambda: self._connect(port), clients).measure(warm_up, seconds, cpu)

    def _connect(self, port: int) -> Run:
        connection = HTTPConnection("127.0.0.1", port)
        return lambda: _post(connection, "/flow/run", 1) and None

    def durability(self) -> Durability:
        syncs = "rocksdb-disable-wal-fsync = true" not in self._config
        how = "an fsync of each batch" if syncs else "no fsync (`rocksdb-disable-wal-fsync`)"
        return Durability("yes", "yes" if syncs else "not the last ones", f"its defaults: a log in RocksDB, {how}")


class Moto:
    """AWS's emulator: a machine of five `apigateway:invoke` tasks, which its server sends as plain HTTP."""

    role = Role.PEER
    rows: tuple[str, ...] = (f"Step Functions of moto {_version('moto')}",)
    _ids = itertools.count()

    @contextmanager
    def running(self, folder: Path, service: str) -> Iterator[Mapping[str, Meter]]:
        with Process([peers.python(REQUIREMENTS), "-m", "bench.machine.moto_app"], folder / "log") as process:
            port = urlsplit(process.line()).port or 0
            machine = {
                "name": "flow",
                "definition": json.dumps(_machine(service)),
                "roleArn": "arn:aws:iam::123456789012:role/r",
            }
            arn = _aws(HTTPConnection("127.0.0.1", port), "CreateStateMachine", machine)["stateMachineArn"]
            yield {self.rows[0]: partial(self._measure, process, port, arn)}

    def _measure(self, process: Process, port: int, arn: str, clients: int, warm_up: float, seconds: float) -> Window:
        return Clients(lambda: self._connect(port, arn), clients).measure(warm_up, seconds, process.cpu)

    def _connect(self, port: int, arn: str) -> Run:
        connection = HTTPConnection("127.0.0.1", port)

        def run() -> None:
            order = {"stateMachineArn": arn, "name": f"r{next(self._ids)}", "input": "{}"}
            execution = {"executionArn": _aws(connection, "StartExecution", order)["executionArn"]}
            while (found := _aws(connection, "DescribeExecution", execution))["status"] == "RUNNING":
                time.sleep(_MOTO_POLL_S)
            if found["status"] != "SUCCEEDED":
                raise RuntimeError(f"the execution has {found['status']}: {found.get('cause')}")

        return run

    def durability(self) -> Durability:
        return Durability("no", "no", "in memory")


def _machine(service: str) -> dict[str, Any]:
    states = {}
    for number in range(STEPS):
        after = {"Next": f"S{number + 1}"} if number + 1 < STEPS else {"End": True}
        given = {"ApiEndpoint": service, "Method": "POST", "Headers": {}, "RequestBody": {"i": number}, "Path": "rest"}
        states[f"S{number}"] = {
            "Type": "Task",
            "Resource": "arn:aws:states:::apigateway:invoke",
            "Parameters": {**given, "Stage": ""},
            "ResultSelector": {"n.$": "$.ResponseBody.n"},
            **after,
        }
    return {"StartAt": "S0", "States": states}


def _aws(connection: HTTPConnection, operation: str, given: object) -> Any:
    return _post(connection, "/", given, {**_AWS_HEADERS, "X-Amz-Target": f"AWSStepFunctions.{operation}"})


def _post(connection: HTTPConnection, path: str, given: object, headers: Mapping[str, str] | None = None) -> Any:
    connection.request("POST", path, json.dumps(given), {"Content-Type": "application/json", **(headers or {})})
    response = connection.getresponse()
    text = response.read()
    if response.status >= 300:
        raise RuntimeError(f"POST {path}: {response.status} {text[:300]!r}")
    return json.loads(text)
