"""Make the clients of a host: they share one session of botocore, whose models are read with less work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final

import botocore.config
import botocore.handlers
import botocore.loaders
import botocore.session
import msgspec
from botocore.httpsession import URLLib3Session

from chalicelib.adapters.aws_clients.addresses import url_of
from chalicelib.adapters.aws_clients.client import Client
from chalicelib.adapters.aws_clients.first_attempt import FirstAttempt

_SERVICES: Final[tuple[str, ...]] = ("dynamodb", "sqs")
_ENDPOINTS: Final = "endpoints.json"


class _Files(botocore.loaders.JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    """Reads botocore's data with a faster parser."""

    def _load_file(self, full_path: str, open_method: Any) -> Any:
        try:
            with open_method(full_path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return None
        return _endpoints(content) if Path(full_path).name == _ENDPOINTS else msgspec.json.decode(content)


def _endpoints(content: bytes) -> Any:
    """Return the endpoints of the services that are used here, without those of all others."""
    found = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    partitions = []
    for partition in msgspec.json.decode(found.pop("partitions"), type=list[dict[str, msgspec.Raw]]):
        services = msgspec.json.decode(partition.pop("services"), type=dict[str, msgspec.Raw])
        used = {name: services[name] for name in _SERVICES if name in services}
        partitions.append({**_decoded(partition), "services": _decoded(used)})
    return {**_decoded(found), "partitions": partitions}


def _decoded(raw: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    return {name: msgspec.json.decode(value) for name, value in raw.items()}


class _Loader(botocore.loaders.Loader):  # type: ignore[misc]  # botocore has no types
    """Finds botocore's data without a list of all services: that looks at every file of botocore."""

    def list_available_services(self, type_name: str) -> list[str]:
        return [name for name in _SERVICES if self._has(name, type_name)]

    def _has(self, service: str, type_name: str) -> bool:
        return any(True for path in self.search_paths for _ in Path(path).glob(f"{service}/*/{type_name}.json*"))


class _OneEndpoint:
    """Evaluates the rules for the endpoint of a client once: neither service has endpoints by parameters."""

    def __init__(self, resolver: Any) -> None:
        self._resolver = resolver
        self._found: Any = None

    def construct_endpoint(self, **request: Any) -> Any:
        if self._found is None:
            self._found = self._resolver.construct_endpoint(**request)
        return self._found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resolver, name)


class Clients:
    """Makes clients of DynamoDB and SQS, with the region and the credentials of the environment.

    `sleep` takes seconds.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._making = Lock()
        self._session: Any = None

    def connect(
        self,
        service: str,
        region: str | None,
        endpoint: str | None,
        *,
        connect_timeout: float,
        read_timeout: float,
        attempts: int,
        connections: int,
    ) -> Client:
        """Return a client of `dynamodb` or `sqs`, which threads may share.

        `region` None is that of the environment, `endpoint` None that of AWS. A request is attempted up to `attempts`
        times. Timeouts are in seconds.
        """
        timeouts, attempt = (connect_timeout, read_timeout), None
        if attempts > 1:
            with self._making:
                attempt = self._first_attempt(service, region, endpoint, timeouts, connections)
        config = botocore.config.Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts - 1 if attempt else attempts},
            max_pool_connections=connections,
            parameter_validation=False,
        )

        def make() -> Any:
            with self._making:  # botocore makes one client at a time
                session = self._session = self._session or _session()
                client = session.create_client(service, region_name=region, endpoint_url=endpoint, config=config)
            if (resolver := getattr(client, "_ruleset_resolver", None)) is not None:
                client._ruleset_resolver = _OneEndpoint(resolver)
            return client

        return Client(attempt, make)

    def _first_attempt(
        self,
        service: str,
        region: str | None,
        endpoint: str | None,
        timeouts: tuple[float, float],
        connections: int,
    ) -> FirstAttempt | None:
        """Return what makes first attempts. None: botocore decides where requests go, or there are no credentials."""
        session = self._session = self._session or _session()
        region = region or session.get_config_variable("region")
        url = url_of(service, region or "", endpoint, session.get_scoped_config(), os.environ)
        if not region or not url or session.get_credentials() is None:
            return None
        certificates = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE", True)
        http = URLLib3Session(verify=certificates, timeout=timeouts, max_pool_connections=connections)
        return FirstAttempt(service, url, region, session, http, self._sleep)


def _session() -> Any:
    """Return a session. Where AWS_DATA_PATH names other models, botocore reads them itself."""
    session = botocore.session.Session(include_builtin_handlers=False)
    _register_handlers(session.get_component("event_emitter"))
    if not session.get_config_variable("data_path"):
        session.register_component("data_loader", _Loader(file_loader=_Files()))
    return session


def _register_handlers(events: Any) -> None:
    """Register botocore's own handlers, without those of documentation and of other services: those are nine in ten."""
    register = {
        botocore.handlers.REGISTER_FIRST: events.register_first,
        botocore.handlers.REGISTER_LAST: events.register_last,
    }
    for name, handler, *order in botocore.handlers.BUILTIN_HANDLERS:
        kind, _, of = name.partition(".")
        if kind != "docs" and of.partition(".")[0] in ("", "*", *_SERVICES):
            (register[order[0]] if order else events.register)(name, handler)
