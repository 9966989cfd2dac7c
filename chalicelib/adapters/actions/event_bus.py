"""Hooks that send to an event bus of AWS (`method = events`): one call of PutEvents for each notification.

The CloudEvent is the detail; its type is the detail type, so that rules can match it (EventBridge API Reference,
"PutEvents"; EventBridge User Guide, "Event patterns").
"""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.actions.aws_caller import (
    FINAL_ERRORS,
    MAX_EXCERPT_CHARS,
    Connect,
    advice,
    connect_aws,
    refusal,
)
from chalicelib.model.json_values import ready
from chalicelib.service.ports.actions import Call, NotTaken, Reply, Taken

READ_TIMEOUT_S: Final = 3.0

SOURCE: Final = "echoer"
"""The `source` of events on the bus. Names that begin with `aws.` are reserved."""


class _Event(msgspec.Struct, frozen=True):
    """What the entry of PutEvents needs of the CloudEvent."""

    type: str
    time: datetime
    subject: str = ""


ready(_Event)


class EventBusCaller:
    """Implements `ports.Caller` for the method `events`. Threads may share it."""

    def __init__(self, connect: Connect | None = None) -> None:
        self._connect = connect or connect_aws
        self._lock = Lock()
        self._clients: dict[str | None, Any] = {}

    def post(self, call: Call) -> Reply:
        """Put the event on the first bus that takes it."""
        reply: Reply = NotTaken("the hook has no address", final=True)
        for bus in call.addresses:
            reply = self._put(bus, call.body)
            if isinstance(reply, Taken):
                break
        return reply

    def _put(self, bus: str, body: bytes) -> Reply:
        event = msgspec.json.decode(body, type=_Event)
        entry = {
            "Source": SOURCE,
            "DetailType": event.type,
            "Detail": body.decode(),
            "EventBusName": bus,
            "Time": event.time.astimezone(UTC),
        }
        try:
            answer = self._client(_region_of(bus)).put_events(Entries=[entry])
        except ClientError as exc:
            return refusal(bus, exc)
        except FINAL_ERRORS as exc:
            return NotTaken(f"{bus} cannot be called{advice(exc)}: {exc}"[:MAX_EXCERPT_CHARS], final=True)
        except BotoCoreError as exc:
            return NotTaken(f"{bus} could not be reached: {exc}"[:MAX_EXCERPT_CHARS], final=False)
        failed = next((one for one in answer["Entries"] if one.get("ErrorCode")), None)
        if failed is None:
            return Taken()
        text = f"{bus} answered {failed['ErrorCode']}: {failed.get('ErrorMessage', '')}"
        return NotTaken(text[:MAX_EXCERPT_CHARS], final=False)

    def _client(self, region: str | None) -> Any:
        with self._lock:  # botocore makes one client at a time; many threads may then use it
            if region not in self._clients:
                self._clients[region] = self._connect("events", region, None, READ_TIMEOUT_S)
            return self._clients[region]


def _region_of(bus: str) -> str | None:
    return bus.split(":")[3] if bus.startswith("arn:") else None
