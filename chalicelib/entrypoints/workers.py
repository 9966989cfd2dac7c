"""The handlers of queue and schedule events: plain functions on the events of Lambda.

A queue's handler returns the messages that it could not finish (a partial batch response: AWS Lambda Developer Guide,
"Handling errors for an SQS event source"). SQS delivers them again when their visibility timeout ends, which is set
here per message. Messages of one run are handled together, and different runs in parallel; an error in one run does
not affect the others.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import msgspec

from chalicelib import hosting
from chalicelib.hosting import Services, consumers
from chalicelib.model.json_values import ready
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.service import messages, parallel
from chalicelib.service.deliveries.reception import Reception
from chalicelib.service.errors import Busy, ServiceError
from chalicelib.service.messages import Message
from chalicelib.service.observability import work_context
from chalicelib.service.ports.queues import MAX_DEFER_MS, QueueName
from chalicelib.service.redelivery import Redelivery

LOG = logging.getLogger("echoer.workers")

MIN_RETRY_DELAY_MS: Final = 1_000
MAX_RETRY_DELAY_MS: Final = 60_000

Event: TypeAlias = dict[str, Any]


class _Attributes(msgspec.Struct, frozen=True):
    count: str = msgspec.field(name="ApproximateReceiveCount", default="1")


class _Record(msgspec.Struct, frozen=True):
    """A message in an event of Lambda."""

    id: str = msgspec.field(name="messageId")
    receipt: str = msgspec.field(name="receiptHandle")
    body: str
    attributes: _Attributes = _Attributes()

    @property
    def retry_delay(self) -> int:
        return retry_delay(self.id, int(self.attributes.count))


ready(list[_Record])


def retry_delay(message: str, count: int) -> int:
    """Return the milliseconds until a message that failed is delivered again. `count` is how often it was delivered.

    The longest delay doubles each time. Messages that failed together come again spread over it: each has a delay of
    its own, drawn by its id and its count.
    """
    longest = min(MIN_RETRY_DELAY_MS << min(count, 16), MAX_RETRY_DELAY_MS)
    digest = hashlib.sha256(f"{message}.{count}".encode()).digest()
    drawn = int.from_bytes(digest[:4], "big") / 2**32
    return MIN_RETRY_DELAY_MS + int(drawn * (longest - MIN_RETRY_DELAY_MS))


class _Received(msgspec.Struct, frozen=True):
    """A record and the message in it."""

    record: _Record
    message: Message


def deliver(event: Event, request: str = "", remaining: Milliseconds | None = None) -> Event:
    """Deliver the activations of the batch.

    `request` is the request id in Lambda's own log, and `remaining` how long the function may still run.
    """
    with _logged("deliver", request):
        until = None if remaining is None else hosting.services().adapters.clock.now() + remaining
        return _consume(event, QueueName.DELIVERIES, until)


def wake(event: Event, request: str = "") -> Event:
    """Wake the runs of the batch: a timer is due, or an event that they wait for may have arrived."""
    with _logged("wake", request):
        return _consume(event, QueueName.WAKES)


def dead_letter(event: Event, request: str = "") -> Event:
    """Record dead-lettered messages on their runs. A message that cannot be read is logged and dropped."""
    with _logged("dead_letter", request):
        hosting.services().adapters.observer.dead_lettered(len(event["Records"]))
        return _consume(event, QueueName.DEAD)


def sweep(request: str = "") -> None:
    """Send a message for every timer that is due or overdue."""
    with _logged("sweep", request):
        swept = hosting.services().timers.sweep()
        hosting.services().stuck_watch.ask()
        LOG.info("sweep: %d sent", swept.sent, extra={"sent": swept.sent, "overdue": swept.overdue})


@contextmanager
def _logged(function: str, request: str) -> Iterator[None]:
    """Log with the function and request within the block, and flush traces and metrics after it."""
    with work_context.about(function=function, request=request):
        try:
            yield
        finally:
            hosting.flush()


# ── a batch ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _consume(event: Event, queue: QueueName, until: Instant | None = None) -> Event:
    """Handle every message of the batch, until then. Messages that are not finished are delivered again."""
    services = hosting.services()
    records = msgspec.convert(event["Records"], list[_Record])
    verdicts: dict[str, Redelivery] = {}
    groups: dict[tuple[str, str], list[_Received]] = defaultdict(list)
    for record in records:
        message = _message(record, queue)
        if message is not None:
            groups[message.namespace, message.subject].append(_Received(record, message))
        else:
            verdicts[record.id] = None if queue is QueueName.DEAD else record.retry_delay
    for found in parallel.side_by_side(
        lambda received: _handle(services, queue, received, until), list(groups.values())
    ):
        verdicts.update(found)
    again = [record for record in records if verdicts[record.id] is not None]
    for record in again:
        _defer(services, queue, record, verdicts[record.id] or 0)
    counts = {"queue": str(queue), "received": len(records), "done": len(records) - len(again), "again": len(again)}
    LOG.info("%(queue)s: %(received)d received, %(done)d done, %(again)d will be retried", counts, extra=counts)
    return {"batchItemFailures": [{"itemIdentifier": record.id} for record in again]}


def _handle(
    services: Services, queue: QueueName, received: Sequence[_Received], until: Instant | None
) -> dict[str, Redelivery]:
    """Handle the messages of one run. Return the delay until each is delivered again; None if it is finished."""
    first, uuids = received[0].message, {getattr(one.message, "uuid", "") for one in received}
    receptions = [Reception(int(one.record.attributes.count), until) for one in received]
    with work_context.about(namespace=first.namespace, run=first.subject, uuid=uuids.pop() if len(uuids) == 1 else ""):
        try:
            verdicts = consumers.handle(services, queue, [one.message for one in received], receptions)
        except Busy as busy:  # the store or the queue is overloaded, or the server is stopping
            LOG.warning("messages of %r will be retried: %s", first.subject, busy, extra={"run": first.subject})
            return {one.record.id: one.record.retry_delay for one in received}
        except Exception:  # the outermost handler: other runs of the batch are not affected
            LOG.exception("messages of %r failed; they will be retried", first.subject, extra={"run": first.subject})
            return {one.record.id: one.record.retry_delay for one in received}
    return {one.record.id: verdict for one, verdict in zip(received, verdicts, strict=True)}


def _message(record: _Record, queue: QueueName) -> Message | None:
    """Return the message in a record. If the queue may not hold it, log an error and return None."""
    try:
        message = messages.decode(record.body)
    except (msgspec.DecodeError, UnicodeError) as error:
        LOG.error("%s: message %s cannot be read: %a: %.500a", queue, record.id, str(error), record.body)
        return None
    if not isinstance(message, consumers.KINDS[queue]):
        LOG.error("%s: message %s is in the wrong queue: %.500a", queue, record.id, record.body)
        return None
    return message


def _defer(services: Services, queue: QueueName, record: _Record, delay: int) -> None:
    """Have the message delivered again after `delay` or, if the queue does not respond, after its own timeout."""
    try:
        services.adapters.queue.defer(queue, record.receipt, min(delay, MAX_DEFER_MS))
    except ServiceError as error:
        LOG.warning("%s: cannot set the retry delay of message %s: %s", queue, record.id, error)
