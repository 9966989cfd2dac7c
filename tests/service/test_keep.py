"""`keep` of flows: ended runs are deleted when they have been kept that long, and not before."""

from __future__ import annotations

from typing import Final

import pytest
from msgspec.structs import replace

from chalicelib.hosting.virtual import IN_MEMORY
from chalicelib.model.status import Status
from chalicelib.service.errors import NotFound
from chalicelib.service.ports.actions import NotTaken
from chalicelib.service.ports.runs import RunQuery
from tests.hosts import NS, Host, accept, answer_at_once

MINUTE: Final = 60_000
DAY: Final = 24 * 60 * MINUTE

FSL: Final = """
action work addr = "http://x/"; return = (OK | BAD); action_end
/
flow f
    keep = 90d;
    step One => (OK -> done | BAD -> stopped) { action = work; };
flow_end
"""


@pytest.fixture
def host() -> Host:
    host = Host(accept)
    host.submit(FSL)
    host.start("f")
    host.settle()
    return host


def is_gone(host: Host, name: str = "r") -> bool:
    try:
        host.run(name)
    except NotFound:
        return True
    return False


@pytest.mark.parametrize("state", ["OK", "BAD"])
def test_an_ended_run_is_deleted_after_that_time(host: Host, state: str) -> None:
    host.answer("One", state)
    host.pass_time(90 * DAY - 1)
    assert not is_gone(host)
    host.pass_time(2)
    assert is_gone(host)
    assert host.services.runs.list(NS, RunQuery()).runs == ()


def test_a_setting_applies_to_flows_that_do_not_say_how_long() -> None:
    host = Host(answer_at_once, settings=replace(IN_MEMORY, keep=7 * DAY))
    host.submit(FSL)
    host.submit(FSL.replace("keep = 90d;", "").replace("flow f", "flow g"))
    host.start("f", "r90")
    host.start("g", "r7")
    host.settle()
    host.pass_time(7 * DAY - 1)
    assert not is_gone(host, "r7")
    host.pass_time(2)
    assert is_gone(host, "r7")
    assert not is_gone(host, "r90")
    host.pass_time(83 * DAY)
    assert is_gone(host, "r90")


def test_a_run_that_has_not_ended_stays(host: Host) -> None:
    host.submit("flow slow keep = 1m; wait W => (DONE -> done) { for = 10m; }; flow_end")
    host.start("slow", "s")
    host.pass_time(10 * MINUTE)
    assert host.run("s").status is Status.SUCCEEDED
    host.pass_time(MINUTE)
    assert is_gone(host, "s")


def test_a_run_without_keep_stays(host: Host) -> None:
    host.submit(FSL.replace("keep = 90d;", ""))
    host.start("f", "s")
    host.settle()
    host.answer("One", "OK", "s")
    host.pass_time(365 * DAY)
    assert host.run("s").timer_at is None


def test_a_retried_run_is_kept_from_its_new_end_on(host: Host) -> None:
    host.answer("One", "BAD")
    host.pass_time(80 * DAY)
    host.services.operator.retry(NS, "r")
    host.pass_time(DAY)
    host.answer("One", "OK")
    host.pass_time(80 * DAY)
    assert not is_gone(host)
    host.pass_time(10 * DAY + 1)
    assert is_gone(host)


def test_a_paused_run_stays(host: Host) -> None:
    host.services.operator.pause(NS, "r")
    host.pass_time(365 * DAY)
    assert host.run().status is Status.PAUSED


def test_a_run_stays_while_a_notice_of_it_is_on_its_way() -> None:
    host = Host(accept)
    host.submit(
        FSL.replace("keep = 90d", "keep = 1m").replace(
            "action_end", 'cancel = "http://x/cancel"; retry = (max = 3, delay = 10m, rate = 1.0); action_end'
        )
    )
    host.start("f")
    host.settle()
    host.actions.script = lambda _: NotTaken("503", final=False, retry_after=10 * MINUTE)
    host.services.operator.stop(NS, "r")
    host.pass_time(15 * MINUTE)
    assert len(host.actions.calls) == 3
    assert not is_gone(host)
    host.pass_time(20 * MINUTE)
    assert is_gone(host)


def test_the_run_that_called_it_knows_how_it_ended(host: Host) -> None:
    host.submit(
        """
        flow child keep = 1ms; set S => (DONE -> done) { save = (a = 1); }; flow_end
        /
        flow parent call C => (DONE -> done) { flow = child; }; flow_end
        """
    )
    host.start("parent", "p")
    host.pass_time(MINUTE)
    assert host.run("p").status is Status.SUCCEEDED
    assert {run.name for run in host.services.runs.list(NS, RunQuery()).runs} == {"p", "r"}
