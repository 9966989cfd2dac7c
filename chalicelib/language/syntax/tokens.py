# ruff: noqa: N802, N816  (ply finds its rules by names like t_NAME)
# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="import-untyped"
"""Text -> tokens. Next to the grammar the only module that knows ply.

Keywords are words like any other: only `..._end` and `when` are told apart, and even they may be names.
"""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass

from ply import lex

from chalicelib.language.limits import INTEGERS, LONGEST_DURATION
from chalicelib.language.problems import Findings, Problem
from chalicelib.language.source import Span
from chalicelib.language.syntax.embedded import end_of_expression
from chalicelib.language.syntax.tree import Comment

END_WORDS = ("action_end", "flow_end", "flow_run_end")

tokens = (
    "NAME", "STRING", "INTEGER", "FLOAT", "DURATION", "EXPRESSION", "END", "WHEN",
    "ARROW", "TO", "ASSIGN", "SEMICOLON", "OR", "COMMA", "COLON", "SLASH", "EOF",
    "LPAREN", "RPAREN", "LSQUARE", "RSQUARE", "LCURLY", "RCURLY",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A token: its kind, what it stands for, where it is, and how many brackets are open around it."""

    kind: str
    value: object
    span: Span
    depth: int = 0
    inserted: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """All tokens of a text, an `EOF` last. `cut`: something was never closed and took the rest of the text."""

    tokens: tuple[Token, ...]
    comments: tuple[Comment, ...]
    cut: bool


_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST_NUMBER = 400
_SURROGATE = re.compile("[\ud800-\udfff]+")
_STRANGE = re.compile(r"""(?:[^\w\s"'`(){}\[\]=;|,:/#$\-]|[\d\ud800-\udfff])+""")

t_ARROW = r"->"
t_TO = r"=>"
t_ASSIGN = r"="
t_SEMICOLON = r";"
t_OR = r"\|"
t_COMMA = r","
t_COLON = r":"
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


def t_OPEN_COMMENT(t):
    r"/\*"
    _cut(t, Problem.UNTERMINATED_COMMENT)


def t_EXPRESSION(t):
    r"\$[ \t]*\{"
    if len(t.value) > 2:
        _illegal(t, "$", "an expression is written ${ ... }, without a blank before the brace")
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
    _illegal(t, t.value, "strings are written with double quotes")
    t.type, t.value = "STRING", t.value[1:-1]
    return t


def t_DURATION(t):
    r"-?[0-9]+(\.[0-9]+)?(ms|[smhd])(?![A-Za-z0-9_])"
    unit = t.value.lstrip("-0123456789.")
    amount = float(t.value[: -len(unit)]) if len(t.value) < _LONGEST_NUMBER else float("inf")
    milliseconds = amount * _MILLISECONDS[unit]
    if not 1 <= milliseconds <= LONGEST_DURATION:
        t.lexer.findings.report(Problem.DURATION_OUT_OF_RANGE, _span(t))
        milliseconds = 1_000
    t.value = round(milliseconds)
    return t


def t_FLOAT(t):
    r"-?[0-9]+(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)(?![A-Za-z0-9_])"
    value = float(t.value)
    if value in (float("inf"), float("-inf")):
        value = _out_of_range(t, "a number of at most 1.8e308")
    t.value = value
    return t


def t_INTEGER(t):
    r"-?[0-9]+"
    short = len(t.value) < _LONGEST_NUMBER or len(t.value.lstrip("-0")) < _LONGEST_NUMBER
    value = int(t.value.lstrip("-0") or "0") if short else INTEGERS.stop
    value = -value if t.value.startswith("-") else value
    t.value = value if value in INTEGERS else _out_of_range(t, "an integer has 64 bits")
    return t


def t_NAME(t):
    r"[^\W\d]\w*"
    word = t.value.lower()
    if not t.value.isascii():
        _illegal(t, t.value, f'a name of other letters is written in quotes: "{t.value[:40]}"')
    elif word in END_WORDS:
        t.type = "END"
    elif word == "when":
        t.type = "WHEN"
    return t


def t_error(t):
    strange = _STRANGE.match(t.value)
    found = strange[0] if strange else t.value[0]
    t.lexer.lexpos += len(found)
    if not _SURROGATE.fullmatch(found):
        _illegal(t, found, "an expression is written ${ ... }" if found == "$" else None)


def scan(text: str, findings: Findings) -> Scan:
    """The tokens of a text; never fails. A byte order mark at its start is skipped."""
    for match in _SURROGATE.finditer(text):
        found = _name_of(match[0])
        findings.report(Problem.ILLEGAL_CHARACTER, Span(*match.span()), found=found, hint="the text is no valid UTF-8")
    lexer = _lexer().clone()
    lexer.findings, lexer.comments, lexer.is_cut = findings, [], False
    lexer.input(text)
    lexer.lexpos = 1 if text.startswith("\ufeff") else 0
    found = [Token(t.type, t.value, Span(t.lexpos, lexer.lexpos)) for t in iter(lexer.token, None)]
    end = Span(len(text.rstrip()), len(text.rstrip()))
    return Scan((*found, Token("EOF", "", end)), tuple(lexer.comments), lexer.is_cut)


@functools.cache
def _lexer():
    return lex.lex(module=sys.modules[__name__], errorlog=lex.NullLogger())


def _span(t):
    return Span(t.lexpos, t.lexpos + len(t.value))


def _cut(t, problem):
    """Reports what is never closed, at its opening; it takes the rest of the text."""
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
