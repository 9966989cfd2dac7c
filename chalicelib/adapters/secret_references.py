"""Secrets that are kept elsewhere and spoken of by reference, so that no template or environment holds one.

`ssm:NAME` is a parameter of Systems Manager's Parameter Store (a SecureString), `secretsmanager:NAME` a secret of
Secrets Manager, `secretsmanager:NAME#FIELD` a field of one that is a JSON object. A container reads a secret once in
MAX_AGE_S, so a change is heard everywhere within that.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import botocore.config
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.service.errors import ServiceError

LOG = logging.getLogger("echoer.secrets")

MAX_AGE_S: Final = 300.0
"""How long a container goes by what it read, in seconds."""

RETRY_AFTER_S: Final = 30.0
"""How soon it tries again where it could not read, in seconds."""

_CONFIG: Final = botocore.config.Config(
    connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}
)


class NoSecret(ServiceError):
    """A reference does not lead to a secret. The message names the reference, never what was found."""


_cached: dict[tuple[str, str | None], tuple[float, str]] = {}
"""Until when each secret is gone by, and what it is."""


def read(reference: str, region: str | None = None, *, now: Callable[[], float] = monotonic) -> str:
    """The secret as it was at most MAX_AGE_S ago; as it was last, while it cannot be read again. Raises NoSecret.

    `now`: seconds, from whenever.
    """
    until, known = _cached.get((reference, region), (now(), None))
    if known is not None and now() < until:
        return known
    try:
        found, age = _read(reference, region), MAX_AGE_S
    except NoSecret as error:
        if known is None:
            raise
        LOG.warning("%s; what it was is used on", error)
        found, age = known, RETRY_AFTER_S
    _cached[reference, region] = now() + age, found
    return found


def forget() -> None:
    """Every secret is read anew when it is asked for again."""
    _cached.clear()


def _read(reference: str, region: str | None) -> str:
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
