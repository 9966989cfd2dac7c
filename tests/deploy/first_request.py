"""Call one function of Lambda once in this process: `python -m tests.deploy.first_request HANDLER [start]`.

AWS is emulated by moto in this process; the action service answers that it works on the step. Prints as JSON what the
function returned, which modules of ours its cold start and its first request loaded, and their milliseconds of CPU.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any, Final

from moto import mock_aws

REGION: Final = "us-east-1"
ADMIN: Final = "the-first-admin-of-this-test-of-cold-starts"
FLOW: Final = """action work addr = "http://127.0.0.1:%d"; return = (OK); action_end
/
flow f
    step A => (OK -> B) { action = work; };
    wait B => (DONE -> done) { for = 1h; };
flow_end
/
flow_run r flow = f; flow_run_end"""


class Service(BaseHTTPRequestHandler):
    """Accepts every delivery, and answers later."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the standard library
        """Log nothing."""


def events(port: int) -> dict[str, Any]:
    """Submit the flow, start its run, and return an event for each function."""
    from chalicelib import hosting
    from chalicelib.config import Backend, Settings
    from chalicelib.service import messages
    from chalicelib.service.ports.queues import QueueName
    from fsl.local.aws import prepare

    dynamodb, sqs = (f"https://{name}.{REGION}.amazonaws.com" for name in ("dynamodb", "sqs"))
    prepare(settings := Settings(backend=Backend.AWS, dynamodb_url=dynamodb, sqs_url=sqs))
    services = hosting.assemble(settings, hosting.adapters_for(settings))
    services.submitter.submit("default", FLOW % port)
    (delivery,) = services.adapters.queue.receive(QueueName.DELIVERIES, 1, 0)
    run = services.runs.load("default", "r")
    assert run is not None
    activation = run.tokens[0].activation
    assert activation is not None
    wake = messages.encode(messages.Wake(namespace="default", run="r", sent_at=0, version=0))
    answer = {"flowId": "r", "stepName": "A", "uuid": activation.uuid, "ackState": "OK", "done": True}
    return {
        "app.deliver": _batch(delivery.body, delivery.receipt),
        "app.wake": _batch(wake, delivery.receipt),
        "app.app": _call("POST", "/step", answer),
        "app.app start": _call("POST", "/flow/{name}/runs", {}, name="f"),
        "app.callback": _request_to_url("POST", "/step", answer),
    }


def _batch(body: str, receipt: str) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1"}
    return {"Records": [{"messageId": "1", "receiptHandle": receipt, "body": body, "attributes": attributes}]}


def _call(method: str, resource: str, body: Any, **names: str) -> dict[str, Any]:
    path, context = (
        resource.format(**names),
        {"resourcePath": resource, "httpMethod": method, "requestId": "r", "identity": {"sourceIp": "127.0.0.1"}},
    )
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "body": json.dumps(body),
        "headers": {"content-type": "application/json", "authorization": f"Bearer {ADMIN}"},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": names or None,
        "stageVariables": None,
        "isBase64Encoded": False,
        "requestContext": context,
    }


def _request_to_url(method: str, path: str, body: Any) -> dict[str, Any]:
    context = {"domainName": "x.lambda-url.us-east-1.on.aws", "http": {"method": method, "path": path}}
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": context["domainName"]},
        "requestContext": context,
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def own() -> set[str]:
    """Return the names of the modules of ours that are loaded."""
    return {name for name in sys.modules if name == "app" or name.partition(".")[0] == "chalicelib"}


def main(handler: str, request: str = "") -> None:
    """Print what the function with this handler returned, `loaded` at its cold start, and loaded `more` for its first
    request. `request`: which one, if it is not the most frequent one."""
    os.environ.update(AWS_DEFAULT_REGION=REGION, AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
    service = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    mock_aws().start()
    event = events(service.server_port)[f"{handler} {request}".rstrip()]
    for name in own():
        del sys.modules[name]
    os.environ.update(
        ECHOER_BACKEND="aws",
        ECHOER_FUNCTION_URL="on",
        AWS_LAMBDA_FUNCTION_NAME="f",
        _HANDLER=handler,
        ECHOER_OUTBOUND_ALLOW="127.0.0.1",
        ECHOER_ADMIN_TOKEN_SHA256=hashlib.sha256(ADMIN.encode()).hexdigest(),
    )
    start = time.process_time()
    import app

    loaded, imported = own(), time.process_time()
    function = getattr(app, handler.partition(".")[2])
    returned = function(event, SimpleNamespace(aws_request_id="1", function_name="f"))
    cpu_ms = [round(1000 * (imported - start)), round(1000 * (time.process_time() - imported))]
    found = {"returned": returned, "loaded": sorted(loaded), "more": sorted(own() - loaded), "cpu_ms": cpu_ms}
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
