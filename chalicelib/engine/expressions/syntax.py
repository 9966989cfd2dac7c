"""Source text -> a parsed expression, or the first problem in it.

The library's parser is kept within bounds here: it recurses with the source, and parses the left side of `?:` and
`??` twice, which doubles the work with every level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from jsonata import JException, Jsonata, Parser, Signature, Tokenizer

from chalicelib.engine.expressions.limits import NESTING, NODES, SOURCE, Halt
from chalicelib.engine.expressions.messages import UNKNOWN, reason
from chalicelib.engine.expressions.patterns import Pattern

NAMES: Final = frozenset({"input", "vars", "result", "state", "event", "item", "index", "run", "now", "error"})
"""What FSL binds."""

IMPURE: Final = frozenset({"random", "shuffle", "eval"})
"""What JSONata has and FSL does not bind: a run must decide alike whenever its history is replayed."""

BUILTINS: Final = frozenset(Jsonata.static_frame.bindings) - IMPURE

CALLED: Final = {"now": "now()", "error": "error()"}
"""Names of FSL's that JSONata has functions for: called, they are those, known to the evaluator by another name."""

_BLANK: Final = re.compile(r"(?:[ \t\n\r]|/\*.*?\*/)*", re.DOTALL)
_SIMPLE_SIGNATURE: Final = re.compile(r"\^(\((\[[a-z]+\]|[a-z])\??\??\)){0,8}\$")
_PARENTS: Final = 20  # each `%` may double the list of ancestors that the parser keeps


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed expression: what to evaluate, and which of FSL's names it uses; or the first problem in it."""

    tree: Any = None
    names: frozenset[str] = frozenset()
    problem: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A token, as far as it matters for which names are bound."""

    type: str
    value: object
    at: int


class _Lexer(Tokenizer):  # type: ignore[misc]
    """Gives every token the offset at which it starts (the library: that at which it ends), and remembers it."""

    def __init__(self, source: str) -> None:
        super().__init__(source, Pattern)
        self.seen: list[_Seen] = []

    position: int

    def next(self, prefix: bool) -> Any:  # noqa: FBT001 - the library's signature
        blank = _BLANK.match(self.path, self.position)
        start = self.position = blank.end() if blank else self.position
        try:
            token = super().next(prefix)
        except Halt as exc:
            raise Halt(str(exc), start) from exc
        except IndexError as exc:
            raise Halt("unexpected end", len(self.path)) from exc
        if token is not None:
            token.position = start
            self.seen.append(_Seen(str(token.type), token.value, start))
        return token


class _Parser(Parser):  # type: ignore[misc]
    """The library's parser, with bounds on how deep and how much."""

    def __init__(self) -> None:
        super().__init__()
        self._level = self._nodes = self._parents = 0
        self._bound: frozenset[str] = frozenset()

    def parsed(self, source: str) -> Parsed:
        """The parse tree and the names used in it."""
        self.source = source
        self.lexer = lexer = _Lexer(source)
        self.advance()
        tree = self.expression(0)
        if self.node.id != "(end)":
            raise Halt(f"{self.node.value!s} is unexpected", self.node.position)
        bound = _bound_in(lexer.seen)
        problem = _unbound(lexer.seen, bound)
        if problem:
            return Parsed(problem=problem)
        self._bound = bound
        tree = self.process_ast(tree)
        if tree.type == "parent" or tree.seeking_parent is not None:
            raise JException("S0217", tree.position, tree.type)
        used = {str(token.value) for token in lexer.seen if token.type == "variable"}
        return Parsed(slimmed(tree), frozenset(used & (NAMES | {"millis"})))

    def expression(self, rbp: int) -> Any:
        self._enter()
        result = super().expression(rbp)
        self._level -= 1
        return result

    def process_ast(self, expr: Any) -> Any:
        if expr is None:
            return None
        self._enter()
        self._nodes += 1
        self._parents += expr.type == "parent"
        if self._nodes > NODES or self._parents > _PARENTS:
            raise Halt("the expression has too many parts", expr.position)
        if expr.type in ("function", "partial"):
            self._called(expr)
        elif expr.type == "lambda" and expr.signature is not None:
            expr.position = expr.procedure.position
            _check_signature(expr)
        result = super().process_ast(expr)
        self._level -= 1
        return result

    def _enter(self) -> None:
        self._level += 1
        if self._level > NESTING:
            raise Halt(f"the expression is nested more than {NESTING} deep", self.node.position)

    def _called(self, expr: Any) -> None:
        procedure = expr.procedure
        expr.position = procedure.position  # where its name is, not its bracket
        if procedure.type == "variable" and procedure.value in CALLED and procedure.value not in self._bound:
            procedure.value = CALLED[procedure.value]


class PlainSignature(Signature):  # type: ignore[misc]
    """A function's signature that does not change when the function is given another name, and is quick to check."""

    _SYMBOLS: Final = {str: "s", int: "n", float: "n", bool: "b", list: "a", dict: "o"}

    def set_function_name(self, function_name: str) -> None:
        """Nothing: signatures are shared between evaluations."""

    def get_symbol(self, value: Any) -> str:
        return self._SYMBOLS.get(type(value)) or str(super().get_symbol(value))


def parsed(source: str) -> Parsed:
    """What the source says; with its first problem if it says nothing."""
    if len(source) > SOURCE:
        return Parsed(problem=(SOURCE, f"an expression has at most {SOURCE:,} characters"))
    parser = _Parser()
    try:
        return parser.parsed(source)
    except Exception as exc:
        at, message = reason(exc)
        if at is None:
            at = parser.lexer.seen[-1].at if parser.lexer.seen else 0
        if message == UNKNOWN:
            message = "the expression cannot be read from here on"
        return Parsed(problem=(min(at, len(source)), message))


def _check_signature(expr: Any) -> None:
    """The library makes a pattern for `re` out of a signature as it stands: only simple ones cannot take for ever."""
    if not _SIMPLE_SIGNATURE.fullmatch(expr.signature._signature):
        raise Halt("a signature names at most 8 parameters, without + and <>", expr.position)
    expr.signature.__class__ = PlainSignature


def _bound_in(tokens: list[_Seen]) -> frozenset[str]:
    """Names bound anywhere in the expression: `$x :=`, function($x), `@$x` and `#$x`."""
    bound: set[str] = set()
    parameters = False
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        if token.value == "(" and before and before.type == "name" and before.value in ("function", "λ"):
            parameters = True
        elif token.value == ")" and token.type == "operator":
            parameters = False
        elif token.type == "variable" and (
            parameters or (after and after.value == ":=") or (before and before.value in ("@", "#"))
        ):
            bound.add(str(token.value))
    return frozenset(bound)


def _unbound(tokens: list[_Seen], bound: frozenset[str]) -> tuple[int, str] | None:
    known = NAMES | BUILTINS | bound | {"", "$"}
    for token in tokens:
        if token.type != "variable" or token.value in known:
            continue
        name = str(token.value)
        if name in IMPURE:
            return token.at, f"${name} is not available: an expression yields the same value each time"
        near = get_close_matches(name[:40], sorted(known - {"", "$"}), 1)
        shown = name if len(name) <= 40 else f"{name[:40]}..."
        return token.at, f"${shown} is not bound here" + (f"; did you mean ${near[0]}?" if near else "")
    return None


_DEFAULTS: Final[dict[str, Any]] = dict(vars(Parser.Symbol(None)))
_PARSING_ONLY: Final = frozenset({"_outer_instance", "prefix", "bp", "lbp", "id"})

Slim: Final[Any] = type("Slim", (Parser.Symbol,), dict(_DEFAULTS))
"""A node that keeps only what differs from the defaults: a tenth of the 3 KB that the library's take."""


def slimmed(tree: Any) -> Any:
    """The same tree, its nodes slim."""
    waiting, done = [tree], set()
    while waiting:
        node = waiting.pop()
        if id(node) in done:
            continue
        done.add(id(node))
        kept = {
            name: value
            for name, value in vars(node).items()
            if name not in _PARSING_ONLY and value is not _DEFAULTS.get(name, waiting)
        }
        node.__dict__ = kept
        node.__class__ = Slim
        waiting += [below for value in kept.values() for below in _nodes(value)]
    return tree


def _nodes(value: Any) -> Iterator[Any]:
    if isinstance(value, Parser.Symbol):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _nodes(item)
