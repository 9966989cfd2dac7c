"""Write values, names, numbers and durations as FSL."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from chalicelib.language.statements import END_WORDS
from chalicelib.language.syntax.embedded import end_of_expression
from chalicelib.model.errors import EchoerError
from chalicelib.model.templates import Template, reference_of, source_of
from chalicelib.model.times import Milliseconds, format_duration

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_NAMES: Final = frozenset({*END_WORDS, "when", "else"})
_CLOSERS: Final = "*/\"'`/"
"""These characters close any string, comment or regular expression that an expression leaves open, and so reveal it."""


class Unwritable(EchoerError):
    """FSL cannot express this value. Only a definition that was not written in FSL can contain one."""


def template(value: Template) -> str:
    """Write any value, including expressions and references to secrets. Raises Unwritable."""
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
    """Write a reference to the secret with this name."""
    return f"secret {string(secret)}"


def number(value: float) -> str:
    """Write an integer or a decimal number."""
    return repr(value)


def duration(option: Milliseconds | Template) -> str:
    """Write a duration, or an option that is an expression."""
    return format_duration(option) if isinstance(option, int) else template(option)


def name(word: str) -> str:
    """Write a name: as an identifier if possible, else as a string."""
    return word if _IDENTIFIER.fullmatch(word) and word.lower() not in _NO_NAMES else string(word)


def string(text: str) -> str:
    """Write a string in quotes that it does not contain."""
    if '"' not in text:
        return f'"{text}"'
    if "`" in text:
        raise Unwritable(f'an FSL string cannot contain both " and `: {text[:80]}')
    return f"`{text}`"


def expression(source: str) -> str:
    """Write `${ source }`."""
    if end_of_expression(f"{source} }}{_CLOSERS}", 0) != len(source) + 1:
        raise Unwritable(f"the closing brace would not end the expression: {source[:80]}")
    return f"${{ {source} }}"
