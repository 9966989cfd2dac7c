"""Which use case handles the messages of which queue, for every host that receives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from chalicelib.hosting.wiring import Services
from chalicelib.service.messages import (
    Begin,
    Deliver,
    ExecuteStep,
    Listen,
    Message,
    Release,
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
)  # fmt: skip

KINDS: Final[dict[QueueName, tuple[type[Message], ...]]] = {
    QueueName.DELIVERIES: (Deliver,),
    QueueName.WAKES: _WAKES,
    QueueName.DEAD: (Deliver, *_WAKES),
}
"""The messages that each queue may hold."""


def handle(services: Services, queue: QueueName, batch: Sequence[Any]) -> Sequence[int | None]:
    """Handle messages of the queue's kinds. Return for each in how many milliseconds it must come again, or None."""
    match queue:
        case QueueName.DELIVERIES:
            return services.deliverer.deliver(batch)
        case QueueName.WAKES:
            return services.waker.wake(batch)
        case QueueName.DEAD:
            return _dead_letter(services, batch)


def _dead_letter(services: Services, batch: Sequence[Message]) -> list[None]:
    for message in batch:
        if isinstance(message, Deliver):
            services.deliverer.give_up(message, "it could not be delivered: its message was retried too often")
        else:
            services.waker.wake([message])
    return [None] * len(batch)
