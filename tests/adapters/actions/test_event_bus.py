"""Notifications of hooks on an event bus: moto receives them, and a client with injected answers fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from chalicelib.adapters.actions.dispatch import Dispatcher
from chalicelib.adapters.actions.event_bus import EventBusCaller
from chalicelib.model.actions import Method
from chalicelib.service.ports.actions import Call, NotTaken, Taken

EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "urn:echoer:default",
    "type": "echoer.run.failed",
    "subject": "o-1",
    "time": "2026-11-26T12:00:00.000Z",
    "data": {"run": "o-1"},
}
BODY = json.dumps(EVENT).encode()


def call(*buses: str) -> Call:
    return Call(buses, BODY, method=Method.EVENTS, content_type="application/cloudevents+json")


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A queue to which a rule of the bus `ops` sends what it matches."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        events, sqs = boto3.client("events"), boto3.client("sqs")
        url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.create_event_bus(Name="ops")
        pattern = json.dumps({"source": ["echoer"], "detail-type": ["echoer.run.failed"]})
        events.put_rule(Name="failed", EventBusName="ops", EventPattern=pattern)
        events.put_targets(Rule="failed", EventBusName="ops", Targets=[{"Id": "1", "Arn": arn}])
        yield lambda: [
            json.loads(one["Body"])
            for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        ]


@pytest.mark.parametrize("bus", ["ops", "arn:aws:events:eu-west-1:123456789012:event-bus/ops"])
def test_a_rule_of_the_bus_matches_the_type_and_gets_the_cloud_event(inbox: Any, bus: str) -> None:
    assert Dispatcher(lambda: 0).post(call(bus)) == Taken()
    [received] = inbox()
    assert (received["source"], received["detail-type"]) == ("echoer", "echoer.run.failed")
    assert received["detail"] == EVENT
    assert received["time"] == "2026-11-26T12:00:00Z"


class Client:
    """Answers PutEvents with what it is given, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.entries: list[Any] = []

    def put_events(self, Entries: list[Any]) -> Any:  # noqa: N803 - the parameter of AWS
        self.entries += Entries
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Entries": [self.answer]}


def post(answer: Any, *buses: str) -> tuple[object, Client]:
    client = Client(answer)
    return EventBusCaller(lambda *_: client).post(call(*(buses or ("ops",)))), client


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ({"EventId": "1"}, Taken()),
        (
            {"ErrorCode": "InternalFailure", "ErrorMessage": "again"},
            NotTaken("ops answered InternalFailure: again", final=False),
        ),
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "PutEvents"),
            NotTaken("ops answered ThrottlingException: slow", final=False),
        ),
        (
            EndpointConnectionError(endpoint_url="https://e"),
            NotTaken('ops could not be reached: Could not connect to the endpoint URL: "https://e"', final=False),
        ),
    ],
)
def test_what_the_bus_answers(answer: Any, reply: object) -> None:
    assert post(answer)[0] == reply


def test_the_next_bus_is_tried() -> None:
    reply, client = post({"ErrorCode": "InternalFailure"}, "a", "b")
    assert isinstance(reply, NotTaken)
    assert [one["EventBusName"] for one in client.entries] == ["a", "b"]


def test_a_client_is_made_once_for_each_region() -> None:
    made: list[tuple[Any, ...]] = []
    client = Client({"EventId": "1"})

    def connect(*args: Any) -> Client:
        made.append(args)
        return client

    caller = EventBusCaller(connect)
    for bus in ("a", "b", "arn:aws:events:us-east-1:123456789012:event-bus/ops"):
        caller.post(call(bus))
    assert [args[:2] for args in made] == [("events", None), ("events", "us-east-1")]
