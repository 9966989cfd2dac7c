"""Tokens -> the tree of an expression, by precedence climbing.

The tree is made as it is evaluated: names become paths, `[...]` filters of steps, `-1` a number, calls in tail
position are marked. Its nesting and the number of its parts are bounded while it is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.syntax import ancestry, steps
from chalicelib.expressions.syntax.lexer import Token
from chalicelib.expressions.syntax.signatures import Signature
from chalicelib.expressions.syntax.stream import MAX_NESTING, MAX_SOURCE, Stream
from chalicelib.expressions.syntax.tree import Node, Slot

MAX_PARENTS: Final = 100
"""Uses of `%` in one expression: each may look at every step before it."""

_POWERS: Final = {
    **dict.fromkeys(("[", "(", "@", "#"), 80),
    ".": 75,
    "{": 70,
    **dict.fromkeys(("*", "/", "%"), 60),
    **dict.fromkeys(("+", "-", "&"), 50),
    **dict.fromkeys(("=", "!=", "<", "<=", ">", ">=", "^", "~>", "?:", "??", "in"), 40),
    "and": 30,
    "or": 25,
    "?": 20,
    ":=": 10,
}
_PLAIN: Final = {
    **dict.fromkeys(("+", "-", "*", "/", "%"), "arithmetic"),
    **dict.fromkeys(("<", "<=", ">", ">="), "comparison"),
    **dict.fromkeys(("=", "!="), "equality"),
    "&": "concat",
    "in": "membership",
    "and": "and",
    "or": "or",
    "~>": "apply",
    "?:": "default",
    "??": "coalesce",
}
_ELSE_POWER: Final = 0
_NAMES: Final = frozenset({"and", "or", "in"})


class Parser(Stream):
    """Parses one source. Raises Failure where it cannot be read."""

    def parsed(self) -> Node:
        """Return the tree of the whole source."""
        if len(self._lexer.source) > MAX_SOURCE:
            raise Failure("L0010", MAX_SOURCE)
        self._token = self._lexer.next(infix=False)
        tree = self._expression(0)
        if self._token.kind != "end":
            raise Failure("S0201", self._token.at, self._token.value)
        if tree.kind == "parent" or tree.seeking:
            raise Failure("S0217", tree.at, tree.kind)
        return tree

    # ── expressions ──

    def _expression(self, power: int) -> Node:
        self._level += 1
        if self._level > MAX_NESTING:
            raise Failure("L0012", self._token.at)
        left = self._prefix(self._advance(infix=True))
        while self._token.kind == "operator" and _POWERS.get(self._token.value, 0) > power:
            left = self._infix(self._advance(), left)
        self._level -= 1
        return left

    def _prefix(self, token: Token) -> Node:
        kind, value, at = token
        if kind == "name" or (kind == "operator" and value in _NAMES):
            return self._named(value, at)
        if kind in ("literal", "variable"):
            return self._node(kind, at, value)
        if kind == "regex":
            self.patterns.append(self._node("regex", at, value))
            return self.patterns[-1]
        if kind == "end":
            raise Failure("S0207", at)
        found = _PREFIXES.get(value)
        if found is None:
            raise Failure("S0211", at, value)
        return found(self, at)

    def _named(self, name: str, at: int) -> Node:
        step = self._node("name", at, name)
        return self._node("path", at, items=[step])

    def _negation(self, at: int) -> Node:
        part = self._expression(70)
        if part.kind == "literal" and not part.filters and type(part.value) in (int, float):
            part.value, part.at = -part.value, at
            return part
        node = self._node("negation", at, left=part)
        ancestry.pass_on(node, part)
        return node

    def _wildcard(self, at: int) -> Node:
        return self._node("wildcard", at)

    def _descendants(self, at: int) -> Node:
        return self._node("descendants", at)

    def _parent(self, at: int) -> Node:
        self._slots += 1
        if self._slots > MAX_PARENTS:
            raise Failure("L0011", at)
        return self._node("parent", at, Slot(f"!{self._slots}"))

    def _block(self, at: int) -> Node:
        parts = []
        while not self._is(")"):
            parts.append(self._expression(0))
            if not self._is(";"):
                break
            self._advance()
        self._expect(")", infix=True)
        node = self._node("block", at, items=parts)
        ancestry.pass_on(node, *parts)
        node.constructs = any(part.constructs or (part.kind == "path" and part.items[0].constructs) for part in parts)
        return node

    def _array(self, at: int) -> Node:
        parts = []
        while not self._is("]"):
            part = self._expression(0)
            if self._is(".."):
                dots = self._advance()
                upper = self._expression(0)
                lower, part = part, self._node("range", dots.at, left=part, right=upper)
                ancestry.pass_on(part, lower, upper)
            parts.append(part)
            if not self._is(","):
                break
            self._advance()
        self._expect("]", infix=True)
        node = self._node("array", at, items=parts)
        ancestry.pass_on(node, *parts)
        return node

    def _object(self, at: int) -> Node:
        pairs = self._pairs()
        node = self._node("object", at, pairs)
        flat = [part for pair in pairs for part in pair]
        ancestry.pass_on(node, *flat)
        return self._placed(node, *flat)

    def _pairs(self) -> list[tuple[Node, Node]]:
        pairs = []
        while not self._is("}"):
            key = self._expression(0)
            self._expect(":")
            pairs.append((key, self._expression(0)))
            if not self._is(","):
                break
            self._advance()
        self._expect("}", infix=True)
        return pairs

    def _transform(self, at: int) -> Node:
        parts = [self._expression(0)]
        self._expect("|")
        parts.append(self._expression(0))
        if self._is(","):
            self._advance()
            parts.append(self._expression(0))
        self._expect("|", infix=True)
        return self._node("transform", at, items=parts)

    # ── what follows an operand ──

    def _infix(self, token: Token, left: Node) -> Node:
        operator, at = token.value, token.at
        found = _INFIXES.get(operator)
        if found is not None:
            return found(self, at, left)
        right = self._expression(_POWERS[operator] if operator not in ("?:", "??") else _ELSE_POWER)
        node = self._node(_PLAIN[operator], at, operator, left=left, right=right)
        if operator == "~>":
            node.keep = left.keep or right.keep
        else:
            ancestry.pass_on(node, left, right)
        return node

    def _step(self, _at: int, left: Node) -> Node:
        right = self._expression(75)
        return (
            self._placed(steps.joined(left, right), left, right) if left.kind != "path" else self._longer(left, right)
        )

    def _longer(self, path: Node, right: Node) -> Node:
        joined = steps.joined(path, right)
        joined.height = max(joined.height, right.height + 1)
        return self._placed(joined)

    def _filter(self, at: int, left: Node) -> Node:
        if self._is("]"):
            self._advance(infix=True)
            return steps.kept(left)
        predicate = self._expression(0)
        self._expect("]", infix=True)
        left.height = max(left.height, predicate.height + 1)
        return self._placed(steps.filtered(left, predicate, at))

    def _group(self, at: int, left: Node) -> Node:
        if left.group is not None:
            raise Failure("S0210", at)
        left.group = self._pairs()
        return self._placed(left, *(part for pair in left.group for part in pair))

    def _sort(self, at: int, left: Node) -> Node:
        self._expect("(")
        terms: list[tuple[Node, bool]] = []
        while True:
            descending = self._is(">")
            if descending or self._is("<"):
                self._advance()
            terms.append((self._expression(0), descending))
            if not self._is(","):
                break
            self._advance()
        self._expect(")", infix=True)
        parts = [part for part, _ in terms]
        sort = self._placed(self._node("sort", at, terms), *parts)
        ancestry.pass_on(sort, *parts)
        return (
            self._placed(steps.sorted_by(left, sort), left, sort) if left.kind != "path" else self._sorted(left, sort)
        )

    def _sorted(self, path: Node, sort: Node) -> Node:
        path.height = max(path.height, sort.height + 1)
        return self._placed(steps.sorted_by(path, sort))

    def _bind(self, at: int, left: Node) -> Node:
        if left.kind != "variable" or left.filters or left.group:
            raise Failure("S0212", left.at, left.value if left.kind == "literal" else left.kind)
        self.bound.add(left.value)
        right = self._expression(9)
        node = self._node("bind", at, left.value, right=right)
        ancestry.pass_on(node, right)
        return node

    def _focus(self, at: int, left: Node) -> Node:
        return steps.focused(left, self._binding("@"), at)

    def _position(self, _at: int, left: Node) -> Node:
        return self._placed(steps.numbered(left, self._binding("#")))

    def _binding(self, operator: str) -> str:
        right = self._expression(80)
        if right.kind != "variable":
            raise Failure("S0214", right.at, operator)
        self.bound.add(right.value)
        return str(right.value)

    def _condition(self, at: int, left: Node) -> Node:
        parts = [left, self._expression(0)]
        if self._is(":"):
            self._advance()
            parts.append(self._expression(0))
        node = self._node("condition", at, items=parts)
        ancestry.pass_on(node, *parts)
        return node

    # ── calls and functions ──

    def _call(self, at: int, left: Node) -> Node:
        arguments, partial = [], False
        while not self._is(")"):
            if self._is("?"):
                partial = True
                arguments.append(self._node("placeholder", self._advance(infix=True).at))
            else:
                arguments.append(self._expression(0))
            if not self._is(","):
                break
            self._advance()
        self._expect(")", infix=True)
        if steps.is_word(left, ("function", "λ")):
            return self._function(left.at, arguments)
        node = self._node("partial" if partial else "call", left.at, at, left=left, items=arguments)
        ancestry.pass_on(node, *arguments)
        return node

    def _function(self, at: int, parameters: list[Node]) -> Node:
        names = []
        for parameter in parameters:
            if parameter.kind != "variable":
                raise Failure("S0208", parameter.at, parameter.value)
            names.append(parameter.value)
        self.bound.update(names)
        signature = self._signature() if self._is("<") else None
        self._expect("{")
        body = self._expression(0)
        self._expect("}", infix=True)
        return self._node("function", at, (tuple(names), signature), left=steps.tail(body))

    def _signature(self) -> Signature:
        start = self._token.at
        source, end, depth = self._lexer.source, start, 0
        while end < len(source) and source[end] != "{":
            depth += {"<": 1, ">": -1}.get(source[end], 0)
            end += 1
            if depth == 0:
                break
        if depth:
            raise Failure("S0401", start, source[start:end][:40])
        self._lexer.position = end
        self._token = self._lexer.next(infix=True)
        return Signature(source[start:end], start)


_PREFIXES: Final[dict[str, Callable[[Parser, int], Node]]] = {
    "-": Parser._negation,
    "*": Parser._wildcard,
    "**": Parser._descendants,
    "%": Parser._parent,
    "(": Parser._block,
    "[": Parser._array,
    "{": Parser._object,
    "|": Parser._transform,
}
_INFIXES: Final[dict[str, Callable[[Parser, int, Node], Node]]] = {
    ".": Parser._step,
    "[": Parser._filter,
    "{": Parser._group,
    "^": Parser._sort,
    ":=": Parser._bind,
    "@": Parser._focus,
    "#": Parser._position,
    "?": Parser._condition,
    "(": Parser._call,
}
