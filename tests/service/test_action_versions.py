"""How an action is reached follows its newest version, in runs that began before: address, method, headers, options."""

from __future__ import annotations

from typing import Any, Final

import pytest

from chalicelib.config import Settings
from chalicelib.hosting import assemble
from chalicelib.model.status import Status
from chalicelib.service.definitions.cache import FOLLOW_MS
from chalicelib.service.doctor.findings import FindingKind
from chalicelib.service.ports.actions import NotTaken, Reply, Taken
from tests.hosts import NS, Host

FLOW: Final = """
/
flow f
    step A => (OK -> done | BAD -> stopped) { action = work; args = (what = "A"); };
flow_end
"""


def action(addr: str = "http://wrong.test/", args: str = "str what", states: str = "OK | BAD", more: str = "") -> str:
    return f'action work addr = "{addr}"; args = ({args}); return = ({states}); {more} action_end'


RETRY: Final = "retry = (max = 5, delay = 1m, rate = 1.0);"


def started(more: str = RETRY) -> Host:
    def reply(_: dict[str, Any]) -> Reply:
        is_right = "right" in host.actions.calls[-1].addresses[0]
        return Taken({"ackState": "OK"}) if is_right else NotTaken("connection refused", final=False)

    host = Host(reply)
    host.submit(action(more=more) + FLOW)
    host.start("f")
    host.settle()
    return host


def addresses(host: Host) -> list[str]:
    return [call.addresses[0] for call in host.actions.calls]


def test_a_running_run_goes_on_at_the_new_address() -> None:
    host = started()
    host.submit(action("http://right.test/", more=RETRY))
    host.pass_time(60_000)
    assert host.run().status is Status.SUCCEEDED
    assert addresses(host) == ["http://wrong.test/", "http://right.test/"]
    assert host.run().definition.actions == {"work": 1}


def test_every_delivery_has_the_same_args_though_the_new_version_has_more() -> None:
    host = started()
    host.submit(action("http://right.test/", "str what, int more = 7", "NEW | OK | BAD", RETRY))
    host.pass_time(60_000)
    first, second = host.actions.calls
    assert first.body == second.body
    assert host.run().status is Status.SUCCEEDED


def test_a_paused_run_follows_when_it_continues() -> None:
    host = started()
    host.services.operator.pause(NS, "r")
    host.submit(action("http://right.test/", more=RETRY))
    host.pass_time(60_000)
    host.services.operator.resume(NS, "r")
    host.settle()
    assert host.run().status is Status.SUCCEEDED


def test_a_failed_run_follows_when_it_is_retried() -> None:
    host = started("retry = (max = 1);")
    assert host.run().status is Status.FAILED
    host.submit(action("http://right.test/"))
    host.services.operator.retry(NS, "r")
    host.settle()
    assert host.run().status is Status.SUCCEEDED


def test_more_attempts_take_effect_at_the_next_failure() -> None:
    host = started("retry = (max = 2, delay = 1m, rate = 1.0);")
    host.submit(action(more="retry = (max = 4, delay = 1m, rate = 1.0);"))
    host.pass_time(3_600_000)
    assert len(host.actions.requests) == 4


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"args": "int what"}, "takes a value of type int as arg 'what'"),
        ({"args": "str other"}, "has no arg 'what'"),
        ({"args": "str what, str tenant"}, "needs arg 'tenant'"),
        ({"states": "OK"}, "does not return BAD"),
        ({"more": "callback = none;"}, "in another way"),
    ],
)
def test_another_contract_is_not_followed_and_the_doctor_reports_it(given: dict[str, str], why: str) -> None:
    host = started()
    given = {"more": RETRY, **given}
    flow = "\n/\nflow f step Z => (OK -> done) { action = human_one; }; flow_end\n/\n"
    human = "action human_one method = human; return = (OK); action_end"
    host.submit(human + flow + action("http://right.test/", **given))
    host.pass_time(60_000)
    assert set(addresses(host)) == {"http://wrong.test/"}
    findings = host.services.doctor.examine(NS, 100).findings
    (found,) = [one for one in findings if one.kind is FindingKind.OLD_ACTION]
    assert why in found.detail
    assert (found.run, found.step) == ("r", "A")


def test_another_container_follows_within_seconds() -> None:
    host = started("retry = (max = 50, delay = 1s, rate = 1.0);")
    adapters = host.services.adapters
    other = assemble(Settings(), adapters)
    other.submitter.submit(NS, action("http://right.test/"))
    host.pass_time(FOLLOW_MS + 2_000)
    assert host.run().status is Status.SUCCEEDED


def test_a_warm_container_reads_the_newest_versions_once_in_a_while() -> None:
    host = started()
    reads: list[int] = []
    definitions = host.services.adapters.store.definitions
    cache, run = host.services.definition_cache, host.run()

    class Counted:
        def latest(self, *args: Any, **more: Any) -> Any:
            reads.append(1)
            return definitions.latest(*args, **more)

        def version(self, *args: Any) -> Any:
            reads.append(2)
            return definitions.version(*args)

    cache._store = type("S", (), {"definitions": Counted(), "runs": host.services.runs})()
    for _ in range(100):
        cache.of(run)
    assert reads == []
    host.clock.advance(FOLLOW_MS + 1)
    for _ in range(100):
        cache.of(run)
    assert reads == [1]
