"""Actions behind an SQS queue (`method = queue`) and actions that are Lambda functions (`method = lambda`).

Both get the body that HTTP would carry and answer by callback: a delivery succeeds when AWS accepts it. A message has
the headers as string attributes: Echoer's own five, and up to five of the action's (SQS takes ten). A function that is
invoked asynchronously gets only the body. A direct call waits for what the function returns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import botocore.config
import botocore.session
import msgspec
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
)

from chalicelib.engine.values.secret_values import is_posing
from chalicelib.model.actions import Method
from chalicelib.model.json_values import is_shallow, ready
from chalicelib.model.run_error import ErrorName
from chalicelib.service.ports.actions import MAX_ANSWER_BYTES, Call, NotTaken, Raised, Reply, Returned, Taken

MAX_EXCERPT_CHARS: Final = 1000
"""The part of an error message that is stored."""

Connect: TypeAlias = Callable[[str, str | None, str | None, float], Any]
"""Creates a client of a service, for a region and an endpoint (None: those of the environment and of AWS).

The last argument is the time limit of an answer, in seconds.
"""

READ_TIMEOUT_S: Final = 3.0
"""How long AWS may take to accept a delivery."""

UNNAMED_ERROR: Final = "Lambda.Unknown"
"""The name of an error of a function that has none. AWS Step Functions calls it so, too."""

_OWN_HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature", "Idempotency-Key", "traceparent")
_MAX_ACTION_ATTRIBUTES: Final = 5
_ATTRIBUTE: Final = re.compile(r"(?!(?i:aws|amazon)\.)\w[\w-]*(\.[\w-]+)*", re.ASCII)
_GROUP: Final = re.compile(r"[!-~]{1,128}")
_REGION: Final = re.compile(r"(?:^|\.)sqs\.([a-z0-9-]+)\.|^([a-z0-9-]+)\.queue\.amazonaws\.com$")

_RETRIED: Final = frozenset(
    {
        "EC2ThrottledException",
        "ExpiredToken",
        "ExpiredTokenException",
        "KmsThrottled",
        "OverLimit",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "ResourceConflictException",  # the function is being changed
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Error codes after which a delivery is retried, as it is after every 429 and 5xx."""

FINAL_ERRORS: Final = (NoCredentialsError, PartialCredentialsError, NoRegionError, ParamValidationError, ValueError)
"""Errors that occur before anything is sent and would occur again."""


def advice(error: Exception) -> str:
    """Return in parentheses what to set, if the environment names no region or no credentials; else an empty text."""
    if isinstance(error, NoRegionError):
        return " (set AWS_DEFAULT_REGION, such as eu-central-1)"
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return " (set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
    return ""


class _Request(msgspec.Struct, frozen=True):
    """The members of the body that a FIFO queue needs (docs/http-api.md, 1)."""

    flow_run: str = msgspec.field(name="flowId", default="")
    uuid: str = ""


class AwsCaller:
    """Implements `ports.Caller` for the methods `queue` and `lambda`. Threads may share it.

    `sqs_endpoint` is the endpoint of queues that are named without a URL.
    """

    def __init__(self, connect: Connect | None = None, *, sqs_endpoint: str | None = None) -> None:
        self._connect = connect or connect_aws
        self._sqs_endpoint = sqs_endpoint
        self._lock = Lock()
        self._clients: dict[tuple[str, str | None, str | None, float], Any] = {}
        self._urls: dict[str, str] = {}

    def post(self, call: Call) -> Reply:
        """Deliver to the first address that accepts. The reply is that of the last address that was tried."""
        reply: Reply = NotTaken.own("the action has no address", final=True)
        for address in call.addresses:
            reply = self._send(address, call)
            if not isinstance(reply, NotTaken) or reply.final:
                break
        return reply

    def _send(self, address: str, call: Call) -> Reply:
        try:
            if call.method is Method.QUEUE:
                self._enqueue(address, call)
            elif call.direct:
                return self._invoke_directly(address, call)
            else:
                self._invoke(address, call)
        except ClientError as exc:
            return refusal(address, exc)
        except FINAL_ERRORS as exc:
            text = f"{address} cannot be called{advice(exc)}"
            return NotTaken(f"{text}: {exc}"[:MAX_EXCERPT_CHARS], final=True, brief=text)
        except BotoCoreError as exc:
            text = f"{address} could not be reached"
            return NotTaken(f"{text}: {exc}"[:MAX_EXCERPT_CHARS], final=False, brief=text)
        return Taken()

    def _invoke(self, function: str, call: Call) -> None:
        client = self._client("lambda", _region_in(function), None)
        client.invoke(FunctionName=function, InvocationType="Event", Payload=call.body)

    def _invoke_directly(self, function: str, call: Call) -> Reply:
        client = self._client("lambda", _region_in(function), None, call.timeout / 1000)
        answer = client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=call.body)
        payload = answer["Payload"].read(MAX_ANSWER_BYTES + 1)
        return function_result(function, payload, failed=bool(answer.get("FunctionError")))

    def _enqueue(self, queue: str, call: Call) -> None:
        if "://" in queue:
            url, client = queue, self._client("sqs", _region_of(queue), _origin_of(queue))
        else:
            client = self._client("sqs", None, self._sqs_endpoint)
            url = self._urls.get(queue) or client.get_queue_url(QueueName=queue)["QueueUrl"]
            self._urls[queue] = url
        client.send_message(
            QueueUrl=url,
            MessageBody=call.body.decode(),
            MessageAttributes=_attributes(call.headers),
            **(_in_order(call.body) if queue.endswith(".fifo") else {}),
        )

    def _client(self, service: str, region: str | None, endpoint: str | None, seconds: float = READ_TIMEOUT_S) -> Any:
        with self._lock:  # botocore makes one client at a time; many threads may then use it
            key = (service, region, endpoint, seconds)
            if key not in self._clients:
                self._clients[key] = self._connect(*key)
            return self._clients[key]


def function_result(function: str, payload: bytes, *, failed: bool) -> Reply:
    """Return what a Lambda function returned, or the error that it ended with.

    Source: AWS Lambda Developer Guide, "Understanding retry behavior" and "Handler" of each runtime: a function that
    fails returns `errorType` and `errorMessage`.
    """
    if len(payload) > MAX_ANSWER_BYTES:
        text = f"what {function} returned is larger than {MAX_ANSWER_BYTES} bytes"
        return Raised(ErrorName.TOO_LARGE, text) if failed else Returned(too_large=text)
    text = payload.decode("utf-8", "replace")
    try:
        value = msgspec.json.decode(payload) if payload.strip() else None
        is_fit = is_shallow(value) and not is_posing(value)
    except (ValueError, RecursionError):
        is_fit = False
    value = value if is_fit else text
    if not failed:
        return Returned(value)
    fields = value if isinstance(value, dict) else {}
    cause = fields.get("errorMessage") or text
    return Raised(str(fields.get("errorType") or UNNAMED_ERROR), str(cause)[:MAX_EXCERPT_CHARS], value)


def _region_in(function: str) -> str | None:
    return function.split(":")[3] if function.startswith("arn:") else None


def connect_aws(service: str, region: str | None, endpoint: str | None, seconds: float) -> Any:
    """Return a client. A delivery to a queue without a URL needs two requests: to find it, and to send.

    The client does not retry: the retry options of the action apply.
    """
    config = botocore.config.Config(
        connect_timeout=2, read_timeout=seconds, retries={"total_max_attempts": 1}, max_pool_connections=25
    )
    session = botocore.session.get_session()
    return session.create_client(service, region_name=region, endpoint_url=endpoint, config=config)


def _region_of(url: str) -> str | None:
    found = _REGION.search(urlsplit(url).hostname or "")
    return found[1] or found[2] if found else None


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _attributes(headers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the headers as message attributes. SQS takes no empty values, and not every name."""
    ours = [name for name in _OWN_HEADERS if name in headers]
    theirs = [
        name for name, value in headers.items() if name not in _OWN_HEADERS and value and _ATTRIBUTE.fullmatch(name)
    ]
    return {
        name: {"DataType": "String", "StringValue": headers[name]} for name in ours + theirs[:_MAX_ACTION_ATTRIBUTES]
    }


def _in_order(body: bytes) -> dict[str, str]:
    """Return the options for a FIFO queue: order within a run, and no duplicates within five minutes."""
    request = msgspec.json.decode(body, type=_Request)
    run = request.flow_run
    group = run if _GROUP.fullmatch(run) else hashlib.sha256(run.encode()).hexdigest()
    return {"MessageGroupId": group, "MessageDeduplicationId": request.uuid}


def refusal(address: str, error: ClientError) -> NotTaken:
    """Return the failure that an error answer of AWS is."""
    said, meta = error.response["Error"], error.response.get("ResponseMetadata", {})
    code, status = said.get("Code", "").rpartition(".")[2], meta.get("HTTPStatusCode", 0)
    text = f"{address} answered {code}: {said.get('Message', '')}"[:MAX_EXCERPT_CHARS]
    again = code in _RETRIED or status == 429 or status >= 500
    brief = f"{address} refused it" + (f" with status {status}" if status else "")
    return NotTaken(text, final=not again, retry_after=_retry_after(meta) if again else 0, brief=brief)


def _retry_after(meta: Mapping[str, Any]) -> int:
    """Return the milliseconds in the Retry-After header."""
    asked = str(meta.get("HTTPHeaders", {}).get("retry-after", ""))
    return int(asked) * 1000 if re.fullmatch(r"[0-9]{1,5}", asked) else 0


ready(_Request)
