"""Names in scope."""

from __future__ import annotations

from typing import Any

from chalicelib.expressions.values import NOTHING


class Frame:
    """The names bound by a block, a call or a step; what it has not is its parent's."""

    __slots__ = ("names", "parent")

    def __init__(self, names: dict[str, Any], parent: Frame | None) -> None:
        self.names, self.parent = names, parent

    def find(self, name: str) -> Any:
        """Return the value of the name; NOTHING if it is not bound."""
        frame: Frame | None = self
        while frame is not None:
            names = frame.names
            if name in names:
                return names[name]
            frame = frame.parent
        return NOTHING
