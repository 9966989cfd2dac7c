"""Whole numbers written and read by pictures: digits, words, letters, Roman numbers."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import MAX_PICTURE
from chalicelib.expressions.pictures import words

if TYPE_CHECKING:
    from chalicelib.expressions.meter import Meter

_ZEROS: Final = (
    *(0x30, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6),
    *(0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40),
    *(0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10),
)
"""The zeros of the alphabets that have digits."""

_ROMAN: Final = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_FIGURES: Final = {"m": 1000, "d": 500, "c": 100, "l": 50, "x": 10, "v": 5, "i": 1}
MAX_ROMAN: Final = 100_000
"""The largest number that is written in Roman figures."""

_FORMS: Final = {
    "A": ("letters", "upper"),
    "a": ("letters", "lower"),
    "I": ("roman", "upper"),
    "i": ("roman", "lower"),
    "W": ("words", "upper"),
    "w": ("words", "lower"),
    "Ww": ("words", "title"),
}
_WIDE: Final = 400


class IntegerPicture:
    """A picture of whole numbers: `form` is digits, words, letters, roman, or other."""

    def __init__(self, picture: str, meter: Meter) -> None:
        if len(picture) > MAX_PICTURE:
            raise Failure("L0024")
        meter.spend(8 + len(picture))
        self.picture = picture
        primary, found, modifier = picture.rpartition(";")
        if not found:
            primary, modifier = modifier, ""
        self.ordinal = modifier.startswith("o")
        self.form, self.case = _FORMS.get(primary, ("digits", ""))
        self.mandatory = self.optional = 0
        self.zero = 0x30
        self.separators: list[tuple[int, str]] = []
        self.every = 0
        if self.form == "digits":
            self._read_digits(primary)

    def _read_digits(self, primary: str) -> None:
        zero = None
        position = 0
        for char in reversed(primary):
            family = next((each for each in _ZEROS if each <= ord(char) <= each + 9), None)
            if family is not None:
                if zero not in (None, family):
                    raise Failure("D3131")
                zero = family
                self.mandatory += 1
                position += 1
            elif char == "#":
                self.optional += 1
                position += 1
            else:
                self.separators.append((position, char))
        if zero is None:
            self.form = "other"
            return
        self.zero = zero
        positions = [at for at, _ in self.separators]
        if positions and len({char for _, char in self.separators}) == 1:
            factor = gcd(*positions)
            if all(index * factor in positions for index in range(1, len(positions) + 1)):
                self.every = factor

    # ── writing ──

    def format(self, value: int, meter: Meter) -> str:
        """Return the number in this form."""
        if value.bit_length() > 1030:
            raise Failure("D1001")
        meter.spend(4 + value.bit_length() // 8)
        return ("-" if value < 0 else "") + self._written(abs(value))

    def _written(self, value: int) -> str:
        if self.form == "words":
            text = words.written(value, ordinal=self.ordinal)
            return text.upper() if self.case == "upper" else text.lower() if self.case == "lower" else text
        if self.form == "roman":
            if value > MAX_ROMAN:
                raise Failure("L0025", value=value)
            text = _roman(value)
            return text.upper() if self.case == "upper" else text
        if self.form == "letters":
            return _letters(value, "A" if self.case == "upper" else "a")
        if self.form == "other":
            raise Failure("D3130", value=self.picture)
        return self._digits(value)

    def _digits(self, value: int) -> str:
        text = str(value).rjust(self.mandatory, "0")
        suffix = _ordinal_suffix(text) if self.ordinal else ""
        figures = [chr(ord(char) - 0x30 + self.zero) for char in text]
        if self.every:
            char = self.separators[0][1]
            for at in range(len(figures) - self.every, 0, -self.every):
                figures.insert(at, char)
        else:
            for at, char in sorted(self.separators, key=lambda separator: separator[0]):
                if at <= len(text):
                    figures.insert(len(text) - at, char)
        return "".join(figures) + suffix

    # ── reading ──

    def parse(self, text: str, meter: Meter) -> int:
        """Return the number that the text writes in this form. Raises Failure if it writes none."""
        if len(text) > _WIDE:
            raise Failure("L0029", value=text)
        meter.spend(2 + len(text) // 4)
        found = self._read(text)
        if found is None:
            raise Failure("L0029", value=text)
        return found

    def _read(self, text: str) -> int | None:
        if self.form == "words":
            return words.read(text.lower())
        if self.form == "roman":
            return _read_roman(text.lower())
        if self.form == "letters":
            return _read_letters(text, "A" if self.case == "upper" else "a")
        if self.form == "other":
            raise Failure("D3130", value=self.picture)
        if self.ordinal:
            text = text[:-2]
        for char in {char for _, char in self.separators}:
            text = text.replace(char, "")
        return _leading_number("".join([self._ascii(char) for char in text]))

    def _ascii(self, char: str) -> str:
        return chr(ord(char) - self.zero + 0x30) if self.zero <= ord(char) <= self.zero + 9 else char


def _ordinal_suffix(text: str) -> str:
    if text[-2:-1] == "1":
        return "th"
    return {"1": "st", "2": "nd", "3": "rd"}.get(text[-1], "th")


def _roman(value: int) -> str:
    parts = []
    for size, figures in _ROMAN:
        count, value = divmod(value, size)
        parts.append(figures * count)
    return "".join(parts)


def _read_roman(text: str) -> int | None:
    total = last = 0
    for char in reversed(text):
        figure = _FIGURES.get(char)
        if figure is None:
            return None
        total += -figure if figure < last else figure
        last = max(last, figure)
    return total


def _letters(value: int, first: str) -> str:
    letters = []
    while value > 0:
        value, letter = divmod(value - 1, 26)
        letters.append(chr(ord(first) + letter))
    return "".join(reversed(letters))


def _read_letters(text: str, first: str) -> int | None:
    total = 0
    for char in text:
        letter = ord(char) - ord(first)
        if not 0 <= letter < 26:
            return None
        total = total * 26 + letter + 1
    return total


def _leading_number(text: str) -> int | None:
    text = text.lstrip()
    sign = -1 if text[:1] == "-" else 1
    digits = text[1:] if text[:1] in ("-", "+") else text
    end = 0
    while end < len(digits) and "0" <= digits[end] <= "9":
        end += 1
    return sign * int(digits[:end]) if end else None
