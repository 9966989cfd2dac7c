"""Recover from a syntax error: report what was expected, then insert the missing token or skip ahead.

The word `secret` is an ordinary name unless it is followed by a name where a value is expected (`a = secret b`) or by a
type (`secret str a`), and `on` unless it follows the value of a property (`undo = a on B`) or is followed by an HTTP
status (`A on 404`). The next two tokens and the parser's tables decide. They also tell a comma between two states of a
route (`A, B -> C`) from others.

At every moment an LR parser knows which tokens may come next; `_Tables` looks them up. A token that is clearly missing
(`;` before the next property, `/` between statements, the end of a statement) is inserted, and nothing is lost.
Otherwise the parser skips to the next `;` or `}` of the innermost list of members, or to the end of the statement.
Brackets already match (see `brackets`), so a skip never leaves its statement.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from chalicelib.language.problems import Findings, Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.statements import ANY_STATEMENT, BLOCK_WORDS, CONFIG, END_WORDS, STATEMENT_WORDS
from chalicelib.language.syntax.tokens import SyntaxToken
from chalicelib.language.syntax.tree import Damaged, Word

_WORDS: Final = {
    "ASSIGN": "'='", "TO": "'=>'", "ARROW": "'->'", "WHEN": "'when'", "OR": "'|'", "COMMA": "','", "COLON": "':'",
    "ON_STATUS": "'on'", "INTEGER": "an integer",
    "EXPRESSION": "an expression ${ ... }", "SEMICOLON": "';'", "LPAREN": "'('", "LCURLY": "'{'", "RPAREN": "')'",
    "RSQUARE": "']'", "RCURLY": "'}'", "SLASH": "'/'",
}  # fmt: skip
_WORDS_IN_PLACES: Final = frozenset({"secret", "on", "as", CONFIG})
"""The words that are keywords in places."""
_NAMES: Final = frozenset({"NAME", "STRING", "END", "WHEN"})
_VALUES: Final = _NAMES | {"INTEGER", "FLOAT", "DURATION", "EXPRESSION", "LSQUARE", "LCURLY", "LPAREN"}
_STEP_WORDS: Final = ("step", "deci", "wait", "fork", "each", "call", "set", "emit", "start", "branch")


class Recovery:
    """The token source of one parse, and its error handling. `parser` is this parse's own copy of ply's parser."""

    def __init__(self, parser: Any, tokens: tuple[SyntaxToken, ...], findings: Findings, *, cut: bool) -> None:
        self._parser = parser
        self._tables = _Tables(parser)
        self._tokens = tokens
        self._findings = findings
        self._cut = cut
        self._index = 0
        self._pushed: list[SyntaxToken] = []
        self._lost = Damaged(None, Span(0, 0))

    def next(self) -> SyntaxToken | None:
        """Return the next token; None after the last."""
        if self._pushed:
            return self._in_context(self._pushed.pop())
        if self._index >= len(self._tokens):
            return None
        self._index += 1
        return self._in_context(self._tokens[self._index - 1])

    def _in_context(self, token: SyntaxToken) -> SyntaxToken:
        """Return the token that was just read with the kind that it has here: some words are keywords in places."""
        if token.kind == "NAME" and (word := str(token.value).lower()) in _WORDS_IN_PLACES:
            if word == "secret":
                return replace(token, kind=self._kind_of_secret())
            if word == "on":
                return replace(token, kind=self._kind_of_on())
            if word == "as" and self._is_after_use():
                return replace(token, kind="AS")
            if word == CONFIG and self._fits("CONFIG"):
                return replace(token, kind="CONFIG")
        if token.kind == "COMMA" and self._is_between_states():
            return replace(token, kind="AND")
        return token

    def repair(self, found: Any) -> SyntaxToken | None:
        """Handle a syntax error for ply: return a token to continue with, or None to continue with an `error` rule."""
        if found is None:
            return None
        token: SyntaxToken = found.value
        states = self._parser.statestack
        if self._mends("SEMICOLON", states, token) and self._begins_member(token):
            return self._insert(SyntaxToken("SEMICOLON", ";", token.span, token.depth, inserted=True), token, states)
        if token.kind in ("NAME", "WHEN") and self._mends("SLASH", states, token):
            self._findings.report(Problem.MISSING_SEPARATOR, token.span, found=_shown(token))
            return self._insert(SyntaxToken("SLASH", "/", token.span, inserted=True), token)
        if token.kind in ("SLASH", "EOF") and any(self._mends(kind, states, token) for kind in ("END", "SEMICOLON")):
            return self._insert(self._end_before(token), token, states)
        self._report(token, states)
        found.type = "SKIPPED"
        self._skip(token, states)
        return None

    def ends(self, kind: Word, name: Word, end: SyntaxToken) -> None:
        """Check that the kind of a statement is known, and that its end matches the kind."""
        if kind.key not in BLOCK_WORDS:
            near = Suggestion(kind.key, STATEMENT_WORDS)
            self._findings.report(Problem.UNKNOWN_STATEMENT, kind.span, near=near, found=kind.text)
        elif not end.inserted and str(end.value).lower() != f"{kind.key}_end":
            self._findings.report(Problem.WRONG_END, end.span, kind=kind.key, name=name.text, found=str(end.value))
        if kind.key != "event" and not name.quoted and "." in name.text:
            reason = f'only the name of an event may have dots: write "{name.text}" in quotes'
            self._findings.report(Problem.INVALID_NAME, name.span, reason=reason)

    def lacks_value(self, name: Word, at: SyntaxToken) -> None:
        """Report a property without a value; only `secret = ;` may have none."""
        if name.key != "secret":
            self._findings.report(Problem.SYNTAX, at.span, expected="a value", found="';'")

    def lost(self, until: SyntaxToken) -> Damaged:
        """Return the member that was skipped up to and including `until`."""
        return replace(self._lost, span=self._lost.span.to(until.span))

    def _kind_of_secret(self) -> str:
        """Return the kind of the word `secret`, which was just read: a name wherever it can be one."""
        following = [one.kind for one in self._tokens[self._index : self._index + 2]]
        named = [kind in _NAMES for kind in following]
        if named[:1] == [True] and following[1:] != ["ASSIGN"] and self._fits("SECRET"):
            return "SECRET"
        return "MODIFIER" if named == [True, True] and self._fits("MODIFIER") else "NAME"

    def _kind_of_on(self) -> str:
        """Return the kind of the word `on`, which was just read: a name wherever it can be one."""
        if self._tokens[self._index].kind == "INTEGER" and self._fits("ON_STATUS"):
            return "ON_STATUS"
        return "ON" if self._tokens[self._index].kind != "ASSIGN" and self._fits("ON") else "NAME"

    def _is_after_use(self) -> bool:
        """Whether the word `as`, which was just read, follows `use NAME`."""
        words = self._tokens[max(0, self._index - 3) : self._index - 1]
        return len(words) == 2 and _is_use(words[0]) and self._fits("AS")

    def _is_between_states(self) -> bool:
        """Whether the comma, which was just read, is followed by a state and the rest of a route."""
        following = [one.kind for one in self._tokens[self._index : self._index + 2]]
        named = following[0] in _NAMES and following[1:] in (["COMMA"], ["ARROW"], ["WHEN"])
        return named and self._fits("AND")

    def _fits(self, kind: str) -> bool:
        return self._tables.after(self._parser.statestack, kind) is not None

    def _mends(self, kind: str, states: list[int], token: SyntaxToken) -> bool:
        """Whether the parser accepts a token of this kind here, followed by the found one."""
        stack = self._tables.after(states, kind)
        return stack is not None and self._tables.after(stack, token.kind) is not None

    def _begins_member(self, token: SyntaxToken) -> bool:
        if token.kind in ("RCURLY", "END"):
            return True
        following = [one.kind for one in self._tokens[self._index : self._index + 2]]
        return following[:1] == ["ASSIGN"] or (following[:1] in (["NAME"], ["STRING"]) and following[1:] == ["TO"])

    def _insert(self, missing: SyntaxToken, token: SyntaxToken, states: list[int] | None = None) -> SyntaxToken:
        """Report the missing token if `states` are given, and continue with it, followed by the found one."""
        if states is not None and not (self._cut and token.kind == "EOF"):
            self._report(token, states, only=missing)
        self._pushed.append(token)
        self._parser.errok()
        return missing

    def _end_before(self, token: SyntaxToken) -> SyntaxToken:
        """Return the token that ends the statement: its end word, or the semicolon of a config."""
        kind, at = self._statement_kind(), Span(token.span.start, token.span.start)
        if kind == CONFIG:
            return SyntaxToken("SEMICOLON", ";", at, inserted=True)
        return SyntaxToken("END", f"{kind}_end", at, inserted=True)

    def _statement_kind(self) -> str:
        for symbol in self._parser.symstack:
            if symbol.type == "CONFIG":
                return CONFIG
            if symbol.type == "kind":
                key = symbol.value.key
                return key if key in BLOCK_WORDS else "flow"
        return "flow"

    def _skip(self, token: SyntaxToken, states: list[int]) -> None:
        """Move to the token where parsing continues, and record the member that is lost."""
        symbols = self._parser.symstack
        height = len(states)
        while height > 1 and self._tables.after(states[:height], "error") is None:
            height -= 1
        depth = sum(1 for symbol in symbols[:height] if symbol.type == "LCURLY")
        gone = symbols[height:]
        name = gone[1].value if len(gone) > 1 and gone[1].type == "name" else None
        first = gone[0].value.span if gone and hasattr(gone[0].value, "span") else token.span
        self._lost = Damaged(name, first)
        index = self._index - 1 - len(self._pushed)
        while not _stops(self._tokens[index], depth):
            index += 1
        self._pushed.clear()
        self._index = index
        if self._tokens[index].kind in ("SLASH", "EOF"):
            self._pushed.append(self._end_before(self._tokens[index]))

    def _report(self, token: SyntaxToken, states: list[int], only: SyntaxToken | None = None) -> None:
        before = self._before(token)
        if token.inserted or (only and before.inserted) or (self._cut and token.kind == "EOF"):
            return
        typo = _near_keyword(before)
        if typo and only is None:
            self._findings.report(
                Problem.SYNTAX, before.span, hint=f"did you mean '{typo}'?", expected=f"'{typo}'", found=_shown(before)
            )
            return
        expected = [only.kind] if only else self._tables.expected(states)
        span = before.span.after if only and only.kind == "SEMICOLON" else token.span
        hint = _hint(before, token)
        self._findings.report(Problem.SYNTAX, span, hint=hint, expected=self._in_words(expected), found=_shown(token))

    def _before(self, token: SyntaxToken) -> SyntaxToken:
        index = self._index - 2
        return self._tokens[index] if index >= 0 else token

    def _in_words(self, kinds: list[str]) -> str:
        """Describe the expected kinds of token for a message."""
        expected = set(kinds) - self._impossible_here()
        if expected >= {"SEMICOLON", "LPAREN"}:
            expected -= {"LPAREN"}
        words = []
        if expected >= _NAMES | {"INTEGER"}:
            words.append("a value")
            expected -= _VALUES | {"SEMICOLON"}
        elif expected >= {"NAME", "STRING"}:
            words.append("a name")
            expected -= _NAMES
        elif "NAME" in expected:
            inside = "RCURLY" in expected or "END" in expected
            words.append("a property or a step" if inside else ANY_STATEMENT)
            expected -= {"NAME", "WHEN", "EOF", "SLASH"}
        symbols = self._parser.symstack
        if symbols[-1].type == "name" and symbols[-2].type == "kind" and symbols[-2].value.key == "use":
            words, expected = ["'as' and a prefix"], set()
        if "END" in expected:
            words.append(f"{self._statement_kind()}_end")
        words += [word for kind, word in _WORDS.items() if kind in expected]
        return " or ".join(dict.fromkeys(words)) or "the end of the text"

    def _impossible_here(self) -> set[str]:
        """Return the kinds of token that the generic grammar accepts in these parentheses but the checker does not."""
        symbols = self._parser.symstack
        opening = max((at for at, one in enumerate(symbols) if one.type == "LPAREN"), default=0)
        if opening < 2 or any(one.type == "ASSIGN" for one in symbols[opening:]):
            return set()
        if symbols[-1].type == "DOT":
            return set()
        if symbols[opening - 1].type == "TO":
            impossible = {"ASSIGN", "COMMA", "DOT", "LPAREN", "ON_STATUS"}
            return impossible | (_NAMES - {"WHEN"} if symbols[-1].type in ("name", "NAME", "STRING") else set())
        key = symbols[opening - 2].value.key if isinstance(symbols[opening - 2].value, Word) else ""
        if key == "return":
            return {"ASSIGN", "COMMA", *(_NAMES if symbols[-1].type == "name" else ())}
        return {"ARROW", "OR", "WHEN", "ON_STATUS"} if symbols[-1].type == "name" else set()


def _is_use(token: SyntaxToken) -> bool:
    return token.kind == "NAME" and str(token.value).lower() == "use"


def _stops(token: SyntaxToken, depth: int) -> bool:
    match token.kind:
        case "SLASH" | "EOF":
            return True
        case "END":
            return token.depth == 0
        case "SEMICOLON":
            return token.depth == depth
        case "RCURLY":
            return token.depth == depth > 0
    return False


def _shown(token: SyntaxToken) -> str:
    match token.kind:
        case "EOF":
            return "the end of the text"
        case "STRING":
            return "a string"
        case "EXPRESSION":
            return "an expression"
        case "DURATION":
            return "a duration"
    return f"'{token.value}'"


def _near_keyword(token: SyntaxToken) -> str | None:
    """Return the keyword of which the name before an error is probably a typo."""
    if token.kind != "NAME":
        return None
    word = str(token.value).lower()
    if word in STATEMENT_WORDS or word in _STEP_WORDS:
        return None
    nearest = Suggestion(word, (*END_WORDS, "when")).nearest()
    return nearest if nearest and ("_" in word or nearest == "when") else None


def _hint(before: SyntaxToken, token: SyntaxToken) -> str | None:
    if before.kind == "INTEGER" and token.kind == "NAME" and before.span.end == token.span.start:
        return "write a duration as 500ms, 30s, 15m, 1h30m or 7d"
    if before.kind == "STRING" and "\n" in str(before.value):
        return "the previous string spans several lines: is its closing quote missing?"
    return None


class _Tables:
    """Queries of ply's parser tables."""

    def __init__(self, parser: Any) -> None:
        self._action, self._goto, self._productions = parser.action, parser.goto, parser.productions

    def after(self, states: list[int], kind: str) -> list[int] | None:
        """Return the stack after shifting a token of this kind; None if the parser does not accept it."""
        stack = list(states)
        while True:
            step = self._action[stack[-1]].get(kind)
            if step is None:
                return None
            if step > 0:
                return [*stack, step]
            if step == 0:
                return stack
            rule = self._productions[-step]
            if rule.len:
                del stack[-rule.len :]
            stack.append(self._goto[stack[-1]][rule.name])

    def expected(self, states: list[int]) -> list[str]:
        """Return the kinds of token that the parser accepts next."""
        kinds = {kind for row in (self._action[states[-1]],) for kind in row}
        return sorted(kind for kind in kinds if kind not in ("error", "$end") and self.after(states, kind) is not None)
