"""Where the CPU of a warm function goes: `python -m bench.bill.breakdown FILE...`. Prints JSON.

The profiler counts the CPU in each function, without that in functions that it calls; functions of C count as those of
the package that calls them. It makes small functions dearer than they are, so only the shares count. The number of
calls does not depend on the machine: `tests/bench/test_bill.py` holds it.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.bill.environment import VARIABLES, quiet_minute
from bench.bill.records import Case, read

ROUNDS: Final = 300

os.environ.update(VARIABLES)

from bench.bill.floor import Floor  # noqa: E402 - botocore reads the environment
from bench.bill.replay import Replay  # noqa: E402
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


BOTOCORE: Final = {
    "/botocore/auth": "signing",
    "/botocore/signers": "signing",
    "/botocore/endpoint_provider": "endpoint rules",
    "/botocore/regions": "endpoint rules",
    "/botocore/hooks": "events",
    "/botocore/serialize": "serializing",
    "/botocore/parsers": "parsing",
    "/botocore/retries": "retries",
    "/botocore/awsrequest": "request objects",
    "/botocore/endpoint": "request objects",
    "/botocore/": "all else",
}


def group_of(file: str, groups: Mapping[str, str]) -> str | None:
    return next((group for part, group in groups.items() if part in file), None)


def profiled(run: Callable[[], Any]) -> Any:
    """Return the statistics of several calls, by CPU time."""
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    for _ in range(ROUNDS):
        run()
    profile.disable()
    return pstats.Stats(profile)


def shares(stats: Any, groups: Mapping[str, str]) -> dict[str, float]:
    """Return the share of each group in the CPU."""
    found: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, callers) in stats.stats.items():
        group = group_of(file, groups)
        if group is not None:
            found[group] += own
            continue
        for (caller, _, _), (_, _, part, _) in callers.items():
            found[group_of(caller, groups) or "other"] += part
    total = found.total()
    return {name: found[name] / total for name in (*dict.fromkeys(groups.values()), "other")}


def measured(case: Case, replay: Replay) -> dict[str, Any]:
    """Return shares and counts of one invocation of our handler and of its floor, once both are warm."""
    own, floor = invocation(case), Floor().of(case)
    floor()
    replay.counts.clear()
    own()
    requests = dict(replay.counts)
    ours, bare = profiled(own), profiled(floor)
    return {
        "shares": shares(ours, GROUPS),
        "floor_shares": shares(bare, BOTOCORE),
        "calls": ours.total_calls / ROUNDS,
        "floor_calls": bare.total_calls / ROUNDS,
        "requests": requests,
    }


def main(paths: list[Path]) -> None:
    found, results = {}, sys.stdout
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the end: functions log to it
    for case in map(read, paths):
        replay = Replay([*case.cold, *case.warm])
        replay.install()
        from chalicelib import hosting

        hosting.forget()
        with quiet_minute(case.function):
            found[case.name] = measured(case, replay)
    results.write(json.dumps(found))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
