"""Cron expressions in time zones: which they are, and when they match."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chalicelib.model.recurrence.cron import ALIASES, InvalidCron, check_cron, next_match
from chalicelib.model.recurrence.zones import UnknownZone, check_zone, format_local, instant_of_local, local_time
from chalicelib.model.times import Instant, instant

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
KOLKATA, APIA, LONDON = "Asia/Kolkata", "Pacific/Apia", "Europe/London"


def at(text: str) -> Instant:
    found = instant(text)
    assert found is not None
    return found


def matches(expression: str, zone: str, after: str, count: int) -> list[str]:
    check_cron(expression)
    found, moment = list[str](), at(after)
    for _ in range(count):
        following = next_match(expression, zone, moment)
        assert following is not None
        assert following > moment
        moment = following
        found.append(format_local(moment, zone))
    return found


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("0 2 * * *", "UTC", "2026-11-26T02:00:00Z", ["2026-11-27T02:00:00Z", "2026-11-28T02:00:00Z"]),
        ("0 2 * * *", "UTC", "2026-11-26T01:59:59.999Z", ["2026-11-26T02:00:00Z"]),
        ("0 2 * * *", BERLIN, "2026-11-26T00:00:00Z", ["2026-11-26T02:00:00+01:00"]),
        ("0 9 * * MON-FRI", BERLIN, "2026-11-27T12:00:00Z", ["2026-11-30T09:00:00+01:00"]),
        ("*/20 10 1,15 jan,JUL *", "UTC", "2026-11-26T00:00:00Z", ["2027-01-01T10:00:00Z", "2027-01-01T10:20:00Z"]),
        ("30 9 * * 1", KOLKATA, "2026-11-26T00:00:00Z", ["2026-11-30T09:30:00+05:30"]),
        ("0 0 * * 0", "UTC", "2026-11-26T00:00:00Z", ["2026-11-29T00:00:00Z"]),
        ("0 0 * * 7", "UTC", "2026-11-26T00:00:00Z", ["2026-11-29T00:00:00Z"]),
        ("0 0 L * *", "UTC", "2028-01-31T00:00:00Z", ["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"]),
        ("0 0 LW * *", "UTC", "2026-10-01T00:00:00Z", ["2026-10-30T00:00:00Z"]),
        ("0 0 * * MON#2", "UTC", "2026-11-10T00:00:00Z", ["2026-12-14T00:00:00Z"]),
        ("0 0 * * 5L", "UTC", "2026-11-01T00:00:00Z", ["2026-11-27T00:00:00Z"]),
        ("0 0 13 * FRI", "UTC", "2026-11-12T00:00:00Z", ["2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"]),
        ("@daily", BERLIN, "2026-11-26T00:00:00Z", ["2026-11-27T00:00:00+01:00"]),
        ("@Hourly", "UTC", "2026-11-26T00:00:00Z", ["2026-11-26T01:00:00Z"]),
        ("@weekly", "UTC", "2026-11-26T00:00:00Z", ["2026-11-29T00:00:00Z"]),
        ("@yearly", "UTC", "2026-11-26T00:00:00Z", ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]),
        # leap years, also the century that is none
        ("0 12 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T12:00:00Z", "2032-02-29T12:00:00Z"]),
        ("0 12 29 2 *", "UTC", "2096-03-01T00:00:00Z", ["2104-02-29T12:00:00Z"]),
        ("0 0 * 2 MON#5", "UTC", "2072-03-01T00:00:00Z", ["2112-02-29T00:00:00Z"]),
    ],
)
def test_an_expression_matches(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert matches(expression, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # 2026-03-29 02:00 to 03:00 does not exist in Berlin
        (
            "30 2 * * *",
            BERLIN,
            "2026-03-27T12:00:00Z",
            ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
        ),
        ("0 2,3 * * *", BERLIN, "2026-03-29T00:00:00Z", ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"]),
        (
            "*/30 * * * *",
            BERLIN,
            "2026-03-29T00:00:00Z",
            ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
        ),
        # 2026-10-25 02:00 to 03:00 comes twice
        (
            "30 2 * * *",
            BERLIN,
            "2026-10-24T12:00:00Z",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        ),
        (
            "0 * * * *",
            BERLIN,
            "2026-10-24T23:00:00Z",
            ["2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"],
        ),
        ("30 2 * * *", BERLIN, "2026-10-25T00:30:00Z", ["2026-10-26T02:30:00+01:00"]),
        ("30 2 * * *", BERLIN, "2026-10-25T01:00:00Z", ["2026-10-26T02:30:00+01:00"]),
        (
            "30 2 * * *",
            NEW_YORK,
            "2026-03-07T12:00:00Z",
            ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"],
        ),
        (
            "30 1 * * *",
            NEW_YORK,
            "2026-10-31T12:00:00Z",
            ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"],
        ),
        # half an hour: 02:00 to 02:30 does not exist on 2026-10-04, 01:30 to 02:00 comes twice on 2026-04-05
        (
            "15 2 * * *",
            LORD_HOWE,
            "2026-10-03T00:00:00Z",
            ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
        ),
        (
            "45 1 * * *",
            LORD_HOWE,
            "2026-04-04T00:00:00Z",
            ["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"],
        ),
        ("30 1 29 3 *", LONDON, "2026-03-28T00:00:00Z", ["2026-03-29T02:00:00+01:00"]),
        # a day that a zone left out
        (
            "0 12 * * *",
            APIA,
            "2011-12-29T12:00:00Z",
            ["2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"],
        ),
    ],
)
def test_clocks_that_are_set(expression: str, zone: str, after: str, expected: list[str]) -> None:
    """A local time that does not exist is taken at the next moment that does; one that comes twice is taken once."""
    assert matches(expression, zone, after, len(expected)) == expected


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, LORD_HOWE, KOLKATA, APIA, LONDON, "UTC"])
def test_each_local_minute_is_taken_once(zone: str) -> None:
    """Around each change of the clocks: the matches of `every minute` are the local minutes, each once."""
    shown, moment = list[str](), at("2026-01-01T00:00:00Z")
    end = at("2027-01-01T00:00:00Z")
    while (following := next_match("17,47 * * * *", zone, moment)) is not None and following < end:
        moment = following
        shown.append(format(local_time(moment, zone), "%Y-%m-%dT%H:%M"))
    assert shown == sorted(set(shown))
    assert len(shown) >= 2 * 24 * 365 - 2


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("", "'' has 0 fields; a cron expression has five; these are minute, hour, day of month, month, day of week"),
        ("0 2 * *", r"'0 2 \* \*' has 4 fields"),
        ("0 0 2 * * *", r"'0 0 2 \* \* \*' has 6 fields"),
        ("60 * * * *", "'60' is no minute of a cron expression; write 0-59"),
        ("0 24 * * *", "'24' is no hour of a cron expression; write 0-23"),
        ("0 0 0 * *", "'0' is no day of month"),
        ("0 0 * 13 *", "'13' is no month of a cron expression; write 1-12 or JAN-DEC"),
        ("0 0 * * 8", "'8' is no day of week"),
        ("0 0 * * FRI-MON", "'FRI-MON' is no day of week .* a range must not end before it begins"),
        ("0 0 * * MON#6", "'MON#6' is no day of week"),
        ("*/0 * * * *", r"'\*/0' is no minute"),
        ("a * * * *", "'a' is no minute"),
        ("1-2-3 * * * *", "'1-2-3' is no minute"),
        (", * * * *", "',' is no minute"),
        ("0 0 15W * *", "'15W' is no day of month"),
        ("²L * * * *", "'²L' is no minute"),
        ("0 0 30 2 *", r"'0 0 30 2 \*' never matches: no month has such a day"),
        ("0 0 31 2,4,6 *", "never matches"),
        ("0 0 */20 * 1L", "never matches"),
        ("@reboot", "'@reboot' is no cron expression; write one of @yearly"),
        ("@every 5m", "'@every 5m' is no cron expression"),
        ("9" * 501, "the cron expression has 501 characters, 500 are allowed"),
    ],
)
def test_what_is_no_expression(expression: str, error: str) -> None:
    with pytest.raises(InvalidCron, match=error):
        check_cron(expression)


def test_aliases_are_expressions() -> None:
    for alias, expression in ALIASES.items():
        check_cron(alias)
        check_cron(expression)


def test_a_day_of_month_that_no_month_has_may_still_match_by_its_weekday() -> None:
    """Where both days are given, either may match."""
    assert matches("0 0 30 2 MON", "UTC", "2026-01-01T00:00:00Z", 1) == ["2026-02-02T00:00:00Z"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Europe/Berln", "'Europe/Berln' is no time zone; did you mean 'Europe/Berlin'?"),
        ("europe/berlin", "'europe/berlin' is no time zone; did you mean 'Europe/Berlin'?"),
        ("+01:00", "'+01:00' is no time zone; write a name such as Europe/Berlin, or UTC"),
        ("", "'' is no time zone"),
        ("../UTC", "'../UTC' is no time zone"),
        ("localtime", "'localtime' is no time zone"),
    ],
)
def test_what_is_no_zone(name: str, error: str) -> None:
    with pytest.raises(UnknownZone) as raised:
        check_zone(name)
    assert str(raised.value).startswith(error)


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", BERLIN, NEW_YORK, LORD_HOWE, KOLKATA, "America/Argentina/Ushuaia"])
def test_zones(name: str) -> None:
    check_zone(name)


def test_beyond_the_calendar_nothing_matches() -> None:
    assert next_match("0 0 1 1 *", "UTC", at("9999-06-01T00:00:00Z")) is None
    assert next_match("0 0 1 1 *", BERLIN, 1 << 60) is None


def test_a_local_time_is_a_moment() -> None:
    for text, zone in [("2026-11-26T02:00:00+01:00", BERLIN), ("2026-07-01T00:00:00+05:30", KOLKATA)]:
        moment = at(text)
        assert instant_of_local(local_time(moment, zone).replace(tzinfo=None), zone) == moment
        assert format_local(moment, zone) == text
    assert format_local(at("2026-01-01T00:00:00Z"), LONDON) == "2026-01-01T00:00:00Z"


def test_what_is_heavy_is_loaded_when_it_is_used() -> None:
    code = """
import sys
from chalicelib.model.recurrence import cron, zones
print(sorted({'cronsim', 'zoneinfo', 'difflib', 'calendar'} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
