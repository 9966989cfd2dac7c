"""Where the CPU of a warm function goes: `python -m bench.bill.breakdown FILE...`. Prints JSON.

The profiler counts the time in each function, without that in functions that it calls; functions of C count as those of
the package that calls them. It makes small functions dearer than they are, so only the shares count.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from bench.bill.environment import VARIABLES
from bench.bill.records import Case, read

ROUNDS: Final = 300

os.environ.update(VARIABLES)

from bench.bill.replay import Replay  # noqa: E402 - botocore reads the environment
from bench.bill.warm import invocation  # noqa: E402

GROUPS: Final = {
    "/botocore/": "botocore",
    "/adapters/aws_clients/": "botocore",
    "/pynamodb/": "PynamoDB",
    "/chalice/": "Chalice",
    "/adapters/actions/": "to the action",
    "/chalicelib/adapters/": "adapters",
    "/chalicelib/entrypoints/": "entry point",
    "/chalicelib/engine/": "engine",
    "/chalicelib/model/": "engine",
    "/chalicelib/expressions/": "engine",
    "/chalicelib/": "service",
}
NAMES: Final = (*dict.fromkeys(GROUPS.values()), "other")


def group_of(file: str) -> str | None:
    return next((group for part, group in GROUPS.items() if part in file), None)


def shares(case: Case) -> dict[str, float]:
    """Return the share of each group in the CPU of an invocation."""
    run = invocation(case)
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(ROUNDS):
        run()
    profile.disable()
    stats: Any = pstats.Stats(profile)
    found: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, callers) in stats.stats.items():
        group = group_of(file)
        if group is not None:
            found[group] += own
            continue
        for (caller, _, _), (_, _, part, _) in callers.items():
            found[group_of(caller) or "other"] += part
    total = found.total()
    return {name: found[name] / total for name in NAMES}


def main(paths: list[Path]) -> None:
    found, results = {}, sys.stdout
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the end: functions log to it
    for case in map(read, paths):
        Replay([*case.cold, *case.warm]).install()
        from chalicelib import hosting

        hosting.forget()
        found[case.name] = shares(case)
    results.write(json.dumps(found))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
