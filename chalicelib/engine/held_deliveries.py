"""Deliveries for which no message is sent, because one that exists asks for them."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.engine.effects import Decision, DeliverAction
from chalicelib.model.run import Token, held_mark


def held(decision: Decision, uuid: str, message: str) -> Decision:
    """Return the decision without the effect that sends a message for the activation `uuid`.

    Its head says that the message of the activation `message` asks for that delivery.
    """
    mark, run = held_mark(message), decision.run

    def marked(token: Token) -> Token:
        if token.activation is None or token.activation.uuid != uuid:
            return token
        return replace(token, activation=replace(token.activation, held_by=mark))

    head = replace(run, tokens=tuple(map(marked, run.tokens)), extra_messages=run.extra_messages - 1)
    left = (one for one in decision.effects if not (isinstance(one, DeliverAction) and one.uuid == uuid))
    return replace(decision, run=head, effects=tuple(left))
