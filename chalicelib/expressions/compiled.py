"""A source, parsed and ready to be evaluated."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from chalicelib.expressions.draw import Draw
from chalicelib.expressions.errors import ExpressionFailed, Failure
from chalicelib.expressions.evaluation.evaluator import Machine
from chalicelib.expressions.evaluation.output import Output
from chalicelib.expressions.evaluation.scope import Frame
from chalicelib.expressions.functions import builtins
from chalicelib.expressions.meter import MAX_STEPS, Meter, charge_small
from chalicelib.expressions.names import NAMES, finish, members_used, suggestion, unknown
from chalicelib.expressions.quick import MAX_NODES, Lookup, Unusual, quick
from chalicelib.expressions.syntax.parser import Parser
from chalicelib.expressions.syntax.tree import Node
from chalicelib.expressions.values import NOTHING, UNUSUAL, Outer

_UNBOUND: Final = dict.fromkeys(NAMES, NOTHING)
_NODE_BYTES: Final = 400
_PATTERN_BYTES: Final = 1 << 18
_PYTHON_FRAMES: Final = 12_000
"""The recursion limit of Python that evaluations of MAX_DEPTH need. Its frames are on the heap, not on the C stack."""


class Usage(NamedTuple):
    """What an evaluation took: the code of its error or "", its steps, and the bytes that it allocated, roughly."""

    code: str
    steps: int
    bytes: int


class Compiled:
    """An expression that was read: what it uses, what is wrong with it, and how to evaluate it. Safe in threads."""

    __slots__ = (
        "_bound",
        "_failure",
        "_known",
        "_nodes",
        "_patterns",
        "_quick",
        "_tree",
        "_unknown",
        "reads",
        "source",
        "weight",
    )

    def __init__(self, source: str) -> None:
        self.source = source
        self._failure: Failure | None = None
        self._tree: Node | None = None
        allow_frames()
        parser = Parser(source)
        try:
            self._tree = parser.parsed()
            finish(self._tree)
        except Failure as failure:
            self._failure = failure
        self._bound, self._patterns = frozenset(parser.bound), parser.patterns
        self._known = self._bound | builtins().keys() | NAMES
        self._unknown = unknown(parser.variables, self._known)
        self.reads = NAMES.intersection(token.value for token in parser.variables)
        """The names of FSL that the expression may read: no others need to be bound."""
        self._nodes = parser.nodes
        is_small = parser.nodes <= MAX_NODES and not self._bound and self._unknown is None and self._failure is None
        self._quick = quick(self._tree) if is_small and self._tree is not None else None
        self.weight = len(source) + _NODE_BYTES * (1 + parser.nodes) + _PATTERN_BYTES * len(parser.patterns)

    def problem(self) -> tuple[int, str] | None:
        """Return where (an offset) and what the first problem is that reading finds; None if there is none.

        Compiles the regular expressions, at the cost of the budget of `together()`.
        """
        failure = self._failure
        if failure is None:
            if self._unknown is not None:
                return self._unknown.at, suggestion(self._unknown.value, self._known)
            failure = self._pattern_failure()
        if failure is None:
            return None
        failed = _failed(failure)
        return min(failed.at or 0, len(self.source)), failed.reason

    def _pattern_failure(self) -> Failure | None:
        spent = 0
        for node in self._patterns:
            try:
                spent = _pattern(node).checked(spent)
            except Failure as failure:
                return failure
        return None

    def members_used(self) -> frozenset[tuple[str, ...]]:
        """Return the names that the expression reads, each with the members that follow it: ("input", "a", "b")."""
        if self._tree is None:
            return frozenset()
        return frozenset(used for used in members_used(self._tree) if used[0] in NAMES and used[0] not in self._bound)

    def evaluate(self, names: Mapping[str, Any], draw: Draw, data: Any = NOTHING) -> Any:
        """Return the value, plain JSON; NOTHING where it finds nothing. `data` is the document that `$` is.

        Raises ExpressionFailed.
        """
        if data is NOTHING and (value := self.small(names)) is not UNUSUAL:
            return value
        if self._unknown is not None and self._unknown.value not in names:
            raise ExpressionFailed(suggestion(self._unknown.value, self._known), self._unknown.at, "L0054")
        if self._tree is None or self._failure is not None:
            raise _failed(self._failure)
        try:
            return _evaluated(self._tree, names, self._bound, draw, data, Meter())
        except Failure as failure:
            raise _failed(failure) from None
        except RecursionError:
            raise _failed(Failure("L0008")) from None

    def small(self, names: Lookup) -> Any:
        """Return the value of a small expression; UNUSUAL if only `evaluate` yields it. No draw is used."""
        if self._quick is None or not charge_small(self._nodes):
            return UNUSUAL
        try:
            return self._quick(names)
        except (Unusual, KeyError):  # KeyError: a name that is not bound here
            return UNUSUAL

    def measure(self, names: Mapping[str, Any], draw: Draw, data: Any = NOTHING, *, steps: int = MAX_STEPS) -> Usage:
        """Evaluate within so many steps, and return what that takes: for tests of the limits."""
        meter = Meter(steps)
        if self._tree is None or self._failure is not None:
            return Usage(self._failure.code if self._failure else "", 0, 0)
        try:
            _evaluated(self._tree, names, self._bound, draw, data, meter)
        except Failure as failure:
            return Usage(failure.code, *meter.usage)
        return Usage("", *meter.usage)


def allow_frames() -> None:
    """Let Python recurse as deep as parsing and evaluating need."""
    if sys.getrecursionlimit() < _PYTHON_FRAMES:
        sys.setrecursionlimit(_PYTHON_FRAMES)


def _pattern(node: Node) -> Any:
    from chalicelib.expressions.patterns import Pattern

    pattern = node.value
    if isinstance(pattern, tuple):
        pattern = node.value = Pattern(pattern[0], pattern[1], node.at)
    return pattern


def _evaluated(tree: Node, names: Mapping[str, Any], bound: frozenset[str], draw: Draw, data: Any, meter: Meter) -> Any:
    functions = builtins()
    allow_frames()
    try:
        machine = Machine(meter, functions, bound, draw)
        given = {name: _taken_in(value) for name, value in names.items()}
        top = Frame({**_UNBOUND, **given, "$": data}, Frame(functions, None))
        value = Outer((data,)) if isinstance(data, list) else data
        return Output(meter).plain(machine.evaluate(tree, value, top))
    finally:
        meter.close()


def _taken_in(value: Any) -> Any:
    """Return a name's value as it is; a mapping or tuple as an object or array."""
    if isinstance(value, Mapping) and not isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _failed(failure: Failure | None) -> ExpressionFailed:
    from chalicelib.expressions.messages import reason

    if failure is None:
        failure = Failure("S0500")
    return ExpressionFailed(reason(failure), failure.at, failure.code)
