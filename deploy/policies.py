"""What each function may do: `.chalice/policies/*.json`, written by hand, with places in them that each form fills in.

A place is `${table}`, `${deliveries}`, `${wakes}`, `${dead}`, `${logs}` (of the function itself), `${key}` and
`${secrets-key}` (where the webhook key is kept, and the one that seals secrets), or `${read-key}` and
`${read-secrets-key}` (the actions that read them).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.stages import ROOT, BadStage, Document

FOLDER: Final = Path(".chalice") / "policies"

_MAY: Final = {"sqs": ["sqs:GetQueueUrl", "sqs:SendMessage"], "lambda": ["lambda:InvokeFunction"]}

_PLACE: Final = re.compile(r"\$\{([a-z-]+)\}")


def render(function: str, places: Mapping[str, str], wrap: Callable[[str], Any] = str, root: Path = ROOT) -> Document:
    """The function's policy with its places filled in; every text that had one goes through `wrap`."""

    def fill(value: Any) -> Any:
        match value:
            case dict():
                return {key: fill(part) for key, part in value.items()}
            case list():
                return [fill(part) for part in value]
            case str() if _PLACE.search(value):
                filled = _PLACE.sub(lambda found: places[found[1]], value)
                return wrap(filled) if "$" in filled else filled
        return value

    document: Document = fill(json.loads((root / FOLDER / f"{function}.json").read_text()))
    return document


def of_actions(arns: Sequence[str]) -> list[Document]:
    """Statements that let the actions be called which are queues and functions. Raises BadStage."""
    services = [arn.split(":")[2] if arn.count(":") >= 5 else "" for arn in arns]
    for arn, service in zip(arns, services, strict=True):
        if service not in _MAY or "*" in arn:
            raise BadStage(f"action_arns: {arn} is not the ARN of a queue or of a function")
    return [
        {"Sid": f"Call{service.capitalize()}Actions", "Effect": "Allow", "Action": _MAY[service], "Resource": reached}
        for service in _MAY
        if (reached := [arn for arn, its in zip(arns, services, strict=True) if its == service])
    ]


def key_places(keys: Mapping[str, str], arn: str) -> dict[str, str]:
    """The places that speak of keys, by their references. `arn`: what an ARN of this account and region begins with,
    `SERVICE` in it.
    """
    found: dict[str, str] = {}
    for place, reference in keys.items():
        found[f"read-{place}"], found[place] = _reading(reference, arn)
    return found


def _reading(reference: str, arn: str) -> tuple[str, str]:
    """The action that reads a secret, and the secret's ARN."""
    kind, _, name = reference.partition(":")
    match kind:
        case "ssm":
            resource = arn.replace("SERVICE", "ssm") + f":parameter/{name.lstrip('/')}"
            return "ssm:GetParameter", resource
        case "secretsmanager":
            # Secrets Manager adds six characters of its own to a secret's name.
            resource = arn.replace("SERVICE", "secretsmanager") + f":secret:{name.partition('#')[0]}-??????"
            return "secretsmanager:GetSecretValue", resource
    raise BadStage(f"{reference}: a reference to a key must be ssm:NAME or secretsmanager:NAME")
