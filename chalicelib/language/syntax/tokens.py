# ruff: noqa: N802, N816  (ply finds its rules by names like t_NAME)
# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="import-untyped"
"""Text -> tokens. Only this module and `grammar` import ply.

Keywords are ordinary words. Only `..._end` and `when` have kinds of their own, and even they may be names.
"""

from __future__ import annotations

import functools
import re
import sys

import msgspec
from ply import lex

from chalicelib.language.limits import INTEGER_RANGE, MAX_DURATION_MS, MAX_TOKENS
from chalicelib.language.problems import Findings, Problem, displayed
from chalicelib.language.source import Span
from chalicelib.language.statements import END_WORDS
from chalicelib.language.syntax.embedded import end_of_expression
from chalicelib.language.syntax.tree import Comment
from chalicelib.model.times import UNIT_MS

tokens = (
    "NAME", "STRING", "INTEGER", "FLOAT", "DURATION", "EXPRESSION", "END", "WHEN",
    "ARROW", "TO", "ASSIGN", "SEMICOLON", "OR", "COMMA", "COLON", "DOT", "SLASH", "EOF",
    "LPAREN", "RPAREN", "LSQUARE", "RSQUARE", "LCURLY", "RCURLY",
)  # fmt: skip


class SyntaxToken(msgspec.Struct, frozen=True, gc=False):
    """A token: its kind, value and span, and the number of open brackets around it."""

    kind: str
    value: object
    span: Span
    depth: int = 0
    inserted: bool = False


class Scan(msgspec.Struct, frozen=True, gc=False):
    """All tokens of a text; the last is `EOF`. `cut`: an unclosed string, comment or expression takes the rest."""

    tokens: tuple[SyntaxToken, ...]
    comments: tuple[Comment, ...]
    cut: bool


_MAX_NUMBER_CHARACTERS = 400
_PART_OF_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhd])")
_SURROGATE = re.compile("[\ud800-\udfff]+")

t_ARROW = r"->"
t_TO = r"=>"
t_ASSIGN = r"="
t_SEMICOLON = r";"
t_OR = r"\|"
t_COMMA = r","
t_COLON = r":"
t_DOT = r"\."
t_SLASH = r"/"
t_LPAREN = r"\("
t_RPAREN = r"\)"
t_LSQUARE = r"\["
t_RSQUARE = r"\]"
t_LCURLY = r"\{"
t_RCURLY = r"\}"
t_ignore = " \t\r\n\f\v"


def t_COMMENT(t):
    r"\#[^\r\n]*|/\*[\s\S]*?\*/"
    t.lexer.comments.append(Comment(t.value, Span(t.lexpos, t.lexpos + len(t.value))))
    _skipped(t)


def t_OPEN_COMMENT(t):
    r"/\*"
    _cut(t, Problem.UNTERMINATED_COMMENT)


def t_EXPRESSION(t):
    r"\$[ \t]*\{"
    if len(t.value) > 2:
        _illegal(t, "$", "write an expression as ${ ... }, without a space before the brace")
    end = end_of_expression(t.lexer.lexdata, t.lexer.lexpos)
    if end is None:
        return _cut(t, Problem.UNTERMINATED_EXPRESSION)
    t.value = t.lexer.lexdata[t.lexer.lexpos : end]
    t.lexer.lexpos = end + 1
    return t


def t_STRING(t):
    r'"[^"]*"|`[^`]*`'
    t.value = t.value[1:-1]
    return t


def t_OPEN_STRING(t):
    r'"|`'
    t.type = "STRING"
    return _cut(t, Problem.UNTERMINATED_STRING)


def t_SINGLE_QUOTED(t):
    r"'[^'\r\n]*'"
    _illegal(t, t.value, "write a string in double quotes")
    t.type, t.value = "STRING", t.value[1:-1]
    return t


def t_DURATION(t):
    r"-?([0-9]+(\.[0-9]+)?(ms|[smhd])){1,40}(?![A-Za-z0-9_])"
    parts = _PART_OF_DURATION.findall(t.value)
    units = [unit for _, unit in parts]
    milliseconds = sum(float(amount) * UNIT_MS[unit] for amount, unit in parts)
    is_possible = milliseconds == 0 or 1 <= milliseconds <= MAX_DURATION_MS
    if t.value.startswith("-") or len(t.value) >= _MAX_NUMBER_CHARACTERS or not is_possible:
        t.lexer.findings.report(Problem.DURATION_OUT_OF_RANGE, _span(t), found=t.value)
        milliseconds = 1_000
    elif len(parts) > 1 and ("." in t.value or units != [unit for unit in UNIT_MS if unit in units]):
        t.lexer.findings.report(Problem.INVALID_DURATION, _span(t), found=t.value)
    t.value = round(milliseconds)
    return t


def t_FLOAT(t):
    r"-?[0-9]+(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)(?![A-Za-z0-9_])"
    value = float(t.value)
    if value in (float("inf"), float("-inf")):
        value = _out_of_range(t, "a number is at most 1.8e308")
    t.value = value
    return t


def t_INTEGER(t):
    r"-?[0-9]+"
    short = len(t.value) < _MAX_NUMBER_CHARACTERS or len(t.value.lstrip("-0")) < _MAX_NUMBER_CHARACTERS
    value = int(t.value.lstrip("-0") or "0") if short else INTEGER_RANGE.stop
    value = -value if t.value.startswith("-") else value
    t.value = value if value in INTEGER_RANGE else _out_of_range(t, "an integer has 64 bits")
    return t


def t_NAME(t):
    r"[^\W\d]\w*(?:-\w+)*"
    word = t.value.lower()
    if "-" in t.value:
        _illegal(t, t.value, f'quote it: "{displayed(t.value)}"')
    elif not t.value.isascii():
        _illegal(t, t.value, f'write a name with other letters in quotes: "{t.value[:40]}"')
    elif word in END_WORDS:
        t.type = "END"
    elif word == "when":
        t.type = "WHEN"
    return t


def t_STRANGE(t):
    r"""(?:[^\w\s"'`(){}\[\]=;|,:./\#$\-]|[\d\ud800-\udfff])+|[$'\s]|-(?!>)"""
    _skipped(t)
    if not _SURROGATE.fullmatch(t.value):
        _illegal(t, t.value, "write an expression as ${ ... }" if t.value == "$" else None)


def t_error(_token):
    """Never called: `STRANGE` matches whatever nothing else does."""


def scan(text: str, findings: Findings) -> Scan:
    """Return the tokens of a text; never raises. A byte order mark at the start is skipped."""
    for match in _SURROGATE.finditer(text):
        found = _name_of(match[0])
        findings.report(Problem.ILLEGAL_CHARACTER, Span(*match.span()), found=found, hint="the text is not valid UTF-8")
    lexer = _lexer().clone()
    lexer.findings, lexer.comments, lexer.is_cut, lexer.skipped = findings, [], False, 0
    lexer.input(text)
    lexer.lexpos = 1 if text.startswith("\ufeff") else 0
    read: list[SyntaxToken] = []
    place = lexer.lexpos
    while len(read) + lexer.skipped <= MAX_TOKENS:
        common = _COMMON.match(text, place)
        if common is not None:
            token = _common_token(common)
            place = token.span.end
            read.append(token)
            continue
        lexer.lexpos = place
        t = lexer.token()
        if t is None:
            break
        place = lexer.lexpos
        read.append(SyntaxToken(t.type, t.value, Span(t.lexpos, place)))
    end = Span(len(text.rstrip()), len(text.rstrip()))
    if len(read) + lexer.skipped > MAX_TOKENS:
        count, what = f"more than {MAX_TOKENS}", "words, signs and comments"
        findings.report(Problem.DOCUMENT_TOO_LARGE, Span(0, 0), count=count, what=what, limit=MAX_TOKENS)
        return Scan((SyntaxToken("EOF", "", end),), (), cut=True)
    return Scan((*read, SyntaxToken("EOF", "", end)), tuple(lexer.comments), lexer.is_cut)


_COMMON = re.compile(
    r"""[ \t\r\n\f\v]*+(?:
        (?P<name>[A-Za-z_][A-Za-z0-9_]*+)(?![^\x00-\x7f]|-\w)
        | (?P<sign>->|=>|[=;|,:.()\[\]{}]|/(?!\*))
        | (?P<string>"[^"]*+"|`[^`]*+`)
        | (?P<number>[0-9]{1,15}+)(?![A-Za-z0-9_.]|[^\x00-\x7f])
    )""",
    re.VERBOSE,
)
"""The tokens of which texts mostly consist, each with the blanks before it. The rules above read all others, and would
read these alike. Nothing in it is tried twice."""

_SIGNS = {
    "->": "ARROW", "=>": "TO", "=": "ASSIGN", ";": "SEMICOLON", "|": "OR", ",": "COMMA", ":": "COLON", ".": "DOT",
    "/": "SLASH", "(": "LPAREN", ")": "RPAREN", "[": "LSQUARE", "]": "RSQUARE", "{": "LCURLY", "}": "RCURLY",
}  # fmt: skip


def _common_token(match):
    kind, span = match.lastgroup, Span(*match.span(match.lastgroup))
    value = match[kind]
    if kind == "sign":
        return SyntaxToken(_SIGNS[value], value, span)
    if kind == "name":
        word = value.lower()
        return SyntaxToken("END" if word in END_WORDS else "WHEN" if word == "when" else "NAME", value, span)
    if kind == "string":
        return SyntaxToken("STRING", value[1:-1], span)
    return SyntaxToken("INTEGER", int(value), span)


@functools.cache
def _lexer():
    return lex.lex(module=sys.modules[__name__], errorlog=lex.NullLogger())


def _span(t):
    return Span(t.lexpos, t.lexpos + len(t.value))


def _skipped(t):
    """Count what is no token. Beyond the limit, leave out the rest of the text."""
    t.lexer.skipped += 1
    if t.lexer.skipped > MAX_TOKENS:
        t.lexer.lexpos = len(t.lexer.lexdata)


def _cut(t, problem):
    """Report an unclosed string, comment or expression at its opening; it takes the rest of the text."""
    t.lexer.findings.report(problem, _span(t))
    t.lexer.is_cut = True
    t.value = t.lexer.lexdata[t.lexer.lexpos :]
    t.lexer.lexpos = len(t.lexer.lexdata)
    return t


def _illegal(t, found, hint):
    span = Span(t.lexpos, t.lexpos + len(found))
    t.lexer.findings.report(Problem.ILLEGAL_CHARACTER, span, found=_name_of(found), hint=hint)


def _name_of(found):
    return f"'{found}'" if found.isprintable() else " ".join(f"U+{ord(char):04X}" for char in found[:4])


def _out_of_range(t, allowed):
    t.lexer.findings.report(Problem.NUMBER_OUT_OF_RANGE, _span(t), found=t.value, range=allowed)
    return 0
