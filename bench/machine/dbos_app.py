"""The flow as a workflow of DBOS over SQLite, with its defaults: `python -m bench.machine.dbos_app HOST:PORT FILE`."""

import os
import sys
from threading import local

import sqlalchemy
from dbos import DBOS, DBOSConfig

from bench.machine.library import STEPS, Step, serve
from bench.machine.load import Run

PLACE, FILE = sys.argv[1:]
_mine = local()


@DBOS.step()
def work(number: int) -> dict[str, int]:
    if not hasattr(_mine, "step"):
        _mine.step = Step(PLACE)
    answer: dict[str, int] = _mine.step(number)
    return answer


@DBOS.workflow()
def flow() -> None:
    for number in range(STEPS):
        work(number)


def run() -> None:
    flow()


def connect() -> Run:
    return run


def durability() -> dict[str, str]:
    """Return how SQLite commits in connections like those of DBOS."""
    engine = sqlalchemy.create_engine(f"sqlite:///{FILE}")
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
    return {name: str(value) for name, value in found.items()}


if __name__ == "__main__":
    # Traces, logs (OTLP) and the hosted console (Conductor) are off unless they are configured.
    DBOS(
        config=DBOSConfig(name="bench", system_database_url=f"sqlite:///{FILE}", log_level="WARNING", enable_otlp=False)
    )
    DBOS.launch()
    serve(connect, durability())
    os._exit(0)  # its threads never end
