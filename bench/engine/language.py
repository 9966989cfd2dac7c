"""The language: CPU time per step of parsing, checking, formatting and drawing flows of 10 to 2,000 steps."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from chalicelib import expressions
from chalicelib.diagrams import graph_of
from chalicelib.language import KnownNames, Statement, format_text, parse, read
from chalicelib.model.flow import Flow

STEPS: Final = (10, 100, 500, 2_000)
_TRIES: Final = 5
_HEAD: Final = """action work
    args = (any a);
    return = (OK | BAD);
    addr = "http://work.test/";
action_end
/
flow f
    input = (any x);
"""


def text(steps: int, *, with_expressions: bool) -> str:
    """Return a flow of so many steps; `with_expressions`: each has one in its args and one in a route."""
    lines = [_HEAD]
    for number in range(steps):
        target = f"S{number + 1}" if number + 1 < steps else "done"
        value, when = str(number), ""
        if with_expressions:
            value, when = f'${{$input.x & "{number}"}}', f" when ${{$result.n > {number}}}"
        lines.append(f"    step S{number} => (OK{when} -> {target} | else -> stopped) {{\n")
        lines.append(f"        action = work;\n        args = (a = {value});\n    }};\n")
    return "".join([*lines, "flow_end\n"])


def works(of: str) -> Mapping[str, Callable[[], object]]:
    """Return what is measured of a text, by its name."""
    (flow,) = (one.value for one in _checked(of) if isinstance(one.value, Flow))
    return {
        "parse": lambda: parse(of),
        "parse and check": lambda: _checked(of),
        "format": lambda: format_text(of),
        "graph": lambda: graph_of(flow),
    }


def _checked(of: str) -> tuple[Statement, ...]:
    checked = read(of, KnownNames(), expression_problem=expressions.problem_in)
    if checked.diagnostics:
        raise ValueError(f"the text has problems: {checked.diagnostics[0].message}")
    return checked.statements


def per_step(work: Callable[[], object], steps: int) -> float:
    """Return the CPU time of the work per step, in milliseconds: the best of some tries."""
    work()
    taken = []
    for _ in range(_TRIES if steps < STEPS[-1] else 2):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return 1_000 * min(taken) / steps


def figures(*, with_expressions: bool) -> dict[str, list[float]]:
    """Return the milliseconds per step for each number of steps, by what is measured."""
    found: dict[str, list[float]] = {}
    for steps in STEPS:
        for name, work in works(text(steps, with_expressions=with_expressions)).items():
            found.setdefault(name, []).append(per_step(work, steps))
    return found
