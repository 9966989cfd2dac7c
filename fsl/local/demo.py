"""`fsl local --demo`: start the example services, apply the example document, and print the transitions of its run."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path
from typing import Final

from chalicelib.model.visible_text import visible
from fsl.client import Client, ClientError, Refused
from fsl.examples import services
from fsl.examples.services import ExampleServices
from fsl.local.process import Server
from fsl.transition_text import transition

DOCUMENT: Final = Path(services.__file__).with_name("release.fsl")
RUN_TIMEOUT_S: Final = 60.0
"""The run must end within this time."""

_ADDRESS: Final = f"//localhost:{services.PORT}/"
_RUN: Final = re.compile(r"(?im)^(\s*flow_run\s+)([A-Za-z_]\w*)")


class Demo:
    """Runs the example on a server; a context manager that stops the example services.

    `once`: the server stops when the run ends, with exit code 0 if the run succeeded; else it keeps serving.
    """

    def __init__(self, *, once: bool) -> None:
        self._once = once
        self._services: ExampleServices | None = None

    def __enter__(self) -> Demo:
        return self

    def __exit__(self, *_: object) -> None:
        if self._services is not None:
            self._services.__exit__(None, None, None)

    def __call__(self, server: Server) -> int | None:
        server.log_transitions(on=False)  # the demo prints them itself, as a client
        try:
            done = self._run(Client(server.url), self._serve(f"{server.url}/step"))
        except (ClientError, OSError) as exc:
            done = False
            _print(f"the demo failed: {exc}")
        finally:
            server.log_transitions(on=True)
        if self._once:
            return 0 if done else 1
        _print(f"the console is at {server.url}/ and goes on serving; or try `fsl list` in another terminal")
        return None

    def _serve(self, callback: str) -> int:
        """Start the example services and return their port."""
        try:
            self._services = ExampleServices(services.PORT, callback).__enter__()
        except OSError:
            self._services = ExampleServices(0, callback).__enter__()
            _print(f"port {services.PORT} is in use; the services and the document use {self._services.port} instead")
        _print(f"example services: http://127.0.0.1:{self._services.port} ({' '.join(services.PATHS)})")
        return self._services.port

    def _run(self, client: Client, port: int) -> bool:
        """Apply the example and print its transitions; return whether the run is done in time."""
        began = time.monotonic()
        run = submit(client, DOCUMENT.read_text().replace(_ADDRESS, f"//localhost:{port}/"))
        _print(f"submitted {DOCUMENT.name}: run {run}")
        for entry in client.watch(run, seconds=RUN_TIMEOUT_S):
            _print(f"  {run}: {transition(entry)}")
        took = time.monotonic() - began
        spec = client.get("flowrun", run)["spec"]
        _print(f"{run} is {spec['current_state']} ({spec['status']}) after {took:.2f} s")
        return bool(spec["current_state"] == "done")


def submit(client: Client, text: str) -> str:
    """Apply the document and return the name of its run, with a number if a run of that name exists."""
    found = _RUN.search(text)
    if found is None:
        raise ClientError("the example starts no run")
    for number in itertools.count(1):
        name = found[2] if number == 1 else f"{found[2]}_{number}"
        try:
            client.submit(f"{text[: found.start(2)]}{name}{text[found.end(2) :]}")
        except Refused as refused:
            if refused.error_code != "run-exists":
                raise
        else:
            return name
    raise AssertionError("unreachable: the numbers do not end")


def _print(text: str) -> None:
    print(visible(text), flush=True)
