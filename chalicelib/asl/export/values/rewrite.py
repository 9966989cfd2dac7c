"""Expressions of FSL as expressions of Step Functions: names and functions are replaced, all else stays as written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from chalicelib.asl.export.values.names import Inexpressible, Meaning, Reads, free_name
from chalicelib.asl.export.values.tokens import Piece, arguments_of, end_of_bracket, pieces_of
from chalicelib.expressions.errors import Failure
from chalicelib.expressions.names import NAMES
from chalicelib.expressions.syntax.parser import Parser
from chalicelib.expressions.syntax.tree import Node

_PATH: Final = re.compile(r"\$[\w.$`\[\]]+", re.ASCII)
_MOMENT: Final = r"/^\d{4}(-\d\d(-\d\d)?)?(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?$/"

STATES_OF_ERRORS: Final = {
    "Timeout": "States.Timeout",
    "HeartbeatTimeout": "States.HeartbeatTimeout",
    "ExpressionFailed": "States.QueryEvaluationError",
    "NoMatch": "States.NoChoiceMatched",
    "ItemsFailed": "States.ExceedToleratedFailureThreshold",
    "BranchesFailed": "States.BranchFailed",
    "TooLarge": "States.DataLimitExceeded",
    "Forbidden": "States.Permissions",
    "TaskFailed": "States.TaskFailed",
}
"""The names of errors in Step Functions, by those of FSL. All other names are the same in both."""


@lru_cache(maxsize=512)
def parsed(source: str) -> tuple[Node, frozenset[str]]:
    """Return the tree of an expression, and the names that it binds itself."""
    parser = Parser(source)
    try:
        tree = parser.parsed()
    except Failure as failure:
        raise Inexpressible(f"the expression {source.strip()!r:.80} cannot be read") from failure
    return tree, frozenset(parser.bound)


def names_read(source: str) -> frozenset[str]:
    """Return the names of FSL that an expression reads; variables as `vars.x`."""
    _, bound = parsed(source)
    pieces = pieces_of(source)
    found = set()
    for index, piece in enumerate(pieces):
        if piece.kind == "variable" and piece.value in NAMES and piece.value not in bound:
            member = _member_after(pieces, index)
            found.add(f"vars.{member}" if piece.value == "vars" and member is not None else piece.value)
    return frozenset(found)


def translated(source: str, reads: Reads) -> str:
    """Return an expression of FSL as an expression of Step Functions. Raises Inexpressible."""
    _, bound = parsed(source)
    return _Rewriter(source, reads, bound).text().strip()


def needed_in(source: str) -> str | None:
    """Return x if the expression is `$need(x)`; None for others."""
    pieces = pieces_of(source)
    if len(pieces) < 4 or pieces[0].kind != "variable" or pieces[0].value != "need" or not pieces[1].is_sign("("):
        return None
    if end_of_bracket(pieces, 1) != len(pieces) - 1 or len(arguments_of(pieces, 1)) != 1:
        return None
    return source[pieces[2].start : pieces[-1].start]


class _Rewriter:
    def __init__(self, source: str, reads: Reads, bound: frozenset[str]) -> None:
        self._source = source
        self._pieces = pieces_of(source)
        self._reads = reads
        self._bound = bound
        taken = {*reads.variables.values(), "states"} if bound else set()
        self._locals = {name: free_name(name, taken | bound) for name in bound if name in taken}

    def text(self) -> str:
        """Return the text of the whole expression."""
        return self._range(0, len(self._pieces))

    def _range(self, start: int, end: int) -> str:
        """Return the text of the tokens from `start` to before `end`, with the blanks between them."""
        out: list[str] = []
        index = start
        while index < end:
            piece = self._pieces[index]
            if index > start:
                out.append(self._source[self._pieces[index - 1].end : piece.start])
            text, index = self._one(index, piece)
            out.append(text)
        return "".join(out)

    def _one(self, index: int, piece: Piece) -> tuple[str, int]:
        """Return the text in the place of the token, and the index of the first token after it."""
        if piece.kind == "literal" and isinstance(piece.value, str) and self._is_error_name(index):
            return json.dumps(STATES_OF_ERRORS.get(piece.value, piece.value), ensure_ascii=False), index + 1
        if piece.kind != "variable":
            return self._source[piece.start : piece.end], index + 1
        name = piece.value
        if name in self._bound:
            return "$" + self._locals.get(name, name), index + 1
        if name in NAMES:
            return self._name(index, name)
        if name in _FUNCTIONS:
            return self._function(index, name)
        if name == "toMillis" and len(self._arguments(index)) > 2:
            raise Inexpressible("$toMillis takes no time zone in Step Functions")
        return "$" + name, index + 1

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _name(self, index: int, name: str) -> tuple[str, int]:
        member = _member_after(self._pieces, index)
        if name == "vars":
            if member is None:
                raise Inexpressible("$vars as a whole: Step Functions has variables, and no map of them")
            if member not in self._reads.variables:
                return "()", index + 3
            return "$" + self._reads.variables[member], index + 3
        meaning = self._reads.meaning(name)
        if member is not None and member in meaning.members:
            return meaning.members[member], index + 3
        if meaning.whole is None or (member is not None and meaning.is_closed):
            raise Inexpressible(_refusal(name, member, meaning))
        return meaning.whole, index + 1

    def _is_error_name(self, index: int) -> bool:
        """Return whether the text is compared with `$error.name`."""
        pieces = self._pieces
        at = index - 1
        while at >= 0 and (pieces[at].is_sign("[") or pieces[at].is_sign(",") or pieces[at].kind == "literal"):
            at -= 1
        if at < 3 or pieces[at].kind != "operator" or pieces[at].value not in ("=", "!=", "in"):
            return False
        before = pieces[at - 3 : at]
        return [one.value for one in before] == ["error", ".", "name"] and before[0].kind == "variable"

    # ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _arguments(self, index: int) -> list[tuple[int, int]]:
        opening = index + 1
        if opening >= len(self._pieces) or not self._pieces[opening].is_sign("("):
            return []
        return arguments_of(self._pieces, opening)

    def _function(self, index: int, name: str) -> tuple[str, int]:
        arguments = self._arguments(index)
        if not arguments or any(self._pieces[start].is_sign("?") for start, _ in arguments):
            raise Inexpressible(f"${name} as a value: Step Functions has no such function")
        texts = [self._range(start, end) for start, end in arguments]
        return _FUNCTIONS[name](self, texts), end_of_bracket(self._pieces, index + 1) + 1

    def local(self, name: str) -> str:
        """Return a name for a local variable that means nothing else in the expression."""
        return free_name(name, {*self._reads.variables.values(), *self._bound})


def _refusal(name: str, member: str | None, meaning: Meaning) -> str:
    shown = f"${name}.{member}" if member is not None else f"${name}"
    return f"{shown}: {meaning.why}" if meaning.why else f"{shown} is not known here"


def _member_after(pieces: list[Piece], index: int) -> str | None:
    """Return the name in `.name` after the token, or None."""
    if index + 2 >= len(pieces) or not pieces[index + 1].is_sign("."):
        return None
    member = pieces[index + 2]
    called = index + 3 < len(pieces) and pieces[index + 3].is_sign("(")
    return str(member.value) if member.kind == "name" and not called else None


# ── the functions of FSL ─────────────────────────────────────────────────────────────────────────────────────────────


def _once(rewriter: _Rewriter, text: str, body: Callable[[str], str]) -> str:
    """Return `body` of the value, which is evaluated once: a plain path is repeated, all else is kept in a variable."""
    if _PATH.fullmatch(text):
        return f"({body(text)})"
    name = "$" + rewriter.local("value")
    return f"({name} := {text}; {body(name)})"


def _need(rewriter: _Rewriter, texts: list[str]) -> str:
    if len(texts) == 1:
        return _once(rewriter, texts[0], lambda x: f'$exists({x}) ? {x} : $error("a value is missing")')
    message = _quoted(f"a value is missing or not of type {_literal(texts[1], '$need', 'type')}")
    return _once(rewriter, texts[0], lambda x: f"$type({x}) = {texts[1]} ? {x} : $error({message})")


def _as(rewriter: _Rewriter, texts: list[str]) -> str:
    return _once(rewriter, texts[0], lambda x: f"$type({x}) = {texts[1]} ? {x}")


def _at(rewriter: _Rewriter, texts: list[str]) -> str:
    return _once(
        rewriter,
        texts[0],
        lambda x: f'$type({x}) = "string" ? ($count($match({x}, {_MOMENT})) > 0 ? $toMillis({x}))',
    )


def _like(rewriter: _Rewriter, texts: list[str]) -> str:
    pattern = _pattern(_literal(texts[1], "$like", "pattern"))
    return _once(
        rewriter,
        texts[0],
        lambda x: f'$type({x}) = "string" ? $count($match({x}, {pattern})) > 0 : false',
    )


def _list(rewriter: _Rewriter, texts: list[str]) -> str:
    parts = (_once(rewriter, text, lambda x: f'$type({x}) = "array" ? [[{x}]] : {x}') for text in texts)
    return f"[{', '.join(parts)}]"


_FUNCTIONS: Final[Mapping[str, Callable[[_Rewriter, list[str]], str]]] = {
    "need": _need,
    "as": _as,
    "at": _at,
    "like": _like,
    "list": _list,
}


def _literal(text: str, function: str, what: str) -> str:
    """Return the value of an argument that is a literal text. Raises Inexpressible for others."""
    pieces = pieces_of(text)
    if len(pieces) != 1 or pieces[0].kind != "literal" or not isinstance(pieces[0].value, str):
        raise Inexpressible(f"{function} with a {what} that is computed: Step Functions needs a fixed one")
    return pieces[0].value


def _pattern(glob: str) -> str:
    """Return the regular expression of a pattern, in which `*` is any characters."""
    parts: list[str] = []
    position = 0
    while position < len(glob):
        char = glob[position]
        if char == "\\" and glob[position + 1 : position + 2] in ("*", "\\"):
            position += 1
            parts.append("\\" + glob[position])
        elif char == "*":
            parts.append("[\\s\\S]*")
        else:
            parts.append(re.sub(r"[.+?^${}()|\[\]\\/]", r"\\\g<0>", char))
        position += 1
    return f"/^{''.join(parts)}$/"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
