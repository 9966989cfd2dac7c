"""Programs that measure themselves, and take turns: each waits while another one works."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which
from typing import Final, TypeAlias

import click

from bench import peers
from bench.engine.samples import EXPRESSIONS, ORDER
from bench.peers import ROOT, Unavailable

Command: TypeAlias = Callable[[], Sequence[str]]
"""Returns the command of a program. Raises Unavailable."""

REQUIREMENTS: Final = Path(__file__).parents[1] / "requirements-engine.txt"
JSONATA_JS: Final = "2.2.2"
ROUNDS: Final = 5


class Program:
    """A program that is running, and answers on its stdout what it has measured."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def rate(self, case: str, seconds: float) -> float:
        """Return the operations per second of CPU time of a case that it does for so long."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the program has no pipes")
        self._process.stdin.write(f"{case} {seconds}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable("it ended while it was measured")
        done, taken = line.split()
        return int(done) / float(taken)


def own() -> Sequence[str]:
    """Return the command of Echoer's program."""
    return [sys.executable, "-m", "bench.engine.own_program"]


def library(name: str) -> Sequence[str]:
    """Return the command of the program of a library from PyPI. Raises Unavailable."""
    return [str(peers.python(REQUIREMENTS)), "-W", "ignore", "-m", "bench.engine.peer_program", name]


def jsonata_js() -> Sequence[str]:
    """Return the command of the program of npm jsonata. Raises Unavailable."""
    node = which("node")
    if node is None:
        raise Unavailable("node is not installed")
    return [node, str(Path(__file__).with_name("jsonata.mjs")), str(peers.node("jsonata", JSONATA_JS))]


@contextmanager
def running(command: Sequence[str]) -> Iterator[Program]:
    """Run a program until the end of the context."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603 - ours
        try:
            if command[0].endswith("node") and process.stdin is not None:
                process.stdin.write(json.dumps({"expressions": EXPRESSIONS, "order": ORDER}) + "\n")
            yield Program(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()


def rates(
    commands: Mapping[str, Command], cases: Sequence[str], seconds: float
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Return the median rate of each case by the name of the program, and why programs could not be measured.

    In each of ROUNDS rounds the programs take turns with every case, for `seconds` of CPU time in all rounds together.
    """
    found: dict[str, dict[str, list[float]]] = {}
    failures: dict[str, str] = {}
    with ExitStack() as stack:
        programs: dict[str, Program] = {}
        for name, command in commands.items():
            try:
                programs[name] = stack.enter_context(running(command()))
            except Unavailable as failure:
                failures[name] = str(failure)
                click.echo(f"  {name}: {failure}", err=True)
        for _ in range(ROUNDS):
            for case in cases:
                for name, program in programs.items():
                    rate = program.rate(case, seconds / ROUNDS)
                    found.setdefault(name, {}).setdefault(case, []).append(rate)
    medians = {name: {case: statistics.median(one) for case, one in of.items()} for name, of in found.items()}
    return medians, failures
