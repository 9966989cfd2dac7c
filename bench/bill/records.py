"""What was recorded of the handlers: their events, and the requests that they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class AwsCall(msgspec.Struct, frozen=True):
    """One request to AWS, and the response. All are of JSON protocols, in which the body holds the parameters."""

    service: str
    operation: str
    body: bytes
    status: int
    headers: dict[str, str]
    answer: bytes

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters for botocore."""
        found: dict[str, Any] = msgspec.json.decode(self.body)
        return found


class ActionCall(msgspec.Struct, frozen=True):
    """One request to the action service."""

    url: str
    headers: dict[str, str]
    body: bytes


class Case(msgspec.Struct, frozen=True):
    """One handler with one kind of event: what it asks for in a cold function and in a warm one."""

    name: str
    function: str
    """`_HANDLER` of the function (AWS Lambda Developer Guide, "Runtime environment variables")."""
    event: dict[str, Any]
    cold: list[AwsCall]
    warm: list[AwsCall]
    to_action: list[ActionCall]
    is_large: bool = False
    """Whether it is of the largest values: recorded for a cold function only, and measured by its memory."""


def write(case: Case, path: Path) -> None:
    path.write_bytes(msgspec.msgpack.encode(case))


def read(path: Path) -> Case:
    return msgspec.msgpack.decode(path.read_bytes(), type=Case)
