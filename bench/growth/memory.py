"""The memory of the local server while it has many live runs: a process of its own on a file that has them."""

import sys
import tempfile
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from bench.growth.host import GrowthHost
from bench.growth.subjects import LOOP, add_live_runs
from bench.machine.own import call
from bench.machine.processes import Process, free_port

_CALLS: Final = 200


def memory_and_file_mib(runs: int) -> tuple[int, float, float]:
    """Return the number of processes of the server, its memory and the size of its file in MiB, with so many live runs.

    The memory is the proportional set size of all its processes; nan where the system has no /proc. The server has
    answered starts, reads and lists by then.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        host = GrowthHost(folder)
        host.submit(LOOP)
        add_live_runs(host, 0, runs)
        host.close()
        port = free_port()
        command = [sys.executable, "-m", "fsl.cli.main", "local", "--port", str(port)]
        with Process([*command, "--db", folder / "echoer.db"], folder / "log", {"ECHOER_LOG": "error"}) as server:
            server.wait_for(port, "/healthz")
            with closing(HTTPConnection("127.0.0.1", port)) as connection:
                for number in range(_CALLS):
                    call(connection, "POST", "/flow/one/runs", "{}")
                    call(connection, "GET", f"/flowrun/live-{number % runs}")
                    call(connection, "GET", "/flowrun?limit=50")
            return server.count(), server.memory_mib(), (folder / "echoer.db").stat().st_size / 2**20
