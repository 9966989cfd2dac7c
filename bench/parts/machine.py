"""One machine: a flow of five HTTP steps, beside the peers that run on one machine, too."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from bench.machine.disk import flush_ms
from bench.machine.others import Dbos, Moto, Plain, Restate
from bench.machine.own import Echoer
from bench.machine.processes import Process
from bench.machine.results import CLIENTS, Results, report
from bench.machine.systems import Role, System
from bench.peers import FOLDER, Unavailable

TITLE = "One machine: five HTTP steps"

ROUNDS: Final = 3
WARM_UP_S: Final = 0.5
_MIN_S: Final = 0.2


def measure(seconds: float) -> str:
    """Measure each row with each number of clients for `seconds` in all, in rounds in which all systems take turns."""
    systems: list[System] = [Echoer("process"), Echoer("power"), Dbos(), Restate(), Moto(), Plain()]
    results = Results(systems)
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=FOLDER))
    try:
        for turn in range(ROUNDS):
            for system in systems[turn:] + systems[:turn]:
                if system.rows[0] not in results.failures:
                    _measure_system(results, system, Path(tempfile.mkdtemp(dir=folder)), seconds / ROUNDS)
        return report(results, flush_ms(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure_system(results: Results, system: System, folder: Path, seconds: float) -> None:
    """Measure one round of a system. A peer that fails is noted, and does not end the run."""
    try:
        service = Process([sys.executable, "-m", "bench.machine.service"], folder / "service.log")
        with service, system.running(folder, service.line()) as meters:
            for row, meter in meters.items():
                for clients in CLIENTS:
                    window = meter(clients, WARM_UP_S, max(_MIN_S, seconds - WARM_UP_S))
                    results.add(row, clients, window)
                    click.echo(f"  {row}, {clients}: {len(window.durations) / window.seconds:.1f} runs/s", err=True)
    except Exception as error:
        if system.role is Role.OWN:
            raise
        reason = str(error) if isinstance(error, Unavailable) else repr(error)
        results.failures[system.rows[0]] = reason
        click.echo(f"  {system.rows[0]}: {reason}", err=True)
