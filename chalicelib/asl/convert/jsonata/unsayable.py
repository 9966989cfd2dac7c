"""What FSL cannot express."""

from __future__ import annotations


class Unsayable(Exception):
    """A part of a machine that FSL cannot express. `reason` is words without a full stop, `keys` lead to the part."""

    def __init__(self, reason: str, *keys: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.keys = keys

    def at(self, *keys: str | int) -> Unsayable:
        """Return the same with the keys that lead to where it was found before its own."""
        return Unsayable(self.reason, *keys, *self.keys)
