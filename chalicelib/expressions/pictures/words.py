"""Whole numbers in English words."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_FEW: Final = [
    "Zero",
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
    "Thirteen",
    "Fourteen",
    "Fifteen",
    "Sixteen",
    "Seventeen",
    "Eighteen",
    "Nineteen",
]
_FEWTH: Final = [
    "Zeroth",
    "First",
    "Second",
    "Third",
    "Fourth",
    "Fifth",
    "Sixth",
    "Seventh",
    "Eighth",
    "Ninth",
    "Tenth",
    "Eleventh",
    "Twelfth",
    "Thirteenth",
    "Fourteenth",
    "Fifteenth",
    "Sixteenth",
    "Seventeenth",
    "Eighteenth",
    "Nineteenth",
]
_TENS: Final = "Twenty Thirty Forty Fifty Sixty Seventy Eighty Ninety".split()  # noqa: SIM905
_LARGE: Final = "Thousand Million Billion Trillion".split()  # noqa: SIM905
_BETWEEN: Final = re.compile(r",\s|\sand\s|[\s\-]")


def written(value: int, *, ordinal: bool) -> str:
    """Return the number in words, each with a capital letter."""
    return _written(value, before="", ordinal=ordinal)


def _written(value: int, *, before: str, ordinal: bool) -> str:
    """Return the words; `before` is what goes between them and larger ones: an `and` is only before the last."""
    if value < 20:
        return (" and " if before else "") + (_FEWTH if ordinal else _FEW)[value]
    if value < 100:
        tens, rest = divmod(value, 10)
        text = (" and " if before else "") + _TENS[tens - 2]
        if rest:
            return f"{text}-{_written(rest, before='', ordinal=ordinal)}"
        return f"{text[:-1]}ieth" if ordinal else text
    if value < 1000:
        count, rest = divmod(value, 100)
        text = f"{before}{_FEW[count]} Hundred"
    else:
        size = min((len(str(value)) - 1) // 3, len(_LARGE))
        count, rest = _divided(value, 1000**size)
        text = f"{before}{_written(count, before='', ordinal=False)} {_LARGE[size - 1]}"
    if rest:
        return text + _written(rest, before=", ", ordinal=ordinal)
    return f"{text}th" if ordinal else text


def _divided(value: int, size: int) -> tuple[int, int]:
    """Return how often the size goes into the value, and what is left; beyond 2^53 as doubles do."""
    if value <= 2**53:
        return divmod(value, size)
    count = int(float(value) / size)
    return count, max(0, int(float(value) - float(count) * size))


@cache
def pattern() -> re.Pattern[str]:
    """Return what matches numbers in words."""
    words = sorted([*_values(), "and"], key=len, reverse=True)
    return re.compile(f"(?:{'|'.join(words)}|[-, ])+", re.IGNORECASE)


@cache
def _values() -> dict[str, int]:
    values = {word.lower(): value for words in (_FEW, _FEWTH) for value, word in enumerate(words)}
    for index, word in enumerate(_TENS):
        values[word.lower()] = values[f"{word.lower()[:-1]}ieth"] = 10 * (index + 2)
    for index, word in enumerate(["Hundred", *_LARGE]):
        values[word.lower()] = values[f"{word.lower()}th"] = 100 if index == 0 else 1000**index
    return values


def read(text: str) -> int | None:
    """Return the number that the words, in lower case, are; None if they are none."""
    sums = [0]
    for word in _BETWEEN.split(text):
        value = _values().get(word)
        if value is None:
            return None
        if value < 100:
            last = sums.pop()
            if last >= 1000:
                sums.append(last)
                last = 0
            sums.append(last + value)
        else:
            sums.append(sums.pop() * value)
    return sum(sums)
