"""What an evaluation may take, and the meter that stops it.

Every limit that decides an outcome is counted, so that an expression ends alike on every machine. Work is charged
before it is done. The CPU clock is a second net for what counting underrates. Reading it costs more than a small
evaluation, so it is read once in _CHUNK steps or _LOOK_EVERY evaluations, and the time counts from its first reading.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import wraps
from time import thread_time
from typing import Final, ParamSpec, TypeVar

from chalicelib.expressions.errors import Failure

MAX_STEPS: Final = 400_000
"""Units of work of one evaluation: one for each node evaluated, ITEMS_PER_STEP items or CHARACTERS_PER_STEP."""

MAX_STEPS_TOGETHER: Final = 2_400_000
"""Steps of all evaluations within one `together()`."""

MAX_PATTERN_STEPS: Final = 20_000
"""What compiling the regular expressions of one expression may cost, in instructions of their programs."""

MAX_PATTERN_STEPS_TOGETHER: Final = 200_000
"""What compiling regular expressions may cost within one `together()`."""

ITEMS_PER_STEP: Final = 8
"""Items of an array or members of an object that a loop visits for one step."""

CHARACTERS_PER_STEP: Final = 128
"""Characters that are read or written for one step."""

MAX_DEPTH: Final = 1_000
"""Evaluations within evaluations; a recursion that is no tail call takes about four for each call."""

MAX_TEXT: Final = 8_000_000
"""Characters of one text, or of one value written as JSON."""

MAX_ITEMS: Final = 100_000
"""Items of one array, or members of one object."""

MAX_PICTURE: Final = 256
"""Characters of a picture of a number or a time."""

MAX_SPACE_BYTES: Final = 64_000_000
"""What one evaluation may allocate in all, roughly."""

ITEM_BYTES: Final = 40
"""What an item of an array, or half a member of an object, is taken to need."""

FUNCTION_BYTES: Final = 1_000
"""What a function value with its scope is taken to need."""

MAX_SECONDS: Final = 5.0
"""CPU time of one evaluation: the second net. A machine that is busy with other work does not change it."""

MAX_SECONDS_TOGETHER: Final = 10.0
"""CPU time of one `together()`, whatever it is spent on: the second net."""

MAX_OVERDRAFT: Final = 400_000
"""Steps of other work that `together()` still does when no evaluation may begin any more, to come to an end."""

EVALUATION_STEPS: Final = 8
"""What an evaluation costs `together()` beside its steps: its names are bound, and its value is copied."""

MAX_SUGGESTIONS: Final = 200
"""Names that are looked for within one `together()` because they are similar to unknown ones."""

_CHUNK: Final = 4_096
"""Steps between two looks at the clock."""

_LOOK_EVERY: Final = 16
"""Evaluations, or other charges to `together()`, between two looks at the clock."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Budget:
    """What is left for all evaluations within one `together()`."""

    steps = MAX_STEPS_TOGETHER  # defaults of the class: making a budget sets nothing
    patterns = MAX_PATTERN_STEPS_TOGETHER
    suggestions = MAX_SUGGESTIONS
    deadline: float | None = None
    unlooked = 0

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def is_late(self) -> bool:
        """Return whether the time is used up, as far as that is known without a look at the clock each time."""
        self.unlooked += 1
        return self.unlooked >= _LOOK_EVERY and self.look(thread_time())

    def look(self, now: float) -> bool:
        """Return whether the time is used up. Once it is, every later call of `is_late` looks again."""
        if self.deadline is None:
            self.deadline = now + self.seconds
        if now > self.deadline:
            self.unlooked = _LOOK_EVERY
            return True
        self.unlooked = 0
        return False


_shared: Final[ContextVar[_Budget | None]] = ContextVar("shared_budget", default=None)


class together:  # noqa: N801 - a context manager that is used like a function
    """Bound all evaluations and checks within, together, also by CPU time. Usable as a decorator."""

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float = MAX_SECONDS_TOGETHER) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._token: Token[_Budget | None] = _shared.set(_Budget(self._seconds))

    def __exit__(self, *_: object) -> None:
        _shared.reset(self._token)

    def __call__(self, function: Callable[_P, _T]) -> Callable[_P, _T]:
        seconds = self._seconds

        begin, end = _shared.set, _shared.reset

        @wraps(function)
        def bounded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            token = begin(_Budget(seconds))
            try:
                return function(*args, **kwargs)
            finally:
                end(token)

        return bounded


def charge_pattern(steps: int) -> None:
    """Charge the compilation of a regular expression to the budget of `together()`. Raises Failure."""
    budget = _shared.get()
    if budget:
        budget.patterns -= steps
        if budget.patterns < 0:
            raise Failure("L0009")


def has_room(steps: int) -> bool:
    """Charge work beside expressions to the budget of `together()`. Return whether more may follow."""
    budget = _shared.get()
    if budget is None:
        return True
    budget.steps -= steps
    return budget.steps > -MAX_OVERDRAFT and not budget.is_late()


def charge_small(steps: int) -> bool:
    """Charge an evaluation that takes at most this many steps to the budget of `together()`, if it has room for it."""
    budget = _shared.get()
    if budget is None:
        return True
    if budget.steps <= 0 or budget.is_late():
        return False
    budget.steps -= steps + EVALUATION_STEPS
    return True


def may_suggest() -> bool:
    """Return whether one more similar name may be looked for."""
    budget = _shared.get()
    if budget is None:
        return True
    budget.suggestions -= 1
    return budget.suggestions >= 0


class Meter:
    """Counts down what one evaluation may take. Its methods raise Failure when that is used up."""

    __slots__ = ("_budget", "_deadline", "_most", "_rest", "left", "space")

    def __init__(self, steps: int = MAX_STEPS) -> None:
        """`steps`: fewer than the limit, for tests."""
        self._budget = budget = _shared.get()
        self._deadline: float | None = None
        if budget:
            if budget.steps <= 0:
                raise Failure("L0006")
            if budget.is_late():
                raise Failure("L0007")
        self.left = _CHUNK
        self._most = steps
        self._rest = steps - _CHUNK
        self.space = MAX_SPACE_BYTES

    @property
    def taken(self) -> int:
        """Steps taken so far."""
        return self._most - self.left - self._rest

    @property
    def usage(self) -> tuple[int, int]:
        """Steps and bytes taken so far, without a charge that was refused."""
        return min(self.taken, self._most), min(MAX_SPACE_BYTES - self.space, MAX_SPACE_BYTES)

    def close(self) -> None:
        """Charge the steps taken to the budget of `together()`."""
        if self._budget:
            self._budget.steps -= self.taken + EVALUATION_STEPS

    def spend(self, steps: int) -> None:
        """Take this many steps."""
        self.left -= steps
        if self.left < 0:
            self.look()

    def look(self) -> None:
        """Stop if the steps or the time are used up; must be called once `left` is negative."""
        total = self.left + self._rest
        if total < 0:
            raise Failure("L0001")
        self.left = min(total, _CHUNK)
        self._rest = total - self.left
        now = thread_time()
        if self._deadline is None:
            self._deadline = now + MAX_SECONDS
        if now > self._deadline or (self._budget is not None and self._budget.look(now)):
            raise Failure("L0007")

    def visit(self, count: int) -> None:
        """Take the steps to visit this many items."""
        self.spend(1 + count // ITEMS_PER_STEP)

    def items(self, count: int) -> None:
        """Take the room and the steps for an array or object of this many items."""
        if count > MAX_ITEMS:
            raise Failure("L0004")
        self.room(count)

    def room(self, count: int) -> None:
        """Take the room and the steps for this many items in all, of any number of arrays and objects."""
        self.spend(1 + count // ITEMS_PER_STEP)
        self.bytes(64 + count * ITEM_BYTES)

    def read(self, length: int) -> None:
        """Take the steps to read this many characters."""
        self.spend(1 + length // CHARACTERS_PER_STEP)

    def text(self, length: int) -> None:
        """Take the room and the steps for a text of this many characters."""
        if length > MAX_TEXT:
            raise Failure("L0003")
        self.spend(1 + length // CHARACTERS_PER_STEP)
        self.bytes(64 + length)

    def bytes(self, count: int) -> None:
        """Take this much memory."""
        self.space -= count
        if self.space < 0:
            raise Failure("L0005")
