"""Restate: its server from npm, and handlers of its Python SDK under hypercorn; both are counted as the system."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from bench import peers
from bench.machine import wire
from bench.machine.clients import HttpClients
from bench.machine.load import Window
from bench.machine.processes import Process, cpu_of, free_port, output_of
from bench.machine.systems import REQUIREMENTS, Durability, Form, Role, Row, Running, Service, version

RESTATE_VERSION: Final = "1.7.12"
_NAME: Final = f"Restate {RESTATE_VERSION}, Python SDK {version('restate-sdk')}"


MAX_WORKERS: Final = 4
_TRY_CLIENTS: Final = 8
_TRY_S: Final = 1.0


class Restate:
    """A handler of five `ctx.run`, and one of five awakeables.

    The handler has one process or as many as the machine has cores, at most four: the first round tries both, and the
    faster one is measured.
    """

    role = Role.PEER
    rows: tuple[Row, ...] = (Row(_NAME, Form.DIRECT), Row(f"{_NAME}: awakeables", Form.CALLBACK))

    def __init__(self, cores: int | None = os.cpu_count()) -> None:
        self._config = ""
        self._most = min(cores or 1, MAX_WORKERS)
        self._workers = 0

    @contextmanager
    def running(self, folder: Path, service: Service) -> Iterator[Running]:
        self._workers = self._workers or self._fastest(folder, service)
        with self.started_with(folder, service, self._workers) as running:
            yield running

    def _fastest(self, folder: Path, service: Service) -> int:
        found = {}
        for workers in {1, self._most}:
            apart = folder / f"workers-{workers}"
            apart.mkdir()
            with self.started_with(apart, service, workers) as running:
                window = running.meters[self.rows[0].name](_TRY_CLIENTS, _TRY_S, _TRY_S)
            found[workers] = len(window.durations) / window.seconds
        return max(found, key=lambda workers: found[workers])

    @contextmanager
    def started_with(self, folder: Path, service: Service, workers: int) -> Iterator[Running]:
        """Start it with so many processes for its handlers."""
        modules, python = peers.node("@restatedev/restate-server", RESTATE_VERSION), peers.python(REQUIREMENTS)
        ports = {name: free_port() for name in ("RESTATE_BIND", "RESTATE_INGRESS__BIND", "RESTATE_ADMIN__BIND")}
        ingress = f"127.0.0.1:{ports['RESTATE_INGRESS__BIND']}"
        admin = ports["RESTATE_ADMIN__BIND"]
        settings = {
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_BASE_DIR": str(folder / "restate"),
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_LOG_FILTER": "warn",
            **{f"{name}_PORT": str(port) for name, port in ports.items()},
        }
        command: list[str | Path] = [modules / ".bin" / "restate-server", "--no-logo"]
        app: list[str | Path] = [python, "-m", "bench.machine.apps.restate_app", str(workers)]
        places = {"BENCH_SERVICE": service.url, "BENCH_INGRESS": f"http://{ingress}"}
        with Process(app, folder / "app.log", places) as handler, Process(command, folder / "log", settings) as server:
            uri = handler.line()
            server.wait_for(admin, "/health")
            with wire.Kept(f"127.0.0.1:{admin}") as kept:
                kept.post("/deployments", {"uri": uri})
            self._config = output_of([*command, "--dump-config"], settings)
            groups = (server, handler)
            yield Running(
                {row.name: partial(_measure, groups, ingress, row.form, service) for row in self.rows}, groups
            )

    def durability(self) -> Durability:
        syncs = "rocksdb-disable-wal-fsync = true" not in self._config
        how = "an fsync of each batch" if syncs else "no fsync (`rocksdb-disable-wal-fsync`)"
        return Durability("yes", "yes" if syncs else "not the last ones", f"its defaults: a log in RocksDB, {how}")


def _measure(
    groups: tuple[Process, ...],
    ingress: str,
    form: Form,
    service: Service,
    clients: int,
    warm_up: float,
    seconds: float,
) -> Window:
    start = wire.request("POST", ingress, f"/flow/{form.value}", b"1")

    def run() -> Generator[bytes | float, wire.Message, None]:
        answer = yield start
        if answer.status != 200:
            raise wire.Refused(f"the run ended with {answer.status} {answer.body[:300]!r}")

    return HttpClients(ingress, run, clients).measure(warm_up, seconds, cpu_of(groups), service.cpu)
