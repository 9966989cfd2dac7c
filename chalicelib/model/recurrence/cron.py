"""Cron expressions: five fields, matched against the local time of a zone.

An expression is judged without a zone, in local time, and each match becomes a moment by the zone's rules. So a local
time that does not exist is taken at the next moment that does, and one that comes twice is taken once, also where the
expression matches every hour or minute. (Debian's cron lets such expressions match by elapsed time; for that there
is `every`.)

Source: cron(5) of Debian, as the package cronsim reads it; `L`, `LW`, `5L` and `MON#2` as there.
"""

from __future__ import annotations

from typing import Final

from chalicelib.model.recurrence.zones import instant_of_local, local_time
from chalicelib.model.times import Instant

MAX_EXPRESSION: Final = 500
"""How many characters an expression may have."""

ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_FIELDS: Final = (
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31, L (the last) or LW (the last weekday)"),
    ("month", "1-12 or JAN-DEC"),
    ("day of week", "0-7 or SUN-SAT, MON#2 (the second Monday) or 5L (the last Friday)"),
)
_HOW_TO: Final = "also as ranges (1-5), lists (1,3) and steps (*/2)"


class InvalidCron(ValueError):
    """The text is no cron expression. `problem` says what is wrong, `hint` what is allowed; `str()` says both."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(f"{problem}; {hint}" if hint else problem)
        self.problem = problem
        self.hint = hint


class NeverMatches(InvalidCron):
    """The text is a cron expression that matches no date of a calendar."""


def check_cron(text: str) -> None:
    """Raise InvalidCron if `text` is no cron expression, NeverMatches if it matches no date of a calendar."""
    fields = _fields_of(text)
    for number, field in enumerate(fields):
        if not _is_valid(number, field):
            name, values = _FIELDS[number]
            order = "; a range must not end before it begins" if "-" in field else ""
            raise InvalidCron(f"'{field}' is no {name} of a cron expression", f"write {values}, {_HOW_TO}{order}")
    from datetime import datetime

    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(" ".join(fields), datetime(2000, 1, 1)))
    except (CronSimError, StopIteration):
        raise NeverMatches(f"'{text}' never matches: no month has such a day") from None


def next_match(text: str, zone: str, after: Instant) -> Instant | None:
    """Return the first moment after `after` at which an expression matches the local time of a zone.

    `text` must have passed `check_cron`, and `zone` `check_zone`. None: there is no match within 50 years, or before
    the year 9999.
    """
    from cronsim import CronSim

    try:
        shown = local_time(after, zone).replace(tzinfo=None, fold=0)
        for match in CronSim(" ".join(_fields_of(text)), shown):
            at = instant_of_local(match, zone)
            if at > after:
                return at
    except OverflowError:
        pass
    return None


def matches_either_day(text: str) -> bool:
    """Return whether a valid expression names days of the month and of the week: it matches where either does."""
    _, _, day, _, weekday = _fields_of(text)
    return not day.startswith("*") and not weekday.startswith("*")


def _fields_of(text: str) -> list[str]:
    if len(text) > MAX_EXPRESSION:
        raise InvalidCron(f"the cron expression has {len(text)} characters, {MAX_EXPRESSION} are allowed")
    named = text.strip().lower()
    if named.startswith("@") and named not in ALIASES:
        raise InvalidCron(f"'{text}' is no cron expression", f"write one of {', '.join(ALIASES)}, or five fields")
    fields = ALIASES.get(named, text).split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(name for name, _ in _FIELDS)
        count = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
        raise InvalidCron(f"'{text}' has {count}; a cron expression has five", f"these are {names}")
    return fields


def _is_valid(number: int, field: str) -> bool:
    from datetime import datetime

    from cronsim import CronSim, CronSimError

    alone = ["*"] * len(_FIELDS)
    alone[number] = field
    try:
        CronSim(" ".join(alone), datetime(2000, 1, 1))
    except (CronSimError, ValueError):
        return False
    return True
