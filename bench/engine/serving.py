"""The loop of a program that measures itself. It imports nothing of Echoer: peers run it with their own Python."""

import sys
import time
from collections.abc import Callable, Mapping

Case = Callable[[], int]
"""Does the work once, and returns how many operations that were."""


def serve(cases: Mapping[str, Case]) -> None:
    """For each line `CASE SECONDS` of stdin, do the case for so long; print its operations and their CPU seconds."""
    for line in sys.stdin:
        name, seconds = line.split()
        case = cases[name]
        case()
        done, began = 0, time.process_time()
        end = began + float(seconds)
        while (now := time.process_time()) < end:
            for _ in range(10):
                done += case()
        sys.stdout.write(f"{done} {now - began}\n")
        sys.stdout.flush()
