"""The conditions of filters in paths: `[?(@.price < 10 && @.title != 'a')]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from chalicelib.asl.path_tree import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Exists,
    Literal,
    LiteralList,
    Not,
    Operand,
    Path,
    Regex,
)
from chalicelib.asl.scanner import Scanner

COMPARISONS: Final = (
    *("===", "!==", "==", "!=", "<=", ">=", "=~", "<", ">"),
    *("in", "nin", "subsetof", "anyof", "noneof", "contains", "size", "empty", "all", "type"),
)
"""The operators of filters, longest signs first (Jayway)."""

_SIGN: Final = re.compile("|".join(re.escape(sign) for sign in COMPARISONS if not sign.isalpha()))
_WORD: Final = re.compile(r"[^\W\d][\w-]*")
_BARE: Final = re.compile(r"\w[\w.-]*")
_REGEX_FLAGS: Final = re.compile(r"[a-zA-Z]*")
_NAMED: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


class FilterReader:
    """The rules of a condition. `path` reads a path that begins here."""

    def __init__(self, scanner: Scanner, path: Callable[[], Path]) -> None:
        self.scanner, self.path = scanner, path

    def condition(self) -> Condition:
        """Read `a || b`."""
        self.scanner.deeper()
        parts = [self.conjunction()]
        while self.sign("||"):
            parts.append(self.conjunction())
        self.scanner.out()
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def conjunction(self) -> Condition:
        """Read `a && b`."""
        parts = [self.single()]
        while self.sign("&&"):
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def sign(self, expected: str) -> bool:
        """Read a sign with the white space before it."""
        self.scanner.space()
        return self.scanner.take(expected)

    def single(self) -> Condition:
        """Read `!a`, `(a)`, a comparison, or a path that must exist."""
        if self.sign("!"):
            self.scanner.deeper()
            negated = Not(self.single())
            self.scanner.out()
            return negated
        if self.sign("("):
            condition = self.condition()
            if not self.sign(")"):
                self.scanner.fail("`)` is missing in a filter")
            return condition
        left = self.operand()
        operator = self.operator()
        if operator:
            return Compare(operator, left, self.operand())
        if not isinstance(left, Path):
            self.scanner.fail("an operator is missing in a filter")
        return Exists(left)

    def operator(self) -> str:
        """Read an operator, or nothing."""
        scanner = self.scanner
        scanner.space()
        start = scanner.at
        found = scanner.match(_SIGN) or scanner.match(_WORD).lower()
        if found and found not in COMPARISONS:
            scanner.fail(f"`{found[:40]}` is no operator of filters", start)
        return found

    def operand(self) -> Operand:
        """Read a path or a value."""
        scanner = self.scanner
        scanner.space()
        head = scanner.peek()
        if head in ("@", "$"):
            return self.path()
        if head in ("'", '"'):
            return Literal(scanner.quoted())
        if head == "/":
            return self.regex()
        if head == "[":
            return self.items()
        return self.plain()

    def plain(self) -> Literal:
        """Read a number, true, false, null, or a text without quotes."""
        scanner = self.scanner
        start = scanner.at
        number = scanner.number()
        if number is not None and not scanner.match(_BARE):
            return Literal(number)
        scanner.at = start
        word = scanner.match(_BARE)
        if not word:
            scanner.fail(f"a value is missing in a filter before {scanner.next_words()}")
        return Literal(_NAMED[word]) if word in _NAMED else Literal(word, bare=True)

    def regex(self) -> Regex:
        """Read `/pattern/flags`."""
        scanner = self.scanner
        start = scanner.at
        scanner.at += 1
        begun = scanner.at
        while not scanner.ended and scanner.peek() != "/":
            scanner.at += 2 if scanner.peek() == "\\" else 1
        if scanner.ended:
            scanner.fail("the regular expression is not closed", start)
        pattern = scanner.text[begun : scanner.at]
        scanner.at += 1
        return Regex(pattern, scanner.match(_REGEX_FLAGS))

    def items(self) -> LiteralList:
        """Read a list of values."""
        scanner = self.scanner
        scanner.deeper()
        scanner.take("[")
        found: list[Operand] = []
        while not self.sign("]"):
            if found and not scanner.take(","):
                scanner.fail("`,` is missing in a list")
            found.append(self.operand())
        scanner.out()
        return LiteralList(tuple(found))
