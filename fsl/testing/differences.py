"""A failed expectation: in one line, or for long values line by line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from chalicelib.model.json_values import Json

MAX_LINE_CHARACTERS: Final = 90
"""Two values that are longer than this together are shown line by line."""

_W = TypeVar("_W")
_G = TypeVar("_G")


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that is not met: in one line, and for long values line by line."""

    what: str
    message: str
    difference: tuple[str, ...] = field(default=())


def differs(what: str, expected: Json, got: Json) -> Failure:
    """Describe two values: in one line if they are short, else line by line (`-` expected, `+` got)."""
    before, after = (json.dumps(value, ensure_ascii=False) for value in (expected, got))
    if len(before) + len(after) <= MAX_LINE_CHARACTERS:
        return Failure(what, f"expected {before}, got {after}")
    compared = difflib.ndiff(_lines(expected), _lines(got))
    difference = [line.rstrip() for line in compared if not line.startswith("?")]
    return Failure(what, "is not as expected (- expected, + got)", tuple(difference))


def first_missing(wanted: Iterable[_W], got: Iterable[_G], fits: Callable[[_W, _G], bool]) -> _W | None:
    """Return the first of `wanted` that does not follow the ones before it; None if all do."""
    rest = iter(got)
    return next((one for one in wanted if not any(fits(one, other) for other in rest)), None)


def _lines(value: Json) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()
