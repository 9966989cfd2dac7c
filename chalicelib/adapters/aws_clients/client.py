"""A client of DynamoDB or SQS that makes most requests without one of botocore."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from chalicelib.adapters.aws_clients.first_attempt import FirstAttempt, Parsed


class Client:
    """Makes requests by `attempt`, and by botocore's client what that leaves over. Threads may share it.

    `make` makes botocore's client, which is a ninth of the CPU of a cold start. It is made when something else of it is
    used, such as another method. From the first use of its events on it makes all requests, so their handlers see them.
    """

    def __init__(self, attempt: FirstAttempt | None, make: Callable[[], Any]) -> None:
        self._attempt = attempt
        self._make = make
        self._making = Lock()
        self._made: Any = None

    def _make_api_call(self, operation: str, parameters: Parsed) -> Parsed:
        """Make the request; the name is botocore's, by which PynamoDB calls it. Raises BotoCoreError, ClientError."""
        attempt = self._attempt
        found = attempt(operation, parameters) if attempt is not None else None
        if found is None:
            found = self._whole()._make_api_call(operation, parameters)
        return found

    def send_message_batch(self, **parameters: Any) -> Parsed:
        """Make the request of SQS."""
        return self._make_api_call("SendMessageBatch", parameters)

    def get_queue_url(self, **parameters: Any) -> Parsed:
        """Make the request of SQS."""
        return self._make_api_call("GetQueueUrl", parameters)

    @property
    def meta(self) -> Any:
        """What botocore's client has in `meta`: with its events, too."""
        self._attempt = None
        return self._whole().meta

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole(), name)

    def _whole(self) -> Any:
        if self._made is None:
            with self._making:
                self._made = self._made or self._make()
        return self._made
