"""CPU per invocation of warm functions beside their floors: `python -m bench.bill.warm SECONDS FILE...`. Prints JSON.

Our handler and its floor take turns, round by round, in one process; the figure of each is the best of its rounds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.bill.environment import CONTEXT, VARIABLES, invoke, quiet_minute
from bench.bill.records import Case, read

ROUND: Final = 50
"""Invocations per round."""

os.environ.update(VARIABLES)

from bench.bill.floor import Floor  # noqa: E402 - botocore reads the environment
from bench.bill.replay import Replay  # noqa: E402


def invocation(case: Case) -> Callable[[], Any]:
    """Return a function that invokes the handler with the event. The first invocation is checked."""
    import app

    invoke(case.function, case.event)
    handler, event = getattr(app, case.function.partition(".")[2]), case.event
    return lambda: handler(event, CONTEXT)


def cpu_us(run: Callable[[], Any]) -> float:
    """Return the CPU time of one call in microseconds."""
    begun = time.process_time()
    for _ in range(ROUND):
        run()
    return (time.process_time() - begun) / ROUND * 1e6


def measured(case: Case, floor: Floor, seconds: float) -> dict[str, float]:
    """Return the CPU of our handler and of its floor."""
    ways: dict[str, Callable[[], Any]] = {"own": invocation(case), "floor": floor.of(case)}
    if case.to_action:
        ways["floor to AWS"] = floor.calls_to_aws(case.warm)
    best = dict.fromkeys(ways, float("inf"))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, run in ways.items():
            best[name] = min(best[name], cpu_us(run))
    return best


def main(seconds: float, paths: list[Path]) -> None:
    found, results = {}, sys.stdout
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the end: functions log to it
    for case in map(read, paths):
        Replay([*case.cold, *case.warm]).install()
        from chalicelib import hosting

        hosting.forget()
        with quiet_minute(case.function):
            found[case.name] = measured(case, Floor(), seconds)
    results.write(json.dumps(found))


if __name__ == "__main__":
    main(float(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
