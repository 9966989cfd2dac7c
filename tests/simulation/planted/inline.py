"""Bugs put in on purpose into inline delivery."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.engine.effects import DeliverAction
from chalicelib.service.deliveries.deliver import Deliverer
from chalicelib.service.deliveries.inline import Chain, InlineDelivery
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
    """The chain goes on, whoever has delivered its activation meanwhile."""

    def keep(self: Any, before: Any, decision: Any) -> Any:
        token = before.token_of(self._current.uuid) if self._current is not None else None
        if token is not None:
            self._current = token.activation
        return right(self, before, decision)

    return keep


INLINE_BUGS: Final = (
    ("what a worker delivers itself has no message", Chain, "keep", _without_mark),
    ("a message asks only for what it was sent for", Deliver, "current", lambda _: lambda self, _run: self),
    ("a chain goes on though another worker has its message", Chain, "keep", _unseen),
    ("a message that was shared is not noted", InlineDelivery, "may_be_shared", lambda _: lambda *_: False),
    (
        "a dead letter gives up what it was sent for",
        Deliverer,
        "_asked_for",
        lambda _: lambda self, message: message.uuid,
    ),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
