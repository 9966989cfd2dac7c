"""Clients of AWS's services, under Echoer's own role or under another one that it assumes (STS AssumeRole).

A client never sends to a host that is not AWS's: some operations take the host of their endpoint from an arg.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import botocore.config
import botocore.session
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError

from chalicelib.model.times import Instant, Milliseconds

MAX_CLIENTS: Final = 32
"""How many clients a container keeps. One takes about a megabyte."""

RENEWED_BEFORE: Final = timedelta(minutes=5)
"""How long before they expire credentials of a role are not used any more."""

CONNECT_TIMEOUT_S: Final = 2.0
MAX_SESSION_NAME_CHARS: Final = 64

_OF_AWS: Final = re.compile(
    r".+\.(amazonaws\.com(\.cn)?|api\.aws|on\.aws|api\.amazonwebservices\.com\.cn|c2s\.ic\.gov|sc2s\.sgov\.gov)"
)

Connect: TypeAlias = Callable[..., Any]
"""`create_client` of a session of botocore."""


class ForeignHost(ValueError):
    """A request would go to a host that is not AWS's."""


class _Key(NamedTuple):
    service: str
    role: str
    namespace: str
    seconds: float


class Clients:
    """Makes and keeps clients. Threads may share it.

    `now` returns milliseconds since 1970. `endpoints` has the endpoints of services that are not at AWS's own.
    """

    def __init__(
        self, now: Callable[[], Instant], endpoints: Mapping[str, str | None], connect: Connect | None = None
    ) -> None:
        self._now = now
        self._endpoints = endpoints
        self._connect = connect or botocore.session.get_session().create_client
        self._lock = Lock()
        self._clients: OrderedDict[_Key, tuple[Instant | None, Any]] = OrderedDict()
        self._credentials: OrderedDict[_Key, tuple[Instant, Credentials | None]] = OrderedDict()

    def client(self, service: str, role: str, namespace: str, timeout: Milliseconds) -> Any:
        """Return a client that waits for an answer for `timeout`. It does not retry: the action's options apply.

        `role` is the ARN of the role to assume; empty for Echoer's own. `namespace` is the external id of the role's
        session, so that a trust policy can restrict who assumes it. Raises what STS and botocore raise.
        """
        key = _Key(service, role, namespace if role else "", timeout / 1000)
        with self._lock:
            expires, client = self._clients.get(key, (None, None))
        if client is None or (expires is not None and expires <= self._now()):
            expires, client = self._made(key)
        with self._lock:
            self._clients[key] = expires, client
            self._clients.move_to_end(key)  # the latest used is the last
            if len(self._clients) > MAX_CLIENTS:
                self._clients.popitem(last=False)
        return client

    def credentials(self, role: str, namespace: str, seconds: float) -> Any:
        """Return the credentials with which a request is signed. Raises what STS and botocore raise."""
        if not role:
            found = botocore.session.get_session().get_credentials()
            if found is None:
                raise NoCredentialsError
            return found
        key = _Key("sts", role, namespace, seconds)
        with self._lock:
            expires, credentials = self._credentials.get(key, (0, None))
        if expires <= self._now():
            expires, credentials = self._assumed(key)
            with self._lock:
                self._credentials[key] = expires, credentials
                if len(self._credentials) > MAX_CLIENTS:
                    self._credentials.popitem(last=False)
        return credentials

    def _made(self, key: _Key) -> tuple[Instant | None, Any]:
        if not key.role:
            return None, self._create(key.service, key.seconds)
        expires, credentials = self._assumed(key)
        client = self._create(
            key.service,
            key.seconds,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
        )
        return expires, client

    def _assumed(self, key: _Key) -> tuple[Instant, Credentials]:
        """Return the role's credentials, and until when they are used."""
        answer = self._create("sts", key.seconds).assume_role(
            RoleArn=key.role, RoleSessionName=_session_name(key.namespace), ExternalId=key.namespace
        )
        found = answer["Credentials"]
        until: datetime = found["Expiration"] - RENEWED_BEFORE
        credentials = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
        return int(until.timestamp() * 1000), credentials

    def _create(self, service: str, seconds: float, **credentials: str) -> Any:
        config = botocore.config.Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=seconds,
            retries={"total_max_attempts": 1},
            max_pool_connections=25,
        )
        with self._lock:  # botocore makes one client at a time; many threads may then use it
            client = self._connect(service, endpoint_url=self._endpoints.get(service), config=config, **credentials)
        own = urlsplit(client.meta.endpoint_url).hostname or ""
        client.meta.events.register_first("before-send.*.*", lambda request, **_: _refuse_foreign(request.url, own))
        return client


def _refuse_foreign(url: str, own: str) -> None:
    """Raise ForeignHost unless the host is AWS's, or that of the client's endpoint or below it."""
    host = urlsplit(url).hostname or ""
    if not (host == own or host.endswith(f".{own}") or _OF_AWS.fullmatch(host)):
        raise ForeignHost(f"{host} is not a host of AWS")


def _session_name(namespace: str) -> str:
    """Return the name under which CloudTrail shows what the namespace does."""
    name = f"echoer-{namespace}"
    if len(name) <= MAX_SESSION_NAME_CHARS:
        return name
    return f"{name[: MAX_SESSION_NAME_CHARS - 9]}-{hashlib.sha256(namespace.encode()).hexdigest()[:8]}"
