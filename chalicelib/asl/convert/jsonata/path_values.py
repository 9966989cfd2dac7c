"""JSONPath as documents and JSONata."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from chalicelib.asl import path_tree as tree
from chalicelib.asl.convert.jsonata.documents import Document, as_expression, get, item
from chalicelib.asl.convert.jsonata.expressions import (
    ITSELF,
    Array,
    At,
    Expr,
    Func,
    Get,
    Literal,
    Op,
    Text,
    bare,
    need,
)
from chalicelib.asl.convert.jsonata.unsayable import Unsayable

Roots = Callable[[tree.Path], Document]
"""Returns the document at the root of a path."""

_FUNCTIONS: Final = {
    "length": "$count", "size": "$count", "min": "$min", "max": "$max", "avg": "$average", "sum": "$sum",
    "keys": "$keys",
}  # fmt: skip
_KINDS: Final[dict[type, str]] = {str: "string", bool: "boolean", int: "number", float: "number"}
_FLAGS: Final = frozenset("im")
_ATOM: Final = 100
_FROM_THE_END: Final = re.compile(r"\s*@\.length\s*-\s*([1-9][0-9]{0,8})\s*")


def path_value(path: tree.Path, roots: Roots) -> Document:
    """Return what a path finds. One that may find several values is a list. Raises Unsayable."""
    found = roots(path)
    steps = [_counted(step) for step in path.steps]
    for number, step in enumerate(steps):
        if isinstance(step, tree.Field):
            found = get(found, step.name)
        elif isinstance(step, tree.Index):
            found = item(found, step.index)
        else:
            return _computed(as_expression(found), steps[number:], roots, is_root=number == 0)
    return found


def _counted(step: tree.Step) -> tree.Step:
    """Return `[(@.length-1)]` as the index from the end that it is."""
    found = _FROM_THE_END.fullmatch(step.source) if isinstance(step, tree.Script) else None
    return tree.Index(-int(found[1])) if found else step


def _computed(expr: Expr, steps: list[tree.Step], roots: Roots, *, is_root: bool = False) -> Expr:
    """Return what the steps find from the expression on, which may be the whole document (`is_root`)."""
    last = steps[-1]
    function = last if isinstance(last, tree.Function) else None
    steps = steps if function is None else steps[:-1]
    is_list = False
    found = bare(expr)
    while steps:
        step = steps.pop(0)
        is_list = is_list or not isinstance(step, tree.Field | tree.Index)
        if isinstance(step, tree.Descent):
            found = _descended(found, steps)
            continue
        found = _stepped(found, step, roots, is_root=is_root and found == bare(expr))
    if function is not None:
        return _applied(function, Array((found,)) if is_list else found, roots)
    return Array((found,)) if is_list else found


def _descended(found: Expr, steps: list[tree.Step]) -> Expr:
    """Return all nodes at any depth, and the next step of each."""
    following = steps.pop(0) if steps else None
    if isinstance(following, tree.Field):
        return Get(Text((found, ".**"), _ATOM), following.name)
    if isinstance(following, tree.Wildcard):
        return Text((found, ".**.*"), _ATOM)
    raise Unsayable("`..` can only be followed by a name or by `*`")


def _stepped(found: Expr, step: tree.Step, roots: Roots, *, is_root: bool) -> Expr:
    match step:
        case tree.Field(name=name):
            return Get(found, name)
        case tree.Index(index=index):
            return At(found, Literal(index))
        case tree.Indexes(indexes=indexes):
            return At(found, Literal(list(indexes)))
        case tree.Wildcard() if is_root:
            return Text(("$type(", found, ') = "object" ? ', found, ".* : ", found), 5)
        case tree.Wildcard():
            return found
        case tree.Slice():
            return _sliced(found, step)
        case tree.Filter(condition=condition):
            return At(found, _condition(condition, roots))
        case tree.Fields(names=names):
            return Text(("$sift(", found, ", function($v, $k) { $k in ", Literal(list(names)), " })"), _ATOM)
        case _:
            raise Unsayable("a computed index `[(...)]` cannot be expressed in JSONata")


def _sliced(found: Expr, step: tree.Slice) -> Expr:
    if step.step not in (None, 1):
        raise Unsayable("a slice with a step cannot be expressed in JSONata")
    start, stop = step.start or 0, step.stop
    if start >= 0 and stop is not None and 0 <= stop - start <= 10_000 and stop >= 0:
        if stop == start:
            return At(found, Literal(value=False))
        return At(found, Text((f"[{start}..{stop - 1}]",), _ATOM))
    lower = f"$i >= {start}" if start >= 0 else f"$i >= $count($a) - {-start}"
    upper = "" if stop is None else f"$i < {stop}" if stop >= 0 else f"$i < $count($a) - {-stop}"
    condition = " and ".join(part for part in (lower if start else "", upper) if part) or "true"
    return Text(("$filter(", found, ", function($v, $i, $a) { ", condition, " })"), _ATOM)


def _applied(function: tree.Function, found: Expr, roots: Roots) -> Expr:
    if function.name in _FUNCTIONS and not function.args:
        return Func(_FUNCTIONS[function.name], (need(found),))
    args = [_operand(one, roots) for one in function.args]
    match function.name, args:
        case "first", []:
            return At(found, Literal(0))
        case "last", []:
            return At(found, Literal(-1))
        case "index", [index]:
            return At(found, index)
        case "append", [_, *_]:
            return Func("$append", (found, Array(tuple(args))))
        case "concat", _:
            return Op("&", (found, *args)) if args else found
        case _:
            raise Unsayable(f"the path function `{function.name}` cannot be expressed in JSONata")


# ── conditions of filters ────────────────────────────────────────────────────────────────────────────────────────────


def _condition(condition: tree.Condition, roots: Roots) -> Expr:
    match condition:
        case tree.AllOf(conditions=conditions):
            return Op("and", tuple(_condition(one, roots) for one in conditions))
        case tree.AnyOf(conditions=conditions):
            return Op("or", tuple(_condition(one, roots) for one in conditions))
        case tree.Not(condition=inner):
            return Func("$not", (Func("$boolean", (_condition(inner, roots),)),))
        case tree.Exists(path=path):
            return Func("$exists", (_operand(path, roots),))
        case tree.Compare():
            return _comparison(condition, roots)


def _comparison(compare: tree.Compare, roots: Roots) -> Expr:
    sign = {"==": "=", "!=": "!=", "=~": "=~", "in": "in"}.get(compare.operator, compare.operator)
    if sign == "=~":
        return _matched(compare, roots)
    left, right = _operand(compare.left, roots), _operand(compare.right, roots)
    if sign in ("=", "!=", "in"):
        return Op(sign, (left, right))
    if sign in ("<", "<=", ">", ">="):
        return Op(sign, (_as_kind(left, compare.right), _as_kind(right, compare.left)))
    if sign == "nin":
        return Func("$not", (Op("in", (left, right)),))
    raise Unsayable(f"the operator `{compare.operator}` of a filter cannot be expressed in JSONata")


def _as_kind(expr: Expr, other: tree.Operand) -> Expr:
    """Return the expression, where it is of the kind of the literal that it is compared with."""
    kind = _KINDS.get(type(other.value)) if isinstance(other, tree.Literal) else None
    return expr if kind is None or isinstance(expr, Literal) else Func("$as", (expr, Literal(kind)))


def _matched(compare: tree.Compare, roots: Roots) -> Expr:
    if not isinstance(compare.right, tree.Regex):
        raise Unsayable("`=~` needs a regular expression on its right")
    flags = "".join(flag for flag in compare.right.flags if flag in _FLAGS)
    pattern = compare.right.pattern
    body = re.sub(r"(?<!\\)/", r"\/", pattern)
    whole = f"/^(?:{body})$/{flags}"
    return Text(("$contains(", Func("$as", (_operand(compare.left, roots), Literal("string"))), f", {whole})"), _ATOM)


def _operand(operand: tree.Operand, roots: Roots) -> Expr:
    match operand:
        case tree.Literal(value=value):
            return Literal(value)
        case tree.LiteralList(items=items):
            return Array(tuple(_operand(one, roots) for one in items))
        case tree.Regex():
            raise Unsayable("a regular expression can only stand behind `=~`")
        case tree.Path(root=tree.Root.CURRENT, steps=steps):
            return _computed(ITSELF, list(steps), roots) if steps else ITSELF
        case tree.Path():
            return as_expression(path_value(operand, roots))
