# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="import-untyped"
"""Tokens -> tree: the grammar of FSL. Only this module and `tokens` import ply.

The functions below are ply's rules: the docstring is the grammar, the body builds the node. Nothing is written to
disk; the tables are built once per process, and each parse uses a copy of the parser with its own stacks.

Errors: `recovery.Recovery` inserts tokens that are clearly missing (`;`, `/`, an end) and otherwise skips to a token
where the rules with `error` continue.
"""

from __future__ import annotations

import copy
import functools
import sys
from typing import Any

import msgspec
from ply import yacc

from chalicelib.language.problems import Findings
from chalicelib.language.syntax import tree
from chalicelib.language.syntax.recovery import Recovery
from chalicelib.language.syntax.tokens import SyntaxToken
from chalicelib.language.syntax.tokens import tokens as lexed

tokens = (*lexed, "SECRET", "MODIFIER", "ON", "AS", "ON_STATUS", "AND", "CONFIG")
"""The tokens that ply reads: those of the lexer, and those that `recovery` makes: the words `secret`, `on`, `as` and
`config` where they are no names, and a comma between two states of a route."""


def p_document(p):
    """document : statements EOF
    | statements statement EOF"""
    p[0] = (*p[1], p[2]) if len(p) == 4 and p[2] is not None else tuple(p[1])


def p_statements(p):
    """statements :
    | statements SLASH
    | statements statement SLASH"""
    p[0] = [] if len(p) == 1 else p[1]
    if len(p) == 4 and p[2] is not None:
        p[1].append(p[2])


def p_statement(p):
    """statement : kind title members END
    | kind title members error END"""
    end = p[len(p) - 1]
    p.parser.errok()
    damaged = len(p) == 6 or end.inserted
    p.parser.recovery.ends(p[1], p[2], end)
    p[0] = tree.Statement(p[1], p[2], tuple(p[3]), damaged, p[1].span.to(end.span))


def p_title(p):
    """title : name
    | path"""
    words = p[1] if isinstance(p[1], list) else [p[1]]
    p[0] = p[1] if len(words) == 1 else tree.Word(".".join(one.text for one in words), False, _span_of(words))


def p_config(p):
    """statement : CONFIG name ASSIGN value SEMICOLON"""
    kind = _as_word(p[1])
    p[0] = tree.Statement(kind, p[2], (tree.Property(kind, p[4], p[4].span),), False, kind.span.to(p[5].span))


def p_config_lost(p):
    """statement : CONFIG error SEMICOLON"""
    p.parser.errok()
    p[0] = None


def p_statement_lost(p):
    """statement : error END"""
    p.parser.errok()
    p[0] = None


def p_word(p):
    """kind : NAME
            | WHEN
    name : NAME
         | END
         | WHEN
         | STRING"""
    token = p[1]
    p[0] = tree.Word(token.value, token.kind == "STRING", token.span)


def p_members(p):
    """members :
    | members member"""
    p[0] = [] if len(p) == 1 else p[1]
    if len(p) == 3:
        p[1].append(p[2])


def p_property(p):
    """member : kind ASSIGN value SEMICOLON
    | kind ASSIGN SEMICOLON"""
    value = p[3] if len(p) == 5 else None
    if value is None:
        p.parser.recovery.lacks_value(p[1], p[3])
    p[0] = tree.Property(p[1], value, p[1].span.to(p[len(p) - 1].span))


def p_property_undo(p):
    """member : kind ASSIGN undo SEMICOLON"""
    p[0] = tree.Property(p[1], p[3], p[1].span.to(p[4].span))


def p_undo(p):
    """undo : name ON states
    | name group ON states"""
    group = p[2] if len(p) == 5 else None
    states = tuple(p[len(p) - 1])
    p[0] = tree.Call(p[1], group, p[1].span.to(states[-1].span), states)


def p_states(p):
    """states : name
    | states OR name"""
    p[0] = _added(p)


def p_step(p):
    """member : kind name TO group SEMICOLON
    | kind name TO group body SEMICOLON"""
    body = p[5] if len(p) == 7 else None
    p[0] = tree.Step(p[1], p[2], p[4], body, p[1].span.to(p[len(p) - 1].span))


def p_use(p):
    """member : kind name AS name SEMICOLON"""
    p[0] = tree.Use(p[2], p[4], p[1].span.to(p[5].span))


def p_branch(p):
    """member : kind name body SEMICOLON"""
    p[0] = tree.Step(p[1], p[2], None, p[3], p[1].span.to(p[4].span))


def p_member_lost(p):
    """member : error SEMICOLON"""
    p.parser.errok()
    p[0] = p.parser.recovery.lost(p[2])


def p_body(p):
    """body : LCURLY members RCURLY
    | LCURLY members error RCURLY"""
    end = p[len(p) - 1]
    p.parser.errok()
    p[0] = tree.Body(tuple(p[2]), len(p) == 5 or end.inserted, p[1].span.to(end.span))


def p_value(p):
    """value : name
    | list
    | map
    | group"""
    p[0] = p[1]


def p_value_number(p):
    """value : INTEGER
    | FLOAT"""
    p[0] = tree.Number(p[1].value, p[1].span)


def p_value_duration(p):
    """value : DURATION"""
    p[0] = tree.Duration(p[1].value, p[1].span)


def p_value_reference(p):
    """value : SECRET name"""
    p[0] = tree.Reference(p[2], p[1].span.to(p[2].span))


def p_value_expression(p):
    """value : expression"""
    p[0] = p[1]


def p_expression(p):
    """expression : EXPRESSION"""
    p[0] = tree.Expression(p[1].value, p[1].span)


def p_value_call(p):
    """value : name group"""
    p[0] = tree.Call(p[1], p[2], p[1].span.to(p[2].span))


def p_list(p):
    """list : LSQUARE RSQUARE
            | LSQUARE elements RSQUARE
    map : LCURLY RCURLY
        | LCURLY pairs RCURLY
    group : LPAREN RPAREN
          | LPAREN entries RPAREN
          | LPAREN routes RPAREN"""
    node = {"LSQUARE": tree.ListValue, "LCURLY": tree.MapValue, "LPAREN": tree.Group}[p[1].kind]
    p[0] = node(tuple(p[2]) if len(p) == 4 else (), p[1].span.to(p[len(p) - 1].span))


def p_some(p):
    """elements : value
                | elements COMMA value
    pairs : pair
          | pairs COMMA pair
    routes : route
           | routes OR route
    entries : entry
            | commas entry
            | entries entry
            | entries commas entry"""
    if isinstance(p[1], list):
        p[1].append(p[len(p) - 1])
        p[0] = p[1]
    else:
        p[0] = [p[len(p) - 1]]


def p_commas(p):
    """commas : COMMA
    | commas COMMA"""


def p_pair(p):
    """pair : name COLON value"""
    p[0] = (p[1], p[3])


def p_assignment(p):
    """entry : name ASSIGN value
    | path ASSIGN value"""
    first, *members = p[1] if isinstance(p[1], list) else [p[1]]
    p[0] = tree.Assignment(first, p[3], first.span.to(p[3].span), tuple(members))


def p_path(p):
    """path : name DOT name
    | path DOT name"""
    p[0] = _added(p)


def p_declaration(p):
    """entry : name name
    | name name ASSIGN value"""
    default = p[4] if len(p) == 5 else None
    p[0] = tree.Declaration(p[1], p[2], default, p[1].span.to((default or p[2]).span))


def p_secret_declaration(p):
    """entry : MODIFIER name name
    | MODIFIER name name ASSIGN value"""
    default = p[5] if len(p) == 6 else None
    p[0] = tree.Declaration(p[2], p[3], default, p[1].span.to((default or p[3]).span), _as_word(p[1]))


def p_event_name(p):
    """entry : path"""
    p[0] = tree.EventName(tuple(p[1]), _span_of(p[1]))


def p_route(p):
    """route : name
    | name ARROW target
    | several ARROW target"""
    states = _states(p[1])
    target, entries = p[3] if len(p) == 4 else (None, None)
    p[0] = tree.Route(states, None, target, states[0].span.to((entries or target or p[1]).span), entries)


def p_route_when(p):
    """route : name WHEN expression ARROW target
    | several WHEN expression ARROW target
    | WHEN expression ARROW target"""
    states = _states(p[1]) if len(p) == 6 else ()
    condition, (target, entries) = p[len(p) - 3], p[len(p) - 1]
    first = states[0] if states else p[1]
    p[0] = tree.Route(states, condition, target, first.span.to((entries or target).span), entries)


def p_route_on(p):
    """route : name ON_STATUS statuses"""
    statuses = tuple(p[3])
    p[0] = tree.Route((p[1],), None, None, p[1].span.to(statuses[-1].span), statuses=statuses)


def p_statuses(p):
    """statuses : INTEGER
    | statuses COMMA INTEGER"""
    number = p[len(p) - 1]
    status = tree.Number(number.value, number.span)
    p[0] = [status] if len(p) == 2 else p[1]
    if len(p) > 2:
        p[1].append(status)


def p_several(p):
    """several : name AND name
    | several AND name"""
    p[0] = _added(p)


def p_target(p):
    """target : name
    | name group
    | group"""
    p[0] = (p[1], p[2]) if len(p) == 3 else (None, p[1]) if isinstance(p[1], tree.Group) else (p[1], None)


def _added(p):
    """Return the list that a rule continues, longer by its last part. It is not copied: it may be very long."""
    found = p[1] if isinstance(p[1], list) else [p[1]]
    if len(p) > 2:
        found.append(p[len(p) - 1])
    return found


def _as_word(token):
    return tree.Word(token.value, quoted=False, span=token.span)


def _span_of(words):
    return words[0].span.to(words[-1].span)


def _states(found):
    return tuple(found) if isinstance(found, list) else (found,)


def p_error(_token):
    """Never called: each parse has its own error function."""


def tables(**options: Any) -> Any:
    """Build ply's parser. `options` are passed to ply; a test uses them to collect conflicts."""
    settings = {"debug": False, "optimize": True, "errorlog": yacc.NullLogger(), **options}
    # This module does not exist, so that ply never loads a `parsetab` from the path.
    return yacc.yacc(
        module=sys.modules[__name__], start="document", write_tables=False, tabmodule="chalicelib.no_tables", **settings
    )


@functools.cache
def _parser():
    return tables()


def statements_of(found: tuple[SyntaxToken, ...], findings: Findings, *, cut: bool) -> tuple[tree.Statement, ...]:
    """Return the statements in balanced tokens. Syntax errors are reported, never raised.

    `cut`: the end of the text is missing, so errors there are not reported.
    """
    parser = copy.copy(_parser())
    parser.recovery = Recovery(parser, found, findings, cut=cut)
    parser.errorfunc = lambda token: _as_ply(parser.recovery.repair(token))
    return parser.parse(lexer=parser.recovery, tokenfunc=lambda: _as_ply(parser.recovery.next())) or ()


class _PlyToken(msgspec.Struct):
    """What ply's parser reads of a token."""

    type: str
    value: SyntaxToken
    lineno: int = 0
    lexpos: int = 0
    lexer: object = None


def _as_ply(token):
    if token is None:
        return None
    return _PlyToken(token.kind, token)
