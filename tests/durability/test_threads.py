"""Concurrent threads in a new process, as in the first batch of a cold container."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

FIRST = """
import sys, threading
sys.setswitchinterval(1e-6)
from chalicelib.model.flow import Flow; from chalicelib.model.json_values import decode
from chalicelib.model.run import decode_run
from chalicelib.service import messages
from chalicelib.service.ports.events import Signal
import msgspec

firsts = [
    lambda: decode(b'{"name": "f", "steps": []}', Flow),
    lambda: decode_run(b'{"ns": "n", "nm": "n", "id": "i", "df": {}, "ca": 1, "ua": 1}'),
    lambda: messages.decode('{"hint": "wake", "ns": "n", "run": "r", "at": 1, "v": 1}'),
    lambda: msgspec.json.decode(b'{"id": "i", "name": "n", "at": 1, "expires_at": 2}', type=Signal),
]
together = threading.Barrier(32)

def begin(number):
    together.wait()
    firsts[number % len(firsts)]()

threads = [threading.Thread(target=begin, args=(number,)) for number in range(32)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_many_threads_may_be_the_first_to_read_a_run() -> None:
    """msgspec crashes the process if two threads decode a type for the first time concurrently (`definition.ready`)."""
    for _ in range(4):
        ended = subprocess.run([sys.executable, "-c", FIRST], cwd=ROOT, capture_output=True, check=False)  # noqa: S603
        assert (ended.returncode, ended.stderr) == (0, b"")
