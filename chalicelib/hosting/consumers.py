"""Which use case handles the messages of which queue, for every host that receives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from chalicelib.hosting.wiring import Services
from chalicelib.service.deliveries.reception import Reception
from chalicelib.service.messages import (
    Announce,
    Begin,
    Deliver,
    ExecuteStep,
    FindStuck,
    Listen,
    Message,
    Notify,
    Release,
    ReleaseHeld,
    RunBatch,
    Serve,
    StartChild,
    StopChild,
    SyncChild,
    TellParent,
    TellSchedule,
    Tick,
    Wake,
)
from chalicelib.service.ports.queues import QueueName

_WAKES: Final = (
    Wake, Listen, StartChild, ExecuteStep, StopChild, SyncChild, TellParent, TellSchedule, Tick, Begin, Release, Serve,
    ReleaseHeld, RunBatch, Announce, FindStuck,
)  # fmt: skip

KINDS: Final[dict[QueueName, tuple[type[Message], ...]]] = {
    QueueName.DELIVERIES: (Deliver, Notify),
    QueueName.WAKES: _WAKES,
    QueueName.DEAD: (Deliver, Notify, *_WAKES),
}
"""The messages that each queue may hold."""

_TOO_OFTEN: Final = "it could not be delivered: its message was retried too often"


def handle(
    services: Services, queue: QueueName, batch: Sequence[Any], receptions: Sequence[Reception] = ()
) -> Sequence[int | None]:
    """Handle messages of the queue's kinds. Return for each in how many milliseconds it must come again, or None.

    `receptions`: how each was received.
    """
    match queue:
        case QueueName.DELIVERIES:
            return _deliver(services, batch, receptions)
        case QueueName.WAKES:
            return services.waker.wake(batch)
        case QueueName.DEAD:
            return _dead_letter(services, batch)


def _deliver(services: Services, batch: Sequence[Message], receptions: Sequence[Reception]) -> list[int | None]:
    """Handle deliveries, and notifications after them."""
    found: list[int | None] = [None] * len(batch)
    deliveries = {n: one for n, one in enumerate(batch) if isinstance(one, Deliver)}
    notifications = {n: one for n, one in enumerate(batch) if isinstance(one, Notify)}
    received = [receptions[n] for n in deliveries] if receptions else ()
    found_by = (
        (deliveries, services.deliverer.deliver(list(deliveries.values()), received) if deliveries else ()),
        (notifications, services.hook_notifier.notify(list(notifications.values())) if notifications else ()),
    )
    for places, results in found_by:
        for n, result in zip(places, results, strict=True):
            found[n] = result
    return found


def _dead_letter(services: Services, batch: Sequence[Message]) -> list[None]:
    for message in batch:
        if isinstance(message, Deliver):
            services.deliverer.give_up(message, _TOO_OFTEN)
        elif isinstance(message, Notify):
            services.hook_notifier.drop(message, _TOO_OFTEN)
        else:
            services.waker.wake([message])
    return [None] * len(batch)
