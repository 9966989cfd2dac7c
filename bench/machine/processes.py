"""Processes of the systems: each in a group of its own, so that its CPU time is counted and its end is complete."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from bench.peers import ROOT, Unavailable

START_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.02
_SHOWN_CHARACTERS: Final = 300
_PROC: Final = Path("/proc")


class Process:
    """A running program, used as `with Process(...) as process:`. What it logs goes to the file `log`."""

    def __init__(self, command: Sequence[str | Path], log: Path, settings: Mapping[str, str] | None = None) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                [str(part) for part in command],
                cwd=ROOT,
                env=_environment(settings or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process and all that it started, at once: its database is not used again."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._input, self._output):
            with suppress(OSError):
                stream.close()

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin  # noqa: S101 - for mypy
        return self._process.stdin

    @property
    def _output(self) -> IO[str]:
        assert self._process.stdout  # noqa: S101 - for mypy
        return self._process.stdout

    def ask(self, line: str) -> str:
        """Write a line and return the next line that the process prints. Raises Unavailable if it has ended."""
        with suppress(BrokenPipeError):
            self._input.write(f"{line}\n")
            self._input.flush()
        return self.line()

    def line(self) -> str:
        """Return the next line that the process prints. Raises Unavailable if it has ended."""
        found = self._output.readline()
        if not found:
            raise self._ended()
        return found.strip()

    def wait_for(self, port: int, path: str) -> None:
        """Wait until the process answers 200 there. Raises Unavailable."""
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up_at:
            if self._process.poll() is not None:
                raise self._ended()
            with suppress(OSError, HTTPException):
                if self._is_healthy(port, path):
                    return
            time.sleep(_POLL_S)
        raise Unavailable(f"does not answer after {START_TIMEOUT_S:.0f} s")

    def _is_healthy(self, port: int, path: str) -> bool:
        with closing(HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT_S)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status == 200

    @property
    def group(self) -> int:
        """The group of the process and all that it started."""
        return self._process.pid

    def cpu(self) -> float:
        """Return the CPU time of the process and all that it started, in seconds; nan where the system has no /proc."""
        return cpu_of_group(self.group)

    def count(self) -> int:
        """Return how many processes there are in its group; 0 where the system has no /proc."""
        return len(_members(self.group))

    def memory_mib(self) -> float:
        """Return the memory of the process and all that it started in MiB; nan where the system has no /proc.

        A page that several processes share is counted once: the proportional set size of proc(5).
        """
        found = [_pss_kib(stat.parent / "smaps_rollup") for stat in _members(self.group)]
        return sum(found) / 1024 if found else float("nan")

    def _ended(self) -> Unavailable:
        said = " ".join(self._log.read_text(errors="replace").split())
        return Unavailable(f"has ended: {said[-_SHOWN_CHARACTERS:]}")


def cpu_of_group(group: int) -> float:
    """Return the CPU time of all processes of a group, in seconds; nan where the system has no /proc."""
    if not _PROC.exists():
        return float("nan")
    ticks = sum(used for _, used in _members(group).values())
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_of(groups: Iterable[Process]) -> Callable[[], float]:
    """Return a function that returns the CPU time of all these and what they started, in seconds."""
    return lambda: sum(process.cpu() for process in groups)


def _members(group: int) -> dict[Path, tuple[int, int]]:
    """Return the files `stat` of the processes of a group, with the group and their CPU time."""
    found = {stat: _group_and_ticks(stat) for stat in _PROC.glob("[0-9]*/stat")}
    return {stat: fields for stat, fields in found.items() if fields[0] == group}


def _group_and_ticks(stat: Path) -> tuple[int, int]:
    """Return the group of a process, and its CPU time in ticks, from proc(5)."""
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0, 0
    return int(fields[2]), int(fields[11]) + int(fields[12])


def _pss_kib(rollup: Path) -> int:
    """Return the proportional set size of a process, from proc(5)."""
    try:
        return int(rollup.read_text().partition("\nPss:")[2].split()[0])
    except OSError:  # it has ended
        return 0


def free_port() -> int:
    """Return a port that was free a moment ago, for programs that cannot choose one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def output_of(command: Sequence[str | Path], settings: Mapping[str, str]) -> str:
    """Return what a program prints that ends by itself."""
    arguments = [str(part) for part in command]
    ran = subprocess.run(arguments, env=_environment(settings), capture_output=True, text=True, check=True)  # noqa: S603
    return ran.stdout


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with these settings and no others of the systems."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ECHOER_", "RESTATE_", "DBOS_"))}
    return {**kept, **settings}
