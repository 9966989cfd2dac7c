"""Insert and remove tokens so that all brackets match; then no syntax error reaches beyond its statement.

An unclosed bracket is reported at its opening and closed where it must have ended: before `;` (round and square
brackets), before the body of a step, before a word that ends a statement and before `/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from chalicelib.language.limits import MAX_NESTING
from chalicelib.language.problems import Findings, Problem
from chalicelib.language.syntax.tokens import SyntaxToken

_CLOSER_OF: Final = {"LPAREN": "RPAREN", "LSQUARE": "RSQUARE", "LCURLY": "RCURLY"}
_CLOSERS: Final = frozenset(_CLOSER_OF.values())
_MAY_CLOSE: Final = _CLOSERS | {"SLASH", "EOF", "END", "NAME", "LCURLY", "SEMICOLON"}
"""The tokens before which brackets may have to be closed."""
_AFTER_MEMBER: Final = frozenset({"SEMICOLON", "LCURLY", "RCURLY"})
_PLAIN_STEPS: Final = frozenset({"step", "deci", "wait", "call", "set", "emit", "start"})
"""Steps without nested steps. A step inside one of them means that a closing brace is missing."""
_BEFORE_BODY: Final = frozenset({"RPAREN", "NAME", "STRING", "END", "WHEN"})


def balance(tokens: tuple[SyntaxToken, ...], findings: Findings, *, cut: bool) -> tuple[SyntaxToken, ...]:
    """Return the tokens with all brackets matched and their depths set.

    `cut`: the end of the text is missing, so brackets that are open there are not reported.
    """
    return tuple(_Balancer(tokens, findings, cut=cut).run())


class _Balancer:
    def __init__(self, tokens: tuple[SyntaxToken, ...], findings: Findings, *, cut: bool) -> None:
        self._tokens = tokens
        self._findings = findings
        self._cut = cut
        self._open: list[SyntaxToken] = []
        self._plain_bodies: set[SyntaxToken] = set()
        self._step_kind = ""
        self._stray = False
        self._too_deep = False

    def run(self) -> Iterator[SyntaxToken]:
        for index, token in enumerate(self._tokens):
            if self._open and token.kind in _MAY_CLOSE and (count := self._open_that_must_end(index)):
                yield from self._close_before(token, count)
            if self._stray and token.kind == "SEMICOLON":
                self._stray = False
                continue
            self._stray = False
            if token.kind == "SEMICOLON":
                self._step_kind = ""
            elif self._begins_step(index):
                self._step_kind = str(token.value).lower()
            if token.kind in _CLOSER_OF:
                yield from self._opened(token)
            elif token.kind in _CLOSERS:
                yield from self._closed(token)
            elif len(self._open) <= MAX_NESTING:
                yield token if not self._open else replace(token, depth=len(self._open))

    def _opened(self, token: SyntaxToken) -> Iterator[SyntaxToken]:
        if len(self._open) < MAX_NESTING:
            yield replace(token, depth=len(self._open))
        elif len(self._open) == MAX_NESTING:
            if not self._too_deep:
                self._findings.report(Problem.NESTED_TOO_DEEPLY, token.span, limit=MAX_NESTING)
            self._too_deep = True
            yield SyntaxToken("STRING", "", token.span, MAX_NESTING)
        if token.kind == "LCURLY" and self._step_kind in _PLAIN_STEPS and not self._in_parentheses():
            self._plain_bodies.add(token)
            self._step_kind = ""
        self._open.append(token)

    def _in_parentheses(self) -> bool:
        return bool(self._open) and self._open[-1].kind != "LCURLY"

    def _closed(self, token: SyntaxToken) -> Iterator[SyntaxToken]:
        if not self._open or _CLOSER_OF[self._open[-1].kind] != token.kind:
            self._findings.report(Problem.UNMATCHED_BRACKET, token.span, bracket=token.value)
            self._stray = token.kind == "RCURLY"
            return
        self._open.pop()
        if len(self._open) < MAX_NESTING:
            yield replace(token, depth=len(self._open) + 1)

    def _open_that_must_end(self, index: int) -> int:
        """Return how many of the open brackets must be closed before this token. There are some."""
        token, before = self._tokens[index], self._tokens[index - 1].kind
        match token.kind:
            case "SLASH" | "EOF":
                return len(self._open)
            case "END":
                after = self._tokens[index + 1].kind
                ends = after in ("SLASH", "EOF") or (before in ("SEMICOLON", "RCURLY") and after != "ASSIGN")
                return len(self._open) if ends else 0
            case "NAME" if self._begins_step(index) and self._open[-1] in self._plain_bodies:
                return 1
            case "LCURLY" if before in _BEFORE_BODY:
                return self._trailing_inner()
            case "SEMICOLON":
                return self._trailing_inner()
            case kind if kind in _CLOSERS and _CLOSER_OF[self._open[-1].kind] != kind:
                return self._above_the_opener_of(kind)
        return 0

    def _begins_step(self, index: int) -> bool:
        tokens = self._tokens
        if index + 2 >= len(tokens) or tokens[index + 2].kind != "TO" or tokens[index + 1].kind not in _BEFORE_BODY:
            return False
        return not self._open or tokens[index - 1].kind in _AFTER_MEMBER

    def _trailing_inner(self) -> int:
        """Return the number of open brackets inside the innermost brace."""
        count = 0
        while count < len(self._open) and self._open[-1 - count].kind != "LCURLY":
            count += 1
        return count

    def _above_the_opener_of(self, closer: str) -> int:
        for count in range(1, min(len(self._open), MAX_NESTING + 1)):
            if _CLOSER_OF[self._open[-1 - count].kind] == closer:
                return count
        return 0

    def _close_before(self, token: SyntaxToken, count: int) -> Iterator[SyntaxToken]:
        """Close the innermost `count` brackets and report the outermost of them."""
        first = self._open[-count]
        if not (self._cut and token.kind == "EOF"):
            found = "the end of the text" if token.kind == "EOF" else f"'{token.value}'"
            self._findings.report(Problem.UNCLOSED_BRACKET, first.span, bracket=first.value, found=found)
        for _ in range(count):
            opener = self._open.pop()
            depth = len(self._open) + 1
            if depth <= MAX_NESTING:
                yield SyntaxToken(
                    _CLOSER_OF[opener.kind], "", replace(token.span, end=token.span.start), depth, inserted=True
                )
