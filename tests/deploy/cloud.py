"""AWS in this process (moto), with a stage deployed to it, and methods that call its functions as AWS does.

Each function has the environment of the deployed one, and services of its own. Its requests to AWS are recorded as
IAM sees them: the action and the resource.
"""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook

import app as front_door
from chalicelib import config, hosting
from chalicelib.adapters import secret_references
from chalicelib.adapters.virtual import ScriptedCaller
from chalicelib.entrypoints import authorizer
from chalicelib.hosting import QueueAndSource, Services
from chalicelib.service.ports.actions import Reply, Taken
from chalicelib.service.ports.queues import QueueName, Received
from chalicelib.service.security.webhooks import secrets_for
from deploy.account import Account
from deploy.release import release
from deploy.stages import API, AUTHORIZE, CALLBACK, Stage
from fsl.local.aws import one_at_a_time
from fsl.local.shapes import LambdaContext, failed_in, queue_event, schedule_event
from tests.deploy.sam import for_moto
from tests.entrypoints import gateway
from tests.fakes import FakeClock
from tests.hosts import answer_at_once

REGION = "eu-central-1"
ARN = f"arn:aws:SERVICE:{REGION}:{DEFAULT_ACCOUNT_ID}"


THROTTLED: tuple[int, dict[str, str], str] = (
    400,
    {},
    json.dumps({"__type": "ThrottlingException", "message": "too many requests"}),
)
"""A response of DynamoDB: status, headers, body."""


class Need(NamedTuple):
    """A request that IAM authorizes."""

    action: str
    resource: str


class Cloud:
    """A context manager in which the stage is deployed in the region REGION.

    `wakes_die`: every message for `wake` has been retried too often, and `dead_letter` handles it. `unanswered`: the
    requests to actions that answer at the Function URL, in `settle`.
    """

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.wakes_die = False
        self.unanswered: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.clock = FakeClock()
        self.actions = ScriptedCaller(answer_at_once)
        self.needs: dict[str, set[Need]] = {name: set() for name in stage.functions}
        self._folder = folder
        self._acting: str | None = None
        self._throttled = False
        self._slowness = 0
        self._environment = pytest.MonkeyPatch()
        self._services: dict[str, Services] = {}

    def __enter__(self) -> Cloud:
        for name, value in {"DEFAULT_REGION": REGION, "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
            self._environment.setenv(f"AWS_{name}", value)
        self._moto = mock_aws()
        self._moto.start()
        exact = one_at_a_time(botocore_stubber.process_request)
        self._environment.setattr(botocore_stubber, "process_request", lambda request: self._record(exact, request))
        release(self.account, self.stage, self._folder, for_moto)
        name = self.stage.admin_token
        self.token = self.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        for source in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]:
            # moto would run the zip in Docker whenever a message is sent; here `settle` replaces the event sources.
            self.client("lambda").update_event_source_mapping(UUID=source["UUID"], Enabled=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._environment.undo()
        self._moto.stop()
        secret_references.forget()

    @property
    def account(self) -> Account:
        return Account(boto3.Session(), self.said.append)

    @property
    def services(self) -> Services:
        """The services of the function behind the API."""
        return self._services_of(API)

    # ── what is there ────────────────────────────────────────────────────────────────────────────────────────────────

    def client(self, service: str) -> Any:
        return boto3.client(service)

    def configuration(self, function: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("lambda").get_function_configuration(
            FunctionName=self.stage.function(function)
        )
        return found

    def policy(self, function: str) -> list[dict[str, Any]]:
        """Return the statements of the deployed function's role."""
        iam, role = self.client("iam"), self.configuration(function)["Role"].rpartition("/")[2]
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        statements: list[dict[str, Any]] = literal_eval(document)["Statement"]  # moto returns Python objects
        return statements

    def sources(self) -> list[tuple[str, QueueName, int]]:
        """Return the deployed event sources: function, queue, batch size."""
        found = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        prefix = f"{self.stage.prefix}-"
        return [
            (
                source["FunctionArn"].rpartition(prefix)[2],
                QueueName(source["EventSourceArn"].rpartition(prefix)[2]),
                source["BatchSize"],
            )
            for source in found
        ]

    # ── what AWS does ────────────────────────────────────────────────────────────────────────────────────────────────

    def request(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> gateway.Reply:
        """Send a request to the function behind API Gateway."""
        with self._as(API):
            return gateway.call(method, url, body, headers={"Authorization": f"Bearer {self.token}", **(headers or {})})

    def answer(self, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> gateway.Reply:
        """Send an answer to the function behind the Function URL."""
        assert self.configuration(CALLBACK)["Handler"] == "app.callback"
        with self._as(CALLBACK):
            return gateway.answer("POST", url, body, headers=headers)

    def authorize(self, said: str) -> str:
        """Call the authorizer, and return its effect for every call of the API: Allow or Deny."""
        assert self.configuration(AUTHORIZE)["Handler"] == "app.authorize"
        variables = self.configuration(AUTHORIZE)["Environment"]["Variables"]
        api = f"{ARN.replace('SERVICE', 'execute-api')}:api-id/api"
        hosting.forget()
        with pytest.MonkeyPatch.context() as environment:
            for name, value in variables.items():
                environment.setenv(name, value)
            self._acting = AUTHORIZE
            answer = authorizer.authorize(said, f"{api}/GET/flowrun/r")
            self._acting = None
        (statement,) = answer["policyDocument"]["Statement"]
        assert statement["Resource"] == f"{api}/*"
        return str(statement["Effect"])

    def signed(self, body: str) -> dict[str, str]:
        """Return the headers of a service that signs its answers."""
        (secret,) = secrets_for(secret_references.read(self.stage.keys["key"]).encode(), "default")
        at = datetime.fromtimestamp(self.clock.now() // 1000, UTC)
        text = Webhook(secret).sign("msg_1", at, body)
        return {"webhook-id": "msg_1", "webhook-timestamp": f"{at.timestamp():.0f}", "webhook-signature": text}

    def work(self, queue: QueueName = QueueName.DELIVERIES) -> bool:
        """Hand one batch of the queue to its function. Return whether there was one."""
        (source,) = (source for source in self.sources() if source[1] is queue)
        return self._hand_over(*source)

    def bury(self, queue: QueueName) -> bool:
        """Move the due messages of the queue to the dead letters, as SQS does. Return whether there were any."""
        source, moved = self._event_source, False
        while messages := list(source.receive(queue, 10, 0)):
            source.send(QueueName.DEAD, [message.body for message in messages])
            source.delete(queue, [message.receipt for message in messages])
            moved = True
        return moved

    @contextmanager
    def throttled(self) -> Iterator[None]:
        """A context manager in which DynamoDB refuses all requests of functions, because there are too many."""
        self._throttled = True
        try:
            yield
        finally:
            self._throttled = False

    @contextmanager
    def slow(self, milliseconds: int) -> Iterator[None]:
        """A context manager in which each request of a function to DynamoDB takes so long."""
        self._slowness = milliseconds
        try:
            yield
        finally:
            self._slowness = 0

    def settle(self) -> None:
        """Hand messages to their functions, and send the answers of actions, until nothing is due."""
        sources = self.sources()
        while sum(self._hand_over(*source) for source in sources) or self._send_answers():
            pass

    def answer_later(self, request: dict[str, Any]) -> Reply:
        """Accept a request to an action. It is answered at the Function URL, with the first state."""
        self.unanswered.append(request)
        return Taken()

    def _send_answers(self) -> int:
        """Send all answers that are due, and return how many these are."""
        due, self.unanswered = self.unanswered, []
        for request in due:
            named = {name: request[name] for name in ("flowId", "stepName", "uuid")}
            body = json.dumps({**named, "ackState": request["ackStates"][0], "data": request.get("x")})
            reply = self.answer("/step", body, self.signed(body))
            assert reply.status == 200, reply.text
        return len(due)

    def sweep(self) -> None:
        """Call the function of the schedule."""
        with self._as("sweep"):
            front_door.sweep(schedule_event("sweep"), LambdaContext("sweep"))

    def pass_time(self, milliseconds: int) -> None:
        """Advance the clock of the engine, and that of the queues, which use the time of the machine."""
        self.clock.advance(milliseconds)
        queues: dict[str, Any] = get_backend("sqs")[DEFAULT_ACCOUNT_ID][REGION].queues
        for queue in queues.values():
            for message in queue._messages:
                message.visible_at -= milliseconds
                message.delayed_until -= milliseconds
                message.sent_timestamp -= milliseconds

    def _hand_over(self, function: str, queue: QueueName, batch: int) -> bool:
        if queue is QueueName.WAKES and self.wakes_die:
            return self.bury(queue)
        source = self._event_source
        messages: list[Received] = list(source.receive(queue, batch, 0))
        if messages:
            with self._as(function):
                handler = getattr(front_door, self.configuration(function)["Handler"].removeprefix("app."))
                answer = handler(queue_event(queue, messages), LambdaContext(function))
            failed = failed_in(answer, messages)
            source.delete(queue, [message.receipt for message in messages if message.id not in failed])
        return bool(messages)

    @cached_property
    def _event_source(self) -> QueueAndSource:
        """The queues as Lambda itself and SQS use them: the functions do not learn their URLs by that."""
        return hosting.adapters_for(self.services.settings).queue

    @contextmanager
    def _as(self, function: str) -> Iterator[None]:
        """A context manager in which that function sends all requests to AWS."""
        self._acting = function
        secret_references.forget()  # each function is a process of its own
        hosting.use(self._services_of(function))
        try:
            yield
        finally:
            self._acting = None

    def _services_of(self, function: str) -> Services:
        if function not in self._services:
            acting, self._acting = self._acting, function
            environment = self.configuration(function)["Environment"]["Variables"]
            settings = config.from_environment({**environment, "AWS_LAMBDA_FUNCTION_NAME": function})
            world = replace(hosting.adapters_for(settings), clock=self.clock, caller=self.actions)
            self._services[function] = hosting.assemble(settings, world)
            self._acting = acting
        return self._services[function]

    # ── what IAM would be asked ──────────────────────────────────────────────────────────────────────────────────────

    def _record(self, handle: Callable[[Any], Any], request: Any) -> Any:
        if self._acting is not None:
            self.needs[self._acting].update(_needs(request))
            self.clock.advance(self._slowness)
            if self._throttled and _target(request).startswith("DynamoDB"):
                return THROTTLED
        return handle(request)


def _target(request: Any) -> str:
    """Return the service and the operation of a request. botocore's clients have bytes in its place."""
    target = request.headers.get("X-Amz-Target", "")
    return target.decode() if isinstance(target, bytes) else str(target)


def _needs(request: Any) -> Iterator[Need]:
    """Return what a request needs (Service Authorization Reference). Fails for an unknown call."""
    target = _target(request)
    service, _, operation = target.partition(".")
    asked = json.loads(request.body) if operation else {}
    match service.partition("_")[0], operation:
        case "DynamoDB", "BatchGetItem" | "BatchWriteItem":
            yield from (_on_table(operation, table) for table in asked["RequestItems"])
        case "DynamoDB", "TransactWriteItems":
            actions = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
            for item in asked["TransactItems"]:
                ((kind, part),) = item.items()
                yield _on_table(actions.get(kind, "ConditionCheckItem"), part["TableName"])
        case "DynamoDB", _:
            yield _on_table(operation, asked["TableName"], asked.get("IndexName"))
        case "AmazonSQS", _:
            name = asked.get("QueueName") or asked["QueueUrl"].rpartition("/")[2]
            yield Need(f"sqs:{operation.removesuffix('Batch')}", f"{ARN.replace('SERVICE', 'sqs')}:{name}")
        case "AmazonSSM", "GetParameter":
            yield Need("ssm:GetParameter", f"{ARN.replace('SERVICE', 'ssm')}:parameter/{asked['Name'].lstrip('/')}")
        case "", "" if "lambda" in request.url:
            return  # this file reads a function's environment
        case _:
            raise AssertionError(f"{request.url}: which permission does {target!r} need?")


def _on_table(operation: str, table: str, index: str | None = None) -> Need:
    name = f"{ARN.replace('SERVICE', 'dynamodb')}:table/{table.rpartition('/')[2]}"
    return Need(f"dynamodb:{operation}", f"{name}/index/{index}" if index else name)


def allows(statements: list[dict[str, Any]], need: Need) -> bool:
    """Return whether a role with these statements allows the request."""
    return any(
        need.action in _list(statement["Action"])
        and any(fnmatchcase(need.resource, resource) for resource in _list(statement["Resource"]))
        for statement in statements
        if statement["Effect"] == "Allow"
    )


def grants(statements: list[dict[str, Any]]) -> set[Need]:
    """Return all requests that a role with these statements allows."""
    return {
        Need(action, resource)
        for statement in statements
        for action in _list(statement["Action"])
        for resource in _list(statement["Resource"])
    }


def _list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
