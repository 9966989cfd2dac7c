"""The floor of a handler: its requests to AWS by bare botocore, and those to the action service by bare urllib3.

The botocore clients are what `create_client` makes, with the same limits as ours. With `validated` false they skip the
check of parameters, as PynamoDB's do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.config
import botocore.session

from bench.bill.records import ActionCall, AwsCall, Case


class Floor:
    """Bare clients of both services, as every function needs them."""

    def __init__(self) -> None:
        session = botocore.session.get_session()
        config = botocore.config.Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 3},
            parameter_validation=False,
        )
        self._clients = {name: session.create_client(name, config=config) for name in ("dynamodb", "sqs")}
        self._pool: Any = None

    def calls_to_aws(self, calls: list[AwsCall]) -> Callable[[], None]:
        """Return a function that makes the requests."""
        made = [(getattr(self._clients[call.service], _method(call.operation)), call.parameters) for call in calls]

        def run() -> None:
            for method, parameters in made:
                method(**parameters)

        return run

    def calls_to_actions(self, calls: list[ActionCall]) -> Callable[[], None]:
        """Return a function that makes the requests through one pool of connections."""
        import urllib3

        if self._pool is None:
            self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, total=10), retries=False)
        made = [
            (call.url, {name: value for name, value in call.headers.items() if name.lower() != "host"}, call.body)
            for call in calls
        ]

        def run() -> None:
            for url, headers, body in made:
                self._pool.request("POST", url, headers=headers, body=body)

        return run

    def of(self, case: Case) -> Callable[[], None]:
        """Return a function that makes all requests of the warm handler."""
        to_aws = self.calls_to_aws(case.warm)
        if not case.to_action:
            return to_aws
        to_actions = self.calls_to_actions(case.to_action)

        def run() -> None:
            to_aws()
            to_actions()

        return run


def _method(operation: str) -> str:
    """Return the name of botocore's method: `GetItem` is `get_item`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).removeprefix("_")
