"""Count how many activations of an action are in progress at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from typing import TypeAlias

from chalicelib.hosting.responder import Failure, Kind, Reply, Request

IsCurrent: TypeAlias = Callable[[str, str], bool]
"""Whether the run of that name still waits for the activation with that uuid."""


class InProgress:
    """The activations that were delivered, and not refused, and have not ended."""

    def __init__(self, actions: Collection[str], is_current: IsCurrent) -> None:
        self._actions = actions
        self._is_current = is_current
        self._runs: dict[str, dict[str, str]] = defaultdict(dict)
        """For each action: the run of each activation, by the activation's uuid."""
        self.most: Counter[str] = Counter()
        """The largest number for each action."""

    def note(self, request: Request, reply: Reply | None) -> None:
        """Count the request if it reached one of the actions."""
        if request.name not in self._actions or request.kind not in (Kind.ACTION, Kind.TASK):
            return
        current = {uuid: run for uuid, run in self._runs[request.name].items() if self._is_current(run, uuid)}
        if not isinstance(reply, Failure):
            current[request.uuid] = request.run
        self._runs[request.name] = current
        self.most[request.name] = max(self.most[request.name], len(current))
