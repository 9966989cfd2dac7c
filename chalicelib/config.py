"""Settings, read from the environment and checked. Every setting has a default that works on one machine.

| variable | default | meaning |
|---|---|---|
| ECHOER_BACKEND | sqlite | `sqlite` (embedded), `aws` (DynamoDB and SQS), `memory` (tests) |
| ECHOER_DB | .echoer/echoer.db | the SQLite file; `:memory:` stores nothing on disk |
| ECHOER_DURABILITY | process | what a commit to the SQLite file survives: `process`: the end of the process; |
| | | `power`: a power failure, too, for which each commit waits for the disk |
| ECHOER_PORT | 8080 | the port of the local server |
| ECHOER_PROCESSES | one for each core, at most 4 | how many processes of the local server share the work: 1 to 16; |
| | | 1 where runs are not stored in a file |
| ECHOER_PUBLIC_URL | http://127.0.0.1:PORT | the URL at which actions and people reach this server: in `callbackUrl` |
| | | and signed links; on Lambda that of API Gateway. (`ECHOER_URL` is the server that `fsl` uses) |
| ECHOER_CALLBACK_URL | ECHOER_PUBLIC_URL | the URL at which actions answer, without `/step`; a stage on AWS |
| | | may set `function-url` (a Lambda Function URL, the default of new stages) or `api` (API Gateway) |
| ECHOER_FUNCTION_URL | off | whether a stage on AWS has a function for answers, with a Function URL; on in |
| | | stages that set ECHOER_CALLBACK_URL, to any value |
| ECHOER_TABLE | echoer | the DynamoDB table |
| ECHOER_SHARDS | 4 | over how many partitions each list of the table spreads: 4, 8, ... or 128; |
| | | it may be raised at any time and never lowered (bench/SCALE.md) |
| ECHOER_QUEUE_PREFIX | echoer | the prefix of the SQS queues: `PREFIX-deliveries`, `PREFIX-wakes`, `PREFIX-dead` |
| ECHOER_DYNAMODB_URL, ECHOER_SQS_URL | | endpoints to use instead of AWS's |
| ECHOER_STEP_TIMEOUT | 7d | the default time that a step waits for its answer |
| ECHOER_RETRY_MAX, ECHOER_RETRY_DELAY | 3, 1s | the default number of deliveries, and the first pause between them |
| ECHOER_MAX_STEPS | 1000000 | how many steps a run may enter in all, unless its flow has `max_steps` |
| ECHOER_KEEP | | how long ended runs are kept, such as `90d`, unless their flow has `keep`; unset: for good |
| ECHOER_DEFINITION_MAX_AGE | 2s | how long a container may use the previous version of a definition |
| ECHOER_WEBHOOK_KEY | a key for development | signs requests to actions; to rotate, several keys, the newest first |
| ECHOER_WEBHOOK_KEY_REF | | a reference to that key instead: `ssm:NAME` or `secretsmanager:NAME#FIELD` |
| ECHOER_SECRETS_KEY | | encrypts secrets at rest: at least 32 characters; to rotate, several keys, the newest first |
| ECHOER_SECRETS_KEY_REF | | a reference to that key instead; without a key, one machine uses a file next to ECHOER_DB |
| ECHOER_OUTBOUND | any; on AWS public | the addresses that actions may have: `any`, or `public` ones only |
| ECHOER_OUTBOUND_ALLOW | | what `public` permits, too: hosts, addresses and ranges (`10.1.0.0/16`), comma-separated |
| ECHOER_AWS_CALLS | | the operations of AWS that actions may call, comma-separated: `dynamodb:putItem`, `s3:*`, or |
| | | for one namespace only, `team-a/sns:publish`; none if it is unset |
| ECHOER_NAMESPACE | default | the namespace of requests that name none: at most 63 of a-z, 0-9 and - |
| ECHOER_AUTH | open; on Lambda token | `open`: every caller is admin; `token`: `Authorization: Bearer`; |
| | | `iam`: requests with AWS signatures (SigV4) that IAM policies permit |
| ECHOER_AUTHORIZER | on | whether API Gateway checks tokens before it calls the API, which always checks them |
| ECHOER_ORIGINS | | the origins whose pages may call this server, comma-separated: `https://console.example` |
| ECHOER_SERVERS | | the origins of other servers that the console of this one may call, comma-separated |
| ECHOER_CALLBACKS | open | `token`: answers to steps (`POST /step`) require a token of the role `action`, too |
| ECHOER_ADMIN_TOKEN_SHA256 | | the SHA-256 (hex) of the first admin's token, which has at least 32 characters |
| ECHOER_RATE | 0 | the most requests per second of one token, in each container; 0: no limit |
| ECHOER_NAMESPACE_RATE | 0 | the same for all tokens of a namespace together |
| ECHOER_DELIVERY_LOG | on; on AWS off | whether every delivery is recorded, with its args, for as long as its run: |
| | | what was sent and what came back; on AWS this is one more write for each delivery |
| ECHOER_INLINE_DELIVERY | on | whether the worker that commits an answer delivers the run's next action |
| | | itself; on AWS this removes the hop through SQS between two actions that answer in their responses |
| ECHOER_LOG | info | debug, info, warning, error |
| ECHOER_LOG_FORMAT | text; on Lambda json | `json`: one object per line, with namespace, run, step, uuid and request |
| ECHOER_METRICS | off | `emf`: a line per batch or request on standard output, for CloudWatch |
| ECHOER_METRICS_NAMESPACE | Echoer | the metrics' namespace in CloudWatch: 1 to 255 of A-Z, a-z, 0-9 and `.-_/#:` |
| ECHOER_OTLP_ENDPOINT | | the OTLP/HTTP endpoint of a collector, such as `http://127.0.0.1:4318`; unset: no traces |
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from chalicelib.model import times
from chalicelib.model.actions import DEFAULTS, Options, Retry
from chalicelib.model.definition import MAX_STEPS
from chalicelib.model.errors import EchoerError
from chalicelib.service.security.namespaces import is_namespace
from chalicelib.service.security.secrets import MIN_KEY_CHARACTERS

PUBLIC_URL: Final = "ECHOER_PUBLIC_URL"
CALLBACK_URL: Final = "ECHOER_CALLBACK_URL"
FUNCTION_URL: Final = "ECHOER_FUNCTION_URL"
BY_FUNCTION_URL: Final = "function-url"
"""The value of ECHOER_CALLBACK_URL in a stage where actions answer at a Lambda Function URL."""
BY_API: Final = "api"
"""The value of ECHOER_CALLBACK_URL in a stage where actions answer at API Gateway."""
CLIENT_URL: Final = "ECHOER_URL"

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""The host names of this machine."""

OPEN_TO_ALL: Final = "no authentication: every client of this port is admin; set ECHOER_AUTH=token to require tokens"
NO_ADMIN: Final = (
    "tokens are required, and there is no first admin, so no token can be created: choose a secret of at least 32 "
    "characters (TOKEN=$(openssl rand -hex 32)), start the server with "
    'ECHOER_ADMIN_TOKEN_SHA256=$(printf %s "$TOKEN" | sha256sum | cut -c1-64), and create other tokens with '
    "ECHOER_TOKEN=$TOKEN fsl token create NAME --role ROLE"
)

DEVELOPMENT_KEY: Final = "whsec-for-development-only"

_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_AWS_CALL: Final = re.compile(r"[a-z0-9*-]+:[A-Za-z0-9*]+|\*")

SHARDS: Final = ("4", "8", "16", "32", "64", "128")
"""The numbers of shards that a table can have."""

MAX_PROCESSES: Final = 16
"""How many processes the local server can have."""

DEFAULT_PROCESSES: Final = 4
"""How many it has at most unless they are set."""

MAX_RATE_PER_S: Final = 100_000
"""The highest rate that can be set."""


class BadSetting(EchoerError):
    """An environment variable has an invalid value."""

    code = "bad-setting"


class Access(StrEnum):
    """How callers authenticate."""

    OPEN = "open"
    TOKEN = "token"  # noqa: S105 - a word, no secret
    IAM = "iam"


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class Metrics(StrEnum):
    """How metrics are written, if at all."""

    OFF = "off"
    EMF = "emf"


class Backend(StrEnum):
    SQLITE = "sqlite"
    AWS = "aws"
    MEMORY = "memory"


class Durability(StrEnum):
    """What a commit to the SQLite file survives."""

    PROCESS = "process"
    POWER = "power"


class EgressScope(StrEnum):
    """Which addresses actions may have."""

    ANY = "any"
    PUBLIC = "public"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. Durations are in milliseconds."""

    backend: Backend = Backend.SQLITE
    db: Path | str = Path(".echoer/echoer.db")
    durability: Durability = Durability.PROCESS
    port: int = 8080
    processes: int = 1
    """How many processes the local server has."""
    url: str = "http://127.0.0.1:8080"
    """The URL at which actions and people reach the server."""
    url_setting: str = ""
    """The variable that `url` was read from; empty: it is the default."""
    callback_base: str | None = None
    """The URL at which actions answer, without `/step`; None: `url`."""
    function_url: bool = False
    """Whether the app has a function for answers that a Lambda Function URL calls."""
    table: str = "echoer"
    shards: int = 4
    """Over how many partitions each list of the table spreads; a power of two."""
    queue_prefix: str = "echoer"
    dynamodb_url: str | None = None
    sqs_url: str | None = None
    defaults: Options = DEFAULTS
    definition_max_age: int = 2_000
    max_steps: int = MAX_STEPS
    """How many steps a run may enter in all, unless its flow says otherwise."""
    keep: int | None = None
    """How long ended runs are kept, unless their flow says otherwise; None: until they are deleted."""
    webhook_key: str = DEVELOPMENT_KEY
    webhook_key_ref: str | None = None
    secrets_key: str | None = None
    secrets_key_ref: str | None = None
    outbound: EgressScope = EgressScope.ANY
    outbound_allow: tuple[str, ...] = ()
    aws_calls: tuple[str, ...] = ()
    namespace: str = "default"
    auth: Access = Access.OPEN
    authorizer: bool = True
    origins: tuple[str, ...] = ()
    """The origins whose pages may call this server, as browsers write them."""
    servers: tuple[str, ...] = ()
    """The origins of other servers that the console of this one may call."""
    callbacks: Access = Access.OPEN
    admin_token_sha256: str | None = None
    rate: int = 0
    namespace_rate: int = 0
    log: str = "INFO"
    log_format: LogFormat = LogFormat.TEXT
    metrics: Metrics = Metrics.OFF
    metrics_namespace: str = "Echoer"
    otlp_endpoint: str | None = None
    delivery_log: bool = False
    """Whether every delivery is recorded."""
    inline_delivery: bool = False
    """Whether a worker delivers what follows from an answer itself."""
    on_lambda: bool = False
    """Whether the process sleeps between requests, as on Lambda."""

    @property
    def callback_url(self) -> str:
        """The URL to which actions send their answers."""
        return callback_url_at(self.callback_base or self.url)

    @property
    def answered_by_rest(self) -> bool:
        """Whether actions answer through API Gateway, which charges for it, as far as the URL says that."""
        return self.backend is Backend.AWS and "execute-api" in (self.callback_base or "execute-api")

    @property
    def gate(self) -> Access:
        """What API Gateway requires before it calls the API function. There is no gateway on one machine."""
        if self.backend is not Backend.AWS or (self.auth is Access.TOKEN and not self.authorizer):
            return Access.OPEN
        return self.auth

    @property
    def has_public_url(self) -> bool:
        """Whether `url` was configured."""
        return bool(self.url_setting)

    @property
    def notices(self) -> tuple[str, ...]:
        """Warnings to log when the server starts."""
        found = []
        if self.auth is Access.OPEN:
            found.append(OPEN_TO_ALL)
        if self.auth is Access.TOKEN and self.admin_token_sha256 is None and not self.on_lambda:
            found.append(NO_ADMIN)
        if self.url_setting == CLIENT_URL:
            found.append(
                f"{CLIENT_URL} is the address that clients use; it is used as the address of this server, too, because "
                f"{PUBLIC_URL} is not set: set {PUBLIC_URL} to it"
            )
        return tuple(found)

    def address_notice(self, port: int) -> str | None:
        """Return a warning if actions on this machine cannot reach the server, which listens on `port`, at its URL."""
        parts = urlsplit(self.url)
        own = parts.port or (443 if parts.scheme == "https" else 80)
        if parts.hostname not in LOOPBACK or own == port:
            return None
        return (
            f"{self.url_setting or 'the address'} {self.url} is on this machine, but this server listens on port "
            f"{port}: answers and signed links go to port {own}"
        )


def callback_url_at(base: str) -> str:
    """Return the URL to which actions send their answers, on a server with this URL."""
    return f"{base.rstrip('/')}/step"


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings in an environment. Raises BadSetting, which names the variable and its valid values."""
    read = _Reader(environment)
    port = read.integer("ECHOER_PORT", 8080, 0, 65_535)
    database = read.text("ECHOER_DB", ".echoer/echoer.db")
    url_setting, url = read.public_url()
    backend = Backend(read.one_of("ECHOER_BACKEND", list(Backend), Backend.SQLITE))
    return Settings(
        backend=backend,
        db=database if database == ":memory:" else Path(database),
        durability=Durability(read.one_of("ECHOER_DURABILITY", list(Durability), Durability.PROCESS)),
        port=port,
        processes=read.processes("ECHOER_PROCESSES", is_file=backend is Backend.SQLITE and database != ":memory:"),
        url=url or f"http://127.0.0.1:{port}",
        url_setting=url_setting,
        callback_base=read.callback_base(),
        function_url=read.one_of(FUNCTION_URL, ["on", "off"], "off") == "on",
        table=read.text("ECHOER_TABLE", "echoer"),
        shards=int(read.one_of("ECHOER_SHARDS", SHARDS, SHARDS[0])),
        queue_prefix=read.text("ECHOER_QUEUE_PREFIX", "echoer"),
        dynamodb_url=read.text("ECHOER_DYNAMODB_URL", "") or None,
        sqs_url=read.text("ECHOER_SQS_URL", "") or None,
        defaults=Options(
            timeout=read.duration("ECHOER_STEP_TIMEOUT", "7d"),
            retry=Retry(
                max=read.integer("ECHOER_RETRY_MAX", 3, 1, 50), delay=read.duration("ECHOER_RETRY_DELAY", "1s")
            ),
        ),
        max_steps=read.integer("ECHOER_MAX_STEPS", MAX_STEPS, 1, 1_000_000_000),
        keep=read.optional_duration("ECHOER_KEEP"),
        definition_max_age=read.duration("ECHOER_DEFINITION_MAX_AGE", "2s"),
        webhook_key_ref=read.text("ECHOER_WEBHOOK_KEY_REF", "") or None,
        webhook_key=read.keys("ECHOER_WEBHOOK_KEY", DEVELOPMENT_KEY),
        secrets_key_ref=read.text("ECHOER_SECRETS_KEY_REF", "") or None,
        secrets_key=read.long_keys("ECHOER_SECRETS_KEY", MIN_KEY_CHARACTERS),
        outbound=EgressScope(read.one_of("ECHOER_OUTBOUND", list(EgressScope), _default_egress_scope(environment))),
        outbound_allow=read.places("ECHOER_OUTBOUND_ALLOW"),
        aws_calls=read.aws_calls("ECHOER_AWS_CALLS"),
        namespace=read.namespace("ECHOER_NAMESPACE", "default"),
        auth=Access(read.one_of("ECHOER_AUTH", list(Access), _default_access(environment))),
        authorizer=read.one_of("ECHOER_AUTHORIZER", ["on", "off"], "on") == "on",
        origins=read.origins("ECHOER_ORIGINS"),
        servers=read.origins("ECHOER_SERVERS"),
        callbacks=Access(read.one_of("ECHOER_CALLBACKS", [Access.OPEN, Access.TOKEN], Access.OPEN)),
        admin_token_sha256=read.sha256("ECHOER_ADMIN_TOKEN_SHA256"),
        rate=read.integer("ECHOER_RATE", 0, 0, MAX_RATE_PER_S),
        namespace_rate=read.integer("ECHOER_NAMESPACE_RATE", 0, 0, MAX_RATE_PER_S),
        log=read.one_of("ECHOER_LOG", ["debug", "info", "warning", "error"], "info").upper(),
        log_format=LogFormat(read.one_of("ECHOER_LOG_FORMAT", list(LogFormat), _default_log_format(environment))),
        metrics=Metrics(read.one_of("ECHOER_METRICS", list(Metrics), Metrics.OFF)),
        metrics_namespace=read.metrics_namespace("ECHOER_METRICS_NAMESPACE", "Echoer"),
        otlp_endpoint=read.url("ECHOER_OTLP_ENDPOINT"),
        delivery_log=read.one_of("ECHOER_DELIVERY_LOG", ["on", "off"], _off_on_aws(environment)) == "on",
        inline_delivery=read.one_of("ECHOER_INLINE_DELIVERY", ["on", "off"], "on") == "on",
        on_lambda=_on_lambda(environment),
    )


def _on_lambda(environment: Mapping[str, str]) -> bool:
    """Return whether the process runs on Lambda, which sets this variable."""
    return "AWS_LAMBDA_FUNCTION_NAME" in environment


def _default_log_format(environment: Mapping[str, str]) -> LogFormat:
    return LogFormat.JSON if _on_lambda(environment) else LogFormat.TEXT


def _default_access(environment: Mapping[str, str]) -> Access:
    """Return the default of ECHOER_AUTH: Lambda requires tokens, one machine does not."""
    return Access.TOKEN if _on_lambda(environment) else Access.OPEN


def _off_on_aws(environment: Mapping[str, str]) -> str:
    """Return the default of the log of deliveries, which costs nothing on one machine."""
    return "off" if environment.get("ECHOER_BACKEND", "").strip().lower() == Backend.AWS else "on"


def _default_processes() -> int:
    """Return the default of ECHOER_PROCESSES."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, DEFAULT_PROCESSES)


def _default_egress_scope(environment: Mapping[str, str]) -> EgressScope:
    """Return the default of ECHOER_OUTBOUND: public on AWS, unless the endpoint of AWS is this machine."""
    is_local = urlsplit(environment.get("ECHOER_DYNAMODB_URL", "")).hostname in LOOPBACK
    on_aws = environment.get("ECHOER_BACKEND", "").strip().lower() == Backend.AWS
    return EgressScope.PUBLIC if on_aws and not is_local else EgressScope.ANY


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name, "").strip() or default

    def one_of(self, name: str, known: Sequence[str], default: str) -> str:
        value = self.text(name, default).lower()
        if value not in known:
            raise BadSetting(f"{name}={value}: must be one of {', '.join(known)}")
        return value

    def keys(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not re.search(r"[^\s,]", value):
            raise BadSetting(f"{name}: must hold at least one key")
        return value

    def long_keys(self, name: str, least: int) -> str | None:
        value = self.text(name, "")
        if any(len(key) < least for key in re.split(r"[\s,]+", value) if key):
            raise BadSetting(f"{name}: each key must have at least {least} characters (openssl rand -hex 32 makes one)")
        return value or None

    def places(self, name: str) -> tuple[str, ...]:
        found = tuple(filter(None, map(str.strip, self.text(name, "").split(","))))
        for place in found:
            if not _is_place(place):
                advice = "must be hosts, addresses or ranges such as 10.1.0.0/16, separated by commas"
                raise BadSetting(f"{name}={place}: {advice}")
        return found

    def origins(self, name: str) -> tuple[str, ...]:
        found = tuple(filter(None, map(str.strip, self.text(name, "").split(","))))
        for given in found:
            if _origin_of(given) is None:
                advice = "must be origins like https://console.example or http://localhost:8081, separated by commas"
                raise BadSetting(f"{name}={given:.200}: {advice}, without a path, a user or `*`")
        return tuple(dict.fromkeys(filter(None, map(_origin_of, found))))

    def aws_calls(self, name: str) -> tuple[str, ...]:
        found = tuple(filter(None, map(str.strip, self.text(name, "").split(","))))
        for entry in found:
            namespace, slash, call = entry.rpartition("/")
            if not _AWS_CALL.fullmatch(call) or (slash and not is_namespace(namespace)):
                advice = "must be operations like dynamodb:putItem, s3:get* or team-a/sns:publish, separated by commas"
                raise BadSetting(f"{name}={entry}: {advice}")
        return found

    def namespace(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not is_namespace(value):
            raise BadSetting(f"{name}={value}: must be 1 to 63 of a-z, 0-9 and dashes, and not begin with a dash")
        return value

    def metrics_namespace(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not re.fullmatch(r"[A-Za-z0-9._/#:-]{1,255}", value) or value.startswith((":", "AWS/")):
            allowed = "must be 1 to 255 of A-Z, a-z, 0-9 and . - _ / # :, and must not begin with a colon or AWS/"
            raise BadSetting(f"{name}={value}: {allowed}")
        return value

    def url(self, name: str) -> str | None:
        value = self.text(name, "")
        if not value:
            return None
        try:
            found = urlsplit(value)
            usable = found.scheme in ("http", "https") and found.hostname and found.port != 0
        except ValueError:
            usable = False
        if not usable or found.username or found.query or found.fragment:
            shown = re.sub(r"//.*@", "//...@", value)
            raise BadSetting(
                f"{name}={shown}: must be an http:// or https:// URL of a host, with an optional port and path"
            )
        return value

    def public_url(self) -> tuple[str, str]:
        """Return the variable with the server's own URL, and the URL; empty texts if there is none.

        Servers of version 0.3 read ECHOER_URL, which clients on their machine read as well. It still counts if it is
        no address of this machine; there, the port that the server listens on is right.
        """
        own, client = self.url(PUBLIC_URL), self.text(CLIENT_URL, "")
        if own:
            return PUBLIC_URL, own
        try:
            found = urlsplit(client)
            usable = found.scheme in ("http", "https") and found.hostname and found.hostname not in LOOPBACK
        except ValueError:
            usable = False
        return (CLIENT_URL, client) if usable else ("", "")

    def callback_base(self) -> str | None:
        """Return the URL at which actions answer; None: that of this server."""
        value = self.text(CALLBACK_URL, BY_API)
        if value.lower() == BY_FUNCTION_URL:
            raise BadSetting(
                f"{CALLBACK_URL}={value}: only a stage on AWS has a Function URL (.chalice/config.json); set an "
                "http:// or https:// URL, or nothing"
            )
        found = None if value.lower() == BY_API else self.url(CALLBACK_URL)
        return found and found.rstrip("/").removesuffix("/step")

    def sha256(self, name: str) -> str | None:
        value = self.text(name, "").lower()
        if value and not re.fullmatch(r"[0-9a-f]{64}", value):
            raise BadSetting(f"{name}: must be the 64 hex digits of a SHA-256")
        return value or None

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or not least <= int(value) <= most:
            raise BadSetting(f"{name}={value}: must be a whole number from {least} to {most}")
        return int(value)

    def processes(self, name: str, *, is_file: bool) -> int:
        found = self.integer(name, _default_processes() if is_file else 1, 1, MAX_PROCESSES)
        if found > 1 and not is_file:
            raise BadSetting(f"{name}={found}: several processes need an SQLite file (ECHOER_DB) to share")
        return found

    def optional_duration(self, name: str) -> int | None:
        return self.duration(name, "") if self.text(name, "") else None

    def duration(self, name: str, default: str) -> int:
        value = self.text(name, default)
        found = times.duration(value)
        if found is None:
            raise BadSetting(f"{name}={value}: must be a duration such as 500ms, 30s, 15m, 1h30m or 7d")
        return found


def _origin_of(text: str) -> str | None:
    """Return the origin as browsers write it (RFC 6454, 6.2): lower case, no default port; None if it is none."""
    found = _ORIGIN.fullmatch(text.lower())
    if found is None or int(found["port"] or 1) not in range(1, 65_536):
        return None
    port = "" if found["port"] in (None, _DEFAULT_PORTS[found["scheme"]]) else f":{int(found['port'])}"
    return f"{found['scheme']}://{found['host']}{port}"


def _is_place(text: str) -> bool:
    if re.fullmatch(r"[A-Za-z0-9_.-]+", text):
        return True
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
