"""Plain values: texts, numbers, booleans, times, and one of several words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import Final

from chalicelib.asl.check.context import Place, short
from chalicelib.asl.check.objects import Check, kind
from chalicelib.asl.check.queries import expression, is_expression

MAX_SECONDS: Final = 99_999_999
"""The longest time that Step Functions takes, in seconds."""

_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
_PLACEHOLDER: Final = re.compile(r"\$\{[^{}]+\}")


def text(place: Place) -> None:
    """Accept a text."""
    if not isinstance(place.value, str):
        place.error(f"a text is expected here, and not {kind(place.value)}")


def boolean(place: Place) -> None:
    """Accept true and false."""
    if not isinstance(place.value, bool):
        place.error(f"true or false is expected here, and not {kind(place.value)}{_filled_in(place.value)}")


def whole(least: int, most: int) -> Check:
    """Return a check for whole numbers within these limits."""

    def check(place: Place) -> None:
        value = place.value
        if isinstance(value, bool) or not isinstance(value, int):
            place.error(f"a whole number is expected here, and not {_shown(value)}{_filled_in(value)}")
        elif not least <= value <= most:
            place.error(f"the number must be from {least} to {most}")

    return check


def number(least: float, most: float = math.inf) -> Check:
    """Return a check for numbers within these limits."""

    def check(place: Place) -> None:
        value = place.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            place.error(f"a number is expected here, and not {kind(value)}{_filled_in(value)}")
        elif not least <= value <= most:
            place.error(
                f"the number must be {least:g} or more"
                if most == math.inf
                else f"from {least:g} to {most:g} is allowed"
            )

    return check


def timestamp(place: Place) -> None:
    """Accept a time of RFC 3339, with a capital `T` and, without an offset, a capital `Z`."""
    if not isinstance(place.value, str):
        place.error(f"a time as text is expected here, and not {kind(place.value)}")
    elif not is_timestamp(place.value):
        place.error(f"{short(place.value)} is no time as `2030-01-31T12:00:00Z`")


def is_timestamp(value: str) -> bool:
    """Return whether it is a time of RFC 3339 on a day that there is."""
    found = _TIMESTAMP.fullmatch(value)
    if found is None or not value.isascii():
        return False
    try:
        date(*(int(part) for part in found.group(1, 2, 3)))
    except ValueError:
        return False
    return True


def one_of(*words: str) -> Check:
    """Return a check for one of these words."""

    def check(place: Place) -> None:
        if not isinstance(place.value, str):
            place.error(f"a text is expected here, and not {kind(place.value)}")
        elif place.value not in words:
            place.error(f"{short(place.value)} is none of {', '.join(f'`{word}`' for word in words)}")

    return check


def or_expression(check: Check) -> Check:
    """Return a check that takes a JSONata expression too, where JSONata is the query language."""

    def either(place: Place) -> None:
        if place.jsonata and isinstance(place.value, str) and is_expression(place.value):
            expression(place)
        else:
            check(place)

    return either


def granted(member: str, check: Callable[[Place], None]) -> Check:
    """Return the check for a place where expressions may read this member of `$states` too."""

    def wider(place: Place) -> None:
        place.members |= {member}
        check(place)

    return wider


def _shown(value: object) -> str:
    return short(value) if isinstance(value, float) else kind(value)


def _filled_in(value: object) -> str:
    if isinstance(value, str) and (found := _PLACEHOLDER.fullmatch(value)):
        return f"; a template fills in {short(found.group())}: give its value"
    return ""
