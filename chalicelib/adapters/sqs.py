"""Queues on SQS, and their description for the deployment, local servers and tests.

The client is botocore's, which boto3 only wraps: without boto3 a cold start is shorter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.aws_clients.clients import Clients
from chalicelib.service.errors import Busy, ServiceError, TooLarge
from chalicelib.service.ports.queues import QueueName, Received

VISIBILITY_TIMEOUT_S: Final = {QueueName.DELIVERIES: 180, QueueName.WAKES: 90, QueueName.DEAD: 90}
"""Longer than the function that receives from the queue may take: a delivery waits for the response of an action."""

MAX_RECEIVES: Final = 100
RETENTION_S: Final = 14 * 24 * 3600

_MAX_BATCH_MESSAGES: Final = 10
_MAX_BATCH_BYTES: Final = 256 * 1024
_MAX_POLL_S: Final = 5
"""Shorter than the client's read time-out, so that a long poll is not taken for a lost connection."""

_MAX_DEFER_S: Final = 12 * 3600 - max(VISIBILITY_TIMEOUT_S.values())
"""SQS counts its 12 hours from the reception, which may be as long ago as the visibility time-out."""

_NO_SUCH_RECEIPT_CODES: Final = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"})
_NO_SUCH_QUEUE_CODES: Final = frozenset({"NonExistentQueue", "QueueDoesNotExist"})
_TRANSIENT_CODES: Final = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "OverLimit",
        "RequestThrottled",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "KmsThrottled",
        "ExpiredToken",
    }
)


class SqsQueue:
    """Implements `ports.Queue` and `ports.Source` on SQS. It connects at the first request; threads may share it.

    `urls` are those of the queues, or the prefix of their names: then each queue is looked up when it is first used.
    """

    def __init__(
        self,
        urls: Mapping[QueueName, str] | str,
        region: str | None = None,
        endpoint: str | None = None,
        clients: Clients | None = None,
    ) -> None:
        self._clients = clients
        self._prefix = urls if isinstance(urls, str) else ""
        self._urls = {} if isinstance(urls, str) else dict(urls)
        self._region = region
        self._endpoint = endpoint
        self._lock = Lock()
        self._connected: Any = None

    def send(self, queue: QueueName, bodies: Sequence[str], delay: int = 0, *, early: bool = False) -> None:
        seconds = delay // 1000 if early else _seconds(delay)
        for batch in _batches(bodies):
            left = [
                {"Id": str(number), "MessageBody": body, "DelaySeconds": seconds} for number, body in enumerate(batch)
            ]
            for _ in range(2):
                with _translated():
                    answer = self._client.send_message_batch(QueueUrl=self._url(queue), Entries=left)
                failed = {failure["Id"] for failure in answer.get("Failed", ())}
                left = [entry for entry in left if entry["Id"] in failed]
                if not left:
                    break
            else:
                raise Busy(f"SQS did not take {len(left)} messages: {answer['Failed'][0]['Code']}")

    def defer(self, queue: QueueName, receipt: str, delay: int) -> None:
        seconds = min(_seconds(delay), _MAX_DEFER_S)
        with _translated(ignored=_NO_SUCH_RECEIPT_CODES):
            self._client.change_message_visibility(
                QueueUrl=self._url(queue), ReceiptHandle=receipt, VisibilityTimeout=seconds
            )

    def receive(self, queue: QueueName, limit: int, wait: float) -> Sequence[Received]:
        with _translated():
            answer = self._client.receive_message(
                QueueUrl=self._url(queue),
                MaxNumberOfMessages=limit,
                WaitTimeSeconds=min(int(wait), _MAX_POLL_S),
                AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        return [_received(message) for message in answer.get("Messages", ())]

    def delete(self, queue: QueueName, receipts: Sequence[str]) -> None:
        for start in range(0, len(receipts), _MAX_BATCH_MESSAGES):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt}
                for number, receipt in enumerate(receipts[start : start + _MAX_BATCH_MESSAGES])
            ]
            with _translated():
                answer = self._client.delete_message_batch(QueueUrl=self._url(queue), Entries=entries)
            failed = [failure["Code"] for failure in answer.get("Failed", ()) if not failure["SenderFault"]]
            if failed:
                raise Busy(f"SQS did not delete {len(failed)} messages: {failed[0]}")

    def connect(self) -> None:
        """Make the client, unless it is made already. Nothing is sent."""
        _ = self._client

    def _url(self, queue: QueueName) -> str:
        """Return the URL of the queue. Raises ServiceError if the queue does not exist."""
        found = self._urls.get(queue)
        if found is None:
            found = self._urls[queue] = find_queue(self._client, self._prefix, queue)
        return found

    @property
    def _client(self) -> Any:
        if self._connected is None:
            with self._lock:
                if self._connected is None:
                    self._connected = connect(self._region, self._endpoint, self._clients)
        return self._connected


def connect(region: str | None = None, endpoint: str | None = None, clients: Clients | None = None) -> Any:
    """Return a botocore SQS client, made by `clients` or by itself."""
    return (clients or Clients()).connect(
        "sqs", region, endpoint, connect_timeout=2, read_timeout=_MAX_POLL_S + 3, attempts=3, connections=25
    )


def _received(message: dict[str, Any]) -> Received:
    return Received(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        count=int(message["Attributes"]["ApproximateReceiveCount"]),
        sent_at=int(message["Attributes"]["SentTimestamp"]),
    )


def _batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    """Yield the bodies in batches of the size that SQS takes. Raises TooLarge for a body that fits into none."""
    batch: list[str] = []
    filled = 0
    for body in bodies:
        size = len(body.encode())
        if size > _MAX_BATCH_BYTES:
            raise TooLarge(f"a message has {size} bytes; SQS takes at most {_MAX_BATCH_BYTES}")
        if len(batch) == _MAX_BATCH_MESSAGES or filled + size > _MAX_BATCH_BYTES:
            yield batch
            batch, filled = [], 0
        batch.append(body)
        filled += size
    if batch:
        yield batch


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)


@contextmanager
def _translated(ignored: frozenset[str] = frozenset()) -> Iterator[None]:
    """Turn botocore's errors into the service's, except the codes that are ignored."""
    try:
        yield
    except ClientError as exc:
        code = exc.response["Error"]["Code"].rpartition(".")[2]
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in ignored:
            return
        if code in _TRANSIENT_CODES or status >= 500:
            raise Busy(f"SQS: {code}") from exc
        raise ServiceError(f"SQS refused: {exc}") from exc
    except BotoCoreError as exc:
        raise Busy(f"SQS cannot be reached: {exc}") from exc


# ── definitions of the queues ────────────────────────────────────────────────────────────────────────────────────────


def create_queues(
    client: Any, prefix: str = "echoer", visibility: int | None = None, max_receives: int = MAX_RECEIVES
) -> dict[QueueName, str]:
    """Create the queues and return their URLs. For tests and local servers.

    `visibility` (seconds) is that of all queues; None: each has its own.
    """
    urls: dict[QueueName, str] = {}
    dead_arn: str | None = None
    for queue in (QueueName.DEAD, QueueName.DELIVERIES, QueueName.WAKES):
        attributes = {
            name: json.dumps(value) if isinstance(value, dict | bool) else str(value)
            for name, value in _attributes(
                VISIBILITY_TIMEOUT_S[queue] if visibility is None else visibility, max_receives, dead_arn
            ).items()
        }
        urls[queue] = client.create_queue(QueueName=f"{prefix}-{queue}", Attributes=attributes)["QueueUrl"]
        if queue is QueueName.DEAD:
            found = client.get_queue_attributes(QueueUrl=urls[queue], AttributeNames=["QueueArn"])
            dead_arn = found["Attributes"]["QueueArn"]
    return urls


def find_queues(client: Any, prefix: str = "echoer") -> dict[QueueName, str]:
    """Return the URLs of the existing queues. Raises ServiceError if one is missing."""
    return {queue: find_queue(client, prefix, queue) for queue in QueueName}


def find_queue(client: Any, prefix: str, queue: QueueName) -> str:
    """Return the URL of the queue. Raises ServiceError if it does not exist."""
    name = f"{prefix}-{queue}"
    with _translated(ignored=_NO_SUCH_QUEUE_CODES):
        return str(client.get_queue_url(QueueName=name)["QueueUrl"])
    raise ServiceError(f"SQS has no queue {name!r}; check ECHOER_QUEUE_PREFIX and the deployment")


def logical_id(queue: QueueName) -> str:
    """Return the queue's logical id in the CloudFormation template."""
    return f"{queue.capitalize()}Queue"


def queues_as_cloudformation(prefix: str = "echoer") -> dict[str, Any]:
    """Return the `Resources` of a CloudFormation template for the queues."""
    dead_arn = {"Fn::GetAtt": [logical_id(QueueName.DEAD), "Arn"]}
    return {
        logical_id(queue): {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": f"{prefix}-{queue}",
                **_attributes(VISIBILITY_TIMEOUT_S[queue], MAX_RECEIVES, None if queue is QueueName.DEAD else dead_arn),
            },
        }
        for queue in QueueName
    }


def _attributes(visibility: int, max_receives: int, dead_arn: str | dict[str, Any] | None) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "VisibilityTimeout": visibility,
        "MessageRetentionPeriod": RETENTION_S,
        "SqsManagedSseEnabled": True,
    }
    if dead_arn is not None:
        attributes["RedrivePolicy"] = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": max_receives}
    return attributes
