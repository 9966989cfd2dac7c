"""Secrets in AWS that a setting refers to, so that no template or environment holds one.

`ssm:NAME` is a parameter of Systems Manager's Parameter Store (a SecureString), `secretsmanager:NAME` a secret of
Secrets Manager, `secretsmanager:NAME#FIELD` a field of one that is a JSON object. A container
caches a secret for `MAX_AGE_S`, so a change takes effect everywhere within that time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import botocore.config
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from chalicelib.service.errors import Busy, ServiceError

LOG = logging.getLogger("echoer.secrets")

MAX_AGE_S: Final = 300.0
"""How long a container caches a secret."""

RETRY_AFTER_S: Final = 30.0
"""How soon a failed read of a cached secret is retried."""

_CONFIG: Final = botocore.config.Config(
    connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}
)


_TRANSIENT_CODES: Final = frozenset(
    {"ThrottlingException", "Throttling", "InternalServerError", "InternalServiceError", "ServiceUnavailable"}
)
"""Error codes after which a later read helps: many containers that start together read more than the service takes."""


class NoSecret(ServiceError):
    """A reference cannot be resolved. The message names the reference, never the secret."""

    code = "no-secret"


_cached: dict[tuple[str, str | None], tuple[float, str]] = {}
"""The cached secrets, and until when each is used."""


def read(reference: str, region: str | None = None, *, now: Callable[[], float] = monotonic) -> str:
    """Return the secret, at most `MAX_AGE_S` old; the last known one while it cannot be read. Raises NoSecret, or Busy.

    `now` returns seconds of a monotonic clock.
    """
    until, known = _cached.get((reference, region), (now(), None))
    if known is not None and now() < until:
        return known
    try:
        found, age = _read(reference, region), MAX_AGE_S
    except (NoSecret, Busy) as error:
        if known is None:
            raise
        LOG.warning("%s; the cached value is used", error)
        found, age = known, RETRY_AFTER_S
    _cached[reference, region] = now() + age, found
    return found


def forget() -> None:
    """Empty the cache."""
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
    except (ClientError, BotoCoreError) as exc:
        raise failure(reference, exc) from exc
    raise NoSecret(f"secret {reference}: must be ssm:NAME or secretsmanager:NAME")


def failure(reference: str, error: ClientError | BotoCoreError) -> ServiceError:
    """Return the error of a read that failed: Busy if a later one may succeed."""
    if isinstance(error, HTTPClientError | NoConnection):
        return Busy(f"secret {reference} cannot be read: {error}")
    if not isinstance(error, ClientError):
        return NoSecret(f"secret {reference} cannot be read: {error}")
    code = error.response["Error"]["Code"]
    return (Busy if code in _TRANSIENT_CODES else NoSecret)(f"secret {reference}: {code}")


def _field(reference: str, text: str, field: str) -> str:
    if not field:
        return text
    try:
        return str(json.loads(text)[field])
    except (ValueError, KeyError, TypeError):
        raise NoSecret(f"secret {reference}: has no such field") from None


def _client(service: str, region: str | None) -> Any:
    return botocore.session.get_session().create_client(service, region_name=region, config=_CONFIG)
