"""Regular expressions, matched by RE2 in time linear in the text: Python's `re` can take for ever.

RE2 is loaded by the first expression that has a regular expression. One search takes at most text times program; each
match may look ahead to the end of the text again (`/a.*z|a/`), so it pays for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from jsonata import Jsonata
from jsonata.regex_engine import RegexFlags

from chalicelib.engine.expressions.limits import Halt, Meter

MEMORY: Final = 1 << 20
"""Bytes that RE2 may use for one regular expression: it bounds the program, too."""

INSTRUCTIONS: Final = 300
"""Instructions of RE2's program, times characters of text, that make one step."""

AGAIN: Final = 2_048
"""Characters of text that make one step for each match."""


def evaluation() -> Any:
    """The evaluation that this thread is in: its `meter`, `weights` and `now`."""
    return Jsonata.CURRENT.jsonata


class Pattern:
    """A regular expression, with the four methods by which JSONata recognises one."""

    __slots__ = ("_compiled", "_program")

    def __init__(self, source: str, flags: RegexFlags) -> None:
        import re2  # 10 ms: only for who needs it

        options = re2.Options()
        options.log_errors = False
        options.max_mem = MEMORY
        options.case_sensitive = not flags.case_insensitive
        try:
            self._compiled = re2.compile(f"(?m){source}" if flags.multiline else source, options)
        except re2.error as exc:
            raise Halt(f"regular expression {_shown(source)}: {_reason(exc)}") from exc
        except UnicodeEncodeError as exc:
            raise Halt(f"regular expression {_shown(source)} is not Unicode") from exc
        self._program = int(self._compiled.programsize)

    def finditer(self, text: str) -> Iterator[Any]:
        """Every match, from left to right."""
        current: Meter = evaluation().meter
        current.spend(len(text) * self._program // INSTRUCTIONS)
        for match in self._compiled.finditer(text):
            current.spend(2 + len(text) // AGAIN)
            current.look()
            yield match

    def search(self, text: str) -> Any:
        """The first match, or None."""
        return next(self.finditer(text), None)

    def split(self, text: str) -> list[str]:
        """What lies between the matches."""
        pieces: list[str] = []
        start = 0
        for match in self.finditer(text):
            pieces.append(text[start : match.start()])
            start = match.end()
        pieces.append(text[start:])
        return pieces

    def sub(self, replacement: Callable[[Any], str], text: str, count: int | None = None) -> str:
        """The text with its matches, or the first `count` of them, replaced."""
        pieces: list[str] = []
        start = 0
        for match in islice(self.finditer(text), count):
            pieces += [text[start : match.start()], replacement(match)]
            evaluation().meter.text(len(pieces[-1]))
            start = match.end()
        pieces.append(text[start:])
        return "".join(pieces)


def _shown(source: str) -> str:
    return f"/{source}/" if len(source) <= 60 else f"/{source[:60]}.../"


def _reason(exc: Exception) -> str:
    told = exc.args[0] if exc.args else ""
    reason = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    if "perl operator" in reason or "escape sequence" in reason:
        reason += " (there are no look-arounds and no back-references)"
    return reason
