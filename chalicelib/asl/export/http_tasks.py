"""The arguments of `http:invoke` for an action without callback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from chalicelib.asl.export.values.names import Inexpressible
from chalicelib.asl.export.values.templates import quoted, wrapped
from chalicelib.model.actions import Action
from chalicelib.model.addresses import PLACEHOLDER, placeholders_in
from chalicelib.model.flow import ActionStep
from chalicelib.model.json_values import Json

CONNECTION: Final = "${ConnectionArn}"
"""In the place of the ARN of the connection that holds the credentials, which Step Functions requires."""


def http_arguments(step: ActionStep, action: Action, args: Json) -> dict[str, Json]:
    """Return the arguments of the request. `args` are values of a machine. Raises Inexpressible."""
    address = action.addresses[0]
    if not address.startswith("https://"):
        raise Inexpressible(f"action {action.name}: {address}: Step Functions calls https addresses only")
    found: dict[str, Json] = {
        "ApiEndpoint": _endpoint(address, args),
        "Method": str(action.verb),
        "Authentication": {"ConnectionArn": CONNECTION},
    }
    headers = {**action.options.headers, **step.options.headers}
    if action.form:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    if headers:
        found["Headers"] = headers
    if not action.takes_value:
        used = set(placeholders_in(address))
        args = {name: value for name, value in args.items() if name not in used}
    if not action.verb.has_body:
        if args:
            found["QueryParameters"] = args
    elif args or action.takes_value:
        found["RequestBody"] = args
    if action.form:
        found["Transform"] = {"RequestBodyEncoding": "URL_ENCODED"}
    return found


def _endpoint(address: str, args: Json) -> Json:
    """Return the address with its args in their places, each encoded."""
    address = address.partition("#")[0]
    if not placeholders_in(address):
        return address
    parts: list[str] = []
    end = 0
    for found in PLACEHOLDER.finditer(address):
        parts += [quoted(address[end : found.start()])] if found.start() > end else []
        parts.append(_encoded(args[found[1]]))
        end = found.end()
    parts += [quoted(address[end:])] if end < len(address) else []
    return wrapped(" & ".join(parts))


def _encoded(value: Json) -> str:
    """Return the expression of an arg in an address."""
    if isinstance(value, str) and value.startswith("{% "):
        return f"$encodeUrlComponent($string({value[3:-3]}))"
    if isinstance(value, (Mapping, list)) or value is None:
        raise Inexpressible("a map, a list or null cannot be a part of an address")
    return f"$encodeUrlComponent({quoted(value if isinstance(value, str) else json.dumps(value))})"
