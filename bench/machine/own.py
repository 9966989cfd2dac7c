"""Echoer's local server, as `fsl local` starts it: three forms of a step."""

import json
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from bench.machine import wire
from bench.machine.clients import HttpClients
from bench.machine.load import STEPS, Window
from bench.machine.processes import Process, cpu_of, free_port
from bench.machine.systems import Durability, Form, Role, Row, Running, Service

FORMS: Final = {"inline": "answer inline", "callback": "answer by callback", "rest": "plain REST"}
_WAIT_S: Final = 20


class Echoer:
    """The server with one setting of ECHOER_DURABILITY."""

    role = Role.OWN

    def __init__(self, durability: str) -> None:
        self._setting = durability
        self._names = {form: f"Echoer, {durability}: {words}" for form, words in FORMS.items()}
        self.rows = tuple(
            Row(name, Form.CALLBACK if form == "callback" else Form.DIRECT) for form, name in self._names.items()
        )

    @contextmanager
    def running(self, folder: Path, service: Service) -> Iterator[Running]:
        port = free_port()
        settings = {"ECHOER_LOG": "warning", "ECHOER_DURABILITY": self._setting, "ECHOER_OUTBOUND": "any"}
        command = [sys.executable, "-m", "fsl.cli.main", "local", "--port", str(port)]
        with Process([*command, "--db", folder / "echoer.db"], folder / "log", settings) as process:
            process.wait_for(port, "/healthz")
            call(HTTPConnection("127.0.0.1", port), "POST", "/fsl", document(service.url))
            meters = {
                name: partial(_measure, process, f"127.0.0.1:{port}", form, service)
                for form, name in self._names.items()
            }
            yield Running(meters, (process,))

    def durability(self) -> Durability:
        sync = {"process": "NORMAL", "power": "FULL"}[self._setting]
        power = "yes" if self._setting == "power" else "not the last ones, in order"
        return Durability("yes", power, f"`ECHOER_DURABILITY={self._setting}`: SQLite, WAL, synchronous {sync}")


def document(service: str) -> str:
    """Return the flows, named as the forms, of five steps each."""
    actions = "\n/\n".join(
        f'action {form}_work addr = "{service}/{form}"; args = (int i); return = (OK);'
        f"{' callback = none;' if form == 'rest' else ''} action_end"
        for form in FORMS
    )
    return f"{actions}\n/\n" + "\n/\n".join(f"flow {form} {' '.join(_steps(form))} flow_end" for form in FORMS)


def _steps(form: str) -> Iterator[str]:
    for number in range(STEPS):
        target = f"S{number + 1}" if number + 1 < STEPS else "done"
        yield f"step S{number} => (OK -> {target}) {{ action = {form}_work; args = (i = {number}); }};"


def _measure(
    process: Process, place: str, form: str, service: Service, clients: int, warm_up: float, seconds: float
) -> Window:
    start = wire.request("POST", place, f"/flow/{form}/runs?wait={_WAIT_S}", b"{}")
    client = partial(script, place, start)
    return HttpClients(place, client, clients).measure(warm_up, seconds, cpu_of([process]), service.cpu)


def script(place: str, start: bytes) -> Generator[bytes | float, wire.Message, None]:
    """One run of a client. A client that is not let wait comes back after the time that the server names."""
    answer = yield start
    while (found := _json(answer))["spec"]["status"] == "running":
        if (pause := answer.retry_after) > 0:
            yield pause
        answer = yield wire.request("GET", place, f"/flowrun/{found['metadata']['name']}?wait={_WAIT_S}")
    if found["spec"]["status"] != "succeeded":
        raise RuntimeError(f"the run has {found['spec']['status']}")


def _json(answer: wire.Message) -> Any:
    if answer.status >= 300:
        raise wire.Refused(f"{answer.status} {answer.body[:300]!r}")
    return json.loads(answer.body)


def call(connection: HTTPConnection, method: str, path: str, body: str | None = None) -> Any:
    """Return the JSON that the server answers. Raises RuntimeError if it refuses."""
    connection.request(method, path, body, {"Content-Type": "application/json"} if body and body[0] == "{" else {})
    response = connection.getresponse()
    text = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {text[:300]!r}")
    return json.loads(text)
