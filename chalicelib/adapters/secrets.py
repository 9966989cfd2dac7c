"""Secrets that are kept elsewhere and spoken of by reference, so that no template or environment holds one.

`ssm:NAME` is a parameter of Systems Manager's Parameter Store (a SecureString), `secretsmanager:NAME` a secret of
Secrets Manager, `secretsmanager:NAME#FIELD` a field of one that is a JSON object. A secret is read once per container:
after a change, the old one is in use until the container's end.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import botocore.config
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.service.errors import ServiceError

_CONFIG: Final = botocore.config.Config(
    connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}
)


class NoSecret(ServiceError):
    """A reference does not lead to a secret. The message names the reference, never what was found."""


@cache
def read(reference: str, region: str | None = None) -> str:
    """The secret. Raises NoSecret."""
    kind, _, name = reference.partition(":")
    try:
        match kind:
            case "ssm" if name:
                answer = _client("ssm", region).get_parameter(Name=name, WithDecryption=True)
                return str(answer["Parameter"]["Value"])
            case "secretsmanager" if name:
                name, _, field = name.partition("#")
                answer = _client("secretsmanager", region).get_secret_value(SecretId=name)
                return _field(reference, answer["SecretString"], field)
    except ClientError as exc:
        raise NoSecret(f"secret {reference}: {exc.response['Error']['Code']}") from exc
    except BotoCoreError as exc:
        raise NoSecret(f"secret {reference} cannot be read: {exc}") from exc
    raise NoSecret(f"secret {reference}: must be ssm:NAME or secretsmanager:NAME")


def _field(reference: str, text: str, field: str) -> str:
    if not field:
        return text
    try:
        return str(json.loads(text)[field])
    except (ValueError, KeyError, TypeError):
        raise NoSecret(f"secret {reference}: has no such field") from None


def _client(service: str, region: str | None) -> Any:
    return botocore.session.get_session().create_client(service, region_name=region, config=_CONFIG)
