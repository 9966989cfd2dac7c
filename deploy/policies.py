"""The functions' IAM policies: `.chalice/policies/*.json`, written by hand, with placeholders that each form fills in.

The placeholders are `${table}`, `${deliveries}`, `${wakes}`, `${dead}`, `${logs}` (of the function itself), `${key}`
and `${secrets-key}` (where the webhook key and the key that encrypts secrets are stored), and `${read-key}` and
`${read-secrets-key}` (the IAM actions that read them).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.stages import ROOT, BadStage, Document

FOLDER: Final = Path(".chalice") / "policies"

_ACTIONS: Final = {
    "sqs": ["sqs:GetQueueUrl", "sqs:SendMessage"],
    "lambda": ["lambda:InvokeFunction"],
    "events": ["events:PutEvents"],
}

_STATEMENT: Final = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})

_PLACEHOLDER: Final = re.compile(r"\$\{([a-z-]+)\}")


def render(function: str, places: Mapping[str, str], wrap: Callable[[str], Any] = str, root: Path = ROOT) -> Document:
    """Return the function's policy with its placeholders filled in; texts with one are passed through `wrap`."""

    def fill(value: Any) -> Any:
        match value:
            case dict():
                return {key: fill(part) for key, part in value.items()}
            case list():
                return [fill(part) for part in value]
            case str() if _PLACEHOLDER.search(value):
                filled = _PLACEHOLDER.sub(lambda found: places[found[1]], value)
                return wrap(filled) if "$" in filled else filled
        return value

    document: Document = fill(json.loads((root / FOLDER / f"{function}.json").read_text()))
    return document


def of_calls(arns: Sequence[str], statements: Sequence[Document]) -> list[Document]:
    """Return the statements that permit what actions call: none unless the stage lists it. Raises BadStage."""
    return [*of_actions(arns), *(_operations(number, found) for number, found in enumerate(statements, 1))]


def _operations(number: int, statement: Document) -> Document:
    """Return a statement of the stage, with an id. It must name its actions and resources. Raises BadStage."""
    actions, resources = (_texts(statement.get(name)) for name in ("Action", "Resource"))
    is_exact = all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", action) for action in actions)
    if not actions or not resources or not is_exact or statement.keys() - _STATEMENT:
        raise BadStage(
            f"action_statements: statement {number} must have Effect, Action (such as dynamodb:PutItem, without `*`) "
            "and Resource, and may have Sid and Condition"
        )
    return {"Sid": f"CallOperations{number}", "Effect": "Allow", **statement}


def _texts(value: Any) -> list[str]:
    found = [value] if isinstance(value, str) else value
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else []


def of_actions(arns: Sequence[str]) -> list[Document]:
    """Return statements that permit calls of these queues, functions and event buses. Raises BadStage."""
    services = [arn.split(":")[2] if arn.count(":") >= 5 else "" for arn in arns]
    for arn, service in zip(arns, services, strict=True):
        if service not in _ACTIONS or "*" in arn:
            raise BadStage(f"action_arns: {arn} is not the ARN of a queue, a function or an event bus")
    return [
        {
            "Sid": f"Call{service.capitalize()}Actions",
            "Effect": "Allow",
            "Action": _ACTIONS[service],
            "Resource": reached,
        }
        for service in _ACTIONS
        if (reached := [arn for arn, its in zip(arns, services, strict=True) if its == service])
    ]


def key_places(keys: Mapping[str, str], arn: str) -> dict[str, str]:
    """Return the values of the placeholders for keys.

    `arn` is the beginning of an ARN of this account and region, with `SERVICE` in it.
    """
    found: dict[str, str] = {}
    for place, reference in keys.items():
        found[f"read-{place}"], found[place] = _reading(reference, arn)
    return found


def _reading(reference: str, arn: str) -> tuple[str, str]:
    """Return the IAM action that reads a secret, and the secret's ARN."""
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
