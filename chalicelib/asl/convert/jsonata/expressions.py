"""JSONata expressions as trees. Their leaves are names, variables and literals, so no text is ever patched.

`source` writes an expression. A variable has no name before the end (`variables`), so it is a leaf of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

from chalicelib.model.json_values import Json

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYWORDS: Final = frozenset({"and", "or", "in", "true", "false", "null", "function"})
_UNQUOTABLE: Final = re.compile(r"[`\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ESCAPED: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_STRENGTH: Final = {
    ":": 10, "or": 25, "and": 30, "=": 40, "!=": 40, "<": 40, "<=": 40, ">": 40, ">=": 40, "in": 40,
    "+": 50, "-": 50, "&": 50, "*": 60,
}  # fmt: skip
_ATOM: Final = 100


@dataclass(eq=False)
class Variable:
    """A variable of a flow, a branch or an item. Two are the same only if they are the same object.

    Attributes:
        wish: The name that it would like.
        scope: Which scope declares it, by its number.
        rank: Which wish counts more: 0 for what the machine assigns, then fields, documents, results.
        name: Its name, once all are known.
    """

    wish: str
    scope: int
    rank: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A name of FSL, such as `$input`. `scope` is the each that `$item` and `$index` belong to."""

    text: str
    scope: int = -1


@dataclass(frozen=True, slots=True)
class Var:
    """The value of a variable."""

    variable: Variable


@dataclass(frozen=True, eq=False)
class Literal:
    """A JSON value. Two are the same if their JSON is: `1` and `true` are not."""

    value: Json

    @cached_property
    def _text(self) -> str:
        return json.dumps(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Get:
    """A member of an object. `sure`: it is always there."""

    base: Expr
    name: str
    sure: bool = False


@dataclass(frozen=True, slots=True)
class At:
    """An item of a list, or the items for which a condition holds."""

    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Op:
    """Operands joined by an operator."""

    sign: str
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Func:
    """A function called."""

    name: str
    args: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Array:
    """`[a, b]`, which flattens what it holds unless it is an array written out itself."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Object:
    """`{ "a": x }`: members that are nothing are left out."""

    members: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """JSONata as it is written, with expressions in between. `strength` is that of its weakest operator."""

    parts: tuple[str | Expr, ...]
    strength: int = 0


Expr: TypeAlias = Word | Var | Literal | Get | At | Op | Func | Array | Object | Text

INPUT: Final = Word("$input")
RESULT: Final = Word("$result")
ERROR: Final = Word("$error")
ITSELF: Final = Word("$")


@dataclass
class Writer:
    """Writes expressions."""

    parts: list[str] = field(default_factory=list)

    def write(self, expr: Expr, least: int = 0) -> None:  # noqa: C901 - one case for each kind
        """Write an expression, in parentheses if its operator binds less than `least`."""
        add = self.parts.append
        if strength_of(expr) < least:
            add("(")
            self.write(expr)
            add(")")
            return
        match expr:
            case Word(text=text):
                add(text)
            case Var(variable=variable):
                add("$vars" + member_text(variable.name or variable.wish))
            case Literal(value=value):
                add(json_text(value))
            case Get(base=base, name=name):
                self._member(base, name)
            case At(base=base, index=index):
                self.write(base, _ATOM)
                add("[")
                self.write(index)
                add("]")
            case Op():
                self._operation(expr)
            case Func(name=name, args=args):
                add(name + "(")
                self._list(args)
                add(")")
            case Array(items=items):
                add("[")
                self._list(items)
                add("]")
            case Object(members=members):
                self._object(members)
            case Text(parts=parts):
                for part in parts:
                    if isinstance(part, str):
                        add(part)
                    else:
                        self.write(part, _ATOM)

    def _member(self, base: Expr, name: str) -> None:
        if _UNQUOTABLE.search(name) or not name:
            self.write(Func("$lookup", (base, Literal(name))))
        elif base == ITSELF:
            self.parts.append(member_text(name)[1:])
        else:
            self.write(base, _ATOM)
            self.parts.append(member_text(name))

    def _operation(self, operation: Op) -> None:
        strength = _STRENGTH[operation.sign]
        first, *others = operation.operands
        chains = operation.sign in ("and", "or", "&", "+")
        self.write(first, strength if chains or operation.sign in ("-", "*") else strength + 1)
        for other in others:
            self.parts.append(f" {operation.sign} ")
            is_same = not isinstance(other, Op) or other.sign == operation.sign
            self.write(other, strength if is_same and operation.sign in ("and", "or", "&") else strength + 1)

    def _list(self, items: tuple[Expr, ...]) -> None:
        for number, item in enumerate(items):
            if number:
                self.parts.append(", ")
            self.write(item)

    def _object(self, members: tuple[tuple[str, Expr], ...]) -> None:
        if not members:
            self.parts.append("{}")
            return
        for number, (name, value) in enumerate(members):
            self.parts.append(("{ " if not number else ", ") + json_text(name) + ": ")
            self.write(value)
        self.parts.append(" }")


def source(expr: Expr) -> str:
    """Return the JSONata text of the expression."""
    writer = Writer()
    writer.write(expr)
    return "".join(writer.parts)


def strength_of(expr: Expr) -> int:
    """Return how strongly the weakest operator of the expression binds; 100 where it has none."""
    match expr:
        case Op(sign=sign):
            return _STRENGTH[sign]
        case Text(strength=strength):
            return strength
        case Literal(value=value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
            return _STRENGTH["*"]
        case _:
            return _ATOM


def member_text(name: str) -> str:
    """Return `.name`, with quotes where they are needed."""
    return f".{name}" if _IDENTIFIER.fullmatch(name) and name not in _KEYWORDS else f".`{name}`"


def json_text(value: Json) -> str:
    """Return JSON as one line of JSONata, without characters that change how a text is shown."""
    text = json.dumps(value, ensure_ascii=False)
    text = _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return _spaced(text) if isinstance(value, (dict, list)) else text


def _spaced(text: str) -> str:
    """Return JSON with blanks within the braces of objects, as FSL writes them."""
    parts: list[str] = []
    in_text = False
    previous = ""
    for char in text:
        if char == '"' and previous != "\\":
            in_text = not in_text
        if not in_text and char == "}" and parts[-1] != "{":
            parts.append(" ")
        if not in_text and previous == "{" and char != "}":
            parts.append(" ")
        parts.append(char)
        previous = "" if previous == "\\" and char == "\\" else char
    return "".join(parts)


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly within an expression."""
    match expr:
        case Get(base=base):
            return (base,)
        case At(base=base, index=index):
            return (base, index)
        case Op(operands=operands):
            return operands
        case Func(args=args):
            return args
        case Array(items=items):
            return items
        case Object(members=members):
            return tuple(value for _, value in members)
        case Text(parts=parts):
            return tuple(part for part in parts if not isinstance(part, str))
        case _:
            return ()


def leaves(expr: Expr) -> Iterator[Expr]:
    """Yield the names, variables and literals of an expression."""
    pending = [expr]
    while pending:
        one = pending.pop()
        inner = children(one)
        if inner:
            pending.extend(inner)
        else:
            yield one


def replaced(expr: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """Return the expression with each part for which `change` returns another one replaced by that."""
    found = change(expr)
    if found is not None:
        return found
    match expr:
        case Get(base=base, name=name, sure=sure):
            return Get(replaced(base, change), name, sure)
        case At(base=base, index=index):
            return At(replaced(base, change), replaced(index, change))
        case Op(sign=sign, operands=operands):
            return Op(sign, tuple(replaced(one, change) for one in operands))
        case Func(name=name, args=args):
            return Func(name, tuple(replaced(one, change) for one in args))
        case Array(items=items):
            return Array(tuple(replaced(one, change) for one in items))
        case Object(members=members):
            return Object(tuple((name, replaced(one, change)) for name, one in members))
        case Text(parts=parts, strength=strength):
            return Text(tuple(one if isinstance(one, str) else replaced(one, change) for one in parts), strength)
        case _:
            return expr


# ── common expressions ───────────────────────────────────────────────────────────────────────────────────────────────


def need(expr: Expr) -> Expr:
    """Return `$need(x)`, or x where it is always there."""
    return Func("$need", (expr,)) if may_be_nothing(expr) else expr


def bare(expr: Expr) -> Expr:
    """Return x of `$need(x)`: for a place where nothing is an error anyway."""
    return expr.args[0] if isinstance(expr, Func) and expr.name == "$need" and len(expr.args) == 1 else expr


def may_be_nothing(expr: Expr) -> bool:
    """Return whether the expression can find nothing, without failing."""
    match expr:
        case Get(base=base, sure=sure):
            return not sure and base not in (Word("$run"), Word("$error"), Word("$step"))
        case At() | Text():
            return True
        case Func(name=name, args=args):
            return name in ("$lookup", "$parse", "$as", "$at", "$sift", "$first") or (
                name in ("$string", "$count") and any(map(may_be_nothing, args))
            )
        case _:
            return False


def member(expr: Expr, name: str) -> Expr:
    """Return the member of what the expression yields; what is needed then is the member."""
    return Get(bare(expr), name)


def joined(sign: str, operands: list[Expr]) -> Expr:
    """Return the operands joined, without parentheses within a chain of the same operator."""
    flat: list[Expr] = []
    for one in operands:
        flat += one.operands if isinstance(one, Op) and one.sign == sign else [one]
    return flat[0] if len(flat) == 1 else Op(sign, tuple(flat))
