"""The port of changes: wait until a run changes.

A host may end a wait early, for example when the client that waits has left.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from chalicelib.model.times import Milliseconds


class Watch(Protocol):
    """Watches one run, from the moment at which it was made."""

    def wait(self, milliseconds: Milliseconds) -> bool:
        """Return True once the run has changed since the previous call, or may have; False if the wait ends without.

        It ends after that time or, where the host ends it, earlier.
        """
        ...


class Changes(Protocol):
    """Notifies those that wait for runs. Safe for use by several threads."""

    def notify(self, namespace: str, run: str, *, is_over: bool) -> None:
        """Wake those that watch the run: it was changed. Call it after the change is stored.

        `is_over`: it has ended or was deleted.
        """
        ...

    def watch(self, namespace: str, run: str, *, only_end: bool = False) -> AbstractContextManager[Watch]:
        """Watch the run within the `with` block. Read the run after this call and before each `wait`.

        `only_end`: other changes than its end need not wake the watch.
        """
        ...

    def pause(self, milliseconds: Milliseconds) -> bool:
        """Sleep for a request that looks for changes of many runs, and return whether it may look again."""
        ...
