"""Run work in parallel threads that share the work context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import TypeVar

_In = TypeVar("_In")

_Out = TypeVar("_Out")


def side_by_side(work: Callable[[_In], _Out], inputs: Sequence[_In]) -> list[_Out]:
    """Return `work` of each input, in threads if there are several. Each thread has a copy of the work context."""
    if len(inputs) < 2:
        return [work(one) for one in inputs]

    def within(context: Context, one: _In) -> _Out:
        return context.run(work, one)

    with ThreadPoolExecutor(len(inputs)) as pool:
        return list(pool.map(within, [copy_context() for _ in inputs], inputs))
