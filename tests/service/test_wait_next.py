"""`wait` until the next match of a cron expression in a time zone."""

from __future__ import annotations

import pytest

from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.model.times import instant, rfc3339
from tests.hosts import NS, Host

ROUTES = "(DONE -> done (output = ${ $now }) | ERROR -> done (output = ${ $error }))"


def begun(options: str, **given: Json) -> Host:
    host = Host()
    host.submit(f"flow f input = any; wait W => {ROUTES} {{ {options} }}; flow_end")
    host.start("f", **given)
    host.settle()
    return host


def at(host: Host, moment: str) -> None:
    """Let time pass until that moment."""
    found = instant(moment)
    assert found is not None
    host.pass_time(found - host.clock.now())


def due(host: Host) -> str:
    activation = host.run().tokens[0].activation
    assert activation is not None
    return rfc3339(activation.deadline)


@pytest.mark.parametrize(
    ("options", "moment"),
    [
        ('next = "0 9 * * MON-FRI"; zone = "Europe/Berlin";', "2027-01-18T08:00:00.000Z"),
        ('next = "0 9 * * MON-FRI";', "2027-01-15T09:00:00.000Z"),
        ('next = "0 8 * * *";', "2027-01-16T08:00:00.000Z"),
        ('next = "@hourly"; zone = "Asia/Kolkata";', "2027-01-15T08:30:00.000Z"),
        ("next = ${ $input.cron }; zone = ${ $input.zone };", "2027-02-28T22:59:00.000Z"),
        ('next = "59 23 L * *"; zone = "America/New_York";', "2027-02-01T04:59:00.000Z"),
    ],
)
def test_a_wait_ends_at_the_next_match_in_its_zone(options: str, moment: str) -> None:
    """The clock shows 2027-01-15T08:00:00Z, a Friday, which itself does not match."""
    host = begun(options, cron="59 23 28 2 *", zone="Europe/Berlin")
    assert due(host) == moment
    at(host, moment)
    assert (host.run().status, host.run().output) == (Status.SUCCEEDED, moment)


@pytest.mark.parametrize(
    ("before", "cron", "matches"),
    [
        ("2027-03-27T12:00:00Z", "30 2 * * *", ["2027-03-28T01:00:00.000Z", "2027-03-29T00:30:00.000Z"]),
        ("2027-10-30T12:00:00Z", "30 2 * * *", ["2027-10-31T00:30:00.000Z", "2027-11-01T01:30:00.000Z"]),
    ],
)
def test_a_local_time_that_is_skipped_is_made_up_and_one_that_repeats_is_taken_once(
    before: str, cron: str, matches: list[str]
) -> None:
    host = Host()
    host.submit(f"""flow f input = any; vars = (n = 0, at = []);
        wait Until => (DONE -> W) {{ until = "{before}"; }};
        wait W => (DONE when ${{ $vars.n < 2 }} -> W | DONE -> done) {{
            next = "{cron}"; zone = "Europe/Berlin";
            save = (n = ${{ $vars.n + 1 }}, at = ${{ $append($vars.at, $now) }});
        }};
    flow_end""")
    host.start("f")
    at(host, "2027-12-01T00:00:00Z")
    assert host.run().vars["at"] == matches


def test_a_pause_does_not_move_the_moment() -> None:
    host = begun('next = "0 9 * * *";')
    host.services.operator.pause(NS, "r", by="p")
    host.pass_time(1_800_000)
    host.services.operator.resume(NS, "r", by="p")
    assert due(host) == "2027-01-15T09:00:00.000Z"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"c": "0 9 * *"}, "`next`: '0 9 * *' has 4 fields; a cron expression has five"),
        ({"c": "61 * * * *"}, "`next`: '61' is no minute of a cron expression"),
        ({"c": "0 0 30 2 *"}, "`next`: '0 0 30 2 *' never matches: no month has such a day"),
        ({"c": 7}, "`next` must be a cron expression, and is 7"),
        ({}, "`next` must be a cron expression: expression '$input.c' yields nothing"),
        (
            {"c": "0 9 * * *", "z": "Europe/Berln"},
            "`zone`: 'Europe/Berln' is no time zone; did you mean 'Europe/Berlin'?",
        ),
        ({"c": "0 9 * * *", "z": None}, "`zone` must be the name of a time zone, and is null"),
        ({"c": "0 9 * * *", "z": "../etc/passwd"}, "`zone`: '../etc/passwd' is no time zone"),
    ],
)
def test_a_computed_expression_or_zone_that_is_wrong_is_an_error(given: dict[str, Json], said: str) -> None:
    error = begun("next = ${ $input.c }; zone = ${ $input.z };", **{"z": "UTC", **given}).run().output
    assert error["name"] == "ExpressionFailed"
    assert error["cause"].startswith(said)
