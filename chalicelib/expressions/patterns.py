"""Regular expressions, matched by RE2 in time linear in the text.

RE2 is loaded by the first one. They are written as in JavaScript and translated; RE2 has no look-around and no
back-references. Compiling costs by the size of the program, matching by that size times the text that is read: where a
search looks far ahead from each match, it is read many times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import MAX_PATTERN_STEPS, charge_pattern
from chalicelib.expressions.values import NOTHING, Function

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine

PROGRAM_BYTES: Final = 1 << 18
"""Memory that RE2 may use for one regular expression; it bounds the program, and the time to compile it to 7 ms."""

REFUSED_STEPS: Final = 5_000
"""What a regular expression costs that RE2 refuses."""

INSTRUCTIONS_PER_STEP: Final = 300
"""Instructions of the program, times characters of text that a search reads, that make one step."""

MAX_GROUPS: Final = 32
"""Groups of one regular expression: RE2 keeps their places for each instruction of the program."""

CHARACTERS_PER_MATCH_STEP: Final = 1_024
"""Characters of text that make one step for each match, which may look ahead to the end again."""

_MAX_CHARACTER_BYTES: Final = 4
"""RE2 reads the bytes of a text, UTF-8."""

_COMPILE_INSTRUCTIONS_PER_STEP: Final = 2

_SPACE: Final = "\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
_NO_SPACE: Final = (
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}"
    "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"
)
_ALL: Final = "\\x{0}-\\x{10ffff}"
_AS_THEY_ARE: Final = frozenset("bBdDwWfnrtv123456789xpPk")
_CLASS_OR_ESCAPE: Final = re.compile(r"\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]")
_QUANTIFIER: Final = re.compile(r"(?:[*+]|(?<!\()\?|\{\d+,?\d*\})\??")
_CLOSED: Final = re.compile(r"\)*(?=\||\Z)")
_QUANTIFIED_GROUP: Final = re.compile(r"\)[*+?{]")
_TOKEN: Final = re.compile(r"\\u([0-9a-fA-F]{4})|\\c([A-Za-z])|\\(.)|\[\^?\]|\[\^?|\]|.", re.DOTALL)


class _Shape(NamedTuple):
    """What a regular expression is made of, as far as it decides how often a search reads the text."""

    quantifiers: int
    unbounded: bool
    """Whether something of any length is followed by more, so that a search may go far and yet not match."""
    branches: bool
    """Whether it has alternatives, or groups with quantifiers."""


class Pattern(Function):
    """A regular expression. Called with a text, it is the first match."""

    __slots__ = ("_compiled", "_shape", "at", "flags", "program", "source")
    arity = 1

    def __init__(self, source: str, flags: str, at: int) -> None:
        self.source, self.flags, self.at = source, flags, at
        self._compiled: Any = None
        self._shape = _shape_of(source)
        self.program = 0

    def compiled(self) -> Any:
        """Return RE2's form of it. Raises Failure if RE2 refuses it."""
        if self._compiled is None:
            import re2

            options = re2.Options()
            options.log_errors = False
            options.max_mem = PROGRAM_BYTES
            options.case_sensitive = "i" not in self.flags
            translated = _translated(self.source)
            try:
                self._compiled = re2.compile(f"(?m){translated}" if "m" in self.flags else translated, options)
            except re2.error as error:
                raise Failure("L0040", self.at, self.source, _reason(error)) from None
            except UnicodeEncodeError:
                raise Failure("L0040", self.at, self.source, "it is not Unicode") from None
            if self._compiled.groups > MAX_GROUPS:
                self._compiled = None
                raise Failure("L0017", self.at, value=MAX_GROUPS)
            self.program = int(self._compiled.programsize)
        return self._compiled

    def applied(self, m: Machine, args: list[Any], _value: Any) -> Any:
        """Return the first match in the text that is the argument."""
        return match_object(m, self, args[0] if args else NOTHING)

    def checked(self, spent: int) -> int:
        """Compile it within what one expression may spend; return what is spent then."""
        charge_pattern(len(self.source))
        try:
            self.compiled()
        except Failure:
            charge_pattern(REFUSED_STEPS)
            raise
        charge_pattern(self.program)
        if spent + self.program > MAX_PATTERN_STEPS:
            raise Failure("L0016", self.at)
        return spent + self.program

    def found(self, m: Machine, text: str, start: int = 0) -> Iterator[Any]:
        """Yield RE2's matches from left to right. Raises Failure for one of no characters."""
        compiled = self.compiled()
        if self.at not in m.patterns:
            m.patterns.add(self.at)
            m.meter.spend(self.program // _COMPILE_INSTRUCTIONS_PER_STEP)
        m.meter.spend(1 + len(text) * self.program // INSTRUCTIONS_PER_STEP)
        m.meter.bytes(len(text) * 2)
        width = 1 if text.isascii() else _MAX_CHARACTER_BYTES
        again = self._shape.quantifiers - 1
        for match in compiled.finditer(text, start):
            m.meter.spend(2 + len(text) * width // CHARACTERS_PER_MATCH_STEP)
            if again > 0 and not self._shape.branches:
                m.meter.spend(again * (len(text) * width * self.program // INSTRUCTIONS_PER_STEP))
                again = 0
            m.meter.spend(self._ahead((len(text) - match.end()) * width))
            if match.start() == match.end():
                raise Failure("D1004", value=self.source)
            yield match

    def _ahead(self, rest: int) -> int:
        """Return the steps of looking ahead from a match: for a longer one that has precedence, and is not there.

        Without branches that happens at most once at each place for each quantifier. With branches it may happen at
        each match: through the rest (bytes) if there is no bound, else as far as the program goes without a loop.
        """
        if not self._shape.branches:
            return 0
        return (rest if self._shape.unbounded else min(rest, self.program)) * self.program // INSTRUCTIONS_PER_STEP


class NextMatch(Function):
    """The member `next` of a match: a function that is the next one."""

    __slots__ = ("_pattern", "_start", "_text")

    def __init__(self, pattern: Pattern, text: str, start: int) -> None:
        self._pattern, self._text, self._start = pattern, text, start

    def applied(self, m: Machine, _args: list[Any], _value: Any) -> Any:
        """Return the next match; NOTHING if there is none."""
        return match_object(m, self._pattern, self._text, self._start)


def match_object(m: Machine, pattern: Pattern, text: Any, start: int = 0) -> Any:
    """Return the first match as an object; NOTHING if there is none."""
    if not isinstance(text, str):
        return NOTHING
    for match in pattern.found(m, text, start):
        groups = list(match.groups())
        m.meter.items(12 + len(groups))
        return {
            "match": match.group(),
            "start": match.start(),
            "end": match.end(),
            "groups": groups,
            "next": NextMatch(pattern, text, match.end()),
        }
    return NOTHING


def _shape_of(source: str) -> _Shape:
    plain = _CLASS_OR_ESCAPE.sub("x", source)
    found = list(_QUANTIFIER.finditer(plain))
    unbounded = any(_is_followed(plain, one) for one in found if one[0][0] in "*+" or ",}" in one[0])
    return _Shape(len(found), unbounded, "|" in plain or _QUANTIFIED_GROUP.search(plain) is not None)


def _is_followed(plain: str, quantifier: re.Match[str]) -> bool:
    """Whether more must match after what the quantifier repeats: else each repetition is a match already."""
    closed = _CLOSED.match(plain, quantifier.end())
    depth = plain.count("(", 0, quantifier.end()) - plain.count(")", 0, quantifier.end())
    return closed is None or len(closed[0]) != depth


def _translated(source: str) -> str:
    """Return the pattern as RE2 writes it."""
    parts: list[str] = []
    in_class = False
    for found in _TOKEN.finditer(source):
        char = found[0]
        if found[1] or found[2]:
            parts.append(f"\\x{{{found[1] or format(ord(found[2]) % 32, 'x')}}}")
        elif found[3]:
            parts.append(_escape(found[3], in_class=in_class))
        elif in_class:
            in_class = char != "]"
            parts.append("\\[" * char.count("[") + char.replace("[", "") if "[" in char else char)
            if char in ("[]", "[^]"):
                in_class = False
        elif char in ("[]", "[^]"):
            parts.append(f"[{_ALL}]" if "^" in char else f"[^{_ALL}]")
        else:
            in_class = char[0] == "["
            parts.append("\\]" if char == "]" else char)
    return "".join(parts)


def _escape(letter: str, *, in_class: bool) -> str:
    if letter in "sS":
        ranges = _SPACE if letter == "s" else _NO_SPACE
        return ranges if in_class else f"[{ranges}]"
    if letter == "0":
        return "\\x{0}"
    if letter == "b" and in_class:
        return "\\x{8}"
    if letter.isalnum() and letter not in _AS_THEY_ARE:
        return letter
    return f"\\{letter}" if letter.isascii() else letter


def _reason(error: Exception) -> str:
    given = error.args[0] if error.args else ""
    reason = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
    if "perl operator" in reason or "escape sequence" in reason:
        reason += " (there are no look-arounds and no back-references)"
    return reason
