"""The port of changes: wait until a run changes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from chalicelib.model.times import Milliseconds


class Watch(Protocol):
    """Watches one run, from the moment at which it was made."""

    def wait(self, milliseconds: Milliseconds) -> None:
        """Return once the run has changed since the previous call, or after that time. It may return early."""
        ...


class Changes(Protocol):
    """Notifies those that wait for runs. Safe for use by several threads."""

    def notify(self, namespace: str, run: str) -> None:
        """Wake all that watch the run: it was changed or deleted. Call it after the change is stored."""
        ...

    def watch(self, namespace: str, run: str) -> AbstractContextManager[Watch]:
        """Watch the run within the `with` block. Read the run after this call and before each `wait`."""
        ...
