"""Acceptance tests run against the server in a process of its own, once for each store and queue."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from chalicelib.adapters.dynamodb.items import TableLocation
from chalicelib.adapters.dynamodb.store import DynamoStore
from fsl.local.aws import REGION
from tests.acceptance.actions import Actions
from tests.acceptance.api import Api, poll
from tests.fsl.conftest import Process

PLAIN: Final = {
    "ECHOER_DYNAMODB_URL": "",
    "ECHOER_SQS_URL": "",
    "ECHOER_RETRY_DELAY": "100ms",
    "ECHOER_URL": "",
    "ECHOER_PUBLIC_URL": "",
    "ECHOER_WEBHOOK_KEY": "",
    "ECHOER_WEBHOOK_KEY_REF": "",
    "PYTHONFAULTHANDLER": "1",
}
"""The server's environment. It overrides the variables of this process."""

HERE: Final = Path(__file__).parent

OTHERS: Final = "ECHOER_OTHER_AWS"
"""If it is set, the tests also run on the DynamoDB and SQS at ECHOER_DYNAMODB_URL and ECHOER_SQS_URL."""


DEPLOYED: Final = "ECHOER_DEPLOYED_URL"
"""If it is set, the tests run on this API only, with ECHOER_DEPLOYED_TOKEN (of an admin) and ECHOER_DEPLOYED_KEY (its
webhook key). `make cloud` sets all three. The API must reach services on 127.0.0.1."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that do not use the deployed API, if there is one."""
    if not os.environ.get(DEPLOYED):
        return
    left_out = [item for item in items if item.path.parent == HERE and "api" not in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def other_aws() -> dict[str, str]:
    """Return the environment of a server with its own table and queues on other implementations of AWS."""
    where = {name: os.environ.get(name, "") for name in ("ECHOER_DYNAMODB_URL", "ECHOER_SQS_URL")}
    missing = [name for name, value in where.items() if not value]
    if missing:
        pytest.fail(f"{OTHERS} is set, but {' and '.join(missing)} is not: see scripts/other_aws.py")
    prefix = f"t{uuid4().hex[:10]}"
    return {**PLAIN, **where, "ECHOER_TABLE": prefix, "ECHOER_QUEUE_PREFIX": prefix}


@pytest.fixture(scope="session")
def credentials() -> Iterator[None]:
    """Set credentials, which botocore requires even for endpoints that do not check them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "local")
        yield


@cache
def transacts(endpoint: str) -> bool:
    """Return whether that DynamoDB supports TransactWriteItems (dynalite does not)."""
    client = DynamoStore(TableLocation(region=REGION, endpoint=endpoint)).table.client
    try:
        client.transact_write_items(TransactItems=[{"Delete": {"TableName": "nobody", "Key": {"k": {"S": "k"}}}}])
    except ClientError as exc:
        return bool(exc.response["Error"]["Code"] != "UnknownOperationException")
    return True


def backends() -> list[str]:
    if os.environ.get(DEPLOYED):
        return ["deployed"]
    return ["sqlite", "aws", *(["other"] if os.environ.get(OTHERS) else [])]


@pytest.fixture(scope="session", params=backends())
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def api(backend: str, credentials: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    if backend == "deployed":
        where, token, key = (os.environ[f"ECHOER_DEPLOYED_{name}"] for name in ("URL", "TOKEN", "KEY"))
        yield Api(where, token=token, key=key)
        return
    options, environment = ["--db", str(tmp_path_factory.mktemp("db") / "echoer.db")], PLAIN
    if backend != "sqlite":
        options, environment = ["--aws"], other_aws() if backend == "other" else PLAIN
    server = Process(*options, port=0, **environment)
    try:
        poll(lambda: server.running.poll() is not None or "listening on" in "".join(server.said))
        assert server.running.poll() is None, "".join(server.said)
        yield Api(server.url, whole=backend != "other" or transacts(environment["ECHOER_DYNAMODB_URL"]))
        assert server.end(signal.SIGTERM, 20) == 0
        told = "".join(server.said)
        assert "Traceback" not in told, told[told.index("Traceback") :][:5000]
    finally:
        server.close()


@pytest.fixture(scope="session")
def actions() -> Iterator[Actions]:
    with Actions() as running:
        yield running


_count = itertools.count()


@pytest.fixture
def name() -> str:
    """Return a name that no other test uses."""
    return f"t{next(_count)}_{uuid4().hex[:6]}"


RELEASE: Final = (Path(__file__).parents[2] / "fsl" / "examples" / "release.fsl").read_text()
