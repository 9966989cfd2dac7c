"""The flow as workflows of DBOS over SQLite: `python -m bench.machine.apps.dbos_app HOST:PORT FILE`.

By callback, a workflow hands the work over in a step and waits in `DBOS.recv`; the answer comes by HTTP into this
process, which calls `DBOS.send`.
"""

import os
import sys
from threading import local
from typing import Final

import sqlalchemy
from dbos import DBOS, DBOSConfig

from bench.machine.apps.callbacks import listen
from bench.machine.apps.library import Step, serve
from bench.machine.load import STEPS, Run

PLACE, FILE = sys.argv[1:]
POLL_S: Final = 0.003
"""How often DBOS looks into SQLite for messages.

The default of 1 s would be the duration of each step. Its least of 1 ms takes CPU from the workflows: it looks for each
of those that wait.
"""

_WAIT_S: Final = 60
_mine = local()
_url = ""


def _step() -> Step:
    if not hasattr(_mine, "step"):
        _mine.step = Step(PLACE)
    step: Step = _mine.step
    return step


@DBOS.step()
def work(number: int) -> object:
    return _step()(number)


@DBOS.step()
def hand_over(number: int, workflow: str) -> None:
    _step().hand_over(number, f"{_url}/{workflow}/{number}")


@DBOS.workflow()
def direct() -> None:
    for number in range(STEPS):
        work(number)


@DBOS.workflow()
def by_callback() -> None:
    workflow = str(DBOS.workflow_id)
    for number in range(STEPS):
        hand_over(number, workflow)
        if DBOS.recv(str(number), timeout_seconds=_WAIT_S) is None:
            raise RuntimeError(f"no answer after {_WAIT_S} s")


def called_back(path: str, answer: object) -> None:
    _, workflow, topic = path.split("/")
    DBOS.send(workflow, answer, topic)


def connect_direct() -> Run:
    return lambda: direct()


def connect_by_callback() -> Run:
    return lambda: by_callback()


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
        config=DBOSConfig(
            name="bench",
            system_database_url=f"sqlite:///{FILE}",
            log_level="WARNING",
            enable_otlp=False,
            notification_listener_polling_interval_sec=POLL_S,
        )
    )
    DBOS.launch()
    _url = listen(called_back)
    serve({"direct": connect_direct, "callback": connect_by_callback}, durability())
    os._exit(0)  # its threads never end
