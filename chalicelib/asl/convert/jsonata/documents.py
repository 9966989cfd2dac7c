"""What is known of a document without running the machine: where its parts are.

A document is an expression, an object with members that are documents (over another one), a list of documents, or a
`Shape`: a value that AWS would wrap, such as the response of `lambda:invoke`, of which Echoer keeps the inner part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from chalicelib.asl.convert.jsonata.expressions import (
    RESULT,
    Array,
    At,
    Expr,
    Func,
    Get,
    Literal,
    Object,
    Op,
    Text,
    Var,
    Variable,
    Word,
    children,
    leaves,
    member,
    need,
    replaced,
)
from chalicelib.model.json_values import Json

MISSING: Final = Get(Object(()), "missing")
"""An expression that finds nothing."""

_STABLE_WORDS: Final = frozenset({"$input", "$item", "$index", "$run"})


class Kind(StrEnum):
    """What AWS would wrap a value in."""

    INVOKED = "invoked"
    """The response of `lambda:invoke`: `{"Payload": x, "StatusCode": 200}`."""
    FAILED = "failed"
    """An error: `{"Error": x.name, "Cause": x.cause}`."""
    BRANCHES = "branches"
    """The list of the outputs of branches, which are members of x."""
    ENDED = "ended"
    """An execution that another machine made: `{"Output": x, "Status": "SUCCEEDED"}`."""


@dataclass(frozen=True)
class Obj:
    """An object: members laid over a document, or over nothing."""

    base: Document | None
    members: dict[str, Document] = field(default_factory=dict)


@dataclass(frozen=True)
class Lst:
    """A list."""

    items: tuple[Document, ...]


@dataclass(frozen=True)
class Shape:
    """A value as AWS would wrap it. `names` are those of the branches. `owner` is the state that returned it."""

    kind: Kind
    base: Expr
    owner: str = ""
    names: tuple[str, ...] = ()

    def opened(self) -> Document:
        """Return what it is in AWS."""
        match self.kind:
            case Kind.INVOKED:
                return Obj(None, {"Payload": self.base, "StatusCode": Literal(200)})
            case Kind.FAILED:
                return Obj(None, {"Error": Get(self.base, "name", True), "Cause": Get(self.base, "cause", True)})
            case Kind.BRANCHES:
                return Lst(tuple(Get(self.base, name, True) for name in self.names))
            case Kind.ENDED:
                return Obj(None, {"Output": self.base, "Status": Literal("SUCCEEDED")})

    @property
    def is_partial(self) -> bool:
        """Whether AWS has more in it than is known."""
        return self.kind is Kind.INVOKED


Document: TypeAlias = Expr | Obj | Lst | Shape


def get(document: Document, name: str) -> Document:
    """Return a member of the document; MISSING where it is known to have none."""
    match document:
        case Shape():
            opened = document.opened()
            if document.is_partial and isinstance(opened, Obj) and name not in opened.members:
                return Get(_Whole.of(document), name)
            return get(opened, name)
        case Obj(base=base, members=members):
            if name in members:
                return members[name]
            return MISSING if base is None else get(base, name)
        case Lst():
            return MISSING
        case Literal(value=value):
            return Literal(value[name]) if isinstance(value, dict) and name in value else MISSING
        case _:
            return member(document, name)


def item(document: Document, index: int) -> Document:
    """Return an item of the document, counted from its end where negative."""
    match document:
        case Shape():
            return item(document.opened(), index)
        case Lst(items=items):
            return items[index] if -len(items) <= index < len(items) else MISSING
        case Literal(value=list(value)):
            return Literal(value[index]) if -len(value) <= index < len(value) else MISSING
        case Obj(base=None) | Literal():
            return MISSING
        case Obj():
            return At(as_expression(document), Literal(index))
        case _:
            return At(document, Literal(index))


def with_member(document: Document, path: tuple[str, ...], value: Document) -> Document:
    """Return the document with what the path leads to set."""
    if not path:
        return value
    name, *inner = path
    if inner:
        known = _member_to_change(document, name)
        value = with_member(known, tuple(inner), value)
    if isinstance(document, Obj):
        return Obj(document.base, {**document.members, name: value})
    if isinstance(document, Shape) and not document.is_partial:
        return with_member(document.opened(), (name,), value)
    return Obj(document, {name: value})


def _member_to_change(document: Document, name: str) -> Document:
    found = get(document, name)
    return Obj(None) if found is MISSING else found


class _Whole:
    """A response of which more is asked than is known: reading it marks the state (`asked_whole`)."""

    @staticmethod
    def of(shape: Shape) -> Expr:
        return Func(f"whole:{shape.owner}", (shape.base,))


def asked_whole(document: Document) -> Iterator[str]:
    """Yield the states with results of which more is asked than is known."""
    for expr in expressions_in(document, opened=False):
        yield from _asked_in(expr)


def _asked_in(expr: Expr) -> Iterator[str]:
    pending = [expr]
    while pending:
        one = pending.pop()
        if isinstance(one, Func) and one.name.startswith("whole:"):
            yield one.name[len("whole:") :]
        pending.extend(children(one))


def as_expression(document: Document) -> Expr:
    """Return the whole document as one expression."""
    match document:
        case Shape():
            return _Whole.of(document) if document.is_partial else as_expression(document.opened())
        case Obj(base=base, members=members):
            laid = Object(tuple((name, _inner(value)) for name, value in members.items()))
            if base is None:
                return laid
            return Func("$merge", (Array((as_expression(base), laid)),)) if members else as_expression(base)
        case Lst(items=items):
            return Func("$list", tuple(_inner(one) for one in items))
        case _:
            return document


def _inner(document: Document) -> Expr:
    expr = as_expression(document)
    return need(expr) if isinstance(expr, (Get, At)) else expr


Template: TypeAlias = "Expr | dict[str, Template] | list[Template] | Json"
"""A value as FSL writes it: a literal with expressions at its leaves."""


def as_template(document: Document) -> Template:
    """Return the whole document as a literal, as far as it is one. What is needed stays marked by `$need`."""
    match document:
        case Shape():
            return _Whole.of(document) if document.is_partial else as_template(document.opened())
        case Obj(base=None, members=members):
            return {name: as_template(value) for name, value in members.items()}
        case Obj():
            return as_expression(document)
        case Lst(items=items):
            return [as_template(one) for one in items]
        case Literal(value=value):
            return value
        case Get() | At():
            return need(document)
        case _:
            return document


def expressions_in(document: Document, *, opened: bool = True) -> Iterator[Expr]:
    """Yield the expressions at the leaves of a document."""
    pending: list[Document] = [document]
    while pending:
        one = pending.pop()
        match one:
            case Shape():
                if one.is_partial and not opened:
                    yield _Whole.of(one)
                else:
                    pending.append(one.base)
            case Obj(base=base, members=members):
                pending.extend(members.values())
                if base is not None:
                    pending.append(base)
            case Lst(items=items):
                pending.extend(items)
            case _:
                yield one


def is_place(expr: Expr) -> bool:
    """Return whether the expression is a place that does not change while its scope lives: it can be read later."""
    match expr:
        case Literal(value=value):
            return not isinstance(value, (dict, list)) or not value
        case Word(text=text):
            return text in _STABLE_WORDS
        case Var(variable=variable):
            return variable.rank > 0
        case Get(base=base):
            return is_place(base)
        case At(base=base, index=index):
            return is_place(base) and isinstance(index, Literal)
        case _:
            return False


def is_stable(document: Document) -> bool:
    """Return whether all parts of the document are places."""
    return all(is_place(expr) for expr in expressions_in(document))


def variables_in(document: Document) -> Iterator[Variable]:
    """Yield the variables that the document reads."""
    for expr in expressions_in(document):
        for leaf in leaves(expr):
            if isinstance(leaf, Var):
                yield leaf.variable


def changed(document: Document, change: Callable[[Expr], Expr | None]) -> Document:
    """Return the document with parts of its expressions replaced."""
    match document:
        case Shape(kind=kind, base=base, owner=owner, names=names):
            return Shape(kind, replaced(base, change), owner, names)
        case Obj(base=base, members=members):
            below = None if base is None else changed(base, change)
            return Obj(below, {name: changed(one, change) for name, one in members.items()})
        case Lst(items=items):
            return Lst(tuple(changed(one, change) for one in items))
        case _:
            return replaced(document, change)


def is_computed(document: Document) -> bool:
    """Return whether more is done for the document than to read places: that may fail, where nobody reads it too."""
    return any(isinstance(one, (Func, Op, Text, At)) for expr in expressions_in(document) for one in _parts_of(expr))


def _parts_of(expr: Expr) -> Iterator[Expr]:
    pending = [expr]
    while pending:
        one = pending.pop()
        yield one
        pending.extend(children(one))


def may_fail(document: Document) -> bool:
    """Return whether making the value can fail."""
    return not all(isinstance(expr, (Literal, Var)) or expr == RESULT for expr in expressions_in(document))
