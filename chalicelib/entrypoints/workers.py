"""What the queues and the schedule call: plain functions on the events that Lambda hands over.

A queue's function tells in its answer which messages it is not done with (a partial batch response: AWS Lambda
Developer Guide, "Handling errors for an SQS event source"); they come again when their visibility time-out ends, which
is set here per message. The messages of one run are handled together, runs side by side; whatever happens to one run
touches no other.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from chalicelib import hosting
from chalicelib.hosting import Services, consumers
from chalicelib.model.json_values import ready
from chalicelib.service import messages, parallel
from chalicelib.service.errors import Busy, ServiceError
from chalicelib.service.messages import Message
from chalicelib.service.observability import work_context
from chalicelib.service.ports.queues import MAX_DEFER_MS, QueueName
from chalicelib.service.redelivery import Redelivery

LOG = logging.getLogger("echoer.workers")

LONGEST_PAUSE: Final = 60_000
"""Between two tries of a message that could not be handled, in milliseconds."""

Event: TypeAlias = dict[str, Any]


class _Attributes(msgspec.Struct, frozen=True):
    count: str = msgspec.field(name="ApproximateReceiveCount", default="1")


class _Record(msgspec.Struct, frozen=True):
    """One message, as Lambda's event shows it."""

    id: str = msgspec.field(name="messageId")
    receipt: str = msgspec.field(name="receiptHandle")
    body: str
    attributes: _Attributes = _Attributes()

    @property
    def pause(self) -> int:
        """How long the message rests if it could not be handled: the longer, the oftener it came."""
        return min(1000 << min(int(self.attributes.count), 16), LONGEST_PAUSE)


ready(list[_Record])


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message that could be read."""

    record: _Record
    message: Message


def deliver(event: Event, request: str = "") -> Event:
    """Activations of the batch are delivered. `request`: the id by which Lambda's own log knows the call."""
    with _door("deliver", request):
        return _consume(event, QueueName.DELIVERIES)


def wake(event: Event, request: str = "") -> Event:
    """Runs of the batch are woken: their timers rang, or what they wait for may have come."""
    with _door("wake", request):
        return _consume(event, QueueName.WAKES)


def dead_letter(event: Event, request: str = "") -> Event:
    """What nobody could handle is recorded on its run. A message that cannot be read is logged, and gone."""
    with _door("dead_letter", request):
        hosting.services().adapters.observer.dead_lettered(len(event["Records"]))
        return _consume(event, QueueName.DEAD)


def sweep(request: str = "") -> None:
    """Alarms that are due, or were forgotten, are on their way."""
    with _door("sweep", request):
        swept = hosting.services().timers.sweep()
        LOG.info("sweep: %d sent", swept.sent, extra={"sent": swept.sent, "overdue": swept.overdue})


@contextmanager
def _door(function: str, request: str) -> Iterator[None]:
    """Within it the log knows what is called; behind it whoever watches has said what there was."""
    with work_context.about(function=function, request=request):
        try:
            yield
        finally:
            hosting.flush()


# ── a batch ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _consume(event: Event, queue: QueueName) -> Event:
    """Handle every message of the batch. Those that must come again are returned as failures."""
    services = hosting.services()
    records = msgspec.convert(event["Records"], list[_Record])
    verdicts: dict[str, Redelivery] = {}
    groups: dict[tuple[str, str], list[_Letter]] = defaultdict(list)
    for record in records:
        message = _message(record, queue)
        if message is not None:
            groups[message.namespace, message.run].append(_Letter(record, message))
        else:
            verdicts[record.id] = None if queue is QueueName.DEAD else record.pause
    for found in parallel.side_by_side(lambda letters: _handle(services, queue, letters), list(groups.values())):
        verdicts.update(found)
    again = [record for record in records if verdicts[record.id] is not None]
    for record in again:
        _defer(services, queue, record, verdicts[record.id] or 0)
    counts = {"queue": str(queue), "received": len(records), "done": len(records) - len(again), "again": len(again)}
    LOG.info("%(queue)s: %(received)d received, %(done)d done, %(again)d come again", counts, extra=counts)
    return {"batchItemFailures": [{"itemIdentifier": record.id} for record in again]}


def _handle(services: Services, queue: QueueName, letters: Sequence[_Letter]) -> dict[str, Redelivery]:
    """What is to become of one run's messages."""
    of, uuids = letters[0].message, {getattr(letter.message, "uuid", "") for letter in letters}
    with work_context.about(namespace=of.namespace, run=of.run, uuid=uuids.pop() if len(uuids) == 1 else ""):
        try:
            verdicts = consumers.handle(services, queue, [letter.message for letter in letters])
        except Busy as busy:  # somebody asked for patience: a store, a queue, a server that is being stopped
            LOG.warning("messages of run %r come again: %s", of.run, busy, extra={"run": of.run})
            return {letter.record.id: letter.record.pause for letter in letters}
        except Exception:  # an outermost door
            LOG.exception("messages of run %r could not be handled; they come again", of.run, extra={"run": of.run})
            return {letter.record.id: letter.record.pause for letter in letters}
    return {letter.record.id: verdict for letter, verdict in zip(letters, verdicts, strict=True)}


def _message(record: _Record, queue: QueueName) -> Message | None:
    """The hint in a message; None if the queue may not hold it, which is logged."""
    try:
        message = messages.decode(record.body)
    except (msgspec.DecodeError, UnicodeError) as error:
        LOG.error("%s: message %s cannot be read: %a: %.500a", queue, record.id, str(error), record.body)
        return None
    if not isinstance(message, consumers.KINDS[queue]):
        LOG.error("%s: message %s belongs into another queue: %.500a", queue, record.id, record.body)
        return None
    return message


def _defer(services: Services, queue: QueueName, record: _Record, delay: int) -> None:
    """The message comes again after `delay`; after the queue's own time-out, if the queue does not answer."""
    try:
        services.adapters.queue.defer(queue, record.receipt, min(delay, MAX_DEFER_MS))
    except ServiceError as error:
        LOG.warning("%s: message %s could not be put off: %s", queue, record.id, error)
