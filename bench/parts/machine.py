"""One machine: a flow of five HTTP steps, beside the peers that run on one machine, too."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from bench.machine.disk import flush_ms
from bench.machine.libraries import Dbos, Plain
from bench.machine.load import STEPS
from bench.machine.moto import Moto
from bench.machine.own import Echoer
from bench.machine.processes import Process
from bench.machine.restate import Restate
from bench.machine.results import CLIENTS, Results, report
from bench.machine.systems import Role, Running, Service, System
from bench.peers import FOLDER, Unavailable

TITLE = "One machine: five HTTP steps"

ROUNDS: Final = 3
WARM_UP_S: Final = 0.3
_SHARE: Final = 0.6
_MIN_S: Final = 0.2


def measure(seconds: float) -> str:
    """Measure each row with each number of clients for 0.6 times `seconds`; all systems take turns."""
    systems: list[System] = [Echoer("process"), Echoer("power"), Dbos(), Restate(), Moto(), Plain()]
    results = Results(systems)
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=FOLDER))
    try:
        for turn in range(ROUNDS):
            for system in systems[turn:] + systems[:turn]:
                measure_system(results, system, Path(tempfile.mkdtemp(dir=folder)), _SHARE * seconds / ROUNDS)
        return report(results, flush_ms(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure_system(results: Results, system: System, folder: Path, seconds: float) -> None:
    """Measure one round of a system. A peer that fails is noted, and does not end the run."""
    rows = [row.name for row in system.rows if row.name not in results.failures]
    with Process([sys.executable, "-m", "bench.machine.service"], folder / "service.log") as process:
        service = Service(process.line(), process.group)
        while rows:
            with _noted(results, system, rows), system.running(folder, service) as running:
                while rows:
                    _measure_row(results, rows[0], running, service, seconds)
                    del rows[0]
                results.processes[system.rows[0].name] = sum(group.count() for group in running.groups)


@contextmanager
def _noted(results: Results, system: System, rows: list[str]) -> Iterator[None]:
    """Note why the first of these rows cannot be measured, and all of them if the system is not there."""
    try:
        yield
    except Exception as error:
        if system.role is Role.OWN:
            raise
        reason = str(error) if isinstance(error, Unavailable) else repr(error)
        for row in rows if isinstance(error, Unavailable) else rows[:1]:
            results.failures[row] = reason
            click.echo(f"  {row}: {reason}", err=True)
        del rows[: len(rows) if isinstance(error, Unavailable) else 1]


def _measure_row(results: Results, row: str, running: Running, service: Service, seconds: float) -> None:
    """Measure a row with each number of clients. Raises RuntimeError if runs ended without all of their steps."""
    for clients in CLIENTS:
        before = service.requests()
        window = running.meters[row](clients, WARM_UP_S, max(_MIN_S, seconds))
        asked = service.requests() - before
        if asked < STEPS * window.runs:
            raise RuntimeError(f"the service was asked {asked} times in {window.runs} runs of {STEPS} steps")
        results.add(row, clients, window)
        click.echo(f"  {row}, {clients}: {len(window.durations) / window.seconds:.1f} runs/s", err=True)
