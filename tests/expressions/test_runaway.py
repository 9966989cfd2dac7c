"""Expressions that would take for ever are stopped by counting, each at figures that are the same on every machine.

`python -m tests.expressions.test_runaway` stores the figures anew, and prints what the dearest take of CPU and memory.
"""

from __future__ import annotations

import json
import re
import sys
import tracemalloc
from pathlib import Path
from time import process_time
from typing import Final

import pytest

from chalicelib.expressions import Draw
from chalicelib.expressions.compiled import Compiled, Usage
from chalicelib.expressions.functions import builtins
from chalicelib.expressions.meter import MAX_SPACE_BYTES, MAX_STEPS
from tests.expressions.runaway import BIG, RUNAWAY

_FIGURES: Final = Path(__file__).parent / "data" / "figures.json"
_DRAW: Final = Draw(1_700_000_000_000, b"runaway")
_BY_ITSELF: Final = frozenset({"error", "assert", "exists", "type", "as", "need", "count", "boolean", "not"})
"""Functions that take the same few steps for any argument; the others are driven to a limit."""


def _measured(source: str) -> Usage:
    return Compiled(source).measure({"input": BIG}, _DRAW)


def _stored() -> dict[str, list[object]]:
    stored: dict[str, list[object]] = json.loads(_FIGURES.read_text())
    return stored


def test_there_are_enough() -> None:
    """At least 150, each once, all with figures; nothing else has any."""
    assert len(RUNAWAY) >= 150
    assert {_short(source) for source in RUNAWAY} == set(_stored())


def _short(source: str) -> str:
    """Return the source, or how it begins and how long it is."""
    return source if len(source) < 160 else f"{source[:120]}... ({len(source)} characters)"


@pytest.mark.parametrize("source", RUNAWAY, ids=[_short(source)[:60] for source in RUNAWAY])
def test_is_stopped_at_the_same_figures(source: str) -> None:
    """Outcome, steps and bytes are those stored: within the limits, and not decided by the clock or by Python."""
    usage = _measured(source)
    assert list(usage) == _stored()[_short(source)]
    assert usage.code != "L0007"
    assert usage.steps <= MAX_STEPS
    assert usage.bytes <= MAX_SPACE_BYTES


def test_every_function_is_driven_to_a_limit() -> None:
    """Each function occurs in an expression that a limit stops."""
    stopped = [source for source in RUNAWAY if str(_stored()[_short(source)][0]).startswith("L")]
    called = {name for source in stopped for name in re.findall(r"\$(\w+)", source)}
    assert builtins().keys() - called <= _BY_ITSELF


def _store() -> None:
    rows = []
    figures = {}
    for source in RUNAWAY:
        begun = process_time()
        usage = _measured(source)
        rows.append((process_time() - begun, _short(source)[:100], usage))
        figures[_short(source)] = list(usage)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(figures.items()))
    _FIGURES.write_text(f"{{\n{lines}\n}}\n")
    for seconds, source, usage in sorted(rows, reverse=True)[:12]:
        sys.stdout.write(f"{seconds:.2f} s {tuple(usage)} {source}\n")
    if "--memory" in sys.argv:
        tracemalloc.start()
        for source in (source for source in RUNAWAY if _measured(source).bytes > MAX_SPACE_BYTES // 2):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            _measured(source)
            peak = (tracemalloc.get_traced_memory()[1] - before) / 1e6
            sys.stdout.write(f"{peak:.0f} MB {_short(source)[:100]}\n")


if __name__ == "__main__":
    _store()
