"""One cold start: `python -m bench.bill.cold WAY FILE [REQUESTS]`. Prints JSON.

WAY is `own` (our function), `floor` (Python, botocore's clients and the same requests; urllib3 for requests to the
action service), or `libraries` (the floor, and the other libraries that our function imports). CPU is that of this
whole process, from its start to the end of its first request; memory is also taken after REQUESTS requests.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from bench.bill.environment import CONTEXT, VARIABLES, checked, quiet_minute
from bench.bill.records import Case, read

LIBRARIES: Final = ("chalice.app", "msgspec", "pynamodb.connection")


def own(case: Case) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Import the app as Lambda does. Return functions for the first request and for later ones."""
    import app

    handler = getattr(app, case.function.partition(".")[2])
    return (lambda: checked(handler(case.event, CONTEXT)),) * 2


def floor(case: Case) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Make the clients. Return functions for what our first request and later ones ask for."""
    from bench.bill.floor import Floor

    made = Floor()
    to_aws = made.calls_to_aws(case.cold)
    if not case.to_action:
        return to_aws, made.of(case)
    to_action = made.calls_to_actions(case.to_action)
    return lambda: (to_aws(), to_action()), made.of(case)


def libraries(case: Case) -> tuple[Callable[[], Any], Callable[[], Any]]:
    for name in LIBRARIES:
        __import__(name)
    return floor(case)


def memory_mb(name: str) -> float:
    """Return the resident memory of this process in megabytes: `VmRSS` now, `VmHWM` at its peak."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6


def main(way: str, path: Path, requests: int) -> None:
    case = read(path)
    os.environ.update(VARIABLES, _HANDLER=case.function)
    begun = time.process_time()
    from bench.bill.replay import Replay

    replay = Replay([*case.cold, *case.warm])
    replay.install()
    if way == "own":
        case = replace(case, cold=[], warm=[])
    Path("/proc/self/clear_refs").write_text("5")  # the peak of the memory begins now (Linux, proc(5))
    results, sys.stdout = sys.stdout, Path(os.devnull).open("w")  # noqa: SIM115 - until the end: functions log to it
    first, later = {"own": own, "floor": floor, "libraries": libraries}[way](case)
    loaded = time.process_time()
    with quiet_minute(case.function):
        first()
        done, first_mb = time.process_time(), memory_mb("VmRSS")
        for _ in range(requests):
            later()
    found = {"load_ms": (loaded - begun) * 1e3, "first_ms": (done - loaded) * 1e3, "cpu_ms": done * 1e3}
    memory = {"first_mb": first_mb, "later_mb": memory_mb("VmRSS"), "peak_mb": memory_mb("VmHWM") - replay.size / 1e6}
    results.write(json.dumps({**found, **memory}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
