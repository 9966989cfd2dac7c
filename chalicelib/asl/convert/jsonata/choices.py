"""Rules of Choice states as conditions.

A comparison fails in AWS where its variable is missing, so the first that reads a place needs it (`$need`), and those
behind it do not ask again. `known` holds the places that are there, as far as the rules before have shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.asl.convert.jsonata.documents import Document, as_expression
from chalicelib.asl.convert.jsonata.expressions import Array, At, Expr, Func, Get, Literal, Op, Text, bare, joined, need
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.model.json_values import Json

_MAX_KNOWN: Final = 200

Known = frozenset[Expr]
Finder = Callable[[str], Document]
"""Returns what a path in a rule finds. Raises Unsayable."""

_SIGNS: Final = {
    "Equals": "=", "LessThan": "<", "GreaterThan": ">", "LessThanEquals": "<=", "GreaterThanEquals": ">=",
}  # fmt: skip
_OPERATOR: Final = re.compile(
    r"(?P<kind>String|Numeric|Boolean|Timestamp)"
    r"(?P<relation>LessThanEquals|GreaterThanEquals|LessThan|GreaterThan|Equals)(?P<path>Path)?"
)
_TYPES: Final = {"String": "string", "Numeric": "number", "Boolean": "boolean"}
_TESTS: Final = {"IsString": "string", "IsNumeric": "number", "IsBoolean": "boolean"}
_PLACES: Final = frozenset({"Comment", "Next", "Variable", "Assign", "Output", "And", "Or", "Not", "Condition"})


@dataclass(frozen=True, slots=True)
class Judged:
    """A condition, and which places are known to be there where it is true and where it is false.

    Attributes:
        total: It always yields true or false; others may yield nothing, which counts as false.
        needs: Places without which it is false, so that asking for them before is needless.
    """

    expr: Expr
    if_true: Known
    if_false: Known
    total: bool = True
    needs: Known = frozenset()


class Judge:
    """Writes the rules of one Choice. `known` grows from rule to rule."""

    def __init__(self, find: Finder) -> None:
        self._find = find
        self.known: Known = frozenset()

    def condition(self, rule: Mapping[str, Any]) -> Expr:
        """Return the condition of a rule. Those before it were false."""
        judged = self._rule(rule, self.known)
        self.known = _few(judged.if_false)
        return judged.expr

    def _rule(self, rule: Any, known: Known) -> Judged:
        if not isinstance(rule, dict):
            raise Unsayable("a rule of Choice must be an object")
        for name, connect in (("And", self._all), ("Or", self._any)):
            if isinstance(rule.get(name), list) and rule[name]:
                return connect(rule[name], known)
        if "Not" in rule:
            return self._not(rule["Not"], known)
        operators = [name for name in rule if name not in _PLACES]
        if len(operators) != 1 or not isinstance(rule.get("Variable"), str):
            raise Unsayable("a rule of Choice needs a Variable and one operator")
        return self._comparison(rule["Variable"], operators[0], rule[operators[0]], known)

    # ── connectives ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _all(self, rules: list[Any], known: Known) -> Judged:
        found: list[Judged] = []
        for rule in rules:
            found.append(self._rule(rule, _few(known if not found else found[-1].if_true)))
        needed = frozenset().union(*(one.needs for one in found))
        kept = _not_implied(found)
        # Where one is false, the others behind it were not looked at.
        return Judged(joined("and", kept), found[-1].if_true, _common(found, false=True), True, needed)

    def _any(self, rules: list[Any], known: Known) -> Judged:
        found: list[Judged] = []
        for rule in rules:
            found.append(self._rule(rule, _few(known if not found else found[-1].if_false)))
        return Judged(
            _listed([one.expr for one in found]), _common(found, false=False), found[-1].if_false,
            len(found) > 1 or found[0].total,
        )  # fmt: skip

    def _not(self, rule: Any, known: Known) -> Judged:
        found = self._rule(rule, known)
        return Judged(_negated(found), found.if_false, found.if_true)

    # ── comparisons ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _comparison(self, variable: str, operator: str, wanted: Json, known: Known) -> Judged:
        place = bare(as_expression(self._find(variable)))
        if operator == "IsPresent":
            return _present(place, known, is_wanted=wanted is not False)
        after = known | {place}
        value = place if place in known else need(place)
        if operator == "IsNull":
            return Judged(Op("=" if wanted is not False else "!=", (value, Literal(None))), after, after)
        if operator == "IsTimestamp":
            tested = Func("$exists", (Func("$at", (value,)),))
            return Judged(tested if wanted is not False else Func("$not", (tested,)), after, after)
        if operator in _TESTS:
            sign = "=" if wanted is not False else "!="
            return Judged(Op(sign, (Func("$type", (value,)), Literal(_TESTS[operator]))), after, after)
        if operator == "StringMatches":
            return Judged(_like(value, wanted), after, after, needs=frozenset({place}))
        matched = _OPERATOR.fullmatch(operator)
        if matched is None:
            raise Unsayable(f"`{operator}` is no comparison")
        return self._compared(matched, place, value, wanted, after)

    def _compared(self, matched: re.Match[str], place: Expr, value: Expr, wanted: Json, after: Known) -> Judged:
        kind, sign = matched["kind"], _SIGNS[matched["relation"]]
        other: Expr = Literal(wanted)
        if matched["path"]:
            if not isinstance(wanted, str):
                raise Unsayable(f"{matched[0]} needs a path")
            found = bare(as_expression(self._find(wanted)))
            other = found if found in after else need(found)
            after = after | {found}
        if kind == "Timestamp":
            value, other = Func("$at", (value,)), Func("$at", (other,))
        elif sign != "=":
            value = Func("$as", (value, Literal(_TYPES[kind])))
            other = Func("$as", (other, Literal(_TYPES[kind]))) if matched["path"] else other
        elif matched["path"]:
            value = Func("$as", (value, Literal(_TYPES[kind])))
        return Judged(Op(sign, (value, other)), after, after, sign == "=", frozenset({place}))


def _few(known: Known) -> Known:
    """Return the places, or none where they are too many: to ask for one again does no harm."""
    return known if len(known) <= _MAX_KNOWN else frozenset()


def _present(place: Expr, known: Known, *, is_wanted: bool) -> Judged:
    tested: Expr = Func("$exists", (place,))
    there, missing = known | {place}, known
    if is_wanted:
        return Judged(tested, there, missing)
    return Judged(Func("$not", (tested,)), missing, there)


def _asked(expr: Expr) -> frozenset[Expr]:
    """Return the place that the expression tests for presence, if that is all that it does."""
    return frozenset(expr.args) if isinstance(expr, Func) and expr.name == "$exists" else frozenset()


def _not_implied(found: list[Judged]) -> list[Expr]:
    """Return the conditions without those that only ask for a place without which another one is false."""
    implied: Counter[Expr] = Counter()
    last: dict[Expr, int] = {}
    for number, one in enumerate(found):
        for asked in _asked(one.expr):
            last[asked] = number
            implied.update(list(_way_to(asked))[1:])
        for place in one.needs:
            implied.update(_way_to(place))
    return [
        one.expr
        for number, one in enumerate(found)
        if not any(implied[asked] or last[asked] > number for asked in _asked(one.expr))
    ]


def _way_to(place: Expr) -> Iterator[Expr]:
    """Yield the place, and all places that it is in."""
    yield place
    while isinstance(place, (Get, At)):
        place = place.base
        yield place


def _common(found: list[Judged], *, false: bool) -> Known:
    sets = [one.if_false if false else one.if_true for one in found]
    return sets[0].intersection(*sets[1:])


def _negated(judged: Judged) -> Expr:
    expr = judged.expr
    if isinstance(expr, Op) and expr.sign in ("=", "!=") and judged.total and not _may_lack(expr):
        return Op("!=" if expr.sign == "=" else "=", expr.operands)
    if isinstance(expr, Func) and expr.name == "$not":
        return expr.args[0]
    return Func("$not", (expr,)) if judged.total else Text((expr, " ? false : true"), 10)


def _may_lack(expr: Op) -> bool:
    """Return whether a side of the comparison may be nothing: then both `=` and `!=` are false."""
    return any(isinstance(one, Func) and one.name in ("$at", "$as") for one in expr.operands)


def _listed(parts: list[Expr]) -> Expr:
    """Return the parts joined by `or`; `x = "a" or x = "b"` as `x in ["a", "b"]`."""
    found: list[Expr] = []
    for part in parts:
        last = found[-1] if found else None
        subject, values = _alternatives(part)
        before, known = _alternatives(last) if last is not None else (None, ())
        if subject is not None and before is not None and bare(subject) == bare(before):
            found[-1] = Op("in", (before, Array((*known, *values))))
        else:
            found.append(part)
    return joined("or", found)


def _alternatives(expr: Expr) -> tuple[Expr | None, tuple[Expr, ...]]:
    match expr:
        case Op(sign="=", operands=(subject, Literal(value=str() | int() | float()) as value)):
            return subject, (value,)
        case Op(sign="in", operands=(subject, Array(items=items))):
            return subject, items
        case _:
            return None, ()


def _like(value: Expr, pattern: Json) -> Expr:
    if not isinstance(pattern, str):
        raise Unsayable("StringMatches needs a text")
    plain = re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)
    if "*" in re.sub(r"\\.", "", pattern, flags=re.DOTALL):
        return Func("$like", (value, Literal(pattern)))
    return Op("=", (value, Literal(plain)))
