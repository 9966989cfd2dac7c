"""For systems that are libraries: their clients run in the same process, as in an application that uses them.

The process prints a line with facts about itself when it is ready. Then each line of input asks for a window.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http.client import HTTPConnection

from bench.machine.load import Clients, Run

STEPS = 5


def serve(connect: Callable[[], Run], facts: Mapping[str, str]) -> None:
    """Answer each line `[clients, warm_up, seconds]` with a window, or with `{"error": ...}`."""
    _say(dict(facts))
    for line in sys.stdin:
        clients, warm_up, seconds = json.loads(line)
        try:
            _say(asdict(Clients(connect, clients).measure(warm_up, seconds, time.process_time)))
        except Exception as error:
            _say({"error": repr(error)})


def _say(value: object) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201 - to the process that measures


class Step:
    """A kept connection to the service: a call is one step."""

    def __init__(self, place: str) -> None:
        self._connection = HTTPConnection(place)

    def __call__(self, number: int) -> dict[str, int]:
        body = json.dumps({"i": number})
        self._connection.request("POST", "/rest", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer: dict[str, int] = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"the service answered {response.status}")
        return answer
