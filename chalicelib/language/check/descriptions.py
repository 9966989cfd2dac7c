"""Describe values of the text in messages."""

from __future__ import annotations

from typing import Final

from chalicelib.language.syntax.tree import (
    Call,
    Duration,
    Expression,
    Group,
    ListValue,
    MapValue,
    Number,
    Reference,
    Value,
    Word,
)  # fmt: skip

_DESCRIBED: Final = {
    Duration: "a duration",
    Expression: "an expression",
    Reference: "a secret",
    ListValue: "a list",
    MapValue: "a map",
    Group: "a group in parentheses",
}


def described(value: Value) -> str:
    """Return the description of a value for a message."""
    match value:
        case Word(quoted=True):
            return f'"{value.text}"'
        case Word():
            return f"'{value.text}'"
        case Number():
            return str(value.value)
        case Call() if value.states:
            return f"'{value.name.text} on ...'"
        case Call():
            return f"'{value.name.text} (...)'"
        case _:
            return _DESCRIBED[type(value)]
