"""Virtual time, and handlers that take turns.

A handler is ordinary synchronous code in a greenlet of its own. One of them runs; it yields at every port call, and the
one that is due next continues. Those due at the same time run in the order in which they were planned, so a schedule is
the same every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final

import greenlet  # type: ignore[import-untyped]

from chalicelib.model.times import Instant

START: Final[Instant] = 1_800_000_000_000


class Crash(BaseException):
    """The container in which the handler ran is dead: nothing of it goes on."""


@dataclass(eq=False, slots=True)
class Fiber:
    """One handler at work."""

    name: str
    container: str
    namespace: str
    """The only namespace it may touch; empty for one that serves all."""
    began: Instant
    dies_at: Instant
    ended: Callable[[bool], None]
    """Called with whether it came to its end (or crashed)."""
    green: Any = None
    over: bool = False


@dataclass(eq=False)
class Loop:
    """The scheduler."""

    failed: Callable[[BaseException, Fiber], None]
    """Called with every unexpected exception of a handler."""
    now: Instant = START
    current: Fiber | None = None
    turns: int = 0
    fibers: dict[Fiber, None] = field(default_factory=dict)
    _due: list[tuple[Instant, int, Fiber | Callable[[], None]]] = field(default_factory=list)
    _asked: int = 0
    _hub: Any = field(default_factory=greenlet.getcurrent)

    def at(self, when: Instant, what: Fiber | Callable[[], None]) -> None:
        """It is the turn of `what` at that moment."""
        self._asked += 1
        heappush(self._due, (max(when, self.now), self._asked, what))

    def spawn(
        self,
        name: str,
        work: Callable[[], None],
        *,
        container: str,
        namespace: str = "",
        life: int,
        ended: Callable[[bool], None] = lambda well: None,
    ) -> None:
        """A handler begins, now."""
        fiber = Fiber(name, container, namespace, self.now, self.now + life, ended)
        fiber.green = greenlet.greenlet(lambda: self._work(fiber, work), self._hub)
        self.fibers[fiber] = None
        self.at(self.now, fiber)

    def pause(self, milliseconds: int) -> None:
        """The running handler gives way for so long. Raises Crash when its time is over."""
        fiber = self.current
        if fiber is None:
            return
        self.at(self.now + milliseconds, fiber)
        self._hub.switch()
        if self.now >= fiber.dies_at:
            raise Crash("its time was over")

    def turn(self) -> bool:
        """Let the next one that is due continue. Return False if there is none."""
        if not self._due:
            return False
        self.now, _, what = heappop(self._due)
        self.turns += 1
        if not isinstance(what, Fiber):
            what()
        elif not what.over:
            self.current = what
            what.green.switch()
            self.current = None
        return True

    @property
    def next_at(self) -> Instant | None:
        """When the next turn is."""
        return self._due[0][0] if self._due else None

    def kill(self, fiber: Fiber) -> None:
        """End the handler where it is."""
        if not fiber.over:
            if not fiber.green:  # it never began
                self._over(fiber, well=False)
                return
            fiber.green.throw(Crash("its container died"))

    def _work(self, fiber: Fiber, work: Callable[[], None]) -> None:
        well = False
        try:
            work()
            well = True
        except Crash:
            pass
        except Exception as failure:
            self.failed(failure, fiber)
        self._over(fiber, well=well)

    def _over(self, fiber: Fiber, *, well: bool) -> None:
        fiber.over = True
        self.fibers.pop(fiber, None)
        self.current = None
        fiber.ended(well)
