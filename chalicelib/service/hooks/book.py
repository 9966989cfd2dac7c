"""The hooks of namespaces, kept in memory, so that transitions of runs cost no read."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Final

from chalicelib.engine.announcements import Announcement
from chalicelib.model import json_values
from chalicelib.model.hooks import Hook, HookEvent
from chalicelib.model.run import Run
from chalicelib.model.times import Instant
from chalicelib.service.errors import TooLarge
from chalicelib.service.messages import Wanted
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.definitions import DefinitionStore, Kind

MAX_AGE_MS: Final = 10_000
"""How long a container may not know of a hook that was submitted through another one."""

MAX_HOOKS: Final = 100
"""How many hooks a namespace may have."""

MAX_NAMESPACES: Final = 1_000
"""Namespaces of which a container remembers the hooks."""


class HookBook:
    """Reads the hooks of a namespace at most once per `MAX_AGE_MS`. Safe for use by several threads."""

    def __init__(self, definitions: DefinitionStore, clock: Clock) -> None:
        self._definitions = definitions
        self._clock = clock
        self._lock = Lock()
        self._known: dict[str, tuple[Instant, tuple[Hook, ...]]] = {}

    def of(self, namespace: str) -> tuple[Hook, ...]:
        """Return the hooks of the namespace, sorted by name."""
        now = self._clock.now()
        with self._lock:
            read_at, hooks = self._known.get(namespace, (None, ()))
        if read_at is not None and read_at > now - MAX_AGE_MS:
            return hooks
        found = self._definitions.list(namespace, Kind.HOOK, 2 * MAX_HOOKS)
        hooks = tuple(json_values.decode(one.value, Hook) for one in found)
        with self._lock:
            if len(self._known) >= MAX_NAMESPACES:
                self._known.clear()
            self._known[namespace] = now, hooks
        return hooks

    def check_room(self, namespace: str, new: int) -> None:
        """Check that the namespace has room for so many new hooks. Raises TooLarge."""
        count = len(self._definitions.list(namespace, Kind.HOOK, MAX_HOOKS)) + new
        if count > MAX_HOOKS:
            raise TooLarge(f"the namespace would have {count} hooks; the limit is {MAX_HOOKS}")

    def named(self, namespace: str, name: str) -> Hook | None:
        """Return the hook with this name, or None. A hook that is not known is looked for in the store."""
        for attempts_left in (1, 0):
            found = next((hook for hook in self.of(namespace) if hook.name == name), None)
            if found or not attempts_left:
                return found
            self.forget(namespace)
        return None

    def forget(self, namespace: str) -> None:
        """Read the hooks of the namespace again when they are next asked for."""
        with self._lock:
            self._known.pop(namespace, None)

    def forget_all(self) -> None:
        """Read the hooks of all namespaces again when they are next asked for."""
        with self._lock:
            self._known.clear()

    def wanting(self, namespace: str, event: HookEvent) -> tuple[str, ...]:
        """Return the names of the hooks that are to be notified of an event that is not about a run."""
        return tuple(hook.name for hook in self.of(namespace) if event in hook.on)

    def wanted(self, run: Run, announced: Iterable[Announcement]) -> tuple[Wanted, ...]:
        """Return what hooks are to be notified of, with their names."""
        found = []
        for one in announced:
            names = tuple(hook.name for hook in self.of(run.namespace) if hook.wants(one.event, run))
            if names:
                found.append(Wanted(announcement=one, hooks=names))
        return tuple(found)
