"""Bounded JSONata: the value of an expression, computed from the names that it is given, and from nothing else.

An expression is submitted with a flow, and is evaluated in the process that decides every run. So it reads only the
names it is given and never changes them, it yields the same value each time, and it ends. The results are those of
jsonata-js 2.2.2 (https://docs.jsonata.org); what differs is listed below. Nothing is loaded before the first expression
is used; RE2, hashes, time zones and pictures are loaded by the first expression that needs them.

Rooms
    syntax       source -> tree, or the first problem with its offset: lexer, parser, steps of paths, `%`, signatures
    evaluation   tree + names -> value: a rule for each kind of node, paths, groups, operators, calls, output
    functions    the functions, by subject; their table has names, signatures and arities
    pictures     numbers, integers, words, times, the calendar, zones
    patterns     regular expressions, by RE2
    meter        what an evaluation may take, and the meter that stops it; `together` bounds many
    values       NOTHING, sequences, functions; truth, members, numbers as text
    names        the names of FSL, unknown names with suggestions, members that are used
    quick        small expressions over single values as functions; where they meet anything else, evaluation follows
    outline      what an expression of another language than FSL reads
    draw         the moment and the random bytes of an evaluation
    compiled     an expression that was read; cache keeps those used lately, by what they weigh
    messages     errors in words, by code

Values
    JSON values are Python's, and are not copied on their way in. None is null; NOTHING is what an expression yields
    that finds nothing. A `Sequence` is what a path collects: its only item where it has one, NOTHING where it has none.
    Integers and floats that are only moved are not changed. What is computed is an IEEE double; whole numbers up to
    2^53 are int. What comes out is plain JSON of its own: changing it changes no name.

Meter
    Every node evaluated is a step; so are ITEMS_PER_STEP items visited and CHARACTERS_PER_STEP characters read or
    written. Each is charged before it is done, also in functions, comparisons, pictures and matches, so that an
    expression ends alike on every machine. Steps, bytes, items, characters and depth have limits. Values may share
    their members: a walk of one is charged as for a tree, and goes at most 250 levels deep. The recursion of an
    evaluation uses Python frames on the heap, not the C stack. CPU time is a second net, for what counting underrates.

What differs from jsonata-js
    - There is no `$eval`. A name that is not bound is an error when the expression is read.
    - `1/0`, `0/0` and what would be computed with NaN or Infinity are errors, also in dates and `$parseInteger`.
    - Offsets and lengths count characters (code points); texts are ordered by them.
    - Integers beyond 2^53 stay exact while they are moved, compared, or written as text (below 10^21).
    - Members of objects keep their order, also those with names of digits.
    - Regular expressions have no look-around, no back-references, and at most 32 groups.
    - `-0530` is five and a half hours west. Zones may be IANA names; `$toMillis` takes one as its third argument.
    - Arguments of builtins that are applied in part are checked. A missing replacement of `$replace` is an error.

Beyond jsonata-js: `$partition $range $hash $random(seed) $uuid $parse` as AWS Step Functions has them, and FSL's
`$need $as $at $like $list`. `$now $millis $random $uuid $shuffle` are drawn from the Draw that is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from chalicelib.expressions.draw import Draw
from chalicelib.expressions.errors import ExpressionFailed
from chalicelib.expressions.meter import has_room, together
from chalicelib.expressions.names import NAMES
from chalicelib.expressions.values import NOTHING, UNUSUAL, Nothing

if TYPE_CHECKING:
    from chalicelib.expressions.cache import Cache
    from chalicelib.expressions.compiled import Compiled

Json: TypeAlias = Any

__all__ = [
    "NAMES",
    "NOTHING",
    "UNUSUAL",
    "Draw",
    "ExpressionFailed",
    "Nothing",
    "compile",
    "evaluate",
    "has_room",
    "members_used",
    "names_used",
    "problem_in",
    "together",
]

_compiled: Cache[Compiled] | None = None


def compile(source: str) -> Compiled:  # noqa: A001 - as `re.compile`
    """Return the expression, read once and cached. What is wrong with it is its `problem()`."""
    global _compiled
    if _compiled is None:
        from chalicelib.expressions.cache import Cache
        from chalicelib.expressions.compiled import Compiled

        _compiled = Cache(Compiled)
    return _compiled(source)


def evaluate(source: str, names: Mapping[str, Json], draw: Draw) -> Json | Nothing:
    """Return the value of the expression, plain JSON, or NOTHING where it finds nothing.

    `names` are without their `$`. The same names and draw give the same value. Raises ExpressionFailed.
    """
    return compile(source).evaluate(names, draw)


def problem_in(source: str) -> tuple[int, str] | None:
    """Return where (an offset) and what the first problem is that reading the expression finds; None if none."""
    return compile(source).problem()


def names_used(source: str) -> frozenset[str]:
    """Return which of FSL's names the expression reads."""
    return frozenset(used[0] for used in compile(source).members_used())


def members_used(source: str) -> frozenset[tuple[str, ...]]:
    """Return the names that the expression reads, each with the members after it: `$input.a.b` is (input, a, b)."""
    return compile(source).members_used()
