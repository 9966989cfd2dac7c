"""For systems that are libraries: their clients run in the same process, as in an application that uses them.

The process prints a line with facts about itself when it is ready. Then each line of input asks for a window.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial

from bench.machine import wire
from bench.machine.load import Clients, Run
from bench.machine.processes import cpu_of_group


def serve(connect: Mapping[str, Callable[[], Run]], facts: Mapping[str, str]) -> None:
    """Answer each line `[form, clients, warm_up, seconds, group]` with a window, or with `{"error": ...}`.

    `connect` makes a client of each form; `group` is the group of the service's process.
    """
    _say(dict(facts))
    for line in sys.stdin:
        form, clients, warm_up, seconds, group = json.loads(line)
        try:
            service = partial(cpu_of_group, group)
            _say(asdict(Clients(connect[form], clients).measure(warm_up, seconds, time.process_time, service)))
        except Exception as error:
            _say({"error": repr(error)})


def _say(value: object) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201 - to the process that measures


class Step:
    """A kept connection to the service: a call is one step."""

    def __init__(self, place: str) -> None:
        self._connection = wire.Kept(place)

    def __call__(self, number: int) -> object:
        """Do the work and return its answer."""
        return self._connection.post("/rest", {"i": number})

    def hand_over(self, number: int, url: str) -> None:
        """Have the work done; its answer is posted to the URL."""
        self._connection.post("/later", {"i": number, "url": url})
