"""Bugs put in on purpose into inline delivery."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.engine.effects import DeliverAction
from chalicelib.service.deliveries.deliver import Deliverer
from chalicelib.service.deliveries.delivery_check import SendAgain
from chalicelib.service.deliveries.inline import Chain, InlineDelivery
from chalicelib.service.deliveries.reception import Reception
from chalicelib.service.messages import Deliver


def _without_mark(right: Any) -> Any:
    """The worker delivers what follows, and no message asks for it if the worker fails."""

    def keep(self: Any, before: Any, decision: Any) -> Any:
        kept = right(self, before, decision)
        is_kept = sum(isinstance(one, DeliverAction) for one in kept.effects)
        was = sum(isinstance(one, DeliverAction) for one in decision.effects)
        return decision if is_kept == was else type(kept)(decision.run, kept.outcome, kept.effects)

    return keep


def _unseen(right: Any) -> Any:
    """The chain goes on, though another worker has delivered its activation meanwhile."""

    def keep(self: Any, before: Any, decision: Any) -> Any:
        token = before.token_of(self._current.uuid) if self._current is not None else None
        if token is not None:
            self._current = token.activation
        return right(self, before, decision)

    return keep


def _not_kept(_: Any) -> Any:
    """A worker deletes its message, though another one goes on with it."""
    return lambda self, one, result, _after: (
        self._send_again(one.message, result) if isinstance(result, SendAgain) else result
    )


INLINE_BUGS: Final = (
    ("what a worker delivers itself has no message", Chain, "keep", _without_mark),
    ("a message asks only for what it was sent for", Deliver, "current", lambda _: lambda self, _run: self),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""

SHARED_BUGS: Final = (
    ("a chain goes on though another worker has its message", Chain, "keep", _unseen),
    ("every reception begins a chain", Reception, "is_first", lambda _: property(lambda self: self.count > 0)),
    ("a message that is shared is not noted", InlineDelivery, "may_be_shared", lambda _: lambda *_: False),
    ("a message that is shared is deleted", Deliverer, "_finished", _not_kept),
    ("a dead letter gives up what it was sent for", Deliverer, "_asked_for", lambda _: lambda self, one: one.uuid),
)
"""The same, of those that `test_shared_messages.py` finds: two workers must have one message."""
