"""Args of an action as an operation of AWS takes them.

Names match without the case of their first letter, at any depth. Where text or bytes are wanted, a map or a list is
sent as its JSON, and where bytes are wanted a number, true or false too; text that is sent as bytes is UTF-8. Text in
the place of a value of DynamoDB is `{"S": text}`. All else must have the type that botocore's model says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from botocore.validate import ParamValidator

from chalicelib.adapters.aws_operations.models import TEXT_VALUE, Operation, Shape
from chalicelib.model.json_values import Json


class DoesNotFit(ValueError):
    """An arg is not what the operation takes."""


def parameters_of(operation: Operation, args: Json, token: str) -> dict[str, Any]:
    """Return the parameters for botocore. `token` fills idempotency tokens that the args leave out.

    Raises DoesNotFit.
    """
    if not isinstance(args, Mapping):
        raise DoesNotFit(f"the args of {operation.action} must be a map")
    if operation.input is None:
        if args:
            raise DoesNotFit(f"{operation.action} takes no args")
        return {}
    found: dict[str, Any] = _converted(operation.input, args, "")
    for name in operation.model.idempotent_members:
        found.setdefault(name, token)
    report = ParamValidator().validate(found, operation.model.input_shape)
    if report.has_errors():
        first = report.generate_report().splitlines()[0]
        raise DoesNotFit(f"{operation.action}: {first[:1].lower()}{first[1:]}")
    return found


def _converted(shape: Shape, value: Json, place: str) -> Any:
    match shape.kind:
        case "structure" if isinstance(value, Mapping):
            return _members(shape, value, place)
        case "structure" if isinstance(value, str) and shape.takes_text:
            return {TEXT_VALUE: value}
        case "map" if isinstance(value, Mapping):
            return {key: _converted(shape.element, one, f"{place}.{key}") for key, one in value.items()}
        case "list" if isinstance(value, (list, tuple)):
            return [_converted(shape.element, one, f"{place}[{n}]") for n, one in enumerate(value)]
        case "string" if isinstance(value, (Mapping, list, tuple)):
            return msgspec.json.encode(value).decode()
        case "blob" if value is not None:
            return value.encode() if isinstance(value, str) else msgspec.json.encode(value)
        case "integer" if isinstance(value, float) and value.is_integer():
            return int(value)
        case _:
            return value


def _members(shape: Shape, given: Mapping[str, Json], place: str) -> dict[str, Any]:
    """Return the members under their own names. A member that is null is left out."""
    names = {key_of(name): name for name in shape.members}
    found: dict[str, Any] = {}
    for name, value in given.items():
        own = names.get(key_of(name))
        if own is None:
            raise DoesNotFit(f"{place.lstrip('.') or 'the operation'} has no parameter {name!r}")
        if own in found:
            raise DoesNotFit(f"{place}.{name} is given twice".lstrip("."))
        if value is not None:
            found[own] = _converted(shape.members[own], value, f"{place}.{own}")
    return found


def key_of(name: str) -> str:
    """Return the name without the case of its first letter."""
    return name[:1].lower() + name[1:]
