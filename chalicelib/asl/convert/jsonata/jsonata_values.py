"""Expressions of JSONata machines: `{% ... %}`, with what AWS names there replaced by what FSL names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from chalicelib.asl.convert.jsonata.documents import MISSING, Document, Kind, Lst, Shape, as_expression, get
from chalicelib.asl.convert.jsonata.expressions import Get, Literal, Text
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.expressions import problem_in

Finder = Callable[[str], "Document | None"]
"""Returns what `$name` is; None if the name is not AWS's: a function, or bound in the expression itself."""

_TOKEN: Final = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|(?P<comment>/\*.*?\*/)"""
    r"""|(?P<name>\$[A-Za-z_][A-Za-z0-9_]*|\$\$?)|(?P<word>[A-Za-z_0-9][\w]*)|(?P<blank>\s+)|(?P<sign>.)""",
    re.DOTALL,
)
_REGEX: Final = re.compile(r"/(?:[^/\\\r\n\[]|\\.|\[(?:[^\]\\\r\n]|\\.)*\])+/[im]*")
_MEMBER: Final = re.compile(r"\s*\.\s*(?:([A-Za-z_][A-Za-z0-9_]*)|`([^`]*)`)(?!\s*\()")
_BOUND: Final = re.compile(r"\$([A-Za-z_]\w*)\s*:=")
_PARAMETERS: Final = re.compile(r"function\s*\(([^)]*)\)|λ\s*\(([^)]*)\)")
_ENDS_OPERAND: Final = frozenset({"name", "text", "word"})
_OPERATORS: Final = frozenset({"and", "or", "in"})
_OPENERS: Final = frozenset("([{")
_CLOSERS: Final = frozenset(")]}")
_TRUTHS: Final = frozenset({"=", "and", "or", "in"})
_UNSURE: Final = frozenset({"?", ":", ";", "~", "<", ">", "!", "|", "^", "/"})
_REFUSED: Final = frozenset({"$eval"})


def is_expression(text: object) -> bool:
    """Return whether a text of a JSONata state is an expression."""
    return isinstance(text, str) and text.startswith("{%") and text.endswith("%}") and len(text) >= 4


def expression_value(text: str, find: Finder) -> Document:
    """Return the value of `{% ... %}`. Raises Unsayable: it cannot be read."""
    written = text[2:-2].strip()
    if not written:
        raise Unsayable("the expression is empty")
    parts = _Reader(written, find).parts()
    if len(parts) == 1 and not isinstance(parts[0], str):
        return parts[0]
    problem = problem_in("".join(one if isinstance(one, str) else "$input" for one in parts))
    if problem is not None:
        raise Unsayable(f"the expression cannot be read: {problem[1]}")
    return Text(tuple(one if isinstance(one, str) else as_expression(one) for one in parts))


class _Reader:
    """Cuts an expression into pieces of text and documents."""

    def __init__(self, written: str, find: Finder) -> None:
        self._written = written
        self._find = find
        self._bound = _bound_in(written)
        self._parts: list[str | Document] = []
        self._after_operand = False

    def parts(self) -> list[str | Document]:
        at, written = 0, self._written
        while at < len(written):
            if written[at] == "/" and not self._after_operand and (regex := _REGEX.match(written, at)):
                self._add(regex[0])
                self._after_operand, at = True, regex.end()
                continue
            found = _TOKEN.match(written, at)
            if found is None:
                break
            at = self._token(found)
        return self._parts

    def _token(self, found: re.Match[str]) -> int:
        kind, text = found.lastgroup or "", found[0]
        if kind in ("blank", "comment"):
            self._add(text)
            return found.end()
        if kind == "name" and text in _REFUSED:
            raise Unsayable(f"`{text}` does not exist in FSL")
        if kind == "name" and text[1:] not in self._bound and not self._is_own(text[1:], found.end()):
            document = self._find(text[1:])
            if document is None and not self._is_known(text[1:], found.end()):
                document = MISSING
            if document is not None:
                self._after_operand = True
                return self._document(document, found.end())
        self._add(text)
        self._after_operand = (kind in _ENDS_OPERAND and text not in _OPERATORS) or text in (")", "]", "}")
        return found.end()

    def _is_known(self, name: str, at: int) -> bool:
        """Return whether the name is JSONata's own, or that of a function. AWS reports an unknown function too."""
        return (
            name in ("", "$") or problem_in(f"${name}") is None or self._written[at : at + 40].lstrip().startswith("(")
        )

    def _is_own(self, name: str, at: int) -> bool:
        """Return whether the name is bound here, or is a function of JSONata that is called here."""
        rest = self._written[at : at + 40].lstrip()
        return rest.startswith(":=") or (rest.startswith("(") and problem_in(f"${name}") is None)

    def _document(self, document: Document, at: int) -> int:
        """Follow the members behind a document, as far as they are names."""
        while following := _MEMBER.match(self._written, at):
            document = _member(document, following[1] if following[1] is not None else following[2])
            at = following.end()
        self._parts.append(document)
        return at

    def _add(self, text: str) -> None:
        if self._parts and isinstance(self._parts[-1], str):
            self._parts[-1] += text
        else:
            self._parts.append(text)


def _member(document: Document, name: str) -> Document:
    """Return a member; of a list, JSONata takes that of each item."""
    opened = document.opened() if isinstance(document, Shape) and document.kind is Kind.BRANCHES else document
    if isinstance(opened, Lst) or (isinstance(opened, Literal) and isinstance(opened.value, list)):
        return Get(as_expression(opened), name)
    return get(document, name)


def is_truth(text: str) -> bool:
    """Return whether an expression `{% %}` always yields true or false: its weakest operator compares or connects."""
    depth, words = 0, set[str]()
    for found in _TOKEN.finditer(text[2:-2]):
        token = found[0]
        depth += (token in _OPENERS) - (token in _CLOSERS)
        if depth == 0 and found.lastgroup in ("word", "sign"):
            words.add(token)
    return not words & _UNSURE and bool(words & _TRUTHS)


def _bound_in(written: str) -> frozenset[str]:
    """Return the names that the expression binds itself."""
    bound = {found[1] for found in _BOUND.finditer(written)}
    for found in _PARAMETERS.finditer(written):
        bound |= {name.strip().lstrip("$") for name in (found[1] or found[2] or "").split(",")}
    return frozenset(bound)
