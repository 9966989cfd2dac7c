"""The calendar: milliseconds since 1970 and the parts of a date."""

from __future__ import annotations

from typing import Final, NamedTuple

DAY_MS: Final = 86_400_000
MAX_MILLIS: Final = 8_640_000_000_000_000
"""The moments that JavaScript has: 100 million days before and after 1970."""


class Moment(NamedTuple):
    """A moment in the parts of a date; `month` and `day` from 1, `weekday` from Monday, 1."""

    days: int
    year: int
    month: int
    day: int
    weekday: int
    hour: int
    minute: int
    second: int
    milli: int


def days_of(year: int, month: int, day: int) -> int:
    """Return the days since 1970; months and days beyond their range count on."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    before = year - 1 if month <= 2 else year
    era = before // 400
    of_era = before - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468 + day - 1


def date_of(days: int) -> tuple[int, int, int]:
    """Return year, month and day of the days since 1970."""
    shifted = days + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    index = (5 * of_year + 2) // 153
    month = index + 3 if index < 10 else index - 9
    return year + era * 400 + (month <= 2), month, of_year - (153 * index + 2) // 5 + 1


def moment_of(millis: int) -> Moment:
    """Return the parts of a moment."""
    days, rest = divmod(millis, DAY_MS)
    year, month, day = date_of(days)
    hour, rest = divmod(rest, 3_600_000)
    minute, rest = divmod(rest, 60_000)
    second, milli = divmod(rest, 1_000)
    return Moment(days, year, month, day, (days + 3) % 7 + 1, hour, minute, second, milli)


def first_week(year: int, month: int) -> int:
    """Return the day on which the first week of a month begins: the week that has its first Thursday."""
    first = days_of(year, month, 1)
    weekday = (first + 3) % 7 + 1
    return first + 8 - weekday if weekday > 4 else first - (weekday - 1)


def week_of_year(moment: Moment) -> int:
    """Return the number of the week, as ISO 8601 counts."""
    week = (moment.days - first_week(moment.year, 1)) // 7 + 1
    if week > 52 and moment.days >= first_week(moment.year + 1, 1):
        return 1
    return week if week >= 1 else (moment.days - first_week(moment.year - 1, 1)) // 7 + 1


def week_of_month(moment: Moment) -> int:
    """Return the number of the week within the month that its Thursday is in."""
    week = (moment.days - first_week(moment.year, moment.month)) // 7 + 1
    if week > 4 and moment.days >= first_week(moment.year, moment.month + 1):
        return 1
    return week if week >= 1 else (moment.days - first_week(moment.year, moment.month - 1)) // 7 + 1


def year_of_week(moment: Moment) -> int:
    """Return the year that the week of the moment belongs to."""
    if moment.days < first_week(moment.year, 1):
        return moment.year - 1
    return moment.year + 1 if moment.days >= first_week(moment.year + 1, 1) else moment.year


def month_of_week(moment: Moment) -> int:
    """Return the month that the week of the moment belongs to."""
    if moment.days < first_week(moment.year, moment.month):
        return (moment.month + 10) % 12 + 1
    if moment.days >= first_week(moment.year, moment.month + 1):
        return moment.month % 12 + 1
    return moment.month
