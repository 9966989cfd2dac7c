"""Settings: the environment, read once and checked. Every setting has a default that works on one machine.

| variable | default | meaning |
|---|---|---|
| ECHOER_BACKEND | sqlite | `sqlite` (embedded), `aws` (DynamoDB and SQS), `memory` (tests) |
| ECHOER_DB | .echoer/echoer.db | the SQLite file; `:memory:` keeps nothing |
| ECHOER_PORT | 8080 | where the local server listens |
| ECHOER_URL | http://127.0.0.1:8080 | how clients and actions reach the API |
| ECHOER_TABLE | echoer | the DynamoDB table |
| ECHOER_QUEUE_PREFIX | echoer | the SQS queues are `PREFIX-deliveries`, `PREFIX-wakes`, `PREFIX-dead` |
| ECHOER_DYNAMODB_URL, ECHOER_SQS_URL | | other endpoints than AWS's own |
| ECHOER_STEP_TIMEOUT | 7d | how long a step waits for its answer where nothing else is said |
| ECHOER_RETRY_MAX, ECHOER_RETRY_DELAY | 3, 1s | deliveries in all, and the pause that grows between them |
| ECHOER_DEFINITION_MAX_AGE | 2s | how long a container may overlook a new version of a definition |
| ECHOER_WEBHOOK_KEY | a key for development | signs what is sent to actions |
| ECHOER_NAMESPACE | default | the namespace of requests that name none |
| ECHOER_LOG | info | debug, info, warning, error |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from chalicelib import times
from chalicelib.definition import DEFAULTS, Options, Retry
from chalicelib.errors import EchoerError

DEVELOPMENT_KEY: Final = "whsec-for-development-only"


class BadSetting(EchoerError):
    """An environment variable holds what it cannot mean."""


class Backend(StrEnum):
    SQLITE = "sqlite"
    AWS = "aws"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set. Durations are milliseconds."""

    backend: Backend = Backend.SQLITE
    db: Path | str = Path(".echoer/echoer.db")
    port: int = 8080
    url: str = "http://127.0.0.1:8080"
    table: str = "echoer"
    queue_prefix: str = "echoer"
    dynamodb_url: str | None = None
    sqs_url: str | None = None
    defaults: Options = DEFAULTS
    definition_max_age: int = 2_000
    webhook_key: str = DEVELOPMENT_KEY
    namespace: str = "default"
    log: str = "INFO"

    @property
    def callback_url(self) -> str:
        return f"{self.url.rstrip('/')}/step"


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment describes. Raises BadSetting, naming the variable and what it may hold."""
    read = _Reader(environment)
    port = read.integer("ECHOER_PORT", 8080, 0, 65_535)
    database = read.text("ECHOER_DB", ".echoer/echoer.db")
    return Settings(
        backend=Backend(read.one_of("ECHOER_BACKEND", list(Backend), Backend.SQLITE)),
        db=database if database == ":memory:" else Path(database),
        port=port,
        url=read.text("ECHOER_URL", f"http://127.0.0.1:{port}"),
        table=read.text("ECHOER_TABLE", "echoer"),
        queue_prefix=read.text("ECHOER_QUEUE_PREFIX", "echoer"),
        dynamodb_url=read.text("ECHOER_DYNAMODB_URL", "") or None,
        sqs_url=read.text("ECHOER_SQS_URL", "") or None,
        defaults=Options(
            timeout=read.duration("ECHOER_STEP_TIMEOUT", "7d"),
            retry=Retry(
                max=read.integer("ECHOER_RETRY_MAX", 3, 1, 50), delay=read.duration("ECHOER_RETRY_DELAY", "1s")
            ),
        ),
        definition_max_age=read.duration("ECHOER_DEFINITION_MAX_AGE", "2s"),
        webhook_key=read.text("ECHOER_WEBHOOK_KEY", DEVELOPMENT_KEY),
        namespace=read.text("ECHOER_NAMESPACE", "default"),
        log=read.one_of("ECHOER_LOG", ["debug", "info", "warning", "error"], "info").upper(),
    )


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name, "").strip() or default

    def one_of(self, name: str, known: list[str] | list[Backend], default: str) -> str:
        value = self.text(name, default).lower()
        if value not in known:
            raise BadSetting(f"{name}={value}: must be one of {', '.join(known)}")
        return value

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or not least <= int(value) <= most:
            raise BadSetting(f"{name}={value}: must be a whole number from {least} to {most}")
        return int(value)

    def duration(self, name: str, default: str) -> int:
        value = self.text(name, default)
        found = times.duration(value)
        if found is None:
            raise BadSetting(f"{name}={value}: must be a duration such as 500ms, 30s, 15m, 2h or 7d")
        return found
