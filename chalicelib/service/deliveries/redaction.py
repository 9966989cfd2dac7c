"""Hide what services say of errors where a request held secrets.

A service may quote what it was sent, in any encoding, cut at any place. No comparison finds every form of a secret, so
the text is dropped as a whole; what remains is Echoer's own: the address, the status, the media type and the length.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from chalicelib.engine.values.hidden_errors import error_name
from chalicelib.service.ports.actions import NotTaken

HIDDEN: Final = "the delivery failed; the reason is hidden because the action has secrets"
"""The error of a failure that has no text of Echoer's own."""

NOT_VALID: Final = "it is not a valid answer; the reason is hidden because the action has secrets"
"""The reason why an answer is ignored."""


def without_text(failure: NotTaken) -> NotTaken:
    """Return the failure without any text of the service. The engine encrypts its data and its response."""
    return replace(failure, error=failure.brief or HIDDEN, name=error_name(failure.name))
