"""What an operation of AWS returned, as JSON.

Members of structures begin with a capital letter, as in AWS Step Functions. Times are RFC 3339. Bytes that are UTF-8
are text, other bytes are base64; a stream is read up to the limit of answers.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from chalicelib.adapters.aws_operations.models import Operation, Shape
from chalicelib.engine.values.secret_values import is_posing
from chalicelib.model.json_values import Json, is_shallow

_JSON_MEMBERS: Final = {("lambda", "Invoke", "Payload"), ("bedrock-runtime", "InvokeModel", "Body")}
"""Members of answers that are JSON, which Step Functions reads as well, unless it calls as the SDK does."""


class TooMuch(ValueError):
    """The answer is larger than the limit."""


def value_of(operation: Operation, response: Mapping[str, Any], limit: int) -> Json:
    """Return the response without its metadata. Raises TooMuch if it has more than `limit` bytes as JSON."""
    members = {name: one for name, one in response.items() if name != "ResponseMetadata"}
    shape = operation.output
    found = {
        capitalised(name): _json_member(operation, name, _value(shape.members.get(name) if shape else None, one, limit))
        for name, one in members.items()
    }
    if len(msgspec.json.encode(found)) > limit:
        raise TooMuch(f"the answer of {operation.action} is larger than {limit} bytes")
    return found


def capitalised(name: str) -> str:
    """Return the name of a member as Step Functions spells it."""
    return name[:1].upper() + name[1:]


def _json_member(operation: Operation, name: str, value: Json) -> Json:
    is_json = (operation.service, operation.name, capitalised(name)) in _JSON_MEMBERS
    if not is_json or not isinstance(value, str) or (operation.is_of_sdk and operation.service != "lambda"):
        return value
    try:
        found = msgspec.json.decode(value) if value.strip() else None
    except (msgspec.DecodeError, RecursionError):
        return value
    return found if is_shallow(found) and not is_posing(found) else value


def _value(shape: Shape | None, value: Any, limit: int) -> Json:
    match value:
        case Mapping():
            is_structure = shape is not None and shape.kind == "structure"
            return {
                capitalised(name) if is_structure else str(name): _value(_within(shape, name), one, limit)
                for name, one in value.items()
            }
        case list() | tuple():
            element = shape.element if shape is not None and shape.kind == "list" else None
            return [_value(element, one, limit) for one in value]
        case bytes() | bytearray():
            return _text(bytes(value))
        case datetime():
            return _moment(value)
        case float() if not math.isfinite(value):
            return str(value)
        case None | str() | int() | float():
            return value
        case _ if hasattr(value, "read"):
            return _text(_read(value, limit))
        case _:  # a decimal number
            return str(value)


def _within(shape: Shape | None, name: str) -> Shape | None:
    if shape is None or shape.kind not in ("structure", "map"):
        return None
    return shape.element if shape.kind == "map" else shape.members.get(name)


def _read(stream: Any, limit: int) -> bytes:
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise TooMuch(f"the answer is larger than {limit} bytes")
    return body


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()


def _moment(at: datetime) -> str:
    """Return the time in UTC, with milliseconds if it has any."""
    moment = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")
