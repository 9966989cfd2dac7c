"""The base class of every error that Echoer raises on purpose."""

from __future__ import annotations

from typing import ClassVar


class EchoerError(Exception):
    """A request that cannot be carried out. `str()` says what went wrong, the value, and what to do."""

    code: ClassVar[str] = "internal"
    """The public name of the error: what the API answers in `error.code`. It never changes once it is released."""
