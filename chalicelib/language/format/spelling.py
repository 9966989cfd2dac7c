"""Values, names and numbers as FSL spells them: the leaves of what `writer` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from chalicelib.language.syntax.embedded import end_of_expression
from chalicelib.language.syntax.tokens import END_WORDS
from chalicelib.model.errors import EchoerError
from chalicelib.model.templates import Template, reference_of, source_of
from chalicelib.model.times import Milliseconds

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_NAMES: Final = frozenset({*END_WORDS, "when", "else"})
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_CLOSERS: Final = "*/\"'`/"
"""Whatever an expression might leave open is closed by one of these, and so is found out."""


class Unwritable(EchoerError):
    """FSL has no way to write this value. Only a definition that never was FSL can hold one."""


def template(value: Template) -> str:
    """Any value, with its expressions and its references to secrets. Raises Unwritable, as all here do."""
    source, secret = source_of(value), reference_of(value)
    if source is not None:
        return expression(source)
    if secret is not None:
        return reference(secret)
    match value:
        case str():
            return string(value)
        case bool() | None:
            return json.dumps(value)
        case int() | float():
            return number(value)
        case Mapping():
            return f"{{ {', '.join(f'{string(key)}: {template(inner)}' for key, inner in value.items())} }}"
        case _:
            return f"[{', '.join(template(item) for item in value)}]"


def reference(secret: str) -> str:
    """The reference to the secret of that name."""
    return f"secret {string(secret)}"


def number(value: float) -> str:
    """A number, whole or not."""
    return repr(value)


def duration(milliseconds: Milliseconds) -> str:
    """In the largest unit that needs no fraction."""
    return next(f"{milliseconds // size}{unit}" for unit, size in _UNITS if milliseconds % size == 0)


def name(word: str) -> str:
    """A name: bare where it can be, else a string."""
    return word if _IDENTIFIER.fullmatch(word) and word.lower() not in _NO_NAMES else string(word)


def string(text: str) -> str:
    """A string in the quotes that it does not hold."""
    if '"' not in text:
        return f'"{text}"'
    if "`" in text:
        raise Unwritable(f'no FSL string can hold both " and `: {text[:80]}')
    return f"`{text}`"


def expression(source: str) -> str:
    """`${ source }`."""
    if end_of_expression(f"{source} }}{_CLOSERS}", 0) != len(source) + 1:
        raise Unwritable(f"the expression does not end with its brace: {source[:80]}")
    return f"${{ {source} }}"
