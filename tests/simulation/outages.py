"""Services that break after they took a request, and say no more of it. Their action is paused then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.hosting import Services
from chalicelib.model.holds import HeldKind

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

_SCHEDULES: Final = 6
"""Of how many schedules one has outages."""

_REQUESTS: Final = 6
"""After how many requests a service breaks, on average."""


class Outages:
    """Which services are silent. An outage ends with the pause of its action."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._silent: set[tuple[str, str]] = set()
        """Namespaces and actions."""
        self._happen = stage.fates.below("outages", _SCHEDULES) == 0

    def is_silent(self, namespace: str, action: str) -> bool:
        """Return whether the action's services say nothing of what they have been sent."""
        return (namespace, action) in self._silent

    def taken(self, namespace: str, action: str) -> None:
        """Take note that a service took a request: it may break now."""
        fates = self._stage.fates
        if not self._happen or fates.calm or self.is_silent(namespace, action) or fates.below("outage", _REQUESTS):
            return

        def work(services: Services) -> None:
            services.holds.pause(namespace, HeldKind.ACTION, action)

        self._silent.add((namespace, action))
        fates.happened("outage")
        self._stage.ask(f"hold({namespace}/action {action}: it is silent)", namespace, work)

    def end(self, namespace: str, action: str) -> None:
        """Take note that the pause of the action ends."""
        self._silent.discard((namespace, action))
