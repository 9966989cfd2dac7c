"""Systems that are libraries, whose clients run in their process: DBOS, and no engine at all as the floor."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bench import peers
from bench.machine.load import Window
from bench.machine.processes import Process
from bench.machine.systems import REQUIREMENTS, Durability, Form, Role, Row, Running, Service, version


def _measure(process: Process, form: Form, service: Service, clients: int, warm_up: float, seconds: float) -> Window:
    answer = json.loads(process.ask(json.dumps([form.value, clients, warm_up, seconds, service.group])))
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return Window(**answer)


def _running(rows: tuple[Row, ...], process: Process, service: Service) -> Running:
    return Running({row.name: partial(_measure, process, row.form, service) for row in rows}, (process,))


class Plain:
    """Five requests in a row."""

    role = Role.FLOOR
    rows: tuple[Row, ...] = (Row("Python without an engine", Form.DIRECT),)

    @contextmanager
    def running(self, folder: Path, service: Service) -> Iterator[Running]:
        command = [sys.executable, "-m", "bench.machine.apps.plain_app", urlsplit(service.url).netloc]
        with Process(command, folder / "log") as process:
            process.line()
            yield _running(self.rows, process, service)

    def durability(self) -> Durability:
        return Durability("no", "no", "nothing is stored")


class Dbos:
    """Workflows over SQLite: steps that call the service, and steps that hand over and wait for a message."""

    role = Role.PEER
    rows: tuple[Row, ...] = (
        Row(f"DBOS {version('dbos')}, SQLite", Form.DIRECT),
        Row(f"DBOS {version('dbos')}, SQLite: recv and send", Form.CALLBACK),
    )

    def __init__(self) -> None:
        self._facts: dict[str, str] = {}

    @contextmanager
    def running(self, folder: Path, service: Service) -> Iterator[Running]:
        app: list[str | Path] = [peers.python(REQUIREMENTS), "-m", "bench.machine.apps.dbos_app"]
        with Process([*app, urlsplit(service.url).netloc, folder / "dbos.sqlite"], folder / "log") as process:
            self._facts = json.loads(process.line())
            yield _running(self.rows, process, service)

    def durability(self) -> Durability:
        journal, synchronous = self._facts["journal_mode"], int(self._facts["synchronous"])
        name = ("OFF", "NORMAL", "FULL", "EXTRA")[synchronous]
        power = "yes" if synchronous >= 2 else "not the last ones"
        return Durability("yes", power, f"its defaults: SQLite, journal {journal}, synchronous {name}")
