"""Run every handler on emulated AWS, and record each case into a file.

    python -m bench.bill.recorder PORT FOLDER [usual]

PORT is that of the action service on loopback. With `usual` the largest values are left out. Each case is recorded
twice: first with services that have read nothing yet, as in a cold function, and then with the same services for
another run.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.request import Request, urlopen

import msgspec
from moto import mock_aws
from moto.core.models import botocore_stubber

from bench.bill.environment import ADMIN, CONTEXT, REGION, VARIABLES, invoke, quiet_minute
from bench.bill.records import ActionCall, AwsCall, Case, write

KINDS: Final = ("taken", "inline", "large")
"""The paths of the action service, and the names of the actions and of the flows that use them."""

FLOW: Final = """action {kind}
    addr = "http://127.0.0.1:{port}/{kind}"; args = (str order, int amount); return = (OK | FAILED);
action_end
/
flow {kind}
    step Charge => (OK -> Ship | FAILED -> stopped) {{ action = {kind}; }};
    step Ship => (OK -> done | FAILED -> stopped) {{ action = {kind}; }};
flow_end"""
INPUT: Final = {"order": "o-1029", "amount": 1995}
NAMESPACE: Final = "default"

MakeEvent: TypeAlias = "Callable[[], dict[str, Any]]"
MANY: Final = """action work
    addr = "http://127.0.0.1:1/"; args = (int n); return = (OK | FAILED);
action_end
/
flow many
    input = (list numbers);
    each Each => (DONE -> done | FAIL -> stopped) {
        items = ${ $input.numbers };
        step Work => (OK -> done | FAILED -> stopped) { action = work; args = (n = ${ $item }); };
    };
flow_end"""

_STEP: Final = "step S{} => (OK -> {} | FAILED -> stopped) {{ action = taken; }};"
LONG: Final = f"flow long {' '.join(_STEP.format(n, f'S{n + 1}' if n < 899 else 'done') for n in range(900))} flow_end"
"""A flow of 900 steps: nearly as large as a definition may be."""


class Wire:
    """Records the requests that moto answers and those that the action service receives."""

    def __init__(self, port: int) -> None:
        self._service = f"http://127.0.0.1:{port}/recorded"
        self._answer = botocore_stubber.process_request
        self._calls: list[AwsCall] = []
        botocore_stubber.process_request = self._record  # type: ignore[method-assign]

    def taken(self) -> tuple[list[AwsCall], list[ActionCall]]:
        """Return what was recorded since the last time."""
        calls, self._calls = self._calls, []
        with urlopen(Request(self._service, b"")) as response:  # noqa: S310 - our own service
            return calls, msgspec.msgpack.decode(response.read(), type=list[ActionCall])

    def _record(self, request: Any) -> Any:
        response: Any = self._answer(request)
        status, headers, answer = response
        service, _, operation = _text(request.headers["X-Amz-Target"]).partition(".")
        self._calls.append(
            AwsCall(
                service="sqs" if service == "AmazonSQS" else "dynamodb",
                operation=operation,
                body=_bytes(request.body),
                status=status,
                headers={name.lower(): str(value) for name, value in headers.items()},
                answer=_bytes(answer),
            )
        )
        return response


class Cases:
    """Makes the events, hands them to the handlers, and records what these do."""

    def __init__(self, port: int) -> None:
        self._wire = Wire(port)
        self._port = port
        self._runs = 0

    def record(self, *, has_large: bool) -> list[Case]:
        from chalicelib import hosting

        for kind in KINDS:
            hosting.services().submitter.submit(NAMESPACE, FLOW.format(kind=kind, port=self._port))
        hosting.services().submitter.submit(NAMESPACE, MANY)
        return [*self._usual(), *(self._large() if has_large else ())]

    def _usual(self) -> list[Case]:
        return [
            self._case("start of a run", "app.app", self._start),
            self._case("callback through the REST API", "app.app", lambda: _rest_event("/step", {}, self._answer())),
            self._case(
                "callback through the Function URL", "app.callback", lambda: _url_event("/step", self._answer())
            ),
            self._case("delivery, taken", "app.deliver", lambda: self._delivery("taken")),
            self._case("two deliveries, answered in their responses", "app.deliver", lambda: self._delivery("inline")),
            self._case("timer", "app.wake", self._timer),
            self._case("sweep that finds nothing", "app.sweep", lambda: dict(_SCHEDULED)),
        ]

    def _large(self) -> list[Case]:
        """Return cases of the largest values: a request has 6 MB at most, as JSON in JSON."""
        text = "x" * 4_500_000
        numbers = {"numbers": list(range(10_000))}
        return [
            self._cold("answer of 4.5 MB", "app.app", lambda: _rest_event("/step", {}, self._answer(text))),
            self._cold("ten deliveries of 4.5 MB", "app.deliver", lambda: self._delivery("inline", 10, text)),
            self._cold("the same, answered with 250 KB", "app.deliver", lambda: self._delivery("large", 10, text)),
            self._cold("run that begins 10,000 items", "app.app", lambda: self._start("many", numbers)),
            self._cold("flow of 900 steps is submitted", "app.app", lambda: _rest_event("/fsl", {}, {"data": LONG})),
        ]

    def _case(self, name: str, function: str, make_event: MakeEvent) -> Case:
        with quiet_minute(function):
            cold = self._cold(name, function, make_event)
            event = make_event()
            self._wire.taken()
            invoke(function, event)
            warm, to_action = self._wire.taken()
        return Case(name, function, event, cold.cold, warm, to_action)

    def _cold(self, name: str, function: str, make_event: MakeEvent) -> Case:
        from chalicelib import hosting

        event = make_event()
        hosting.forget()
        self._wire.taken()
        invoke(function, event)
        calls, to_action = self._wire.taken()
        return Case(name, function, event, calls, [], to_action, is_large=True)

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, flow: str = "taken", given: Any = INPUT) -> dict[str, Any]:
        return _rest_event("/flow/{name}/runs", {"name": flow}, {"input": given})

    def _answer(self, data: Any = 1) -> dict[str, Any]:
        run, uuid = self._started("taken")
        return {"flowId": run, "stepName": "Charge", "uuid": uuid, "ackState": "OK", "done": True, "data": data}

    def _delivery(self, kind: str, count: int = 1, order: str = "o-1029") -> dict[str, Any]:
        from chalicelib import hosting
        from chalicelib.service.ports.queues import QueueName
        from fsl.local.shapes import queue_event

        queue = hosting.services().adapters.queue
        while old := queue.receive(QueueName.DELIVERIES, 10, 0):
            queue.delete(QueueName.DELIVERIES, [message.receipt for message in old])
        for _ in range(count):
            self._started(kind, order)
        return queue_event(QueueName.DELIVERIES, queue.receive(QueueName.DELIVERIES, count, 0))

    def _timer(self) -> dict[str, Any]:
        """Return the message of a timer of a run that was answered in time: the most frequent one."""
        from chalicelib.service import messages
        from chalicelib.service.ports.queues import QueueName, Received
        from fsl.local.shapes import queue_event

        run, _ = self._started("taken")
        body = messages.encode(messages.Wake(namespace=NAMESPACE, run=run, sent_at=0, version=0))
        return queue_event(QueueName.WAKES, [Received(id="1", receipt="r", body=body, count=1, sent_at=0)])

    def _started(self, flow: str, order_id: str = "o-1029") -> tuple[str, str]:
        """Start a run. Return its name, and the uuid of its activation."""
        from chalicelib import hosting
        from chalicelib.service.runs.start import StartOrder

        self._runs += 1
        order = StartOrder(flow=flow, name=f"{flow}-{self._runs}", input={**INPUT, "order": order_id})
        run = hosting.services().starter.start(NAMESPACE, order).run
        (activation,) = (token.activation for token in run.tokens if token.activation)
        return run.name, activation.uuid


_HEADERS: Final = {
    "Accept": "*/*",
    "Authorization": f"Bearer {ADMIN}",
    "Content-Type": "application/json",
    "Host": "a1b2c3d4e5.example.amazonaws.com",
    "User-Agent": "python-httpx/0.28.1",
    "X-Amzn-Trace-Id": "Root=1-65f0c0de-3b0f0a7e1f6f4b6c8a9d0e1f",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
}
"""A client's headers, with those that API Gateway and Lambda add."""


_SCHEDULED: Final[dict[str, Any]] = {
    "version": "0",
    "id": CONTEXT.aws_request_id,
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2027-01-15T08:00:00Z",
    "region": REGION,
    "resources": [],
    "detail": {},
}
"""The event of a schedule (Amazon EventBridge User Guide, "Creating an EventBridge rule that runs on a schedule")."""


def _url_event(path: str, body: Any) -> dict[str, Any]:
    """Return the event of a Function URL (AWS Lambda Developer Guide, "Invoking Lambda function URLs")."""
    http = {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": ""}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in _HEADERS.items()},
        "requestContext": {
            "accountId": "anonymous",
            "domainName": _HEADERS["Host"],
            "http": http,
            "requestId": CONTEXT.aws_request_id,
            "stage": "$default",
            "timeEpoch": 0,
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def _rest_event(resource: str, names: dict[str, str], body: Any) -> dict[str, Any]:
    """Return the event of a REST API."""
    path, headers = resource.format(**names), _HEADERS
    identity = {"sourceIp": "203.0.113.7", "userAgent": headers["User-Agent"]}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": names or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": "POST",
            "path": f"/api{path}",
            "stage": "api",
            "domainName": headers["Host"],
            "requestId": CONTEXT.aws_request_id,
            "identity": identity,
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def main(port: int, folder: Path, *, has_large: bool) -> None:
    os.environ.update(VARIABLES)
    with mock_aws():
        from chalicelib.config import Settings
        from fsl.local.aws import prepare

        dynamodb, sqs = (f"https://{name}.{REGION}.amazonaws.com" for name in ("dynamodb", "sqs"))
        prepare(Settings(dynamodb_url=dynamodb, sqs_url=sqs))
        for number, case in enumerate(Cases(port).record(has_large=has_large)):
            write(case, folder / f"{number}.bin")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), has_large="usual" not in sys.argv[3:])
