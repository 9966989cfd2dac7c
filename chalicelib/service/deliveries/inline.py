"""Inline delivery: the worker that commits an answer delivers the run's next action (`ECHOER_INLINE_DELIVERY`).

    message ──> deliver A ──> answered ──> the message asks for B; commit ──> deliver B ──> ... ──> delete the message

A chain begins with a received message. Before each commit, in the same transaction where there is one, the message is
changed (`Queue.hand_on`): it asks for the next activation, or for the one before if the commit does not come. Nobody
else receives it meanwhile. If the worker fails, it comes again, as any message that was not deleted.

SQS cannot change a message. There each delivery of a chain has a message of its own that comes when its worker can no
longer run (`is_net`). An activation that was answered has ended by then. For one that waits for a callback the head
records that it was delivered (`DeliveryTaken`): one write more, so actions that were seen to answer by callback are
left to the queue.

Only plain deliveries are inline: one at a time, without limit or breaker, and only a first attempt leads on. The rest
goes through the queue, and what is checked before each delivery is the same.
"""

from __future__ import annotations

from threading import Lock
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.invocation import awaits_approval, invocation_of
from chalicelib.model.actions import REPLY_TIMEOUT_S
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.messages import Deliver, encode
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.queues import Queue, QueueName

MAX_DELIVERIES: Final = 20
"""How many deliveries a worker makes in a chain before the run waits in the queue again, behind other runs."""

MAX_CHAIN_MS: Final[Milliseconds] = 10_000
"""How long after its beginning a chain still goes on where workers are added as needed (Lambda)."""

MAX_TURN_MS: Final[Milliseconds] = 100
"""The same on one machine, whose workers are few: beside slow actions a message costs little, and with long chains of
them all workers would be taken from other runs."""

MARGIN_MS: Final[Milliseconds] = 5_000
"""What a worker needs beside the time-out of a request."""

NET_DELAY_MS: Final[Milliseconds] = 180_000
"""When a message `is_net` comes: after the visibility time-out of deliveries, which a worker's message has, too.
No chain takes as long."""

_MAX_KNOWN: Final = 10_000
"""How many actions are remembered."""


class Hold(msgspec.Struct, frozen=True):
    """What a worker has in its hand: the receipt of its message (empty: none), and when the worker must be done."""

    receipt: str = ""
    until: Instant | None = None


class InlineDelivery:
    """Begins chains. `net_delay` is when the message of a delivery comes where a message cannot be changed.

    None: chains go on only where it can be changed.
    """

    def __init__(
        self,
        definition_cache: DefinitionCache,
        queue: Queue,
        clock: Clock,
        *,
        is_on: bool,
        net_delay: Milliseconds | None,
    ) -> None:
        self.definition_cache = definition_cache
        self.queue = queue
        self.clock = clock
        self.net_delay = net_delay
        self._is_on = is_on
        self._lock = Lock()
        self._by_callback: set[tuple[str, str]] = set()

    def chain(self, message: Deliver, hold: Hold) -> Chain | None:
        """Return the chain that may begin with the message; None if it is switched off, or nothing may follow."""
        if not self._is_on or not hold.receipt or message.granted_in:
            return None
        return Chain(self, message, hold)

    def answers(self, namespace: str, action: str) -> bool:
        """Return whether the action is expected to answer in its response, as it did last time."""
        return (namespace, action) not in self._by_callback

    def learn(self, namespace: str, action: str, *, answered: bool) -> None:
        """Remember how the action answered."""
        key = namespace, action
        if answered is (key not in self._by_callback):
            return
        with self._lock:
            if answered:
                self._by_callback.discard(key)
            elif len(self._by_callback) < _MAX_KNOWN:
                self._by_callback.add(key)


class Chain:
    """The deliveries that a worker makes for one message, one after the other. Implements `Keeper`."""

    def __init__(self, inline: InlineDelivery, message: Deliver, hold: Hold) -> None:
        self.message = message
        """What is being delivered."""
        self.is_net = False
        """Whether it has a message of its own, which the worker does not hold."""
        self._inline = inline
        self._hold = hold
        begun = inline.clock.now()
        self._until = begun + (MAX_TURN_MS if inline.net_delay is None else MAX_CHAIN_MS)
        self._ends = min(begun + NET_DELAY_MS, hold.until or begun + NET_DELAY_MS)
        self._made = 1
        self._next: Deliver | None = None
        self._is_changed = False

    def forget(self) -> None:
        self._next = None

    def keep(self, run: Run, message: Deliver) -> bool:
        if self._next is not None or run.sent_of(self.message.uuid) is not None or not self._may_follow(run, message):
            return False
        queue, net_delay = self._inline.queue, self._inline.net_delay
        if net_delay is None:
            found = replace(message, previous=self.message.uuid, version=self.message.version)
            if not queue.hand_on(QueueName.DELIVERIES, self._hold.receipt, encode(found)):
                return False
            self._is_changed = True
        else:
            found = replace(message, is_net=True)
            queue.send(QueueName.DELIVERIES, [encode(found)], net_delay)
        self._next = found
        return True

    def go_on(self) -> Deliver | None:
        """Return what is to be delivered next, now that the answer to the last delivery is committed; None: nothing."""
        found, self._next = self._next, None
        if found is not None:
            self.message, self.is_net, self._is_changed = found, self._inline.net_delay is not None, False
            self._made += 1
        return found

    @property
    def is_in_doubt(self) -> bool:
        """Whether the message was changed for a commit of which the worker does not know whether it came."""
        return self._is_changed

    def _may_follow(self, run: Run, message: Deliver) -> bool:
        inline, token = self._inline, run.token_of(message.uuid)
        now = inline.clock.now()
        if token is None or run.status is not Status.RUNNING or self._made >= MAX_DELIVERIES or now >= self._until:
            return False
        invocation = invocation_of(inline.definition_cache.of(run), run, token)
        if invocation is None or invocation.is_human or awaits_approval(token) or not _is_plain(invocation):
            return False
        lasts = (invocation.action.reply_timeout or REPLY_TIMEOUT_S * 1_000) * max(1, len(invocation.action.addresses))
        if now + lasts + MARGIN_MS > self._ends:
            return False
        return inline.answers(run.namespace, invocation.action.name)


def _is_plain(invocation: Invocation) -> bool:
    limit = invocation.options.limit
    is_limited = limit is not None and (limit.concurrent is not None or limit.per_second is not None)
    return not is_limited and not invocation.action.breaker
