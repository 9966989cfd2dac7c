"""Intrinsic functions as JSONata."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from chalicelib.asl.convert.jsonata.documents import Document, Lst, as_expression
from chalicelib.asl.convert.jsonata.expressions import (
    ITSELF,
    Array,
    At,
    Expr,
    Func,
    Literal,
    Op,
    Text,
    joined,
    need,
)
from chalicelib.asl.convert.jsonata.path_values import Roots, path_value
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.intrinsics import Argument, Call, Constant
from chalicelib.asl.intrinsics import Text as Quoted
from chalicelib.asl.path_tree import Path

_IN_CLASS: Final = re.compile(r"([\\\]\[^/-])")
_NO_REGEX: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def intrinsic_value(call: Call, roots: Roots) -> Document:
    """Return the value of a call. Raises Unsayable."""
    if call.name == "States.Array":
        return Lst(tuple(_argument_document(one, roots) for one in call.args))
    return _Values(roots).call(call)


def _argument_document(argument: Argument, roots: Roots) -> Document:
    match argument:
        case Path():
            return path_value(argument, roots)
        case Call():
            return intrinsic_value(argument, roots)
        case _:
            return Literal(argument.value)


class _Values:
    """Writes calls. `roots` returns the document at the root of a path."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots

    def value(self, argument: Argument) -> Expr:
        match argument:
            case Path():
                return need(as_expression(path_value(argument, self.roots)))
            case Call(name="States.Array", args=args):
                return Func("$list", tuple(self.value(one) for one in args))
            case Call():
                return need(self.call(argument))
            case _:
                return Literal(argument.value)

    def listed(self, argument: Argument) -> Expr:
        """Return an argument that must be a list."""
        found = self.value(argument)
        if isinstance(found, Func) and found.name == "$need" and len(found.args) == 1:
            return Func("$need", (found.args[0], Literal("array")))
        if isinstance(found, (Array, Literal)) or (isinstance(found, Func) and found.name in _LISTS):
            return found
        return Func("$need", (found, Literal("array")))

    def call(self, call: Call) -> Expr:
        rule = _RULES.get(call.name)
        if rule is None:
            raise Unsayable(f"`{call.name}` is no intrinsic function that FSL knows")
        return rule(self, call.args)

    # ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def format(self, args: tuple[Argument, ...]) -> Expr:
        template, *given = args
        values = [self.value(one) for one in given]
        if not isinstance(template, Quoted):
            text: Expr = self.value(template)
            for value in values:
                text = Func("$replace", (text, Literal("{}"), Func("$string", (value,)), Literal(1)))
            return text
        if len(template.pieces) != len(values) + 1:
            raise Unsayable(f"States.Format has {len(template.pieces) - 1} places `{{}}` and {len(values)} values")
        parts: list[Expr] = []
        for number, piece in enumerate(template.pieces):
            parts += [values[number - 1]] if number else []
            parts += [Literal(piece)] if piece else []
        if not values:
            return Literal(template.value)
        return Func("$string", (parts[0],)) if len(parts) == 1 else joined("&", parts)

    def split(self, args: tuple[Argument, ...]) -> Expr:
        text, divider = self.value(args[0]), args[1]
        if not isinstance(divider, Quoted) or _NO_REGEX.search(divider.value) or not divider.value:
            return _split_by_characters(text, self.value(divider))
        by = Text((f"/[{_IN_CLASS.sub(_escaped, divider.value)}]/",), 100)
        return _without_empty(Func("$split", (text, by)))

    def hash(self, args: tuple[Argument, ...]) -> Expr:
        value = self.value(args[0])
        return Func("$hash", (_text(value), self.value(args[1])))

    # ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, args: tuple[Argument, ...]) -> Expr:
        if any(isinstance(one, Constant) and isinstance(one.value, int) for one in args):
            first, second = (self.value(one) for one in args)
            if isinstance(second, Literal) and _number(second) < 0:
                return Op("-", (first, Literal(-_number(second))))
            return Op("+", (first, second))
        half = Literal(0.5)
        return Op("+", tuple(Func("$floor", (Op("+", (self.value(one), half)),)) for one in args))

    def random(self, args: tuple[Argument, ...]) -> Expr:
        low, high = self.value(args[0]), self.value(args[1])
        seed = tuple(self.value(one) for one in args[2:])
        span: Expr = Op("-", (high, low))
        if isinstance(low, Literal) and isinstance(high, Literal):
            span = Literal(_number(high) - _number(low))
        return Op("+", (Func("$floor", (Op("*", (Func("$random", seed), span)),)), low))

    def range(self, args: tuple[Argument, ...]) -> Expr:
        return Array((Func("$range", tuple(self.value(one) for one in args)),))

    # ── lists and objects ────────────────────────────────────────────────────────────────────────────────────────────

    def contains(self, args: tuple[Argument, ...]) -> Expr:
        return Func("$exists", (At(self.listed(args[0]), Op("=", (ITSELF, self.value(args[1])))),))

    def item(self, args: tuple[Argument, ...]) -> Expr:
        return At(self.listed(args[0]), self.value(args[1]))

    def merge(self, args: tuple[Argument, ...]) -> Expr:
        if isinstance(args[2], Constant) and args[2].value is True:
            raise Unsayable("States.JsonMerge merges only shallowly: its third argument must be false")
        return Func("$merge", (Array((self.value(args[0]), self.value(args[1]))),))


def _split_by_characters(text: Expr, by: Expr) -> Expr:
    """Return the parts of a text between any of the characters in `by`: all become the first one, which divides."""
    first = Func("$substring", (by, Literal(0), Literal(1)))
    unify = ("function($t, $c) { $join($split($t, $c), ", first, ") }")
    unified = Text(("$reduce($split(", by, ', ""), ', *unify, ", ", text, ")"), 100)
    return _without_empty(Func("$split", (unified, first)))


def _without_empty(parts: Expr) -> Expr:
    return Array((At(parts, Op("!=", (ITSELF, Literal("")))),))


def _number(literal: Literal) -> float:
    return literal.value if isinstance(literal.value, (int, float)) else 0


def _text(value: Expr) -> Expr:
    is_text = isinstance(value, Literal) and isinstance(value.value, str)
    return value if is_text or (isinstance(value, Op) and value.sign == "&") else Func("$string", (value,))


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[1]


_LISTS: Final = frozenset({"$list", "$partition", "$distinct"})

_RULES: Final[dict[str, Callable[[_Values, tuple[Argument, ...]], Expr]]] = {
    "States.ArrayContains": _Values.contains,
    "States.ArrayGetItem": _Values.item,
    "States.ArrayLength": lambda values, args: Func("$count", (values.listed(args[0]),)),
    "States.ArrayPartition": lambda values, args: Func("$partition", (values.listed(args[0]), values.value(args[1]))),
    "States.ArrayRange": _Values.range,
    "States.ArrayUnique": lambda values, args: Func("$distinct", (values.listed(args[0]),)),
    "States.Base64Decode": lambda values, args: Func("$base64decode", (values.value(args[0]),)),
    "States.Base64Encode": lambda values, args: Func("$base64encode", (values.value(args[0]),)),
    "States.Format": _Values.format,
    "States.Hash": _Values.hash,
    "States.JsonMerge": _Values.merge,
    "States.JsonToString": lambda values, args: Func("$string", (values.value(args[0]),)),
    "States.MathAdd": _Values.add,
    "States.MathRandom": _Values.random,
    "States.StringSplit": _Values.split,
    "States.StringToJson": lambda values, args: Func("$parse", (values.value(args[0]),)),
    "States.UUID": lambda _values, _args: Func("$uuid"),
}
