"""Bugs put in on purpose into inline delivery."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.service.deliveries.inline import Chain
from chalicelib.service.messages import Deliver


def _without_message(_: Any) -> Any:
    """The worker delivers what follows, and no message asks for it if the worker fails."""

    def keep(self: Any, run: Any, message: Any) -> bool:
        if self._next is not None or not self._may_follow(run, message):
            return False
        self._next = message
        return True

    return keep


INLINE_BUGS: Final = (
    ("what a worker delivers itself has no message", Chain, "keep", _without_message),
    ("changed message forgets what it was for", Deliver, "current", lambda _: lambda self, _run: self),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
