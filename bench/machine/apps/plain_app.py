"""Five requests in a row without an engine, nothing stored: `python -m bench.machine.apps.plain_app HOST:PORT`."""

import sys

from bench.machine.apps.library import Step, serve
from bench.machine.load import STEPS, Run


def connect(place: str) -> Run:
    step = Step(place)

    def run() -> None:
        for number in range(STEPS):
            step(number)

    return run


if __name__ == "__main__":
    serve({"direct": lambda: connect(sys.argv[1])}, {})
