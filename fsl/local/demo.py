"""`fsl local --demo`: the example's services, the example's document and its run, before your eyes."""

from __future__ import annotations

import itertools
import logging
import re
import time
from pathlib import Path
from typing import Final

from fsl.client import Client, ClientError, Refused
from fsl.examples import services
from fsl.examples.services import ExampleServices
from fsl.local import story
from fsl.local.server import LocalServer
from fsl.transition_text import transition

DOCUMENT: Final = Path(services.__file__).with_name("release.fsl")
PATIENCE: Final = 60.0
"""Within how many seconds the run must be done."""

_ADDRESS: Final = f"//localhost:{services.PORT}/"
_RUN: Final = re.compile(r"(?im)^(\s*flow_run\s+)([A-Za-z_]\w*)")


class Demo:
    """What the server does beside serving, and a context manager that ends the services it started.

    `once`: the server's exit code is the run's success; else it serves on when the run has ended.
    """

    def __init__(self, *, once: bool) -> None:
        self._once = once
        self._services: ExampleServices | None = None

    def __enter__(self) -> Demo:
        return self

    def __exit__(self, *_: object) -> None:
        if self._services is not None:
            self._services.__exit__(None, None, None)

    def __call__(self, server: LocalServer) -> int | None:
        story.LOG.setLevel(logging.WARNING)  # the demo tells the story itself, as any client can read it
        try:
            done = self._tell(Client(server.url), self._serve(f"{server.url}/step"))
        except (ClientError, OSError) as exc:
            done = False
            _say(f"the demo failed: {exc}")
        finally:
            story.LOG.setLevel(logging.NOTSET)
        if self._once:
            return 0 if done else 1
        _say(f"still serving at {server.url}; try `fsl list`, or `fsl shell`, in another terminal")
        return None

    def _serve(self, callback: str) -> int:
        """The services listen; on which port."""
        try:
            self._services = ExampleServices(services.PORT, callback).__enter__()
        except OSError:
            self._services = ExampleServices(0, callback).__enter__()
            _say(f"port {services.PORT} is taken: the services listen on {self._services.port}, the document says so")
        _say(f"example services: http://127.0.0.1:{self._services.port} ({' '.join(services.PATHS)})")
        return self._services.port

    def _tell(self, client: Client, port: int) -> bool:
        """Whether the run became done in time."""
        began = time.monotonic()
        run = submit(client, DOCUMENT.read_text().replace(_ADDRESS, f"//localhost:{port}/"))
        _say(f"submitted {DOCUMENT.name}: run {run}")
        for entry in client.watch(run, seconds=PATIENCE):
            _say(f"  {run}: {transition(entry)}")
        took = time.monotonic() - began
        spec = client.get("flowrun", run)["spec"]
        _say(f"{run} is {spec['current_state']} ({spec['status']}) after {took:.2f} s")
        return bool(spec["current_state"] == "done")


def submit(client: Client, text: str) -> str:
    """The document is in force, its run under way; the run's name: a number follows it if there was one already."""
    found = _RUN.search(text)
    if found is None:
        raise ClientError("the example orders no run")
    for number in itertools.count(1):
        name = found[2] if number == 1 else f"{found[2]}_{number}"
        try:
            client.submit(f"{text[: found.start(2)]}{name}{text[found.end(2) :]}")
        except Refused as refused:
            if refused.error_code != "run-exists":
                raise
        else:
            return name
    raise AssertionError("numbers never end")


def _say(text: str) -> None:
    print(text, flush=True)
