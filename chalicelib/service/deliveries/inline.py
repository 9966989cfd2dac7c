"""Inline delivery: the worker that commits an answer delivers the run's next action (`ECHOER_INLINE_DELIVERY`).

    message of A ──> deliver A ──> answered: commit ──> deliver B ──> answered: commit ──> ... ──> delete the message
                                   B: held by A                      C: held by A

No message is sent for B. The head that is committed says that the message of A asks for its delivery
(`Activation.held_by`), and the worker keeps that message until the chain ends. If the worker fails, the message comes
again, and the head says what it asks for now (`Deliver.current`). Before the commit, A is still due. So nothing is
written and nothing is sent but the head.

A queue may hand a message to two workers, and one of them may delete it while the other depends on it. Therefore:

- Only the first reception of a message begins a chain.
- A chain goes on only if, at the commit, the head has the activation as it was when the worker began to deliver it.
- A later reception that leaves the head as it is (the action took the delivery) notes that in the head
  (`DeliveryTaken`), unless a failed attempt has changed it already. So the worker of a chain finds it changed.
- A message is kept if the last head that its worker saw says that it asks for something else by then.

Only plain deliveries are inline: one at a time, without limit or breaker, and only a first attempt leads on. The rest
goes through the queue, and what is checked before each delivery is the same.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from chalicelib.engine.effects import Decision, DeliverAction
from chalicelib.engine.held_deliveries import held
from chalicelib.engine.invocation import awaits_approval, invocation_of
from chalicelib.model.actions import REPLY_TIMEOUT_S
from chalicelib.model.run import Activation, Run
from chalicelib.model.status import Status
from chalicelib.model.times import Milliseconds
from chalicelib.model.waits import NoticeWait
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.deliveries.delivery_check import Deliverable
from chalicelib.service.deliveries.reception import Reception
from chalicelib.service.messages import Deliver
from chalicelib.service.ports.clock import Clock

MAX_DELIVERIES: Final = 20
"""How many deliveries a worker makes in a chain before the run waits in the queue again, behind other runs."""

MAX_CHAIN_MS: Final[Milliseconds] = 10_000
"""How long after its beginning a chain still goes on where workers are added as needed (Lambda)."""

MAX_TURN_MS: Final[Milliseconds] = 100
"""The same on one machine, whose workers are few: beside slow actions a message costs little, and with long chains of
them all workers would be taken from other runs."""

MARGIN_MS: Final[Milliseconds] = 5_000
"""What a worker needs beside the time-out of a request."""

HELD_MS: Final[Milliseconds] = 180_000
"""How long a worker has its message to itself: the visibility time-out of deliveries. No chain takes as long."""


class InlineDelivery:
    """Begins chains. `lasts`: how long after its beginning a chain still goes on; None: there are no chains."""

    def __init__(self, definition_cache: DefinitionCache, clock: Clock, lasts: Milliseconds | None) -> None:
        self.definition_cache = definition_cache
        self.clock = clock
        self._lasts = lasts

    def chain(self, message: Deliver, first: Deliverable, reception: Reception) -> Chain | None:
        """Return the chain that may begin with the message, which asks for that delivery; None: nothing follows."""
        if self._lasts is None or not reception.is_first or message.granted_in:
            return None
        activation = first.activation
        if activation.attempt or isinstance(activation.wait, NoticeWait) or first.invocation.may_be_held_back:
            return None
        return Chain(self, message, reception, self._lasts)

    def may_be_shared(self, delivered: Deliverable, reception: Reception) -> bool:
        """Return whether another worker may be in a chain with that delivery, and with the same message."""
        may_be_in_chain = not delivered.activation.attempt and not delivered.invocation.may_be_held_back
        return self._lasts is not None and reception.count > 1 and may_be_in_chain


class Chain:
    """The deliveries that a worker makes for one message, one after the other. Implements `Keeper`."""

    def __init__(self, inline: InlineDelivery, message: Deliver, reception: Reception, lasts: Milliseconds) -> None:
        self._message = message
        self._inline = inline
        begun = inline.clock.now()
        self._until = begun + lasts
        self._ends = min(begun + HELD_MS, reception.until or begun + HELD_MS)
        self._made = 0
        self._current: Activation | None = None
        self._next = ""

    def begin(self, current: Activation | None) -> None:
        """Take note of what is being delivered next, as the head has it; None: nothing can be delivered now."""
        self._made += 1
        self._current, self._next = current, ""

    def keep(self, before: Run, decision: Decision) -> Decision:
        self._next = ""
        current, run = self._current, decision.run
        if current is None or run.sent_of(current.uuid) is not None:
            return decision
        token = before.token_of(current.uuid)
        if token is None or token.activation != current:
            return decision
        for effect in decision.effects:
            if isinstance(effect, DeliverAction) and self._may_follow(run, effect.uuid):
                self._next = effect.uuid
                return held(decision, effect.uuid, self._message.uuid)
        return decision

    def go_on(self, run: Run) -> Deliver | None:
        """Return what is to be delivered next, now that the head is committed; None: nothing."""
        if not self._next:
            return None
        return replace(self._message, uuid=self._next, version=run.version, previous="")

    def _may_follow(self, run: Run, uuid: str) -> bool:
        inline, token = self._inline, run.token_of(uuid)
        now = inline.clock.now()
        if token is None or run.status is not Status.RUNNING or self._made >= MAX_DELIVERIES or now >= self._until:
            return False
        invocation = invocation_of(inline.definition_cache.of(run), run, token)
        if invocation is None or invocation.is_human or awaits_approval(token) or invocation.may_be_held_back:
            return False
        lasts = (invocation.action.reply_timeout or REPLY_TIMEOUT_S * 1_000) * max(1, len(invocation.action.addresses))
        return now + lasts + MARGIN_MS <= self._ends
