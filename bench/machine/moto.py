"""Step Functions as AWS's emulator has it: a machine of five tasks, which its server sends as plain HTTP."""

import itertools
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench import peers
from bench.machine import wire
from bench.machine.clients import HttpClients
from bench.machine.load import STEPS, Window
from bench.machine.processes import Process, cpu_of
from bench.machine.service import AWS_HEADERS
from bench.machine.systems import REQUIREMENTS, Durability, Form, Role, Row, Running, Service, version

_POLL_S: Final = 0.02
_NAME: Final = f"Step Functions of moto {version('moto')}"


class Moto:
    """`apigateway:invoke`, and the same task with `.waitForTaskToken`."""

    role = Role.PEER
    rows: tuple[Row, ...] = (Row(_NAME, Form.DIRECT), Row(f"{_NAME}: waitForTaskToken", Form.CALLBACK))

    @contextmanager
    def running(self, folder: Path, service: Service) -> Iterator[Running]:
        with Process([peers.python(REQUIREMENTS), "-m", "bench.machine.apps.moto_app"], folder / "log") as process:
            url = process.line()
            meters = {row.name: partial(_measure, process, url, row.form, service) for row in self.rows}
            for row in self.rows:
                _create(url, row.form, service)
            yield Running(meters, (process,))

    def durability(self) -> Durability:
        return Durability("no", "no", "in memory")


def _create(url: str, form: Form, service: Service) -> None:
    definition = json.dumps(machine(service.url, url, form))
    order = {"name": form.value, "definition": definition, "roleArn": "arn:aws:iam::123456789012:role/r"}
    with wire.Kept(urlsplit(url).netloc) as kept:
        kept.post("/", order, AWS_HEADERS.format("CreateStateMachine"))


def machine(service: str, url: str, form: Form) -> dict[str, Any]:
    """Return the definition. By callback, the service gets the task's token, and the URL to send its success to."""
    states = {}
    for number in range(STEPS):
        states[f"S{number}"] = {
            "Type": "Task",
            **(_direct(service, number) if form is Form.DIRECT else _by_callback(service, url, number)),
            **({"Next": f"S{number + 1}"} if number + 1 < STEPS else {"End": True}),
        }
    return {"StartAt": "S0", "States": states}


def _direct(service: str, number: int) -> dict[str, Any]:
    return {
        "Resource": "arn:aws:states:::apigateway:invoke",
        "Parameters": _call(service, "rest", {"i": number}),
        "ResultSelector": {"n.$": "$.ResponseBody.n"},
    }


def _by_callback(service: str, url: str, number: int) -> dict[str, Any]:
    body = {"i": number, "url": url, "token.$": "$$.Task.Token"}
    return {
        "Resource": "arn:aws:states:::apigateway:invoke.waitForTaskToken",
        "Parameters": _call(service, "token", body),
    }


def _call(service: str, path: str, body: object) -> dict[str, Any]:
    given = {"ApiEndpoint": service, "Method": "POST", "Headers": {}, "Stage": "", "Path": path}
    return {**given, "RequestBody": body}


def _measure(
    process: Process, url: str, form: Form, service: Service, clients: int, warm_up: float, seconds: float
) -> Window:
    place = urlsplit(url).netloc
    return HttpClients(place, partial(_run, place, form), clients).measure(
        warm_up, seconds, cpu_of([process]), service.cpu
    )


_runs = itertools.count()


def _run(place: str, form: Form) -> Generator[bytes | float, wire.Message, None]:
    arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{form.value}"
    order = {"stateMachineArn": arn, "name": f"r{next(_runs)}", "input": "{}"}
    started = yield _aws(place, "StartExecution", order)
    describe = _aws(place, "DescribeExecution", {"executionArn": _json(started)["executionArn"]})
    while (found := _json((yield describe)))["status"] == "RUNNING":
        yield _POLL_S
    if found["status"] != "SUCCEEDED":
        raise RuntimeError(f"the execution has {found['status']}: {found.get('cause')}")


def _aws(place: str, operation: str, given: object) -> bytes:
    return wire.request("POST", place, "/", json.dumps(given).encode(), AWS_HEADERS.format(operation))


def _json(answer: wire.Message) -> Any:
    if answer.status != 200:
        raise wire.Refused(f"{answer.status} {answer.body[:300]!r}")
    return json.loads(answer.body)
