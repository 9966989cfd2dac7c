"""Names of FSL, made of names that may hold any character."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from chalicelib.language.limits import MAX_NAME_CHARACTERS
from chalicelib.language.statements import END_WORDS
from chalicelib.model.visible_text import UNSAFE

_WORDS: Final = re.compile(r"[A-Za-z0-9_]+")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNSAFE: Final = re.compile(f'[{UNSAFE}"`]+')
_PLACEHOLDER: Final = re.compile(r"\$\{([^{}]*)\}")
_AVOIDED: Final = frozenset({"done", "stopped", "when", "else", "branch", *(word.lower() for word in END_WORDS)})


class Names:
    """Gives out names, each once."""

    def __init__(self, *taken: str) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def take(self, wish: str) -> str:
        """Return the wish, or the wish with the first number behind it that makes it new."""
        wish = wish[:MAX_NAME_CHARACTERS]
        name, number = wish, self._next.get(wish, 2)
        while name in self._taken:
            name = f"{wish[: MAX_NAME_CHARACTERS - len(str(number))]}{number}"
            number += 1
        self._next[wish] = number
        self._taken.add(name)
        return name


def step_word(name: str) -> str:
    """Return a name for the step of a state: `Get query result` is `GetQueryResult`."""
    if _IDENTIFIER.fullmatch(name):
        return f"{name}_" if name.lower() in _AVOIDED else name
    words = _words(name)
    if not words:
        return _safe(name) or "Step"
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    joined = f"_{joined}" if joined[0].isdigit() else joined
    return f"{joined}_" if joined.lower() in _AVOIDED else joined


def snake_word(name: str, otherwise: str) -> str:
    """Return a name for an action, a flow or a variable: `ProcessOrder` is `process_order`."""
    words = [part for word in _words(_PLACEHOLDER.sub(_inside, name)) for part in _HUMPS.sub("_", word).split("_")]
    joined = "_".join(word.lower() for word in words if word)
    if not joined:
        return otherwise
    return f"_{joined}" if joined[0].isdigit() else f"{joined}_" if joined in _AVOIDED else joined


def variable_word(name: str, otherwise: str) -> str:
    """Return a name for a variable: the name itself if it is a word, else its words joined."""
    if _IDENTIFIER.fullmatch(name):
        return name
    words = _words(name)
    joined = "".join(word if not number else word[:1].upper() + word[1:] for number, word in enumerate(words))
    return otherwise if not joined else f"_{joined}" if joined[0].isdigit() else joined


def without_placeholders(text: str) -> str:
    """Return a text with the word of each `${Name}` in its place."""
    return _PLACEHOLDER.sub(_inside, text)


def has_placeholder(text: str) -> bool:
    """Return whether a template must still fill in a part of the text."""
    return bool(_PLACEHOLDER.search(text))


def _inside(found: re.Match[str]) -> str:
    return "_".join(_WORDS.findall(found[1])) or "value"


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    foreign = sum(1 for char in plain if char.isalnum() and not char.isascii())
    return [] if foreign > len(plain) // 2 else _WORDS.findall(plain)


def _safe(name: str) -> str:
    """Return the name without the characters that no name of FSL may have."""
    return " ".join(_UNSAFE.sub(" ", name).split())
