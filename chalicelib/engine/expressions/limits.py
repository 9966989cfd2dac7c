"""How much one evaluation may take, and the meter that stops it.

Every bound that decides an outcome is counted, not timed, so that a run decides alike on every machine: the clock is
only the backstop for what counting underrates. The meter is asked before work is done, never after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

SOURCE: Final = 16_384
"""Characters of one expression."""

NESTING: Final = 250
"""Levels of brackets and operators within one expression; also levels of arrays and objects within one value."""

NODES: Final = 20_000
"""Nodes of one parsed expression. (`(a ?: b) ?: c ...` doubles its parse tree with every level.)"""

STEPS: Final = 200_000
"""Units of work: the evaluation of one node is one; reading SHARE characters or SLOTS items natively is one too."""

TOGETHER: Final = 2_000_000
"""Steps of all expressions of one decision, or of one request to an action, together."""

SHARE: Final = 128
SLOTS: Final = 16

DEPTH: Final = 400
"""Nodes within nodes under evaluation; a recursion that is no tail call uses about three for each call. It keeps
evaluations within 10,000 Python frames (the limit that the library sets) and a stack of 1 MB."""

DEPTH_OF_CALL: Final = 10
"""What a call of a builtin counts towards DEPTH: `$map` and the like use that many frames more."""

SIZE: Final = 8_000_000
"""Characters of one string, or, roughly, of one value as JSON. Lambda takes payloads of 6 MB."""

ITEMS: Final = 100_000
"""Items of one array, or members of one object."""

SPACE: Final = 64_000_000
"""Bytes, roughly, that one evaluation may allocate in all."""

SLOT_BYTES: Final = 40
"""What an item of an array, or half a member of an object, is taken to need."""

CLOSURE_BYTES: Final = 1_000
"""What a function value with its scope is taken to need."""

WALL_MS: Final = 5_000
"""Milliseconds by the clock: the backstop."""

_LOOK: Final = 1_000
"""Steps between two looks at the clock."""


class Halt(Exception):
    """The evaluation may not go on; `str()` says why, for a person. `at` is the offset in the source, where known."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at


_taken: Final[ContextVar[list[int] | None]] = ContextVar("taken", default=None)


@contextmanager
def together() -> Iterator[None]:
    """Within, all evaluations together may take TOGETHER steps. It may be used as a decorator."""
    token = _taken.set([0])
    try:
        yield
    finally:
        _taken.reset(token)


class Meter:
    """Counts down what one evaluation may take. Every method raises Halt when it is used up."""

    __slots__ = ("_clock", "_deadline", "_look_at", "_space", "_steps")

    def __init__(self, clock: Callable[[], int]) -> None:
        taken = _taken.get()
        if taken and taken[0] >= TOGETHER:
            raise Halt(f"this and others evaluated with it take more than {TOGETHER:,} steps together")
        self._clock = clock
        self._deadline = clock() + WALL_MS
        self._steps = STEPS
        self._space = SPACE
        self._look_at = STEPS - _LOOK

    def close(self) -> None:
        """What was taken counts for those that are evaluated together."""
        taken = _taken.get()
        if taken:
            taken[0] += STEPS - self._steps

    def spend(self, steps: int = 1) -> None:
        """Take so many steps."""
        self._steps -= steps
        if self._steps < self._look_at:
            self.look()

    def look(self) -> None:
        """Stop if the steps or the time are over."""
        if self._steps < 0:
            raise Halt(f"it takes more than {STEPS:,} steps")
        self._look_at = max(0, self._steps - _LOOK)
        if self._clock() > self._deadline:
            raise Halt(f"it takes longer than {WALL_MS:,} milliseconds")

    def slots(self, count: int) -> None:
        """Take room for an array or object of so many items, and the steps to fill it."""
        if count > ITEMS:
            raise Halt(f"an array or object would have more than {ITEMS:,} items")
        self.spend(count // SLOTS)
        self.bytes(64 + count * SLOT_BYTES)

    def text(self, length: int) -> None:
        """Take room for a string of so many characters, and the steps to write it."""
        if length > SIZE:
            raise Halt(f"a string would have more than {SIZE:,} characters")
        self.spend(length // SHARE)
        self.bytes(64 + length)

    def bytes(self, count: int) -> None:
        """Take so much memory."""
        self._space -= count
        if self._space < 0:
            raise Halt(f"it builds more than {SPACE // 1_000_000} MB of values")
